"""Long jobs that can be killed at any moment and resumed."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .atomic_files import atomic_file
from .check_same_settings import check_same_settings


class ChunkedJob:
    """The results of a job on disk, chunk by chunk.

    Each chunk's result is a file of its own that is whole or not there.
    The settings alone decide what a chunk holds, so a job gives the same
    results however often it was killed and however many processes shared it.

    Args:
        folder (str | Path): Where to keep the results until the job is
            done.
        settings (dict): What the results depend on.
        chunks (int): Number of chunks.

    Raises:
        ValueError: The folder has results of other settings.
    """

    def __init__(
        self, folder: str | Path, settings: dict, chunks: int
    ) -> None:
        self.folder = Path(folder)
        self.chunks = chunks
        settings = {**settings, 'chunks': chunks}
        stored = self.folder / 'settings.json'
        if not stored.is_file():
            _write(stored, json.dumps(settings, indent=1))
            return
        check_same_settings(
            json.loads(stored.read_text(encoding='utf-8')),
            settings,
            self.folder,
            'this is an unfinished run: repeat its command to finish it, or '
            'remove the folder to start from the beginning',
        )

    def todo(self) -> list[int]:
        """The chunks that are not done."""
        done = {path.name for path in self.folder.iterdir()}
        chunks = range(self.chunks)
        return [i for i in chunks if self._path(i).name not in done]

    def save(self, chunk: int, result: Any) -> None:
        """Keeps the result of a chunk, which must be plain JSON."""
        _write(self._path(chunk), json.dumps(result))

    def result(self, chunk: int) -> Any:
        """The result of a chunk that is done."""
        return json.loads(self._path(chunk).read_text(encoding='utf-8'))

    def results(self) -> Iterator[Any]:
        """The results in order, one in memory at a time."""
        return map(self.result, range(self.chunks))

    def remove(self) -> None:
        """Removes the folder once its results are used."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, chunk: int) -> Path:
        return self.folder / f'{chunk:06d}.json'


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as file:
        file.write(text)
