"""Checkpoints of MMEngine's strategies that are whole or not there."""

import os
import shutil
from pathlib import Path

from mmengine.dist import barrier, is_main_process

from uniemox_mm.utils.atomic_files import SUFFIX


class AtomicSavingMixin:
    """Saves under a temporary name, which is moved at the end.

    ``FlexibleRunner`` does not pass ``backend_args`` on to its strategy, so
    MMEngine's ``CheckpointHook`` cannot choose the atomic backend there.
    """

    def save_checkpoint(self, filename: str, **kwargs) -> None:
        """Saves a file, or a folder with a file a process, all or nothing.

        Args:
            filename (str): Where to save.
            **kwargs: Those of MMEngine's strategies.
        """
        path = Path(filename)
        # The same in all processes, which may write a folder together.
        temporary = path.with_name(f'.{path.name}-unfinished{SUFFIX}')
        if is_main_process():
            _remove(temporary)
        barrier()
        self._write(str(temporary), **kwargs)
        barrier()
        if is_main_process():
            _wait_for_disk(temporary)
            if path.is_dir():  # which nothing can be moved over
                shutil.rmtree(path)
            temporary.replace(path)
        barrier()

    def _write(self, filename: str, **kwargs) -> None:
        super().save_checkpoint(filename, **kwargs)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def _wait_for_disk(path: Path) -> None:
    """Waits until a loss of power would spare what was written."""
    for file in path.rglob('*') if path.is_dir() else [path]:
        if file.is_file():
            with file.open('rb') as handle:
                os.fsync(handle.fileno())
