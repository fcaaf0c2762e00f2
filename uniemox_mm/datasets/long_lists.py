"""Lists of 100,000 rows and more in little time and memory."""

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pauses the collector of garbage, of which reading a list makes none.

    It would look through all objects of the list again and again, which takes
    half of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def openmmlab_rows(
    path: Path, content: dict, root: str | Path, classes: Sequence[str]
) -> list[dict]:
    """The rows of an annotation file in OpenMMLab 2.0 format, checked.

    Args:
        path (Path): The file, for the message.
        content (dict): What is in it; its entries become the rows.
        root (str | Path): What the paths in it are relative to.
        classes (Sequence[str]): The classes that its labels count.

    Returns:
        list[dict]: The entries, with ``img_path`` below ``root``.

    Raises:
        ValueError: It is of another format, or of other classes.
    """
    entries = content.get('data_list')
    metainfo = content.get('metainfo') or {}
    if not isinstance(entries, list) or not isinstance(metainfo, dict):
        raise ValueError(
            f'{path}: expected {{"metainfo": {{...}}, "data_list": '
            f'[...]}}, but found the keys {sorted(content)}'
        )
    named = metainfo.get('classes')
    listed = tuple(named) if isinstance(named, list) else named
    if listed is not None and listed != tuple(classes):
        raise ValueError(
            f'{path}: its classes are {listed}, expected {tuple(classes)}'
        )
    folder, labels = str(Path(root)), range(len(classes))
    for number, entry in enumerate(entries):
        if (
            not isinstance(entry, dict)
            or not isinstance(entry.get('img_path'), str)
            or 'gt_label' not in entry
        ):
            raise ValueError(
                f'{path}: entry {number} is {entry!r}; expected an object '
                'with at least img_path (a string) and gt_label'
            )
        if entry['gt_label'] not in labels:
            raise ValueError(
                f'{path}: entry {number} has the label '
                f'{entry["gt_label"]!r}; expected 0 to {len(labels) - 1}'
            )
        # Path takes many times as long, which 100,000 rows add up.
        image = os.path.join(folder, entry['img_path'])  # noqa: PTH118
        entry['img_path'] = image
    return entries
