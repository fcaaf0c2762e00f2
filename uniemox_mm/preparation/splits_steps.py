"""The steps of :func:`make_splits`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from torch.utils.data import DataLoader
from tqdm import tqdm

from uniemox_mm.datasets.class_folders import LabelledImage
from uniemox_mm.datasets.folder_emotion import FolderEmotionDataset
from uniemox_mm.datasets.splitting import SPLITS, Ratios
from uniemox_mm.utils.chunked_job import ChunkedJob
from uniemox_mm.utils.worker_processes import die_with_parent

from .color_histograms import BINS, to_histogram
from .image_files import ImageFiles

# Of CAER-S, where the validation images may also come from train.
_VAL_FROM_TRAIN = dict(train=dict(train=0.9, val=0.1), test=dict(test=1.0))


@dataclass(frozen=True)
class ReadFiles:
    """What is known of a download's files.

    Attributes:
        hashes (dict[str, str]): Name of each good image -> SHA-256.
        broken (dict[str, str]): Name of each other one -> what is wrong.
        histograms (np.ndarray): (len(hashes), 768) color histograms, in the
            order of ``hashes``, or (0, 768) where they were not asked for.
    """

    hashes: dict[str, str]
    broken: dict[str, str]
    histograms: np.ndarray


def choose_shares(
    dataset: type[FolderEmotionDataset],
    ratios: Sequence[float] | None,
    val_from: str | None,
) -> Ratios:
    """The shares of a dataset, or those that were asked for.

    Raises:
        ValueError: What is asked for does not go with the dataset.
    """
    name, shares = dataset.__name__, dataset.RATIOS
    shipped = set(shares) != {''}
    if val_from is not None:
        if not shipped:
            raise ValueError(
                f'{name} is not shipped in parts that validation images could '
                'be taken from; --val-from is for CAERS'
            )
        if val_from not in ('train', 'test'):
            raise ValueError(
                f"val_from must be 'train' or 'test', but is {val_from!r}"
            )
    if ratios is None:
        return _VAL_FROM_TRAIN if val_from == 'train' else shares
    if shipped:
        raise ValueError(
            f'{name} is shipped as {" and ".join(shares)}, which ratios '
            'would mix; choose by --val-from where validation images come from'
        )
    if len(ratios) != len(SPLITS) or min(ratios) < 0:
        raise ValueError(
            'ratios must be the shares of train, val and test, such as '
            f'0.7 0.1 0.2, but are {" ".join(map(str, ratios))}'
        )
    return {'': dict(zip(SPLITS, ratios, strict=True))}


def read_files(files: ImageFiles, job: ChunkedJob, workers: int) -> ReadFiles:
    """Reads the files that are not done, each once."""
    todo = job.todo()
    loader = DataLoader(
        files,
        sampler=todo,
        batch_size=None,
        num_workers=min(workers, len(todo)),
        worker_init_fn=die_with_parent,
    )
    left = sum(len(files.names_of(i)) for i in todo)
    with tqdm(
        desc='reading',
        unit='img',
        total=len(files.names),
        initial=len(files.names) - left,
    ) as bar:
        for number, records in zip(todo, loader, strict=True):
            job.save(number, records)
            bar.update(len(records))
    hashes: dict[str, str] = {}
    broken: dict[str, str] = {}
    histograms = [np.empty((0, 3 * BINS), np.float32)]
    records = chain.from_iterable(job.results())
    for name, record in zip(files.names, records, strict=True):
        if record['problem'] is not None:
            broken[name] = record['problem']
            continue
        hashes[name] = record['sha256']
        if files.colors:
            row = to_histogram(np.array(record['colors']))
            histograms.append(np.float32(row).reshape(1, -1))
    return ReadFiles(hashes, broken, np.concatenate(histograms))


def rows_of(
    splits: Mapping[str, Sequence[LabelledImage]], hashes: Mapping[str, str]
) -> dict[str, list[int]]:
    """Split -> the rows that its images have among all good ones."""
    rows = {name: row for row, name in enumerate(hashes)}
    return {
        split: [rows[image.name] for image in part]
        for split, part in splits.items()
    }
