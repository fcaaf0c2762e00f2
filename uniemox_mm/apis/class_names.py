"""The names of a classifier's classes: where they come from, and checks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmpretrain.registry import DATASETS


def class_names(
    given: Sequence[str] | None,
    content: Mapping[str, Any],
    path: str | Path,
    dataset: Mapping[str, Any],
    head: object,
) -> tuple[str, ...]:
    """The names that are given, or a checkpoint's, or its dataset's.

    Args:
        given (Sequence[str], optional): What counts where it is given.
        content (Mapping[str, Any]): Of the checkpoint.
        path (str | Path): The checkpoint, for messages.
        dataset (Mapping[str, Any]): Settings of the dataset of tests.
        head (object): Settings of the classifier's head.

    Returns:
        tuple[str, ...]: As many as the head has outputs.

    Raises:
        ValueError: Nothing names the classes, or they are not names, or not
            as many as the head's outputs, or those of the checkpoint in
            another order.
    """
    kind = dataset.get('type') and DATASETS.get(dataset['type'])
    of_kind = getattr(kind, 'METAINFO', {})
    own = (
        _of_checkpoint(content, path)
        or (dataset.get('metainfo') or {}).get('classes')
        or of_kind.get('classes')
    )
    names = given or own
    if not names:
        raise ValueError(
            'neither the checkpoint (meta.dataset_meta.classes) nor the '
            "config's test dataset names the classes: give them as "
            'classes=[...]'
        )
    count = head.get('num_classes') if isinstance(head, dict) else None
    checked = check_class_names(names, count)
    known = tuple(map(str, own)) if isinstance(own, list | tuple) else checked
    if checked != known and sorted(checked) == sorted(known):
        raise ValueError(
            f'the classes are given in another order, {", ".join(checked)}, '
            f'than the classifier has them: {", ".join(known)}. Leave them out'
        )
    return checked


def check_class_names(
    names: object, count: int | None = None
) -> tuple[str, ...]:
    """Refuses what are no names of classes.

    Args:
        names (object): Names of the classes.
        count (int, optional): The classifier's number of classes, where it
            is known.

    Returns:
        tuple[str, ...]: The names.

    Raises:
        ValueError: They are not texts, or some are the same, or not as many
            as there are classes.
    """
    if not isinstance(names, list | tuple) or not all(
        isinstance(name, str) and name.strip() for name in names
    ):
        raise ValueError(
            f'expected a list of class names, each of them a text, but got '
            f'{names!r}'
        )
    count = len(names) if count is None else count
    if count != len(names) or len(set(names)) != len(names):
        raise ValueError(
            f'the classifier has {count} classes, but there are '
            f'{len(set(names))} names: {", ".join(names)}'
        )
    return tuple(names)


def _of_checkpoint(content: Mapping[str, Any], path: str | Path) -> Any:
    found: Any = content
    for key in ('meta', 'dataset_meta'):
        found = found.get(key) or {}
        if not isinstance(found, dict):
            raise ValueError(
                f'{path}: its {key} is {found!r}; expected a dict, as '
                'MMEngine writes it'
            )
    return found.get('classes')
