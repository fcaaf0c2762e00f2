"""Find the checkpoint to resume from, and the command that does it."""

import argparse
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import Config

_BEST = re.compile(r'best_.*_(?:epoch|iter)_(\d+)\.pth')
_CHECKPOINT = re.compile(r'(?:epoch|iter)_(\d+)\.pth')


def remove_unfinished(work_dir: str | Path) -> None:
    """Remove the temporary files of a run that was killed while saving."""
    for path in Path(work_dir).glob('.*.pth-*.tmp'):
        if path.is_dir():  # of DeepSpeed
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def set_resume(cfg: Config, resume: str | None) -> str:
    """Point a config at the checkpoint to resume from, in place.

    Args:
        cfg (Config): The config, with its ``work_dir``.
        resume (str, optional): A checkpoint, or 'auto' for the newest in the
            work dir. None changes nothing.

    Returns:
        str: The result in one line, for the user.

    Raises:
        FileNotFoundError: There is no such checkpoint.
    """
    if resume is None:
        return ''
    path = find_checkpoint(cfg.work_dir) if resume == 'auto' else Path(resume)
    if path is None:
        return f'Nothing to resume in {cfg.work_dir}: starting from scratch.'
    if not path.exists():
        raise FileNotFoundError(f'--resume {path}: no such checkpoint')
    # Start weights in load_from would be taken for the checkpoint.
    cfg.load_from, cfg.resume = str(path), True
    return f'Resuming from {path}.'


def find_checkpoint(work_dir: str | Path) -> Path | None:
    """Return the newest checkpoint of a run, or None.

    Goes by the number in the name: files of that name are complete (they are
    written by :class:`AtomicLocalBackend`), whereas MMEngine's
    ``last_checkpoint`` may be one behind after a kill, or empty, or name a
    folder that was moved.
    """
    found = [
        (int(match[1]), path)
        for path in Path(work_dir).glob('*.pth')
        if (match := _CHECKPOINT.fullmatch(path.name))
    ]
    return max(found)[1] if found else None


def find_best_checkpoint(work_dir: str | Path) -> Path | None:
    """Return the checkpoint that was best on val, else the newest, or None.

    Goes by time: an earlier run may have left a best one of a later epoch.
    """
    found = [
        (path.stat().st_mtime_ns, int(match[1]), path)
        for path in Path(work_dir).glob('best_*.pth')
        if (match := _BEST.fullmatch(path.name))
    ]
    return max(found)[2] if found else find_checkpoint(work_dir)


def resume_command(
    script: str,
    arguments: Sequence[str],
    config: str,
    launcher: str,
    checkpoint: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Build the command line that continues a run.

    Args:
        script (str): Path of ``tools/train.py``.
        arguments (Sequence[str]): Its command line.
        config (str): The config in it.
        launcher (str): The launcher in it.
        checkpoint (str, optional): Checkpoint to resume from if the work
            dir has none of its own yet. Defaults to None.
        environment (Mapping[str, str], optional): Variables that the config
            was read with. Defaults to None.

    Returns:
        str: The same command with ``--resume``.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument('--resume', nargs='?')
    parser.add_argument('--launcher')
    parser.add_argument('--local_rank', '--local-rank')
    kept = parser.parse_known_args(arguments)[1]
    kept.remove(config)
    variables = [f'{k}={v}' for k, v in (environment or {}).items()]
    if launcher == 'pytorch':
        names = ('NNODES', 'NODE_RANK', 'MASTER_ADDR', 'MASTER_PORT')
        several = int(os.environ.get('NNODES', '1')) > 1
        nodes = [f'{n}={os.environ[n]}' for n in names if n in os.environ]
        variables += nodes if several else []
        launch = Path(os.path.relpath(script)).with_name('dist_train.sh')
        start = ['bash', str(launch), config]
        start.append(os.environ.get('LOCAL_WORLD_SIZE', '1'))
    else:
        found = shutil.which('python') or ''
        # Not resolved: the python of an environment is a link to another.
        python = 'python' if found == sys.executable else sys.executable
        start = [python, os.path.relpath(script), config]
        if launcher != 'none':
            start += ['--launcher', launcher]
    if variables:
        start = ['env', *variables, *start]
    resume = ['--resume', checkpoint] if checkpoint else ['--resume']
    return shlex.join([*start, *kept, *resume])
