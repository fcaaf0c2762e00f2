"""Make the split files of a download that has none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from uniemox_mm.datasets import (
    CAERS,
    FI,
    HECO,
    Emo8,
    Emotion6,
    FolderEmotionDataset,
    UnbiasedEmo,
)
from uniemox_mm.datasets.class_folders import LabelledImage
from uniemox_mm.datasets.image_lists import ImageList
from uniemox_mm.datasets.splitting import SPLITS, Ratios, split_images
from uniemox_mm.utils.chunked_job import (
    ChunkedJob,
    chunk_ranges,
    read_chunks,
)

from .check_image import ImageFiles
from .color_histograms import (
    BINS,
    count_colors,
    disagreement,
    project,
    to_histogram,
)
from .draw_splits import draw_splits
from .duplicates import (
    CopyGroup,
    copies_to_drop,
    describe_copies,
    find_copies,
)
from .split_files import publish, sha256_of_split, write_split_files

DATASETS: dict[str, type[FolderEmotionDataset]] = {
    dataset.__name__: dataset
    for dataset in (CAERS, FI, UnbiasedEmo, Emotion6, HECO, Emo8)
}
FIGURE, _PARTS, _FINISHED = 'splits.png', '.splits.parts', 'ready'
_CHUNK = 64  # images
_EMO8_CANDIDATES = 20
# Of CAER-S, where the validation images may also come from train.
_VAL_FROM_TRAIN = dict(train=dict(train=0.9, val=0.1), test=dict(test=1.0))


@dataclass(frozen=True)
class MadeSplits:
    """Result of :func:`make_splits`.

    Attributes:
        report (dict): The content of the report.
        written (list[Path]): The files that are new or changed.
    """

    report: dict
    written: list[Path]


def make_splits(
    dataset: str,
    root: str | Path,
    *,
    out: str | Path | None = None,
    seed: int = 42,
    ratios: Sequence[float] | None = None,
    val_from: str | None = None,
    duplicates: str = 'report',
    candidates: int | None = None,
    figure: str | Path | None = None,
    overwrite: bool = False,
    workers: int = 2,
) -> MadeSplits:
    """Split a download into training, validation and test.

    Every file is read once. ``out`` gets ``train.json``, ``val.json`` and
    ``test.json``, which the dataset reads, and ``splits_report.json``. Broken
    images are left out. The split is the one that the dataset makes in
    memory with this seed, less what is left out. A run that was killed is
    resumed, and the same arguments give the same files.

    Of several candidates, made with ``seed`` and the seeds after it, the one
    is taken whose splits agree best in their colors (:func:`disagreement`),
    as in the paper for Emo8 (Sec. IV-B).

    Args:
        dataset (str): 'CAERS', 'FI', 'UnbiasedEmo', 'Emotion6', 'HECO' or
            'Emo8', in any case.
        root (str | Path): The download, of which no image is changed or
            copied.
        out (str | Path, optional): The folder for the files. Defaults to
            None: ``root``, where the dataset finds them by itself.
        seed (int): Of the first candidate. Defaults to 42.
        ratios (Sequence[float], optional): Ratios of train, val and test,
            instead of the dataset's own. Not for CAERS.
        val_from (str, optional): Of CAERS: 'test' (34 % of the shipped test
            images, as the authors did) or 'train' (10 % of train; test stays
            whole). Defaults to None, which is 'test'.
        duplicates (str): 'report', or 'drop' to leave copies out of train
            and val (:func:`copies_to_drop`). Defaults to 'report'.
        candidates (int, optional): Number of candidates to choose from.
            Defaults to None: 20 for Emo8, 1 for others.
        figure (str | Path, optional): A picture of the colors (PNG).
            Defaults to None: ``splits.png`` in ``out`` with several
            candidates, none with one.
        overwrite (bool): Whether to replace split files that differ.
        workers (int): Processes that read files. Defaults to 2.

    Returns:
        MadeSplits: The report, and the files that were written.

    Raises:
        FileNotFoundError: There is no such folder.
        FileExistsError: ``out`` holds different split files; nothing is
            changed.
        ValueError: The download has another layout, an argument does not fit
            it, or a split would be empty.
        OSError: ``out`` cannot be written.
    """
    cls = _find_dataset(dataset)
    root = Path(root).resolve()
    out = Path(out or root).resolve()
    own_ratios = _choose_ratios(cls, ratios, val_from)
    if duplicates not in ('report', 'drop'):
        raise ValueError(
            f"duplicates must be 'report' or 'drop', but is {duplicates!r}"
        )
    if candidates is None:
        candidates = _EMO8_CANDIDATES if cls is Emo8 else 1
    if candidates < 1 or seed < 0:
        raise ValueError(
            'candidates must be at least 1 and seed at least 0, but they are '
            f'{candidates} and {seed}'
        )
    if figure is None and candidates > 1:
        figure = out / FIGURE
    picture = _check_figure(figure, root) if figure is not None else None
    images = cls.scan(root)
    names = [image.name for image in images]
    drop = duplicates == 'drop'
    # Before all the reading: are there enough images for every split?
    split_usable(images, own_ratios, seed, {n: n for n in names}, drop=False)
    job = _start_job(out, ImageList(root, tuple(names)), picture is not None)
    files = _read_files(root, names, job, picture is not None, workers)
    if not files.hashes:
        job.remove()
        name, problem = next(iter(files.broken.items()))
        raise ValueError(
            f'{root}: not one of its {len(names)} images can be read; the '
            f'first: {name}: {problem}'
        )
    made = {
        number: split_usable(images, own_ratios, number, files.hashes, drop)
        for number in range(seed, seed + candidates)
    }
    scores: dict[int, float] = {}
    plane = None
    if picture is not None:
        plane = project(files.histograms)
        scores = {
            number: disagreement(plane, files.rows_of(candidate.splits))
            for number, candidate in made.items()
        }
    chosen = min(made, key=lambda number: (scores.get(number, 0), number))
    splits, classes = made[chosen].splits, cls.METAINFO['classes']
    settings = dict(
        dataset=cls.__name__,
        classes=classes,
        seed=chosen,
        shares=own_ratios,
        duplicates=duplicates,
    )
    report = dict(
        settings,
        images=len(names),
        candidates=[
            dict(seed=number, disagreement=score)
            for number, score in scores.items()
        ],
        counts={
            split: {
                name: sum(image.label == label for image in part)
                for label, name in enumerate(classes)
            }
            for split, part in splits.items()
        },
        sha256={
            split: sha256_of_split(part, files.hashes)
            for split, part in splits.items()
        },
        broken=[
            dict(img_path=name, problem=problem)
            for name, problem in files.broken.items()
        ],
        copies=describe_copies(
            made[chosen].copies, made[chosen].dropped, classes
        ),
    )
    finished = job.folder / _FINISHED
    write_split_files(finished, settings, splits, report)
    written = publish(finished, out, overwrite)
    if plane is not None and picture is not None:
        draw_splits(
            picture,
            plane,
            [image.label for image in images if image.name in files.hashes],
            files.rows_of(splits),
            classes,
            f'{cls.__name__} by its color histograms, split by seed {chosen}',
        )
        written.append(picture)
    job.remove()
    return MadeSplits(report, written)


def _find_dataset(name: str) -> type[FolderEmotionDataset]:
    for known, dataset in DATASETS.items():
        if known.casefold() == name.casefold():
            return dataset
    if name.casefold() == 'emoset':
        raise ValueError(
            'EmoSet is shipped with its own splits; prepare_emoset.py checks '
            'and prepares it'
        )
    raise ValueError(
        f'{name}: no such dataset; expected one of {", ".join(DATASETS)}'
    )


def _choose_ratios(
    dataset: type[FolderEmotionDataset],
    ratios: Sequence[float] | None,
    val_from: str | None,
) -> Ratios:
    """Return the ratios asked for, or the dataset's own.

    Raises:
        ValueError: The arguments do not go with the dataset.
    """
    name, own = dataset.__name__, dataset.RATIOS
    shipped = set(own) != {''}
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
        return _VAL_FROM_TRAIN if val_from == 'train' else own
    if shipped:
        raise ValueError(
            f'{name} is shipped as {" and ".join(own)}, which ratios would '
            'mix; choose with --val-from where validation images come from'
        )
    if len(ratios) != len(SPLITS) or min(ratios) < 0:
        raise ValueError(
            'ratios must be those of train, val and test, such as 0.7 0.1 '
            f'0.2, but are {" ".join(map(str, ratios))}'
        )
    return {'': dict(zip(SPLITS, ratios, strict=True))}


def _check_figure(path: str | Path, root: Path) -> Path:
    path = Path(path).resolve()
    if path.parent != root and path.is_relative_to(root):
        raise ValueError(
            f'{path}: would be among the images of {root}; put the figure '
            '(--figure) directly into that folder, or outside of it'
        )
    return path


def _start_job(out: Path, images: ImageList, colors: bool) -> ChunkedJob:
    """Start or resume reading the files; independent of the split."""
    settings = dict(
        images=len(images.names), images_sha256=images.sha256(), colors=colors
    )
    chunks = len(chunk_ranges(len(images.names), _CHUNK))
    try:
        return ChunkedJob(out / _PARTS, settings, chunks)
    except OSError as error:
        raise OSError(
            f'{out}: cannot be written to ({error.strerror}); give another '
            'folder (--out)'
        ) from None


@dataclass(frozen=True)
class _ReadFiles:
    """Results of reading a download's files."""

    hashes: dict[str, str]  # name of each good image -> SHA-256
    broken: dict[str, str]  # name of each other one -> problem
    # (len(hashes), 768), in the order of hashes; (0, 768) without colors.
    histograms: np.ndarray

    def rows_of(
        self, splits: Mapping[str, Sequence[LabelledImage]]
    ) -> dict[str, list[int]]:
        """Map each split to the rows of its images in ``histograms``."""
        rows = {name: row for row, name in enumerate(self.hashes)}
        return {
            split: [rows[image.name] for image in part]
            for split, part in splits.items()
        }


def _read_files(
    root: Path,
    names: Sequence[str],
    job: ChunkedJob,
    colors: bool,
    workers: int,
) -> _ReadFiles:
    """Read the files that are not done, each once."""
    files = ImageFiles(root, names, count_colors if colors else None)
    chunks = chunk_ranges(len(names), _CHUNK)
    for number, records in read_chunks(
        job, files, chunks, workers=workers, description='reading'
    ):
        job.save(number, records)
    hashes: dict[str, str] = {}
    broken: dict[str, str] = {}
    histograms = [np.empty((0, 3 * BINS), np.float32)]
    results = chain.from_iterable(job.results())
    for name, record in zip(names, results, strict=True):
        if record['problem'] is not None:
            broken[name] = record['problem']
            continue
        hashes[name] = record['sha256']
        if colors:
            row = to_histogram(np.array(record['colors']))
            histograms.append(np.float32(row).reshape(1, -1))
    return _ReadFiles(hashes, broken, np.concatenate(histograms))


@dataclass(frozen=True)
class UsableSplits:
    """Training, validation and test."""

    splits: dict[str, list[LabelledImage]]
    copies: list[CopyGroup]  # before any were dropped
    dropped: dict[str, str]  # name of a dropped copy -> why


def split_usable(
    images: Sequence[LabelledImage],
    ratios: Ratios,
    seed: int,
    hashes: Mapping[str, str],
    drop: bool,
) -> UsableSplits:
    """Split images, and only then leave out broken ones and copies.

    So one broken file more or less moves no other image to another split,
    and the splits are those that the dataset makes in memory, except for the
    images that are left out. ``hashes`` has the good images only; ``drop``
    applies :func:`copies_to_drop`.

    Raises:
        ValueError: A split is empty, or the ratios do not add up to 1.
    """
    splits = {
        split: [image for image in part if image.name in hashes]
        for split, part in split_images(images, ratios, seed).items()
    }
    copies = find_copies(splits, hashes)
    dropped = copies_to_drop(copies) if drop else {}
    splits = {
        split: [image for image in part if image.name not in dropped]
        for split, part in splits.items()
    }
    for split, part in splits.items():
        if not part:
            told = '; '.join(
                f'{name or "the download"} is split '
                + ', '.join(f'{ratio:.0%} {to}' for to, ratio in of.items())
                for name, of in ratios.items()
            )
            raise ValueError(
                f'{split} would be empty: of {len(images)} images '
                f'{len(images) - len(hashes)} are broken and {len(dropped)} '
                f'are dropped copies, and {told} (each folder by itself). '
                'Give other ratios, or more images'
            )
    return UsableSplits(splits, copies, dropped)
