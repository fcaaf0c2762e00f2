"""Long jobs that can be killed at any moment and go on."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .atomic_files import atomic_file


class ChunkedJob:
    """The results of a job on disk, chunk by chunk.

    Each chunk's result is a file of its own that is whole or not there.
    What is in a chunk follows from the settings alone, so a job gives the
    same results however often it was killed and by however many processes
    it was done.

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
        # Through JSON like the stored ones, which know no tuples.
        settings = json.loads(json.dumps({**settings, 'chunks': chunks}))
        stored = self.folder / 'settings.json'
        if not stored.is_file():
            _write(stored, json.dumps(settings, indent=1))
            return
        before = json.loads(stored.read_text(encoding='utf-8'))
        changed = [
            f'{key} was {_short(before.get(key))} and is '
            f'{_short(settings.get(key))}'
            for key in sorted(before.keys() | settings.keys())
            if before.get(key) != settings.get(key)
        ]
        if changed:
            raise ValueError(
                f'{self.folder}: holds the beginning of another run: '
                f'{"; ".join(changed)}. Repeat that command to finish it, or '
                'remove the folder to start anew'
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


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f'{text[:57]}...'
