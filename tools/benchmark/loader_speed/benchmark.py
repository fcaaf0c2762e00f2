"""Measures the data pipeline of a pretraining config."""

import os
import platform
import tempfile
from collections.abc import Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2
import torch
from mmengine.config import Config
from mmpretrain.registry import DATASETS
from PIL import features
from tqdm import tqdm

from .backends import LOADERS, missing
from .forms import RAW, Form, prepared_forms, sample_of, write_download
from .photographs import photographs
from .stages import Stages
from .variants import WAYS, measure_variants, way_of
from .worker_speed import measure_workers

_PACKAGES = (
    'numpy', 'pillow', 'opencv-python', 'opencv-python-headless', 'lmdb',
    'PyTurboJPEG', 'torch',
)  # fmt: skip


def measure_loader(
    cfg: Config,
    images: int = 64,
    rounds: int = 5,
    workers: Sequence[int] | None = None,
    data_root: str | None = None,
    short_side: int = 320,
) -> dict:
    """Measures images a second and where the time goes.

    The same images are read as they are downloaded, as prepared files and
    from an LMDB, in every way that runs here, as one view and as two. In
    each round everything is measured once, so that what else the machine
    does falls on all alike.

    Args:
        cfg (Config): A pretraining config, of which ``train_dataloader``
            counts.
        images (int): How many are drawn, or taken from ``data_root``.
            Defaults to 64.
        rounds (int): Defaults to 5.
        workers (Sequence[int], optional): Numbers of worker processes.
            Defaults to 1, 2, 4, ... up to the number of cores.
        data_root (str, optional): A data set for the config's dataset.
            Without, images are drawn.
        short_side (int): That of the prepared images, and what scaled
            decoding leaves at least, in pixels. Defaults to 320.

    Returns:
        dict: Plain JSON that :func:`markdown` makes tables of.

    Raises:
        ValueError: The pipeline is not that of a pretraining config, an
            argument is under 1, or there are fewer cores than workers.
    """
    cores = len(os.sched_getaffinity(0))
    counts = list(workers) if workers is not None else powers_of_two(cores)
    if min(images, rounds, short_side, *counts) < 1 or max(counts) > cores:
        raise ValueError(
            'images, rounds and short_side must be at least 1, and workers 1 '
            f'to {cores}, the number of cores, but they are {images}, '
            f'{rounds}, {short_side} and {counts}'
        )
    dataloader = cfg.train_dataloader
    stages = Stages.of(dataloader.dataset.pipeline)
    default = way_of(stages, short_side)
    not_run = {name: missing(name) for name in LOADERS}
    not_run = {name: why for name, why in not_run.items() if why}
    ways = [way for way in WAYS if way.backend not in not_run]
    with tempfile.TemporaryDirectory() as folder, _one_thread():
        raw = _download(cfg, Path(folder) / 'raw', images, data_root)
        forms = [
            raw, *prepared_forms(raw, Path(folder), short_side, cores)
        ]  # fmt: skip
        return dict(
            machine=describe_machine(),
            settings=dict(
                config=Path(cfg.filename or '').name,
                images='drawn' if data_root is None else data_root,
                batch_size=dataloader.batch_size,
                short_side=short_side,
                rounds=rounds,
                way=default and default.name,
            ),
            forms={form.name: form.facts() for form in forms},
            variants=measure_variants(forms, ways, stages, short_side, rounds),
            workers=measure_workers(dataloader, forms, counts, rounds),
            not_run=not_run,
        )


def powers_of_two(most: int) -> list[int]:
    """1, 2, 4, ... up to a number, which is the last."""
    counts = [2**i for i in range(most.bit_length()) if 2**i <= most]
    return counts if counts[-1] == most else [*counts, most]


def describe_machine() -> dict:
    """Processor, cores, and versions of what takes part."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path('/proc/cpuinfo')
    if cpuinfo.is_file():
        lines = cpuinfo.read_text().splitlines()
        models = [line for line in lines if line.startswith('model name')]
        name = models[0].partition(': ')[2] if models else name
    versions = dict(python=platform.python_version())
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    versions['libjpeg-turbo of pillow'] = str(
        features.version('libjpeg_turbo')
    )
    return dict(
        processor=name,
        cores=len(os.sched_getaffinity(0)),
        versions=versions,
    )


def _download(
    cfg: Config, root: Path, images: int, data_root: str | None
) -> Form:
    """The images to measure with, as they would be downloaded."""
    if data_root is None:
        source, total = photographs(images), images
    else:
        dataset = DATASETS.build(
            {
                **cfg.train_dataloader.dataset,
                'data_root': data_root,
                'pipeline': [],
            }
        )
        source, total = sample_of(dataset, images), min(images, len(dataset))
    bar = tqdm(source, desc=RAW, total=total, unit='img')
    return write_download(root, bar)


@contextmanager
def _one_thread():
    """As in a data loader's worker."""
    threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(cv2_threads)
