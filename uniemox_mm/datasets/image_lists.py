"""The images of a folder or of an annotation file, whatever its format."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torchvision.datasets.folder import IMG_EXTENSIONS

from .json_files import read_json


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
        """A hash of the names and their order."""
        return hashlib.sha256('\n'.join(self.names).encode()).hexdigest()


def list_images(
    sources: Sequence[str | Path], root: str | Path | None = None
) -> ImageList:
    """Lists the images of folders and annotation files.

    An annotation file is EmoSet's list of rows, OpenMMLab 2.0
    (``data_list[].img_path``), COCO (``images[].file_name``), or text with a
    path a line, followed by a label or not.

    Args:
        sources (Sequence[str | Path]): Folders, which are searched, and
            annotation files.
        root (str | Path, optional): What the paths are relative to. Defaults
            to the folder, or to the folder that the annotation file is in.

    Returns:
        ImageList: The images, in the files' order and sorted in folders.

    Raises:
        FileNotFoundError: There is no such folder or file.
        ValueError: A file is of no known format, no image is listed, or the
            sources have different roots and none is given.
    """
    paths = [Path(source) for source in sources]
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f'{path}: no such folder or file')
    roots = {p if p.is_dir() else p.parent for p in paths}
    if root is None and len(roots) > 1:
        raise ValueError(
            f'{", ".join(map(str, sorted(roots)))}: name with root what all '
            'the paths are relative to'
        )
    base = Path(root) if root is not None else roots.pop()
    names: dict[str, None] = {}
    for path in paths:
        found = _search(path, base) if path.is_dir() else _read(path)
        before = len(names)
        names.update(dict.fromkeys(found))
        if len(names) == before:
            raise ValueError(f'{path}: lists no image that is not known yet')
    return ImageList(base, tuple(names))


def _search(folder: Path, base: Path) -> list[str]:
    if not folder.resolve().is_relative_to(base.resolve()):
        raise ValueError(f'{folder}: is not below {base}')
    return sorted(
        path.relative_to(base).as_posix()
        for path in folder.rglob('*')
        if path.suffix.lower() in (*IMG_EXTENSIONS, '.gif')
        and not any(p.startswith('.') for p in path.relative_to(folder).parts)
    )


def _read(path: Path) -> Iterator[str]:
    if path.suffix.lower() != '.json':
        for line in path.read_text(encoding='utf-8').splitlines():
            name, _, label = line.strip().rpartition(' ')
            if line.strip():
                yield name if name and label.isdigit() else line.strip()
        return
    content = read_json(path)
    try:
        if isinstance(content, list):
            names = [row[-2] for row in content]
        elif 'data_list' in content:
            names = [entry['img_path'] for entry in content['data_list']]
        else:
            names = [image['file_name'] for image in content['images']]
    except (KeyError, TypeError, IndexError):
        names = [None]
    for name in names:
        if not isinstance(name, str):
            raise ValueError(
                f'{path}: not a list of images; expected rows [emotion, '
                'image, annotation], {"data_list": [{"img_path": ...}]}, '
                '{"images": [{"file_name": ...}]}, or a text file'
            )
        yield name
