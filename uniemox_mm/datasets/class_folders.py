"""Finds labelled images in a download with one folder a class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .image_lists import search_images

# What unpacking and file managers leave behind.
_JUNK = ('__MACOSX',)


@dataclass(frozen=True)
class LabelledImage:
    """An image of a download.

    Attributes:
        name (str): Its path relative to the download, forward slashes.
        label (int): Its class.
        part (str): The split that it was shipped in, blank where the
            download is not split.
        stratum (str): What keeps its share in every split: the folder that
            the image is in, or its class.
        more (dict): Further entries of its row, such as ``persons``.
    """

    name: str
    label: int
    part: str = ''
    stratum: str = ''
    more: dict = field(default_factory=dict)


@dataclass(frozen=True)
class FolderLayout:
    """Where the folders of a dataset's classes are.

    Attributes:
        classes (Sequence[str]): Names of the classes, in order.
        places (Sequence[str]): Folders below the root that the class folders
            may be in; the first that has any is taken.
        parts (Sequence[str]): Folders between that one and the class
            folders, one a shipped split.
        aliases (Mapping[str, str]): Other names of class folders that are
            found in downloads -> class.
        others (Mapping[str, str]): Folder -> what a download that has it
            probably is, for the message.
    """

    classes: Sequence[str]
    places: Sequence[str] = ('',)
    parts: Sequence[str] = ('',)
    aliases: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)


class LayoutError(ValueError):
    """A folder is not laid out as the dataset is."""


def scan_class_folders(
    root: Path, layout: FolderLayout
) -> list[LabelledImage]:
    """Lists a download's images with their classes.

    Names of folders are compared without regard to case. Folders that hold
    no images are ignored.

    Args:
        root (Path): The download.
        layout (FolderLayout): How it should look.

    Returns:
        list[LabelledImage]: By part, class and name.

    Raises:
        LayoutError: A class has no folder or no image, or there are images
            of a class that the dataset does not have.
    """
    known = {name.casefold(): i for i, name in enumerate(layout.classes)}
    for alias, name in layout.aliases.items():
        known[alias.casefold()] = known[name.casefold()]
    place = _find_place(root, layout, known)
    images: list[LabelledImage] = []
    for part in layout.parts:
        images += _scan_part(root, root / place / part, part, layout, known)
    return images


def _find_place(root: Path, layout: FolderLayout, known: Mapping) -> str:
    def has_classes(folder: Path) -> bool:
        return any(
            child.name.casefold() in known
            for part in layout.parts
            for child in _folders(folder / part)
        )

    for place in layout.places:
        if has_classes(root / place):
            return place
    inside = [str(folder) for folder in _folders(root) if has_classes(folder)]
    hint = f'. Perhaps data_root is {inside[0]}' if inside else ''
    raise LayoutError(f'no folder of any of its classes is there{hint}')


def _scan_part(
    root: Path, folder: Path, part: str, layout: FolderLayout, known: Mapping
) -> list[LabelledImage]:
    names: dict[int, list[str]] = {i: [] for i in range(len(layout.classes))}
    for child in _folders(folder):
        found = search_images(child, root)
        label = known.get(child.name.casefold())
        if label is not None:
            names[label] += found
        elif found:
            other = layout.others.get(child.name.casefold())
            raise LayoutError(
                f'{child} holds {len(found)} images, but there is no class '
                f'{child.name!r}' + (f'. {other}' if other else '')
            )
    empty = [layout.classes[i] for i, found in names.items() if not found]
    if empty:
        where = folder.relative_to(root).as_posix()
        raise LayoutError(
            f'no images of {", ".join(empty)}'
            + (f' in {where}' if where != '.' else '')
        )
    return [
        LabelledImage(name, label, part, str(Path(name).parent))
        for label, found in names.items()
        for name in sorted(found)
    ]


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_dir() and path.name[0] != '.' and path.name not in _JUNK
    )


def listing(folder: str | Path) -> str:
    """The first names in a folder, for messages."""
    names = sorted(
        path.name + ('/' if path.is_dir() else '')
        for path in Path(folder).iterdir()
    )
    shown = ', '.join(names[:10]) or 'nothing'
    return shown + (', ...' if len(names) > 10 else '')
