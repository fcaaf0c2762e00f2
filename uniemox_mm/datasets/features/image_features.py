"""The teacher's features of whole images: reading and computing."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmcv.transforms import Resize
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset
from tqdm import tqdm

from uniemox_mm.utils.chunked_job import ChunkedJob

from ..errors import BadSampleError
from ..transforms import LoadEmotionImage
from .feature_cache import (
    FeatureCache,
    check_writable,
    has_features,
    key_hash,
    wait_until,
    write_features,
)

if TYPE_CHECKING:
    from ..emoset import EmoSet

_CHUNK = 1024  # images
_STORED = np.dtype('<f2')


class ImageFeatures(FeatureCache):
    """Features Omega of the images of a dataset, float16.

    Each is of the whole image, squeezed into the teacher's square, not of
    the crop that the student sees: a step is cheaper, the target coarser.
    Rows are checked by the images' paths in the dataset, not by their
    content: remove the cache when images change.

    Args and errors are those of :class:`FeatureCache`.
    """

    what = 'image features'
    key = 'image'


class WholeImages(Dataset):
    """Images of a dataset, resized whole to the teacher's (height, width)."""

    def __init__(self, dataset: 'EmoSet', size: tuple[int, int]) -> None:
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
    dataset: 'EmoSet',
    teacher: Any,
    batch_size: int,
    log: Callable[[str], None],
    workers: int = 0,
    rank: int = 0,
    world_size: int = 1,
) -> None:
    """Encode all images of a dataset and write the cache.

    The processes encode chunks of images in turn, and the first one puts
    them together. A killed job is resumed.

    Args:
        folder (Path): The cache.
        dataset (EmoSet): The dataset.
        teacher (CLIPTeacher): Encodes them, on the device where it is.
        batch_size (int): Images encoded at a time.
        log (Callable): Takes a message.
        workers (int): Processes that load images. Defaults to 0.
        rank (int): Rank of this process. Defaults to 0.
        world_size (int): Number of processes. Defaults to 1.

    Raises:
        PermissionError: The folder cannot be written.
        ValueError: The folder has the beginning of another cache.
    """
    check_writable(folder, 'image_features')
    count = len(dataset)
    keys = [dataset.image_key(i) for i in range(count)]
    fingerprint = teacher.image_fingerprint()
    keys_hash = f'{key_hash(json.dumps(keys)):016x}'
    settings = dict(teacher=fingerprint, images=keys_hash)
    job = ChunkedJob(folder / 'chunks', settings, -(-count // _CHUNK))
    if has_features(folder):  # the others were done before this one began
        job.remove()
        return
    own = [c for c in job.todo() if c % world_size == rank]
    log(f'Computing the image features of {count} images, once, into {folder}')
    images = WholeImages(dataset, teacher.input_size)
    for chunk in tqdm(
        own, 'image features', unit='chunk', leave=False, disable=rank > 0
    ):
        rows = range(chunk * _CHUNK, min((chunk + 1) * _CHUNK, count))
        loader = DataLoader(
            Subset(images, rows), batch_size, num_workers=workers
        )
        features = torch.cat([_encode(teacher, batch) for batch in loader])
        content = features.numpy().astype(_STORED).tobytes()
        job.save(chunk, base64.b64encode(content).decode())
    if rank > 0:
        return
    wait_until(
        lambda: not job.todo(),
        lambda: log('Waiting for the image features of the other processes.'),
    )
    content = b''.join(map(base64.b64decode, job.results()))
    stored = np.frombuffer(content, _STORED).reshape(count, -1)
    write_features(folder, keys, stored, fingerprint)
    job.remove()


def _encode(teacher: Any, images: Tensor) -> Tensor:
    """Return features of uint8 pixels, (N, C3) float32 on the CPU."""
    mean, std = (
        torch.tensor(part, device=teacher.scale.device).view(3, 1, 1)
        for part in teacher.student_norm
    )
    pixels = images.to(mean.device).float()
    return teacher.encode_image((pixels - mean) / std).cpu()
