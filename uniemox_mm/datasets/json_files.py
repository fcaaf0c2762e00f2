"""Reading JSON with errors that name the file."""

import json
from pathlib import Path
from typing import Any


def read_json(path: str | Path) -> Any:
    """Reads a JSON file.

    Args:
        path (str | Path): The file.

    Returns:
        Any: Its content.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not JSON; the message names it.
    """
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise FileNotFoundError(f'{path}: no such file') from None
    except ValueError as error:  # also covers bytes that are not UTF-8
        raise ValueError(f'{path}: not valid JSON ({error})') from None
