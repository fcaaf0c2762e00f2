"""Computes the teacher's features of whole images, once."""

import base64
import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import Resize
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset
from tqdm import tqdm

from uniemox_mm.datasets import (
    BadSampleError,
    EmoSet,
    ImageFeatures,
    LoadEmotionImage,
)
from uniemox_mm.utils.chunked_job import ChunkedJob

from .feature_cache import key_hash, write_feature_cache
from .feature_folders import check_writable

_CHUNK = 1024  # images
_STORED = np.dtype('<f2')


class WholeImages(Dataset):
    """The images of a dataset as the teacher sees them whole.

    Args:
        dataset (EmoSet): The dataset.
        size (tuple[int, int]): Height and width of the teacher's input.
    """

    def __init__(self, dataset: EmoSet, size: tuple[int, int]) -> None:
        self.dataset = dataset
        self.size = size
        self.load = LoadEmotionImage()
        self.resize = Resize(
            scale=size[::-1], backend='pillow', interpolation='bicubic'
        )

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, idx: int) -> Tensor:
        """RGB pixels, (3, H, W) uint8; black for a sample that is skipped.

        Raises:
            BadSampleError: The image is broken and not to be skipped.
        """
        info = self.dataset.get_data_info(idx)
        try:
            image = self.resize(self.load(info))['img']
        except BadSampleError:
            if self.dataset.on_bad_sample == 'error':
                raise
            image = np.zeros((*self.size, 3), np.uint8)
        return torch.from_numpy(image[..., ::-1].transpose(2, 0, 1).copy())


def compute_image_features(
    folder: Path,
    dataset: EmoSet,
    teacher: Any,
    batch_size: int,
    workers: int,
    rank: int,
    world_size: int,
    log: Callable[[str], None],
) -> None:
    """Encodes all images of a dataset and keeps the features.

    Every process does its share; the first puts them together. Killed, it
    goes on where it was.

    Args:
        folder (Path): Where to write, all or nothing.
        dataset (EmoSet): The dataset.
        teacher (CLIPTeacher): Encodes them, on the device where it is.
        batch_size (int): Images encoded at a time.
        workers (int): Processes that load images.
        rank (int): This process's number.
        world_size (int): Number of processes.
        log (Callable): Takes a message.

    Raises:
        PermissionError: The folder cannot be written.
        ValueError: The beginning of another cache is in its place.
    """
    check_writable(folder, 'image_features')
    count = len(dataset)
    keys = [dataset.image_key(i) for i in range(count)]
    fingerprint = teacher.image_fingerprint()
    settings = dict(teacher=fingerprint, images=_hash(keys))
    parts = folder.parent / f'.{folder.name}-parts'
    job = ChunkedJob(parts, settings, -(-count // _CHUNK))
    if folder.exists():  # the others were done before this process began
        job.remove()
        return
    own = [c for c in job.todo() if c % world_size == rank]
    log(f'Computing the image features of {count} images, once, into {folder}')
    size = teacher.input_size
    images = WholeImages(dataset, size)
    bar = dict(unit='chunk', leave=False, disable=rank > 0)
    for chunk in tqdm(own, 'image features', **bar):
        rows = range(chunk * _CHUNK, min((chunk + 1) * _CHUNK, count))
        loader = DataLoader(
            Subset(images, rows), batch_size, num_workers=workers
        )
        features = torch.cat([_encode(teacher, batch) for batch in loader])
        content = features.numpy().astype(_STORED).tobytes()
        job.save(chunk, base64.b64encode(content).decode())
    if rank > 0:
        return
    for second in itertools.count():
        if not job.todo():
            break
        if second % 60 == 30:
            log('Waiting for the image features of the other processes.')
        time.sleep(1)
    write_feature_cache(
        ImageFeatures,
        folder,
        keys,
        _blocks(job, teacher),
        np.float16,
        fingerprint,
    )
    job.remove()


def _encode(teacher: Any, images: Tensor) -> Tensor:
    """Features of uint8 pixels, (N, C3) float32 on the CPU."""
    mean, std = (
        torch.tensor(part, device=teacher.scale.device).view(3, 1, 1)
        for part in teacher.student_norm
    )
    pixels = images.to(mean.device).float()
    return teacher.encode_image((pixels - mean) / std).cpu()


def _blocks(job: ChunkedJob, teacher: Any) -> Iterator[np.ndarray]:
    for content in job.results():
        flat = np.frombuffer(base64.b64decode(content), _STORED)
        yield flat.reshape(-1, teacher.embed_dim)


def _hash(keys: list[str]) -> str:
    return f'{key_hash(json.dumps(keys)):016x}'
