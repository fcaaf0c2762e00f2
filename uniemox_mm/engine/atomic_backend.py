"""File backend that writes checkpoints atomically."""

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from uniemox_mm.utils.atomic_files import atomic_file


class AtomicLocalBackend(LocalBackend):
    """MMEngine's local file backend, writing to a temporary name first.

    For ``CheckpointHook(backend_args=dict(backend='atomic'))``: a run killed
    while it saves leaves the previous file of that name as it was.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Writes bytes to ``filepath``, all or nothing."""
        with atomic_file(filepath, 'wb') as file:
            file.write(obj)

    def put_text(
        self, obj: str, filepath: str | Path, encoding: str = 'utf-8'
    ) -> None:
        """Writes text to ``filepath``, all or nothing."""
        self.put(obj.encode(encoding), filepath)


register_backend('atomic', AtomicLocalBackend, force=True)
