"""Save checkpoints atomically: complete, or not at all."""

import os
import shutil
from pathlib import Path

from mmengine.dist import barrier, is_main_process
from mmengine.fileio import LocalBackend, register_backend

from uniemox_mm.utils.atomic_files import SUFFIX, atomic_file


class AtomicLocalBackend(LocalBackend):
    """MMEngine's local file backend, writing to a temporary name first.

    For ``CheckpointHook(backend_args=dict(backend='atomic'))``: a run killed
    while it saves leaves the previous file of that name as it was.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes to ``filepath`` atomically."""
        with atomic_file(filepath, 'wb') as file:
            file.write(obj)

    def put_text(
        self, obj: str, filepath: str | Path, encoding: str = 'utf-8'
    ) -> None:
        """Write text to ``filepath`` atomically."""
        self.put(obj.encode(encoding), filepath)


register_backend('atomic', AtomicLocalBackend, force=True)


class AtomicSavingMixin:
    """Save under a temporary name, then rename; for MMEngine's strategies.

    ``FlexibleRunner`` does not pass ``backend_args`` on to its strategy, so
    MMEngine's ``CheckpointHook`` cannot choose the atomic backend there.
    """

    def save_checkpoint(self, filename: str, **kwargs) -> None:
        """Save a file, or a folder with a file per process, atomically.

        Args:
            filename (str): The file or folder.
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
    """Flush what was written to the disk."""
    for file in path.rglob('*') if path.is_dir() else [path]:
        if file.is_file():
            with file.open('rb') as handle:
                os.fsync(handle.fileno())
