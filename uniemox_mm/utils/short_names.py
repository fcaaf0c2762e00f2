"""Short names that tell paths apart."""

from collections.abc import Sequence
from pathlib import Path

_SUFFIXES = ('.pth', '.pt', '.safetensors')


def short_names(paths: Sequence[str]) -> list[str]:
    """Return the last parts of paths, as many as tell them apart.

    Suffixes of checkpoints are left out.

    Example:
        >>> short_names(['runs/a/epoch_4.pth', 'runs/b'])
        ['epoch_4', 'b']
        >>> short_names(['runs/a/epoch_4.pth', 'runs/b/epoch_4.pth'])
        ['a/epoch_4', 'b/epoch_4']
    """
    resolved = [Path(path).resolve() for path in paths]
    parts = [
        (path.with_suffix('') if path.suffix in _SUFFIXES else path).parts
        for path in resolved
    ]
    for kept in range(1, max(map(len, parts))):
        names = ['/'.join(part[-kept:]) for part in parts]
        if len(set(names)) == len(set(parts)):
            break
    return names
