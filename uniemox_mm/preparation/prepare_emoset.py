"""Turn an EmoSet download into a dataset that is ready for training."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate, chain, islice
from pathlib import Path

from mmengine.logging import print_log

from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.datasets.image_lists import ImageList
from uniemox_mm.datasets.persons import read_person_file
from uniemox_mm.models.detectors import PersonDetector
from uniemox_mm.utils.atomic_files import remove_leftovers
from uniemox_mm.utils.check_same_settings import check_same_settings
from uniemox_mm.utils.chunked_job import (
    ChunkedJob,
    chunk_ranges,
    read_chunks,
)
from uniemox_mm.utils.json_files import (
    read_json,
    write_json_list,
    write_openmmlab,
)
from uniemox_mm.utils.sha256_file import sha256_file

from .emoset_lists import SPLITS, hash_lists, read_lists
from .emoset_samples import IMAGES, LMDB, EmoSetSamples, fit_boxes
from .write_person_boxes import write_person_boxes

REPORT, PERSONS, _PARTS = 'report.json', 'persons.json', '.parts'
_CHUNK = 64  # rows
_MAP_SIZE = 1 << 40  # upper bound of an LMDB, which takes what it needs

# An image's record -> its boxes, or None, and the problems with them.
FindBoxes = Callable[[dict], tuple[list | None, list[dict]]]


def prepare_emoset(
    root: str | Path,
    out: str | Path,
    *,
    splits: Sequence[str] = SPLITS,
    images: str = 'folder',
    short_side: int = 320,
    quality: int = 92,
    persons: str | Path | None = None,
    detector: PersonDetector | None = None,
    workers: int = 2,
) -> dict:
    """Check a download and write what training reads.

    ``out`` gets ``<split>.json`` in OpenMMLab 2.0 format with labels,
    attributes, captions and boxes, the images, and ``report.json``, which
    names every file that has a problem. Rows whose image cannot be used are
    left out; everything else that is good stays. A run that was killed is
    resumed; one that was finished with the same settings is kept.

    Args:
        root (str | Path): The download, which is not changed.
        out (str | Path): The folder to write.
        splits (Sequence[str]): The splits. One that is missing is reported.
        images (str): 'folder' writes the images in the same layout, 'lmdb'
            into one LMDB, 'original' refers to those in ``root``.
        short_side (int): Images with a shorter side over this are scaled
            down to it, in pixels; not with ``images='original'``. Defaults
            to 320.
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
            used, or ``out`` holds an unfinished run with other settings.
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
            f'{out}: is inside the download, which must not change; write the '
            'result to a folder elsewhere'
        )
    if persons and detector:
        raise ValueError('give a boxes file or a detector, not both')
    boxes = read_person_file(persons) if persons else None
    side = None if images == 'original' else short_side
    settings = dict(
        root=str(root),
        lists_sha256=hash_lists(root, splits),
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
        raise _nothing_usable(root, 'row', problems[0])
    names = (row.image for part in rows.values() for row in part)
    if boxes is not None and boxes.keys().isdisjoint(names):
        raise ValueError(
            f'{persons}: has none of the images of {root}; is it for another '
            f'dataset? It has {next(iter(boxes), "nothing")}'
        )
    samples = EmoSetSamples(
        root,
        out,
        [row for part in rows.values() for row in part],
        images=images,
        short_side=side,
        quality=quality,
    )
    ends = accumulate(len(part) for part in rows.values())
    chunks = [
        chunk  # of rows of one split
        for part, end in zip(rows.values(), ends, strict=True)
        for chunk in chunk_ranges(len(part), _CHUNK, end - len(part))
    ]
    job = ChunkedJob(out / _PARTS, settings, len(chunks))
    _read_images(samples, job, chunks, workers)
    if not any(record['entry'] for record in _records(job)):
        first = next(p for r in _records(job) for p in r['problems'])
        shutil.rmtree(out)  # it holds nothing else
        raise _nothing_usable(root, 'image', first)
    find_boxes: FindBoxes | None = None
    if boxes is not None:
        find_boxes = partial(fit_boxes, boxes, str(persons))
    elif detector is not None:
        find_boxes = _detect_persons(job, out, detector, workers)
    records = _records(job)
    counts = {}
    for split, part in rows.items():
        metainfo = dict(
            dataset='EmoSet',
            split=split,
            classes=EMOSET_CATEGORIES,
            caption=dict(emotion=True),
            persons=settings['detector'] or settings['persons'],
        )
        counts[split] = _write_split(
            out / f'{split}.json',
            metainfo,
            islice(records, len(part)),
            find_boxes,
            problems,
        )
        source = str(root / f'{split}.json')
        counts[split]['rows'] += sum(p['file'] == source for p in problems)
    report = dict(settings=settings, counts=counts)
    of_images = (p for record in _records(job) for p in record['problems'])
    write_json_list(
        out / REPORT, report, 'problems', chain(problems, of_images)
    )
    remove_leftovers(out)
    job.remove()
    return report


def _finished(out: Path, settings: dict) -> dict | None:
    """Return the report of an earlier run with the same settings."""
    if out.exists() and not out.is_dir():
        raise FileExistsError(f'{out}: is a file; expected a folder to write')
    if not (out / REPORT).is_file():
        if out.exists() and not (out / _PARTS).is_dir() and any(out.iterdir()):
            raise FileExistsError(
                f'{out}: is not empty and was not prepared by this command; '
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


def _nothing_usable(root: Path, what: str, problem: dict) -> ValueError:
    return ValueError(
        f'{root}: not one {what} can be used; the first problem: '
        f'{problem["file"]}: {problem["problem"]}'
    )


def _read_images(
    samples: EmoSetSamples,
    job: ChunkedJob,
    chunks: Sequence[range],
    workers: int,
) -> None:
    """Check and write the images that are not done."""
    database = None
    if samples.images == 'lmdb':
        import lmdb

        database = lmdb.open(str(samples.out / LMDB), map_size=_MAP_SIZE)
    for number, records in read_chunks(
        job, samples, chunks, workers=workers, description='checking'
    ):
        if database is not None:
            with database.begin(write=True) as transaction:
                for record in records:
                    if content := record.pop('content', None):
                        name = record['entry']['img_path']
                        key = name.removeprefix(f'{LMDB}/')
                        transaction.put(key.encode(), content)
        job.save(number, records)
    if database is not None:
        database.close()


def _records(job: ChunkedJob) -> Iterator[dict]:
    """Return the records of all images, in order."""
    return chain.from_iterable(job.results())


def _detect_persons(
    job: ChunkedJob, out: Path, detector: PersonDetector, workers: int
) -> FindBoxes:
    """Find the people in the images as written, into a boxes file."""
    names = tuple(r['entry']['img_path'] for r in _records(job) if r['entry'])
    path = out / PERSONS
    write_person_boxes(ImageList(out, names), path, detector, workers)
    boxes = read_person_file(path)
    return lambda record: (boxes[record['entry']['img_path']], [])


def _write_split(
    path: Path,
    metainfo: dict,
    records: Iterable[dict],
    find_boxes: FindBoxes | None,
    problems: list[dict],
) -> dict[str, int]:
    """Write an annotation file and count what is in it."""
    counts = dict(rows=0, images=0, images_with_people=0)

    def entries() -> Iterator[dict]:
        for record in records:
            counts['rows'] += 1
            entry = record['entry']
            if entry is None:
                continue
            counts['images'] += 1
            if find_boxes is not None:
                persons, wrong = find_boxes(record)
                problems.extend(wrong)
                if persons is not None:
                    entry['persons'] = persons
                counts['images_with_people'] += bool(persons)
            yield entry

    write_openmmlab(path, metainfo, entries())
    return counts
