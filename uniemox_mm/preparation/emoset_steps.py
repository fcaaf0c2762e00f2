"""The steps of :func:`prepare_emoset`."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from torch.utils.data import DataLoader
from tqdm import tqdm

from uniemox_mm.datasets.image_lists import ImageList
from uniemox_mm.datasets.persons import read_person_file
from uniemox_mm.models.detectors import PersonDetector
from uniemox_mm.utils.chunked_job import ChunkedJob
from uniemox_mm.utils.json_files import write_openmmlab
from uniemox_mm.utils.worker_processes import die_with_parent

from .emoset_samples import LMDB, EmoSetSamples
from .person_boxes import write_person_boxes

PERSONS = 'persons.json'
_MAP_SIZE = 1 << 40  # upper bound of an LMDB, which takes what it needs

# An image's record -> its boxes, or None, and what was wrong with them.
LookUp = Callable[[dict], tuple[list | None, list[dict]]]


def read_images(samples: EmoSetSamples, job: ChunkedJob, workers: int) -> None:
    """Checks the images that are not done and writes them anew."""
    todo = job.todo()
    loader = DataLoader(
        samples,
        sampler=todo,
        batch_size=None,
        num_workers=min(workers, len(todo)),
        worker_init_fn=die_with_parent,
    )
    total = sum(samples.rows_of(i) for i in range(job.chunks))
    left = sum(samples.rows_of(i) for i in todo)
    database = None
    if samples.images == 'lmdb':
        import lmdb

        database = lmdb.open(str(samples.out / LMDB), map_size=_MAP_SIZE)
    with tqdm(
        desc='checking',
        unit='img',
        total=total,
        initial=total - left,
    ) as bar:
        for number, (records, blobs) in zip(todo, loader, strict=True):
            if database is not None:
                with database.begin(write=True) as transaction:
                    for key, value in blobs.items():
                        transaction.put(key.encode(), value)
            job.save(number, records)
            bar.update(len(records))
    if database is not None:
        database.close()


def find_people(
    job: ChunkedJob, out: Path, detector: PersonDetector, workers: int
) -> LookUp:
    """Finds the people in the images as written, into a boxes file."""
    names = tuple(r['entry']['img_path'] for r in records(job) if r['entry'])
    path = out / PERSONS
    write_person_boxes(ImageList(out, names), path, detector, workers)
    boxes = read_person_file(path)
    return lambda record: (boxes[record['entry']['img_path']], [])


def records(job: ChunkedJob) -> Iterator[dict]:
    """What is known of all images, in order."""
    return chain.from_iterable(job.results())


def write_split(
    path: Path,
    metainfo: dict,
    images: Iterable[dict],
    look_up: LookUp | None,
    problems: list[dict],
) -> dict[str, int]:
    """Writes an annotation file and counts what is in it."""
    counts = dict(rows=0, images=0, images_with_people=0)

    def entries() -> Iterator[dict]:
        for record in images:
            counts['rows'] += 1
            entry = record['entry']
            if entry is None:
                continue
            counts['images'] += 1
            if look_up is not None:
                persons, wrong = look_up(record)
                problems.extend(wrong)
                if persons is not None:
                    entry['persons'] = persons
                counts['images_with_people'] += bool(persons)
            yield entry

    write_openmmlab(path, metainfo, entries())
    return counts
