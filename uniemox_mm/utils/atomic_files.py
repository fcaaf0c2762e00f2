"""Files and folders that are either complete or absent."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

SUFFIX = '.tmp'


@contextmanager
def atomic_file(
    path: str | Path, mode: str = 'w', sync: bool = True
) -> Iterator[IO]:
    """Open a file under a temporary name that is replaced at the end.

    A process killed meanwhile leaves the file as it was, and a hidden one
    ``.<name>-*.tmp`` beside it.

    Args:
        path (str | Path): The file.
        mode (str): 'w' for text in UTF-8 or 'wb'. Defaults to 'w'.
        sync (bool): Whether to wait until the disk has it, so that it
            survives a power failure too. Defaults to True.

    Yields:
        IO: The open file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=f'.{path.name}-', suffix=SUFFIX, dir=path.parent
    )
    encoding = None if 'b' in mode else 'utf-8'
    try:
        with os.fdopen(handle, mode, encoding=encoding) as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        # mkstemp gives 0600; a new file would get what the umask allows.
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def atomic_folder(root: str | Path, write: Callable[[Path], None]) -> Path:
    """Write a folder under a temporary name, unless it exists.

    Args:
        root (str | Path): The folder; an existing one is left alone.
        write (Callable): Fills the folder that it is given.

    Returns:
        Path: The folder.
    """
    root = Path(root)
    if root.exists():
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f'.{root.name}-', dir=root.parent))
    try:
        write(work)
        work.chmod(0o755)
        work.rename(root)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return root


def remove_leftovers(folder: str | Path) -> None:
    """Remove the temporary files of killed processes, also in subfolders."""
    for path in Path(folder).rglob(f'.*{SUFFIX}'):
        path.unlink(missing_ok=True)
