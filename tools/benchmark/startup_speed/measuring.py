"""Starts real trainings, and takes the times of their starts."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from hardware import describe_machine
from mmengine.config import Config
from tqdm import tqdm

from .rows import write_rows


def measure_startup(
    script: str | Path,
    config: str | Path,
    folder: str | Path,
    rows: int = 118_000,
    workers: int = 4,
    rounds: int = 3,
    steps: int = 10,
    options: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Measures from the start of the process to the end of the first step.

    The first training, which computes the text features, is not counted: a
    second start finds them.

    Args:
        script (str | Path): ``tools/train.py``.
        config (str | Path): A pretraining on EmoSet.
        folder (str | Path): For the rows, text features and logs; what is
            there from before is used again.
        rows (int): Rows of the data set. Defaults to 118,000.
        workers (int): Data workers; 0 reads in the main process. Defaults to
            4.
        rounds (int): Trainings that count. Defaults to 3.
        steps (int): Steps before memory is read. Defaults to 10.
        options (dict[str, Any], optional): Further changes of the config.

    Returns:
        dict[str, Any]: ``machine``, ``rows``, ``batch_size``, ``workers``,
        ``steps``, ``config`` and ``rounds``: of each the seconds of every
        part, and the memory of the main process and of each worker in MiB;
        plain JSON.

    Raises:
        RuntimeError: A training failed; its output is named.
        ValueError: A number is too small.
    """
    if min(rows, rounds, steps) < 1 or workers < 0:
        raise ValueError(
            'rows, rounds and steps must be at least 1, and workers 0, but '
            f'they are {rows}, {rounds}, {steps} and {workers}'
        )
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(options or {})
    folder = Path(folder).resolve()
    cfg = startup_config(cfg, folder, rows, workers, steps)
    path = folder / Path(config).name
    cfg.dump(path)
    command = [sys.executable, str(script), str(path), '--work-dir']
    command.append(str(folder / 'work'))
    measured = [
        _run(command, folder)
        for _ in tqdm(range(rounds + 1), 'trainings', leave=False)
    ]
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    return dict(
        machine=describe_machine(device),
        config=Path(config).name,
        rows=rows,
        batch_size=cfg.train_dataloader.batch_size,
        workers=workers,
        steps=steps,
        rounds=measured[1:],
    )


def startup_config(
    cfg: Config, folder: Path, rows: int, workers: int, steps: int
) -> Config:
    """Makes a config that stops, and writes its data set.

    Args:
        cfg (Config): A pretraining on EmoSet, which is changed.
        folder (Path): As of :func:`measure_startup`.
        rows (int): Rows of the data set.
        workers (int): Data workers.
        steps (int): Steps before memory is read.

    Returns:
        Config: The same.
    """
    data = write_rows(folder / 'data', rows)
    cfg.merge_from_dict(
        {
            'train_dataloader.dataset.data_root': str(data),
            'train_dataloader.dataset.split': ['train', 'val'],
            'train_dataloader.dataset.persons': None,
            'train_dataloader.num_workers': workers,
            'train_dataloader.persistent_workers': workers > 0,
            'model.target_generator.pretrained': None,
            'default_hooks.text_features.folder': str(folder / 'text'),
            'default_hooks.startup': dict(
                type='StartupHook',
                out=str(folder / 'stamps.json'),
                steps=steps,
            ),
        }
    )
    cfg.custom_imports.imports.append('startup_speed.stamps')
    return cfg


def _run(command: list[str], folder: Path) -> dict[str, Any]:
    stamps, log = folder / 'stamps.json', folder / 'training.log'
    stamps.unlink(missing_ok=True)
    with log.open('w') as file:
        begin = time.time()
        subprocess.run(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
        )
    if not stamps.is_file():
        said = log.read_text().strip().rpartition('\n')[2]
        raise RuntimeError(
            f'the training failed: {said} (its output is in {log})'
        )
    result = json.loads(stamps.read_text())
    seconds, before = {}, begin
    for part, now in result.pop('times').items():
        seconds[part], before = now - before, now
    return dict(seconds=seconds, total=before - begin, **result)
