"""List the images of folders and annotation files of any format."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torchvision.datasets.folder import IMG_EXTENSIONS

from uniemox_mm.utils.json_files import read_json

from .lmdb_paths import split_lmdb_path


@dataclass(frozen=True)
class ImageList:
    """Images below a folder.

    Attributes:
        root (Path): The folder.
        names (tuple[str, ...]): Paths of the images relative to it, each
            once, with forward slashes.
    """

    root: Path
    names: tuple[str, ...]

    def sha256(self) -> str:
        """Hash the names, their order, and the sizes of the files."""
        digest = hashlib.sha256()
        for name in self.names:
            path = self.root / name
            split = split_lmdb_path(path)
            file = split[0] / 'data.mdb' if split else path
            size = file.stat().st_size if file.is_file() else -1
            digest.update(f'{name}\n{size}\n'.encode(errors='surrogateescape'))
        return digest.hexdigest()


def list_images(
    sources: Sequence[str | Path], root: str | Path | None = None
) -> ImageList:
    """List the images of folders and annotation files.

    An annotation file is EmoSet's list of rows, a list of paths, OpenMMLab 2.0
    (``data_list[].img_path``), COCO (``images[].file_name``), or text with a
    path a line, followed by a label or not.

    Args:
        sources (Sequence[str | Path]): Folders, which are searched,
            annotation files, and images.
        root (str | Path, optional): What the paths are relative to. Defaults
            to the folder, or to the folder that the annotation file is in.

    Returns:
        ImageList: The images, in the files' order and sorted in folders.

    Raises:
        FileNotFoundError: A folder or file is missing.
        ValueError: A file has an unknown format, no image is listed, or the
            sources have different roots and none is given.
    """
    paths = [Path(source) for source in sources]
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f'{path}: no such folder or file')
    roots = {p if p.is_dir() else p.parent for p in paths}
    if root is None and len(roots) > 1:
        raise ValueError(
            f'{", ".join(map(str, sorted(roots)))}: different roots; give '
            'root, the folder that all paths are relative to'
        )
    base = Path(root) if root is not None else roots.pop()
    names: dict[str, None] = {}
    for path in paths:
        found = search_images(path, base) if path.is_dir() else _read(path)
        before = len(names)
        names.update(dict.fromkeys(found))
        if len(names) == before:
            raise ValueError(
                f'{path}: no images found'
                + (' that are not in the other sources' if before else '')
            )
    return ImageList(base, tuple(names))


def search_images(folder: Path, base: Path) -> list[str]:
    """Find all images in a folder and below, relative to ``base``.

    Hidden files are left out, links are followed.

    Raises:
        ValueError: The folder is not below ``base``, or a folder in it
            cannot be read.
    """
    below = folder.is_relative_to(base)  # also a link to somewhere else
    if not below and not folder.resolve().is_relative_to(base.resolve()):
        raise ValueError(f'{folder}: not below {base}')
    found: list[str] = []
    seen: set[Path] = set()
    start = folder.resolve()
    walk = os.walk(folder, followlinks=True, onerror=_not_readable)
    for place, folders, files in walk:
        real = Path(place).resolve()
        # Links may lead in a circle, or up and out of this folder.
        folders[:] = [
            f
            for f in folders
            if f[0] != '.'
            and real not in seen
            and not start.is_relative_to((Path(place) / f).resolve())
        ]
        if real in seen:
            continue
        seen.add(real)
        found += [
            (Path(place) / file).relative_to(base).as_posix()
            for file in files
            if file[0] != '.' and _is_image(Path(file))
        ]
    return sorted(found)


def _not_readable(error: OSError) -> None:
    raise ValueError(f'{error.filename}: {error.strerror}') from error


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in (*IMG_EXTENSIONS, '.gif')


def _read(path: Path) -> Iterator[str]:
    if _is_image(path):
        yield path.name
        return
    if path.suffix.lower() != '.json':
        try:
            lines = path.read_text(encoding='utf-8').splitlines()
        except UnicodeDecodeError as error:
            raise ValueError(f'{path}: not UTF-8 text ({error})') from None
        for line in filter(str.strip, lines):
            name, *label = line.strip().rsplit(None, 1)
            is_label = label and label[0].isdigit()
            yield name if is_label else line.strip()
        return
    content = read_json(path)
    names: list = [None]
    try:
        if isinstance(content, list):
            names = [
                row[-2]
                if isinstance(row, list) and len(row) in (3, 4)
                else row
                for row in content
            ]
        elif 'data_list' in content:
            names = [entry['img_path'] for entry in content['data_list']]
        else:
            names = [image['file_name'] for image in content['images']]
    except (KeyError, TypeError, IndexError):
        pass
    if not all(isinstance(name, str) for name in names):
        raise ValueError(
            f'{path}: not a list of images; expected rows [emotion, image, '
            'annotation], paths, {"data_list": [{"img_path": ...}]}, '
            '{"images": [{"file_name": ...}]}, or a text file'
        )
    yield from names
