"""What a result follows from, so that none is taken for another's."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config

from uniemox_mm.utils.atomic_files import atomic_file
from uniemox_mm.utils.json_files import read_json

FILE, RESULT = 'job.json', 'test/metrics.json'
_PLAIN = ('data_root', 'fraction', 'cfg_options', 'gpus', 'auto_scale_lr')


def fingerprint(checkpoint: str | None) -> dict:
    """What tells a checkpoint from others.

    Args:
        checkpoint (str | None): A path, or an address, of which nothing is
            known but its name. None for no checkpoint.

    Returns:
        dict: ``checkpoint``, ``checkpoint_bytes`` and ``checkpoint_sha256``.
    """
    size = sha256 = None
    if checkpoint is not None and '://' not in checkpoint:
        size = Path(checkpoint).stat().st_size
        digest = hashlib.sha256()
        with Path(checkpoint).open('rb') as file:
            while block := file.read(1 << 20):
                digest.update(block)
        sha256 = digest.hexdigest()
    return dict(
        checkpoint=checkpoint, checkpoint_bytes=size, checkpoint_sha256=sha256
    )


def config_sha256(cfg: Config) -> str:
    """SHA-256 of all that a config says, whatever files it is in."""
    content = json.dumps(cfg.to_dict(), sort_keys=True, default=repr)
    return hashlib.sha256(content.encode()).hexdigest()


def check_settings(folder: Path, settings: Mapping) -> None:
    """Refuses what was made with other settings.

    That a checkpoint or a config lies elsewhere than before does not matter
    where its content is the same. A run that failed before it made anything
    can be tried with others.

    Raises:
        ValueError: It was, or it is not known how it was made; the message
            says what differs and what to do.
    """
    remedy = f'Give another --out, or remove {folder} to make it anew'
    path = folder / FILE
    if not (any(folder.glob('*.pth')) or (folder / RESULT).is_file()):
        return
    if not path.is_file():
        raise ValueError(
            f'{folder}: has no {FILE}, so it is not known how it was made. '
            + remedy
        )
    # As they come back from the file: without tuples.
    now = json.loads(json.dumps(settings))
    differing = _differences(read_json(path), now)
    if differing:
        lines = '\n  '.join(differing)
        raise ValueError(
            f'{folder}: was made with other settings:\n  {lines}\n{remedy}'
        )


def write_settings(folder: Path, settings: Mapping) -> None:
    """Notes what a folder is made with."""
    with atomic_file(folder / FILE) as file:
        json.dump(settings, file, indent=1)


def _differences(before: Mapping, now: Mapping) -> list[str]:
    lines = []
    if _checkpoint(before) != _checkpoint(now):
        lines.append(f'checkpoint: {_shown(now)} (was {_shown(before)})')
    lines += [
        f'{key}: {now[key]} (was {before.get(key)})'
        for key in _PLAIN
        if key in now and before.get(key) != now[key]
    ]
    config, old = now['config'], before.get('config')
    if before.get('config_sha256') != now['config_sha256']:
        if config != old:
            lines.append(f'config: {config} (was {old})')
        elif not lines:  # else it follows from those
            lines.append(f'config: what {config} says has changed')
    return lines


def _checkpoint(settings: Mapping) -> str | None:
    return settings.get('checkpoint_sha256') or settings.get('checkpoint')


def _shown(settings: Mapping) -> str:
    sha256 = settings.get('checkpoint_sha256')
    known = f', sha256 {sha256[:12]}' if sha256 else ''
    return f'{settings.get("checkpoint")}{known}'
