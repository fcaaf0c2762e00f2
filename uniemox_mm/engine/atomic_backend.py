"""Checkpoints that are either whole or not there."""

import os
import tempfile
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend


class AtomicLocalBackend(LocalBackend):
    """MMEngine's local file backend, writing to a temporary name first.

    For ``CheckpointHook(backend_args=dict(backend='atomic'))``: a run killed
    while it saves leaves the previous file of that name as it was.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Writes bytes to ``filepath``, all or nothing."""
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f'.{path.name}-', suffix='.tmp', dir=path.parent
        )
        try:
            with os.fdopen(handle, 'wb') as file:
                file.write(obj)
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

    def put_text(
        self, obj: str, filepath: str | Path, encoding: str = 'utf-8'
    ) -> None:
        """Writes text to ``filepath``, all or nothing."""
        self.put(obj.encode(encoding), filepath)


register_backend('atomic', AtomicLocalBackend, force=True)
