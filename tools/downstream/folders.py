"""Finds the datasets that are there."""

from collections.abc import Sequence
from pathlib import Path

from uniemox_mm.datasets.named_datasets import NAMED_DATASETS


def find_folders(root: Path) -> dict[str, Path]:
    """Looks for the datasets in one folder.

    Args:
        root (Path): The folder.

    Returns:
        dict[str, Path]: Key of :data:`NAMED_DATASETS` -> the first of its
        usual folders that is there, in any case; without those that are not.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    if not root.is_dir():
        raise FileNotFoundError(f'--root {root}: no such folder')
    there = {
        path.name.casefold(): path
        for path in sorted(root.iterdir())
        if path.is_dir()
    }
    found = {}
    for name, known in NAMED_DATASETS.items():
        usual = [folder.casefold() for folder in known.folders]
        paths = [there[folder] for folder in usual if folder in there]
        if paths:
            found[name] = paths[0]
    return found


def missing_line(name: str, root: Path) -> str:
    """Says that a dataset is skipped, and what was looked for."""
    known = NAMED_DATASETS[name]
    usual: dict[str, str] = {}
    for folder in known.folders:
        usual.setdefault(folder.casefold(), folder)
    what = ', '.join(usual.values())
    none = f'none of {what} is' if len(usual) > 1 else f'there is no {what}'
    return f'{known.title}: skipped, {none} in {root}'


def check_names(names: Sequence[str]) -> None:
    """Refuses unknown names.

    Raises:
        ValueError: One is unknown.
    """
    for name in names:
        if name not in NAMED_DATASETS:
            raise ValueError(
                f'--datasets {name}: no such dataset; expected '
                f'{", ".join(NAMED_DATASETS)}'
            )
