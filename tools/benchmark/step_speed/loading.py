"""How long a step waits for its images."""

import copy
import time
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from uniemox_mm.engine.launch import limit_workers

from .arrangements import Arrangement
from .timing import wait_for


def seconds_of_waiting(
    cfg: Config, arrangement: Arrangement, device: torch.device, steps: int
) -> float | None:
    """Runs the config's own data loader beside the steps.

    Args:
        cfg (Config): The training config.
        arrangement (Arrangement): Steps on its own batch, so that only
            loading is added.
        device (torch.device): Where it runs.
        steps (int): Steps to look at, after two to warm up.

    Returns:
        float | None: Median of the seconds that a step waits for the next
        batch; None where the data set is not there.
    """
    cfg = copy.deepcopy(cfg)
    limit_workers(cfg)
    root = cfg.train_dataloader.dataset.get('data_root')
    if root is None or not Path(root).is_dir():
        return None
    cfg.train_dataloader.batch_size = arrangement.images
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    waits: list[float] = []
    batches = iter(loader)
    for _ in range(steps + 2):
        wait_for(device)
        start = time.perf_counter()
        if next(batches, None) is None:  # an epoch is over
            batches = iter(loader)
            continue
        waits.append(time.perf_counter() - start)
        arrangement.step()
    return float(np.median(waits[2:] or waits)) if waits else None
