"""Former names, until the pictures take models instead of checkpoints."""

from uniemox_mm.apis.name_checkpoints import (
    NamedCheckpoint,
    add_checkpoints,
    name_checkpoints,
)
from uniemox_mm.utils.short_names import short_names

__all__ = [
    'NamedCheckpoint',
    'add_checkpoints',
    'name_checkpoints',
    'short_names',
]
