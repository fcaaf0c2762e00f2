"""Makes a data set that is ready for training from an EmoSet download."""

import shutil
from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from mmengine.logging import print_log

from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.datasets.persons import read_person_file
from uniemox_mm.models.detectors import PersonDetector
from uniemox_mm.utils.atomic_files import remove_leftovers
from uniemox_mm.utils.check_same_settings import check_same_settings
from uniemox_mm.utils.chunked_job import ChunkedJob
from uniemox_mm.utils.json_files import read_json, write_json_list
from uniemox_mm.utils.sha256_file import sha256_file

from .emoset_lists import SPLITS, read_lists, sha256_of_lists
from .emoset_samples import IMAGES, EmoSetSamples
from .emoset_steps import (
    LookUp,
    find_people,
    read_images,
    records,
    write_split,
)
from .people import fit_boxes

REPORT, _PARTS = 'report.json', '.parts'
_CHUNK = 64  # rows


def prepare_emoset(
    root: str | Path,
    out: str | Path,
    splits: Sequence[str] = SPLITS,
    images: str = 'folder',
    short_side: int = 320,
    quality: int = 92,
    persons: str | Path | None = None,
    detector: PersonDetector | None = None,
    workers: int = 2,
) -> dict:
    """Checks a download and writes what training reads.

    ``out`` gets ``<split>.json`` in OpenMMLab 2.0 format with labels,
    attributes, captions and boxes, the images, and ``report.json``, which
    names every file that something is wrong with. Rows whose image cannot be
    used are left out; all else that is good stays. A run that was killed
    goes on; one that was finished with the same settings stays as it is.

    Args:
        root (str | Path): The download, which is not changed.
        out (str | Path): The folder to write.
        splits (Sequence[str]): The splits. One that is missing is reported.
        images (str): 'folder' writes images anew in the same layout, 'lmdb'
            into one LMDB, 'original' refers to those in ``root``.
        short_side (int): Images with a shorter side over this are made
            smaller, in pixels; not with ``images='original'``. Defaults to
            320.
        quality (int): JPEG quality of those, 1 to 95. Defaults to 92.
        persons (str | Path, optional): A boxes file for the download.
        detector (PersonDetector, optional): Finds the people instead, in the
            images as written.
        workers (int): Processes that read images. Defaults to 2.

    Returns:
        dict: ``settings`` and ``counts`` of the report.

    Raises:
        FileNotFoundError: ``root`` has none of the splits, or there is no
            such boxes file.
        FileExistsError: ``out`` holds something else.
        ValueError: An argument is out of range, not one row or image can be
            used, or ``out`` holds the beginning of another run.
        OSError: ``out`` cannot be written.
    """
    root, out = Path(root).resolve(), Path(out).resolve()
    # In one order, since the chunks follow it.
    splits = sorted(set(splits), key=lambda s: ([*SPLITS, s].index(s), s))
    if images not in IMAGES:
        raise ValueError(f'images must be one of {IMAGES}, but is {images!r}')
    if short_side < 16 or not 1 <= quality <= 95:
        raise ValueError(
            'short_side must be at least 16 and quality 1 to 95, but they '
            f'are {short_side} and {quality}'
        )
    if out.is_relative_to(root):
        raise ValueError(
            f'{out}: is inside the download, which must not change: give the '
            'result a folder elsewhere'
        )
    if persons and detector:
        raise ValueError('give a boxes file or a detector, not both')
    boxes = read_person_file(persons) if persons else None
    side = None if images == 'original' else short_side
    settings = dict(
        root=str(root),
        lists_sha256=_hash_lists(root, splits),
        images=images,
        short_side=side,
        quality=quality if side else None,
        persons=str(Path(persons).resolve()) if persons else None,
        persons_sha256=sha256_file(persons) if persons else None,
        detector=detector.provenance if detector else None,
    )
    if finished := _finished(out, settings):
        return finished
    rows, problems = read_lists(root, splits)
    if not any(rows.values()):
        raise ValueError(
            f'{root}: not one row can be used; the first problem: '
            f'{problems[0]["file"]}: {problems[0]["problem"]}'
        )
    names = (row.image for part in rows.values() for row in part)
    if boxes is not None and boxes.keys().isdisjoint(names):
        raise ValueError(
            f'{persons}: has none of the images of {root}; is it of another '
            f'data set? It has {next(iter(boxes), "nothing")}'
        )
    chunks = [
        (split, range(start, min(start + _CHUNK, len(part))))
        for split, part in rows.items()
        for start in range(0, len(part), _CHUNK)
    ]
    job = ChunkedJob(out / _PARTS, settings, len(chunks))
    samples = EmoSetSamples(root, out, rows, chunks, images, side, quality)
    read_images(samples, job, workers)
    if not any(record['entry'] for record in records(job)):
        first = next(p for r in records(job) for p in r['problems'])
        shutil.rmtree(out)  # there is nothing in it but that
        raise ValueError(
            f'{root}: not one image can be used; the first problem: '
            f'{first["file"]}: {first["problem"]}'
        )
    look_up: LookUp | None = None
    if boxes is not None:
        look_up = partial(fit_boxes, boxes, str(persons))
    elif detector is not None:
        look_up = find_people(job, out, detector, workers)
    counts = {}
    for split in rows:
        own = [i for i, chunk in enumerate(chunks) if chunk[0] == split]
        images_of = (record for i in own for record in job.result(i))
        metainfo = dict(
            dataset='EmoSet',
            split=split,
            classes=EMOSET_CATEGORIES,
            caption=dict(emotion=True),
            persons=settings['detector'] or settings['persons'],
        )
        counts[split] = write_split(
            out / f'{split}.json', metainfo, images_of, look_up, problems
        )
        source = str(root / f'{split}.json')
        counts[split]['rows'] += sum(p['file'] == source for p in problems)
    report = dict(settings=settings, counts=counts)
    write_json_list(
        out / REPORT,
        report,
        'problems',
        chain(problems, (p for r in records(job) for p in r['problems'])),
    )
    remove_leftovers(out)
    job.remove()
    return report


def _hash_lists(root: Path, splits: Sequence[str]) -> dict[str, str]:
    hashes = sha256_of_lists(root, splits)
    if not hashes:
        raise FileNotFoundError(
            f'{root}: has none of {", ".join(f"{s}.json" for s in splits)}; '
            'expected the folder that EmoSet-118K was unzipped to, and splits '
            f'of {", ".join(SPLITS)}'
        )
    return hashes


def _finished(out: Path, settings: dict) -> dict | None:
    """The report of an earlier run with the same settings."""
    if out.exists() and not out.is_dir():
        raise FileExistsError(f'{out}: is a file; expected a folder to write')
    if not (out / REPORT).is_file():
        if out.exists() and not (out / _PARTS).is_dir() and any(out.iterdir()):
            raise FileExistsError(
                f'{out}: is not empty and was not prepared by this command: '
                'give the result a folder of its own'
            )
        return None
    report = read_json(out / REPORT)
    before = report.get('settings', {})
    check_same_settings(
        before,
        settings,
        out,
        'remove it, or write to another folder',
        FileExistsError,
    )
    shutil.rmtree(out / _PARTS, ignore_errors=True)  # killed just before that
    print_log(
        f'{out} was prepared before and stays as it is; remove it to have '
        'everything checked again',
        logger='current',
    )
    return dict(settings=before, counts=report['counts'])
