"""Find labelled images in a download with one folder a class."""

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
        group (str): Images of a group are split by the same ratios: the
            folder that the image is in, or its class.
        more (dict): Further entries of its row, such as ``persons``.
    """

    name: str
    label: int
    part: str = ''
    group: str = ''
    more: dict = field(default_factory=dict)


@dataclass(frozen=True)
class FolderLayout:
    """Layout of the class folders of a dataset.

    Attributes:
        classes (Sequence[str]): Names of the classes, in order.
        places (Sequence[str]): Folders below the root that the class folders
            may be in; the first that has any is taken.
        parts (Sequence[str]): Folders between that one and the class
            folders, one a shipped split.
        aliases (Mapping[str, str]): Other names of class folders that are
            found in downloads -> class.
        nested (bool): Whether there are folders within those of the classes,
            with no image beside them.
        others (Mapping[str, str]): Folder -> hint on the dataset that a
            download with it probably is; '' for one that is not nested.
    """

    classes: Sequence[str]
    places: Sequence[str] = ('',)
    parts: Sequence[str] = ('',)
    aliases: Mapping[str, str] = field(default_factory=dict)
    nested: bool = False
    others: Mapping[str, str] = field(default_factory=dict)

    def labels(self) -> dict[str, int]:
        """Map the casefolded names of class folders to classes."""
        known = {name.casefold(): i for i, name in enumerate(self.classes)}
        for alias, name in self.aliases.items():
            known[alias.casefold()] = known[name.casefold()]
        return known


class LayoutError(ValueError):
    """A folder has another layout than the dataset."""


def scan_class_folders(
    root: Path, layout: FolderLayout
) -> list[LabelledImage]:
    """List a download's images with their classes.

    Names of folders are compared without regard to case. Folders that hold
    no images are ignored, and so are images beside the class folders.

    Args:
        root (Path): The download.
        layout (FolderLayout): The expected layout.

    Returns:
        list[LabelledImage]: By part, class and name.

    Raises:
        LayoutError: A class has no folder or no image, or there are images
            of a class or a part that the dataset does not have.
    """
    base = _find_base(root, layout)
    if base is None:
        raise LayoutError(f'no class folder found{_hint(root, layout)}')
    if layout.parts != ('',):
        _refuse_other_parts(base, layout)
    images: list[LabelledImage] = []
    seen: dict[Path, str] = {}
    for part in layout.parts:
        folder = find_folder(base, part)
        if folder is None:
            raise LayoutError(f'no folder {part}')
        other = seen.setdefault(folder.resolve(), part)
        if other != part:
            raise LayoutError(f'{part} and {other} are the same folder')
        images += _scan_part(root, folder, part, layout)
    return images


def find_folder(root: Path, name: str) -> Path | None:
    """Find a folder by its name, ignoring case if need be."""
    if (root / name).is_dir():
        return root / name
    for child in _folders(root):
        if child.name.casefold() == name.casefold():
            return child
    return None


def _find_base(root: Path, layout: FolderLayout) -> Path | None:
    """Find the folder of the parts, or of the classes if there are none."""
    for place in layout.places:
        base = find_folder(root, place)
        if base is not None and any(
            _classes_in(find_folder(base, part), layout)
            for part in layout.parts
        ):
            return base
    return None


def _classes_in(folder: Path | None, layout: FolderLayout) -> set[int]:
    known = layout.labels()
    names = (f.name.casefold() for f in _folders(folder)) if folder else ()
    return {known[name] for name in names if name in known}


def _hint(root: Path, layout: FolderLayout) -> str:
    inside = [f for f in _folders(root) if _find_base(f, layout)]
    if len(inside) == 1:
        return f'. Perhaps data_root is {inside[0]}'
    if inside:
        names = ', '.join(folder.name for folder in inside)
        return (
            f', but there are some in each of {names}: if these are splits, '
            'put their images into one folder per class, or write split files '
            'as make_splits.py does'
        )
    return ''


def _refuse_other_parts(base: Path, layout: FolderLayout) -> None:
    parts = {part.casefold() for part in layout.parts}
    for child in _folders(base):
        if child.name.casefold() not in parts and _classes_in(child, layout):
            raise LayoutError(
                f'{child.name} has class folders too, besides '
                f'{" and ".join(layout.parts)}'
            )


def _scan_part(
    root: Path, folder: Path, part: str, layout: FolderLayout
) -> list[LabelledImage]:
    known = layout.labels()
    names: dict[int, list[str]] = {i: [] for i in range(len(layout.classes))}
    seen: set[Path] = set()
    for child in _folders(folder):
        if child.resolve() in seen:  # a link from Angry to Anger
            continue
        seen.add(child.resolve())
        found = search_images(child, root)
        label = known.get(child.name.casefold())
        if label is not None:
            names[label] += found
        elif found:
            other = layout.others.get(child.name.casefold())
            raise LayoutError(
                f'{child} holds images ({len(found)}), but '
                f'{child.name!r} is not a class'
                + (f'. {other}' if other else '')
            )
        inner = child.relative_to(root)
        flat = [n for n in found if layout.nested and Path(n).parent == inner]
        if flat:
            other = layout.others.get('')
            raise LayoutError(
                f'{flat[0]} is not in a folder within {inner.as_posix()}'
                + (f'. {other}' if other else '')
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
    """List the first names in a folder, for messages."""
    names = sorted(
        path.name + ('/' if path.is_dir() else '')
        for path in Path(folder).iterdir()
    )
    shown = ', '.join(names[:10]) or 'nothing'
    return shown + (', ...' if len(names) > 10 else '')
