"""Find the people in many images and write their boxes to a file."""

import shutil
import time
from collections import Counter
from pathlib import Path

import torch
from mmengine.dist import barrier, get_rank, get_world_size
from torch.utils.data import Dataset
from tqdm import tqdm

from uniemox_mm.datasets import BadSampleError, LoadEmotionImage
from uniemox_mm.datasets.image_lists import ImageList
from uniemox_mm.models.detectors import PersonDetector
from uniemox_mm.models.detectors.person_detector import prepare
from uniemox_mm.utils.check_same_settings import check_same_settings
from uniemox_mm.utils.chunked_job import (
    ChunkedJob,
    chunk_ranges,
    read_chunks,
)
from uniemox_mm.utils.json_files import read_metainfo, write_openmmlab


def write_person_boxes(
    images: ImageList,
    out: str | Path,
    detector: PersonDetector,
    workers: int = 2,
) -> dict | None:
    """Find the people in all images and write a boxes file.

    A chunk is a batch of the detector; its boxes are kept in
    ``<out>.parts``. A run that was killed is resumed at the next chunk, and
    the file depends neither on that nor on the number of processes. An
    existing file with the same images and settings is kept.

    Where torch.distributed is initialised its processes share the work; they
    must share the file system.

    Args:
        images (ImageList): The images.
        out (str | Path): The boxes file, in OpenMMLab 2.0 format. Images
            that cannot be read are in it with an ``error`` and no boxes.
        detector (PersonDetector): The detector, on its device.
        workers (int): Processes that load images, for each detector. 0
            loads in the process itself. Defaults to 2.

    Returns:
        dict | None: The file's ``metainfo``: what the boxes were made with,
        how many images have people, how many people they have, and how many
        images are bad. None in all processes but the first.

    Raises:
        FileExistsError: ``out`` was made from other images or with other
            settings.
        ValueError: There is an unfinished run with other settings, or not
            one image can be read.
    """
    out = Path(out)
    if out.is_dir():
        raise IsADirectoryError(f'{out}: is a folder; expected a file name')
    count, size = len(images.names), detector.batch_size
    settings = dict(
        detector.provenance,
        batch_size=size,
        images=count,
        images_sha256=images.sha256(),
    )
    parts = out.with_name(f'{out.name}.parts')
    finished = _finished(out, settings)
    barrier()  # no process may write before all have checked
    if finished:
        if not get_rank():  # it may have been killed just before it did this
            shutil.rmtree(parts, ignore_errors=True)
        return finished if not get_rank() else None
    job = ChunkedJob(parts, settings, -(-count // size))
    _detect(images, detector, job, workers)
    barrier()
    if get_rank():
        return None
    metainfo = {**settings, **_summary(job)}
    if metainfo['bad_images'] == count:
        first = next(job.results())[0]
        job.remove()
        raise ValueError(
            f'not one of the {count} images can be read; the first: '
            f'{images.root / first["img_path"]}: {first["error"]}'
        )
    write_openmmlab(
        out, metainfo, (entry for chunk in job.results() for entry in chunk)
    )
    job.remove()
    return metainfo


def _detect(
    images: ImageList, detector: PersonDetector, job: ChunkedJob, workers: int
) -> None:
    """Find the people in this process's chunks that are not done."""
    chunks = chunk_ranges(len(images.names), detector.batch_size)
    start = clock = time.perf_counter()
    waited, done = 0.0, 0
    for number, loaded in read_chunks(
        job,
        PreprocessedImages(images, detector.pipeline),
        chunks,
        workers=workers,
        description='finding people',
        own=range(get_rank(), job.chunks, get_world_size()),
        show_progress=not get_rank(),
    ):
        waited += time.perf_counter() - clock
        names = [images.names[i] for i in chunks[number]]
        job.save(number, _entries(detector, names, loaded))
        done += len(names)
        clock = time.perf_counter()
    if done and not get_rank():
        seconds = time.perf_counter() - start
        tqdm.write(
            f'{done} images in {seconds:.1f} s, {done / seconds:.1f} per '
            f'second; {waited / seconds:.0%} of the time waiting for images'
        )


class PreprocessedImages(Dataset):
    """Images, preprocessed by a detector's pipeline."""

    def __init__(self, images: ImageList, pipeline) -> None:
        self.images = images
        self.pipeline = pipeline
        self.load = LoadEmotionImage()

    def __getitem__(self, index: int) -> dict | str:
        """Return an image as ``prepare`` gives it, or the problem with it."""
        path = str(self.images.root / self.images.names[index])
        try:
            image = self.load(dict(img_path=path))['img']
        except BadSampleError as error:
            return str(error).removeprefix(f'{path}: ')
        try:
            inputs = prepare(self.pipeline, image)
        except ValueError as error:
            return str(error)
        # Tensors would travel as one open file each, too many of them.
        return {**inputs, 'inputs': inputs['inputs'].numpy()}


def _entries(
    detector: PersonDetector, names: list[str], loaded: list[dict | str]
) -> list[dict]:
    """Find the people of a chunk, as entries of the boxes file."""
    good = [image for image in loaded if not isinstance(image, str)]
    for image in good:
        image['inputs'] = torch.from_numpy(image['inputs'])
    boxes = iter(detector.detect(good))
    return [
        dict(img_path=name, persons=[], error=image)
        if isinstance(image, str)
        else dict(img_path=name, persons=_plain(next(boxes)))
        for name, image in zip(names, loaded, strict=True)
    ]


def _plain(boxes) -> list[list[float]]:
    """Round boxes to hundredths of a pixel, scores to ten-thousandths."""
    return [
        [round(float(v), 2) for v in box[:4]] + [round(float(box[4]), 4)]
        for box in boxes
    ]


def _summary(job: ChunkedJob) -> dict:
    """Count the people and the bad images."""
    counts: Counter[int] = Counter()
    bad = 0
    for chunk in job.results():
        for entry in chunk:
            bad += 'error' in entry
            counts[len(entry['persons'])] += 'error' not in entry
    return dict(
        images_with_people=sum(n for people, n in counts.items() if people),
        people=sum(people * n for people, n in counts.items()),
        images_by_people={str(k): counts[k] for k in sorted(counts)},
        bad_images=bad,
    )


def _finished(out: Path, settings: dict) -> dict | None:
    """Return the metainfo of an existing boxes file."""
    if not out.exists():
        return None
    before = read_metainfo(out)
    check_same_settings(
        {key: before.get(key) for key in settings},
        settings,
        out,
        'remove it, or write to another file',
        FileExistsError,
    )
    return before
