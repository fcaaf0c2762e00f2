"""Makes the split files of a download that has none."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
from uniemox_mm.utils.chunked_job import ChunkedJob

from .division import divide
from .image_files import ImageFiles
from .split_choice import disagreement, project
from .splits_figure import draw_splits
from .splits_files import publish, write_ready
from .splits_report import describe_splits
from .splits_steps import choose_shares, read_files, rows_of

DATASETS: dict[str, type[FolderEmotionDataset]] = {
    dataset.__name__: dataset
    for dataset in (CAERS, FI, UnbiasedEmo, Emotion6, HECO, Emo8)
}
FIGURE, _PARTS, _READY = 'splits.png', '.splits.parts', 'ready'
_CHUNK = 64  # images
_EMO8_CANDIDATES = 20


@dataclass(frozen=True)
class MadeSplits:
    """What :func:`make_splits` did.

    Attributes:
        report (dict): The content of the report.
        written (list[Path]): The files that are new or other than before.
    """

    report: dict
    written: list[Path]


def make_splits(
    dataset: str,
    root: str | Path,
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
    """Divides a download into training, validation and test.

    Every file is read once. ``out`` gets ``train.json``, ``val.json`` and
    ``test.json``, which the dataset reads, and ``splits_report.json``. Broken
    images are left out. The division is the one that the dataset makes in
    memory with this seed, less what is left out. A run that was killed goes
    on, and the same arguments give the same files.

    With several candidates, made with ``seed`` and the seeds after it, the
    one is taken whose parts agree best in their colors
    (:func:`disagreement`), as the paper did for Emo8 in Sec. IV-B.

    Args:
        dataset (str): 'CAERS', 'FI', 'UnbiasedEmo', 'Emotion6', 'HECO' or
            'Emo8', in any case.
        root (str | Path): The download, of which no image is changed or
            copied.
        out (str | Path, optional): The folder for the files. Defaults to
            None: ``root``, where the dataset finds them by itself.
        seed (int): Of the first division. Defaults to 42.
        ratios (Sequence[float], optional): Shares of train, val and test, in
            the place of the dataset's own. Not for CAERS.
        val_from (str, optional): Of CAERS: 'test' (34 % of the shipped test
            images, as the authors did) or 'train' (10 % of train; test stays
            whole). Defaults to None, which is 'test'.
        duplicates (str): 'report', or 'drop' to leave copies out of train
            and val (:func:`copies_to_drop`). Defaults to 'report'.
        candidates (int, optional): How many divisions to choose from.
            Defaults to None: 20 for Emo8, 1 for others.
        figure (str | Path, optional): A picture of the colors (PNG).
            Defaults to None: ``splits.png`` in ``out`` with several
            candidates, none with one.
        overwrite (bool): Whether to replace split files that differ.
        workers (int): Processes that read files. Defaults to 2.

    Returns:
        MadeSplits: The report, and what was written.

    Raises:
        FileNotFoundError: There is no such folder.
        FileExistsError: ``out`` holds other split files; nothing is changed.
        ValueError: The download is laid out otherwise, an argument does not
            fit it, or a split would be empty.
        OSError: ``out`` cannot be written.
    """
    cls = _find_dataset(dataset)
    root = Path(root).resolve()
    out = Path(out or root).resolve()
    shares = choose_shares(cls, ratios, val_from)
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
    images = _scan(cls, root)
    names = [image.name for image in images]
    drop = duplicates == 'drop'
    # Sooner than after all the reading: is there enough for every split?
    divide(images, shares, seed, dict(zip(names, names, strict=True)), False)
    job = _start(out, ImageList(root, tuple(names)), picture is not None)
    files = read_files(
        ImageFiles(root, names, _CHUNK, picture is not None), job, workers
    )
    if not files.hashes:
        job.remove()
        name, problem = next(iter(files.broken.items()))
        raise ValueError(
            f'{root}: not one of its {len(names)} images can be read; the '
            f'first: {name}: {problem}'
        )
    divisions = {
        number: divide(images, shares, number, files.hashes, drop)
        for number in range(seed, seed + candidates)
    }
    chosen, scores, plane = seed, {}, None
    if picture is not None:
        plane = project(files.histograms)
        scores = {
            number: disagreement(plane, rows_of(d.splits, files.hashes))
            for number, d in divisions.items()
        }
        chosen = min(scores, key=lambda number: (scores[number], number))
    settings = dict(
        dataset=cls.__name__,
        classes=cls.METAINFO['classes'],
        seed=chosen,
        shares=shares,
        duplicates=duplicates,
    )
    division = divisions[chosen]
    report = dict(
        settings,
        images=len(names),
        candidates=[
            dict(seed=number, disagreement=score)
            for number, score in scores.items()
        ],
        **describe_splits(
            settings['classes'], division, files.hashes, files.broken
        ),
    )
    ready = job.folder / _READY
    write_ready(ready, settings, division.splits, report)
    written = publish(ready, out, overwrite)
    if plane is not None and picture is not None:
        draw_splits(
            picture,
            plane,
            [image.label for image in images if image.name in files.hashes],
            rows_of(division.splits, files.hashes),
            settings['classes'],
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


def _check_figure(path: str | Path, root: Path) -> Path:
    path = Path(path).resolve()
    if path.parent != root and path.is_relative_to(root):
        raise ValueError(
            f'{path}: would be among the images of {root}; give the figure '
            '(--figure) a place in that folder itself, or outside of it'
        )
    return path


def _scan(cls: type[FolderEmotionDataset], root: Path) -> list[LabelledImage]:
    if not root.is_dir():
        raise FileNotFoundError(
            f'{root}: no such folder; expected\n{cls.tree(root)}'
        )
    return cls.scan(root)


def _start(out: Path, images: ImageList, colors: bool) -> ChunkedJob:
    """The reading of the files, which does not depend on the division."""
    settings = dict(
        images=len(images.names), images_sha256=images.sha256(), colors=colors
    )
    chunks = -(-len(images.names) // _CHUNK)
    try:
        return ChunkedJob(out / _PARTS, settings, chunks)
    except OSError as error:
        raise OSError(
            f'{out}: cannot be written to ({error.strerror}); give another '
            'folder (--out)'
        ) from None
