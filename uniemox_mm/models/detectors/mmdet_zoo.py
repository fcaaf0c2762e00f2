"""Models of MMDetection's index, by name."""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import torch
from mmengine.infer import BaseInferencer


def find_in_zoo(name: str) -> tuple[str, str] | None:
    """Look a model up in MMDetection's index.

    Args:
        name (str): The name of a model, its config, or its checkpoint, as in
            MMDetection's index, with or without suffix. A path is not a name.

    Returns:
        tuple[str, str] | None: The path of the config and the address of the
        weights, or None.
    """
    wanted = _plain(name)
    if Path(name).name != name:
        return None
    for names, config, weights in _index():
        if wanted in names:
            return config, weights
    return None


def similar_names(name: str) -> list[str]:
    """Return the names in MMDetection's index nearest to ``name``."""
    known = [names[0] for names, _, _ in _index()]
    return difflib.get_close_matches(_plain(name), known, n=3, cutoff=0.3)


def download(url: str) -> Path:
    """Download weights once, into torch's cache.

    Args:
        url (str): The address, with the first digits of the file's SHA-256
            at the end of its name, where MMDetection puts them.

    Returns:
        Path: The local file, checked against the digits when downloaded.

    Raises:
        RuntimeError: The download failed; the message says what to do.
    """
    target = Path(torch.hub.get_dir()) / 'checkpoints' / Path(url).name
    if target.is_file():
        return target
    digits = re.search(r'-([0-9a-f]{8,})\.', target.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(
            url, str(target), hash_prefix=digits and digits[1]
        )
    except (URLError, OSError, RuntimeError) as error:
        raise RuntimeError(
            f'{url} could not be downloaded ({error}); download it elsewhere '
            'and give the path of the file, or put it at '
            f'{target}'
        ) from error
    return target


def _index() -> Iterator[tuple[list[str], str, str]]:
    """Yield names, config and weights of every model that has weights."""
    root = BaseInferencer._get_repo_or_mim_dir('mmdet')
    for model in BaseInferencer._get_models_from_metafile(root):
        weights = model.get('Weights')
        if isinstance(weights, list):
            weights = weights[0] if weights else None
        if not weights or not model.get('Config'):
            continue
        names = [model['Name'], model['Config'], weights]
        yield (
            [_plain(n) for n in names],
            str(Path(root) / model['Config']),
            weights,
        )


def _plain(name: str) -> str:
    return re.sub(r'\.(py|pth)$', '', Path(name).name).lower()
