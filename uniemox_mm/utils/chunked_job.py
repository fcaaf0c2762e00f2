"""Long jobs that can be killed at any moment and resumed."""

import ctypes
import json
import shutil
import signal
import sys
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from .atomic_files import atomic_file
from .check_same_settings import check_same_settings

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


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
        """Return the chunks that are not done."""
        done = {path.name for path in self.folder.iterdir()}
        chunks = range(self.chunks)
        return [i for i in chunks if self._path(i).name not in done]

    def save(self, chunk: int, result: Any) -> None:
        """Keep the result of a chunk, which must be plain JSON."""
        _write(self._path(chunk), json.dumps(result))

    def result(self, chunk: int) -> Any:
        """Return the result of a chunk that is done."""
        return json.loads(self._path(chunk).read_text(encoding='utf-8'))

    def results(self) -> Iterator[Any]:
        """Return the results in order, one in memory at a time."""
        return map(self.result, range(self.chunks))

    def remove(self) -> None:
        """Remove the folder once its results are used."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, chunk: int) -> Path:
        return self.folder / f'{chunk:06d}.json'


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as file:
        file.write(text)


def chunk_ranges(count: int, size: int, start: int = 0) -> list[range]:
    """Cut ``count`` numbers from ``start`` on into ranges of ``size``.

    Example:
        >>> chunk_ranges(5, 2)
        [range(0, 2), range(2, 4), range(4, 5)]
    """
    stop = start + count
    return [
        range(first, min(first + size, stop))
        for first in range(start, stop, size)
    ]


def read_chunks(
    job: ChunkedJob,
    dataset: Dataset,
    chunks: Sequence[range],
    *,
    workers: int,
    description: str,
    own: Container[int] | None = None,
    show_progress: bool = True,
) -> Iterator[tuple[int, list]]:
    """Read the images of the chunks that are not done, with a progress bar.

    Args:
        job (ChunkedJob): The job; the caller saves the results.
        dataset (Dataset): Index of an image -> what is known of it.
        chunks (Sequence[range]): The images of each chunk.
        workers (int): Processes that read, a chunk at a time. 0 reads in
            this process.
        description (str): The word before the progress bar.
        own (Container[int], optional): The chunks of this process. Defaults
            to None, all.
        show_progress (bool): Whether to show the bar. Defaults to True.

    Yields:
        tuple[int, list]: Number of a chunk, and the items of its images.
    """
    mine = [i for i in range(job.chunks) if own is None or i in own]
    todo = [i for i in job.todo() if own is None or i in own]
    loader = DataLoader(
        dataset,
        batch_sampler=[chunks[i] for i in todo],
        collate_fn=list,
        num_workers=min(workers, len(todo)),
        worker_init_fn=die_with_parent,
    )
    total = sum(len(chunks[i]) for i in mine)
    left = sum(len(chunks[i]) for i in todo)
    with tqdm(
        desc=description,
        unit='img',
        total=total,
        initial=total - left,
        disable=not show_progress,
    ) as bar:
        for number, items in zip(todo, loader, strict=True):
            yield number, items
            bar.update(len(items))


def die_with_parent(_worker_id: int = 0) -> None:
    """Have this process killed when its parent dies, for ``worker_init_fn``.

    torch's workers check whether the parent is there, but one that is just
    handing over a large result waits for a reader for ever. Only Linux can
    do this; elsewhere nothing happens.
    """
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
