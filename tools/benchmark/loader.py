r"""Measure how many images a second a training config's pipeline yields.

Raw JPEGs of 1024 pixels against the same images prepared, as files and as an
LMDB; several decoders; one view against two from one decode; where the time
goes; and the real data loader with 1, 2, ... workers. Draws its own images,
or takes some of a dataset. Prints tables in Markdown.

Examples (the first takes about 3 minutes on 2 cores):
    python tools/benchmark/loader.py --out work_dirs/loader
    python tools/benchmark/loader.py configs/uniemox_vit-l_pretrain.py \
        --data-root data/EmoSet-118K --cfg-options \
        train_dataloader.dataset.persons=persons.json
"""

import argparse
import io
import json
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import torch
from loader_variants import (
    BOTH,
    DECODERS,
    SCENE,
    STEPS,
    VARIANTS,
    Variant,
    timed_pipeline,
    variant_of,
    why_missing,
)
from machine import describe_machine, machine_text
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS
from photographs import photographs
from PIL import Image
from torch.utils.data import DataLoader
from tqdm import tqdm

from uniemox_mm.datasets import BaseEmotionDataset, EmoSet, LoadEmotionImage
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.engine.cfg_options import CfgOptions
from uniemox_mm.preparation.prepare_emoset import prepare_emoset
from uniemox_mm.utils.atomic_files import atomic_file
from uniemox_mm.utils.markdown_table import markdown_table

ROOT = Path(__file__).parents[2]
RAW, FILES, DATABASE = 'raw JPEG', 'prepared files', 'prepared LMDB'
SEED = 0  # of the augmentation
_PERSONS = 'persons.json'
_BATCHES = 4  # that each worker makes in an epoch, at least
_PACKAGES = ('numpy', 'pillow', 'opencv-python-headless', 'lmdb')


class DataFormat(NamedTuple):
    """A dataset of one split, 'train', in EmoSet's layout.

    Attributes:
        name (str): Its name in tables.
        data_root (str): The folder.
        persons (str | None): The boxes file, if boxes are not in the list.
        images (int): How many.
    """

    name: str
    data_root: str
    persons: str | None
    images: int

    def config(self, pipeline: Sequence[dict] = ()) -> dict:
        """Return a dataset config, without captions, which are read once."""
        return dict(
            type='EmoSet',
            data_root=self.data_root,
            persons=self.persons,
            pipeline=list(pipeline),
        )


def measure_loader(
    cfg: Config,
    images: int = 64,
    rounds: int = 5,
    workers: Sequence[int] | None = None,
    data_root: str | None = None,
    short_side: int = 320,
) -> dict[str, Any]:
    """Measure images a second and where the time goes.

    In each round everything is measured once, so that what else the machine
    does falls on all alike.

    Args:
        cfg (Config): A pretraining config with a ``train_dataloader``.
        images (int): How many are drawn, or taken from ``data_root``.
            Defaults to 64.
        rounds (int): Defaults to 5.
        workers (Sequence[int], optional): Numbers of worker processes.
            Defaults to 1, 2, 4, ... up to the number of cores.
        data_root (str, optional): A dataset for the config's dataset.
            Defaults to None, for drawn images.
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
    pipeline = list(dataloader.dataset.pipeline)
    default = variant_of(pipeline, short_side)
    missing = {name: why_missing(name) for name in DECODERS}
    variants = [v for v in VARIANTS if not missing[v.decoder]]
    with tempfile.TemporaryDirectory() as name, _one_thread():
        folder = Path(name)
        if data_root is None:
            source, total = photographs(images), images
        else:
            dataset = DATASETS.build(
                {**dataloader.dataset, 'data_root': data_root, 'pipeline': []}
            )
            total = min(images, len(dataset))
            source = take_images(dataset, total)
        source = tqdm(source, RAW, total, unit='img')
        formats = write_formats(folder, source, short_side, cores)
        return dict(
            machine=dict(
                describe_machine(torch.device('cpu')), versions=_versions()
            ),
            config=Path(cfg.filename or '').name,
            source='drawn' if data_root is None else data_root,
            batch_size=dataloader.batch_size,
            short_side=short_side,
            rounds=rounds,
            default=default and default.name,
            formats={f.name: describe_format(f) for f in formats},
            variants=measure_variants(
                formats, variants, pipeline, short_side, rounds
            ),
            workers=measure_workers(dataloader, formats, counts, rounds),
            not_run={name: why for name, why in missing.items() if why},
        )


def powers_of_two(most: int) -> list[int]:
    """Return 1, 2, 4, ... up to a number, which is the last."""
    counts = [2**i for i in range(most.bit_length()) if 2**i <= most]
    return counts if counts[-1] == most else [*counts, most]


def _versions() -> dict[str, str]:
    found = {}
    for package in (*_PACKAGES, 'PyTurboJPEG'):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@contextmanager
def _one_thread() -> Iterator[None]:
    """Use one thread, as in a data loader's worker."""
    threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(cv2_threads)


def take_images(
    dataset: BaseEmotionDataset, count: int
) -> Iterator[tuple[bytes, list]]:
    """Yield files and boxes of a dataset, evenly spaced in its list."""
    load = LoadEmotionImage()
    for number in range(count):
        info = dataset.get_data_info(number * len(dataset) // count)
        yield load.read(info['img_path']), info.get('persons', [])


def write_formats(
    folder: Path,
    images: Iterable[tuple[bytes, list]],
    short_side: int,
    workers: int,
) -> list[DataFormat]:
    """Write images as EmoSet is downloaded, and prepare the download.

    Args:
        folder (Path): Where to write.
        images (Iterable[tuple[bytes, list]]): Files and boxes.
        short_side (int): That of the prepared images, in pixels.
        workers (int): Processes that prepare images.

    Returns:
        list[DataFormat]: The download, whose labels mean nothing; the same
        as prepared files; the same in an LMDB.
    """
    rows, entries, root = [], [], folder / 'raw'
    for number, (content, boxes) in enumerate(images):
        emotion = EMOSET_CATEGORIES[number % len(EMOSET_CATEGORIES)]
        name = f'{emotion}/{emotion}_{number:05d}'
        image, annotation = f'image/{name}.jpg', f'annotation/{name}.json'
        for path in (image, annotation):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / image).write_bytes(content)
        (root / annotation).write_text(json.dumps(dict(emotion=emotion)))
        rows.append([emotion, image, annotation])
        entries.append(dict(img_path=image, persons=[list(b) for b in boxes]))
    (root / 'train.json').write_text(json.dumps(rows))
    persons = dict(metainfo=dict(), data_list=entries)
    (root / _PERSONS).write_text(json.dumps(persons))
    formats = [DataFormat(RAW, str(root), _PERSONS, len(rows))]
    for name, kind in ((FILES, 'folder'), (DATABASE, 'lmdb')):
        report = prepare_emoset(
            root,
            folder / kind,
            splits=['train'],
            images=kind,
            short_side=short_side,
            persons=root / _PERSONS,
            workers=workers,
        )
        count = report['counts']['train']['images']
        formats.append(DataFormat(name, str(folder / kind), None, count))
    return formats


def describe_format(data: DataFormat) -> dict[str, float]:
    """Return the number of images, with people, and median sizes."""
    # Serializing collects garbage first, which takes most of the time.
    dataset = EmoSet(
        data.data_root, persons=data.persons, serialize_data=False
    )
    sizes, lengths = [], []
    for content, _ in take_images(dataset, len(dataset)):
        lengths.append(len(content) / 1000)
        with Image.open(io.BytesIO(content)) as image:
            sizes.append(sorted(image.size))
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    short, long = (statistics.median(s) for s in zip(*sizes, strict=True))
    return dict(
        images=data.images,
        with_people=sum(bool(len(info.get('persons', ()))) for info in infos),
        short_side=short,
        long_side=long,
        kilobytes=statistics.median(lengths),
    )


def measure_variants(
    formats: Sequence[DataFormat],
    variants: Sequence[Variant],
    pipeline: Sequence[dict],
    short_side: int,
    rounds: int,
) -> list[dict[str, Any]]:
    """Measure every format, variant and number of views in every round.

    Returns:
        list[dict]: ``format``, ``variant``, ``views``, and the ``seconds``
        that an image took in each round, by step and in ``all``.
    """
    datasets = {f.name: DATASETS.build(f.config()) for f in formats}
    runs = []
    for data, variant, views in product(formats, variants, (SCENE, BOTH)):
        taken = {step: [] for step in (*STEPS, 'all')}
        names = dict(format=data.name, variant=variant.name, views=views)
        clock: dict[str, float] = {}
        timed = timed_pipeline(pipeline, variant, views, short_side, clock)
        runs.append((dict(names, seconds=taken), timed, clock))
    for row, timed, _ in runs:
        _read(datasets[row['format']], timed, epoch=0, count=8)
    with tqdm(total=rounds * len(runs), desc='in one process') as bar:
        for number in range(rounds):
            # Another one comes first each time.
            start = number * len(runs) // rounds
            for row, timed, clock in runs[start:] + runs[:start]:
                clock.update(dict.fromkeys(STEPS, 0.0))
                begin = time.perf_counter()
                count = _read(datasets[row['format']], timed, number)
                clock['all'] = time.perf_counter() - begin
                for step, seconds in row['seconds'].items():
                    seconds.append(clock[step] / count)
                bar.update()
    return [row for row, _, _ in runs]


def _read(
    dataset: EmoSet, pipeline: Compose, epoch: int, count: int | None = None
) -> int:
    dataset.pipeline = pipeline
    dataset.set_epoch(SEED, epoch)
    count = min(count or len(dataset), len(dataset))
    for index in range(count):
        dataset[index]
    return count


def build_loader(
    dataloader: ConfigDict, data: DataFormat, workers: int, images: int
) -> DataLoader:
    """Build a config's data loader on another dataset.

    Args:
        dataloader (ConfigDict): The config's ``train_dataloader``.
        data (DataFormat): The dataset, which is repeated.
        workers (int): Number of worker processes, which live on.
        images (int): Images an epoch, at least.
    """
    dataset = dict(
        type='RepeatDataset',
        dataset=data.config(dataloader.dataset.pipeline),
        times=-(-images // data.images),
    )
    cfg = {
        **dataloader,
        'dataset': dataset,
        'num_workers': workers,
        'persistent_workers': True,
        'pin_memory': dataloader.get('pin_memory')
        and torch.cuda.is_available(),
    }
    return Runner.build_dataloader(cfg, seed=SEED)


def measure_workers(
    dataloader: ConfigDict,
    formats: Sequence[DataFormat],
    counts: Sequence[int],
    rounds: int,
) -> list[dict[str, Any]]:
    """Measure every format with every number of workers in every round.

    Args:
        dataloader (ConfigDict): The config's ``train_dataloader``.
        formats (Sequence[DataFormat]): The same images in several formats.
        counts (Sequence[int]): Numbers of workers, from 1.
        rounds (int): How often.

    Returns:
        list[dict]: ``format``, ``workers``, and ``rates``, images a second in
        each round.
    """
    total = (rounds + 1) * len(formats) * len(counts)
    bar = tqdm(total=total, desc='with workers', unit='epoch')
    runs = []

    def rate(loader: DataLoader, epoch: int) -> float:
        loader.dataset.dataset.set_epoch(SEED, epoch)  # type: ignore
        start = time.perf_counter()
        count = sum(len(batch['data_samples']) for batch in loader)
        bar.update()
        return count / (time.perf_counter() - start)

    with bar:
        for data, workers in product(formats, counts):
            images = dataloader.batch_size * _BATCHES * workers
            loader = build_loader(dataloader, data, workers, images)
            rate(loader, 0)  # starts the workers
            row = dict(format=data.name, workers=workers, rates=[])
            runs.append((row, loader))
        for number in range(rounds):
            start = number * len(runs) // rounds
            for row, loader in runs[start:] + runs[:start]:
                row['rates'].append(rate(loader, number))
    return [row for row, _ in runs]


def median_range(values: Iterable[float]) -> tuple[float, float, float]:
    """Return median, lowest and highest."""
    values = list(values)
    return statistics.median(values), min(values), max(values)


def markdown(result: dict[str, Any]) -> str:
    """Return tables of what :func:`measure_loader` measured."""
    machine = result['machine']
    versions = ', '.join(f'{k} {v}' for k, v in machine['versions'].items())
    default = f': {result["default"]}' if result['default'] else ''
    facts = (
        [
            name,
            fact['images'],
            fact['with_people'],
            f'{fact["long_side"]:g} x {fact["short_side"]:g}',
            f'{fact["kilobytes"]:.0f}',
        ]
        for name, fact in result['formats'].items()
    )
    workers = []
    for row in result['workers']:
        rate = median_range(row['rates'])
        each = f'{rate[0] / row["workers"]:.0f}'
        workers.append([row['format'], row['workers'], _text(rate, 0), each])
    rates, steps = _variant_tables(result)
    parts = [
        '# Speed of the data pipeline',
        f'{machine_text(machine)}, {versions}',
        f'{result["config"]}, images: {result["source"]}. Median of '
        f'{result["rounds"]} rounds, in brackets the lowest and the highest; '
        'all files in the page cache. Scaled: JPEGs decoded at 1/2, 1/4 or '
        f'1/8, not under {result["short_side"]} pixels on the short side. '
        "The default is the config's.",
        markdown_table(
            ['format', 'images', 'with people', 'pixels', 'KB'], facts
        ),
        '## Images a second in one process',
        rates,
        *(f'Not run: {k}, since {v}.' for k, v in result['not_run'].items()),
        '## Where the time goes',
        f'Milliseconds an image, {BOTH}.',
        steps,
        '## Through the data loader',
        f'Images a second, batches of {result["batch_size"]}, the '
        f"config's pipeline as it is{default}.",
        markdown_table(
            ['format', 'workers', 'images a second', 'a worker'], workers
        ),
    ]
    return '\n\n'.join(parts) + '\n'


def _variant_tables(result: dict[str, Any]) -> tuple[str, str]:
    """Images a second, and milliseconds by step."""
    seconds = {
        (row['format'], row['variant'], row['views']): row['seconds']
        for row in result['variants']
    }

    def ratio(above: tuple, below: tuple) -> str:
        """Ratio of the times of the same round."""
        pairs = zip(seconds[above]['all'], seconds[below]['all'], strict=True)
        return _text(median_range(a / b for a, b in pairs), 2)

    rates, steps = [], []
    for data, variant in product(result['formats'], VARIANTS):
        if variant.decoder in result['not_run']:
            continue
        name = variant.name
        shown = f'{name} (the default)' * (name == result['default']) or name
        scene, both = ((data, name, views) for views in (SCENE, BOTH))
        rates.append(
            [
                data,
                shown,
                *(
                    _text(median_range(1 / s for s in seconds[k]['all']), 0)
                    for k in (scene, both)
                ),
                ratio(both, scene),
                '' if data == RAW else ratio((RAW, name, BOTH), both),
            ]
        )
        taken = {
            k: 1000 * statistics.median(v) for k, v in seconds[both].items()
        }
        times = [taken[step] for step in STEPS]
        times += [taken['all'] - sum(times), taken['all']]
        steps.append([data, shown, *(f'{t:.2f}' for t in times)])
    return (
        markdown_table(
            [
                *('format', 'decoding', SCENE, BOTH, 'both / scene'),
                f'prepared / {RAW}',
            ],
            rates,
        ),
        markdown_table(['format', 'decoding', *STEPS, 'rest', 'all'], steps),
    )


def _text(values: tuple[float, float, float], digits: int) -> str:
    median, lowest, highest = (f'{v:.{digits}f}' for v in values)
    return f'{median} ({lowest} to {highest})'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        'config',
        nargs='?',
        default=ROOT / 'configs/uniemox_vit-b_pretrain.py',
        help='pretraining config (ViT-B on EmoSet)',
    )
    parser.add_argument(
        '--data-root',
        help="folder of the config's dataset (none: images are drawn)",
    )
    parser.add_argument(
        '--images', type=int, default=64, help='number of images (%(default)s)'
    )
    parser.add_argument(
        '--rounds', type=int, default=5, help='repetitions (%(default)s)'
    )
    parser.add_argument(
        '--workers',
        type=int,
        nargs='+',
        help='numbers of workers (1, 2, 4, ... up to the number of cores)',
    )
    parser.add_argument(
        '--short-side',
        type=int,
        default=320,
        help='short side of the prepared images, in pixels (%(default)s)',
    )
    parser.add_argument(
        '--out', type=Path, help='folder for loader.json and loader.md'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=CfgOptions,
        default={},
        metavar='KEY=VALUE',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        cfg = Config.fromfile(args.config)
        cfg.merge_from_dict(args.cfg_options)
        init_default_scope(cfg.get('default_scope', 'mmpretrain'))
        # The messages of many datasets are of no interest.
        MMLogger.get_current_instance().setLevel(logging.ERROR)
        result = measure_loader(
            cfg,
            args.images,
            args.rounds,
            args.workers,
            args.data_root,
            args.short_side,
        )
    except (OSError, ValueError, TypeError) as error:
        sys.exit(f'{type(error).__name__}: {error}')
    text = markdown(result)
    print(text)
    if args.out:
        with atomic_file(args.out / 'loader.json') as file:
            json.dump(result, file, indent=1)
        with atomic_file(args.out / 'loader.md') as file:
            file.write(text)


if __name__ == '__main__':
    main()
