"""Images from paths, folders, arrays and Pillow images."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from . import decoding
from .errors import BadSampleError
from .image_lists import search_images
from .lmdb_paths import split_lmdb_path

ImageLike = str | Path | np.ndarray | Image.Image


@dataclass(frozen=True)
class Source:
    """One image of the input of an inferencer.

    Attributes:
        name (str): Its name in messages: its path, or ``inputs[3]``.
        path (str, optional): Its file, if it has one.
        content (object): The array or Pillow image, if it is in memory.
        error (str): Reason why it cannot be read, or blank.
        drawing (str): File name of its drawing, without suffix.
    """

    name: str
    path: str | None = None
    content: Any = None
    error: str = ''
    drawing: str = ''


def is_one_image(inputs: object, sources: Sequence[Source]) -> bool:
    """Tell whether the input is one image, or a folder without any."""
    if isinstance(inputs, str | Path):
        return sources[0].path == str(inputs)
    return not isinstance(inputs, list | tuple | Iterator)


def list_sources(inputs: Any) -> list[Source]:
    """List the images of paths, folders, arrays and Pillow images.

    Folders are searched with their subfolders, sorted by path; hidden files
    and those without an image's suffix are left out. A folder without images
    is a source with an error.

    Args:
        inputs (object): One of them, or a list, tuple or iterator of them.

    Returns:
        list[Source]: The images, in order, with distinct ``drawing``.
    """
    if not isinstance(inputs, list | tuple | Iterator):
        return _with_drawings(_sources_of(inputs, 'the image'))
    return _with_drawings(
        source
        for position, item in enumerate(inputs)
        for source in _sources_of(item, f'inputs[{position}]')
    )


def _with_drawings(sources: Iterable[Source]) -> list[Source]:
    """Append its position to the name of a file that occurred before."""
    named, taken = [], set()
    for position, source in enumerate(sources):
        name = Path(source.path).stem if source.path else str(position)
        while name in taken:
            name = f'{name}-{position}'
        taken.add(name)
        named.append(replace(source, drawing=name))
    return named


def _sources_of(item: Any, name: str) -> list[Source]:
    if isinstance(item, str) and not item:  # Path('') is the current folder
        problem = f'{name}: expected a path, but got an empty text'
        return [Source(name, path='', error=problem)]
    if isinstance(item, str | Path):
        folder = Path(item)
        if not _is_folder(folder):
            return [Source(str(item), path=str(item))]
        try:
            names = search_images(folder, folder)
        except ValueError as error:
            return [Source(str(item), path=str(item), error=str(error))]
        if not names:
            problem = f'{item}: a folder without images'
            return [Source(str(item), path=str(item), error=problem)]
        paths = [str(folder / name) for name in names]
        return [Source(path, path=path) for path in paths]
    if isinstance(item, Image.Image):
        path = getattr(item, 'filename', '') or None
        name = f'{name} ({path})' if path else name
        return [Source(name, path=path and str(path), content=item)]
    if isinstance(item, np.ndarray):
        return [Source(name, content=item)]
    return [
        Source(
            name,
            error=f'{name}: expected a path, an array or a Pillow image, but '
            f'got {type(item).__name__}',
        )
    ]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long; reading it will say so
        return False


class SourceReader:
    """Read images of any source as a test pipeline reads files.

    Args:
        load (Callable): The pipeline's first transform, such as
            ``LoadEmotionImage``. Its ``min_size`` holds for arrays as well.
    """

    def __init__(self, load: Callable[[dict], dict]) -> None:
        self.load = load
        self.min_size = getattr(load, 'min_size', 1)

    def __call__(self, source: Source) -> dict:
        """Read an image.

        Returns:
            dict: ``img`` (h, w, 3) uint8, BGR, upright by EXIF,
            ``img_shape``, ``ori_shape``, ``img_path``, and what the transform
            adds to files.

        Raises:
            BadSampleError: The image cannot be used; the message names it.
        """
        if source.error:
            raise BadSampleError(source.error)
        if source.content is None:
            assert source.path is not None
            return self._read_file(source.path)
        try:
            image = read_image(source.content)
        except Exception as error:  # decoders raise what they like
            what = str(error) or type(error).__name__
            raise BadSampleError(f'{source.name}: {what}') from error
        height, width = shape = image.shape[:2]
        if min(shape) < self.min_size:
            raise BadSampleError(
                f'{source.name}: the image is {width} x {height} pixels; '
                f'expected at least {self.min_size} on either side'
            )
        return dict(
            img=image,
            img_path=source.path,
            img_shape=shape,
            ori_shape=shape,
        )

    def whole(self, source: Source) -> np.ndarray:
        """Read an image at its full size if the pipeline decodes it smaller.

        Returns:
            np.ndarray: (H, W, 3) uint8, BGR.
        """
        reader = self
        if getattr(self.load, 'decode_short_side', None) is not None:
            load: Any = copy.copy(self.load)
            load.decode_short_side = None
            reader = SourceReader(load)
        return reader(source)['img']

    def _read_file(self, path: str) -> dict:
        try:
            if split_lmdb_path(path) is None and not Path(path).exists():
                raise BadSampleError(f'{path}: no such image')
            return self.load(dict(img_path=path))
        except (BadSampleError, ImportError):
            raise
        except Exception as error:
            raise BadSampleError(
                f'{path}: expected a readable image, but reading failed with '
                f'{type(error).__name__}: {error}'
            ) from error


def read_image(image: ImageLike) -> np.ndarray:
    """Read or convert an image.

    Args:
        image (str | Path | np.ndarray | Image): A path, a Pillow image, or an
            array as MMCV reads it: uint8, BGR, (H, W), (H, W, 1), (H, W, 3)
            or (H, W, 4).

    Returns:
        np.ndarray: (H, W, 3) uint8, BGR; files and Pillow images upright.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A file is not an image, or an array is not as described.
    """
    if isinstance(image, str | Path):
        content = Path(image).read_bytes()
        try:
            return decoding.decode(content)
        except Exception as error:  # decoders raise what they like
            raise ValueError(
                f'{image}: expected a readable image, but decoding failed '
                f'with {type(error).__name__}: {error}'
            ) from error
    if isinstance(image, Image.Image):
        return decoding.to_bgr(image)
    array = image[..., None] if image.ndim == 2 else image
    known = array.ndim == 3 and array.shape[2] in (1, 3, 4)
    if array.dtype != np.uint8 or not known:
        raise ValueError(
            'expected a uint8 array of (H, W), (H, W, 1), (H, W, 3) or (H, W, '
            f'4), but got {image.dtype} {image.shape}'
        )
    if 0 in array.shape:
        raise ValueError(f'the image has no pixels: {image.shape}')
    if array.shape[2] == 1:
        array = array.repeat(3, axis=2)
    return np.ascontiguousarray(array[..., :3])
