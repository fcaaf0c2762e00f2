"""Check the name of a file or folder that is to be written."""

from pathlib import Path


def check_target(target: Path, folder: bool = False) -> None:
    """Refuse a name that cannot be written, before anything is computed.

    Raises:
        ValueError: There is something else under this name, or one of the
            folders above it is a file.
    """
    if not folder and target.is_dir():
        raise ValueError(f'{target}: is a folder; expected the name of a file')
    if folder and target.is_file():
        raise ValueError(f'{target}: is a file; expected the name of a folder')
    for parent in target.parents:
        if parent.exists() and not parent.is_dir():
            raise ValueError(
                f'{target}: cannot be written, since {parent} is not a folder'
            )


def is_same_file(path: Path, other: Path) -> bool:
    """Return whether two names are of one existing file."""
    return path.exists() and other.exists() and path.samefile(other)
