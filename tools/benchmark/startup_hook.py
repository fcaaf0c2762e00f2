"""The hook by which ``startup.py`` measures a training from inside.

Training imports it through ``custom_imports``, after its own imports.
"""

import json
import os
import time

import psutil
import torch
from machine import process_status
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from uniemox_mm.utils.atomic_files import atomic_file

IMPORTED = time.time()
_MIB = 2**20


@HOOKS.register_module()
class StartupHook(Hook):
    """Write when each part of the start was done, and stop the training.

    Args:
        out (str): The file to write.
        steps (int): Steps before the memory is read.
        workers (int): Data workers, also more than there are cores.
    """

    priority = 'LOWEST'

    def __init__(self, out: str, steps: int, workers: int) -> None:
        self.out, self.steps, self.workers = out, steps, workers
        self.times = dict(imports=IMPORTED, model=time.time())

    def before_run(self, runner: Runner) -> None:
        self.times['lists'] = time.time()
        # Training has limited them to the cores; none has started yet.
        runner.train_dataloader.num_workers = self.workers

    def before_train_epoch(self, runner: Runner) -> None:
        self.times.setdefault('weights and hooks', time.time())

    def before_train_iter(self, runner: Runner, batch_idx, **kwargs) -> None:
        self.times.setdefault('workers and first batch', time.time())

    def after_train_iter(self, runner: Runner, batch_idx, **kwargs) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.times.setdefault('first step', time.time())
        if runner.iter + 1 < self.steps:
            return
        process = psutil.Process()
        result = dict(
            times=self.times,
            annotations=runner.train_dataloader.dataset.data_bytes.nbytes
            / _MIB,
            main=memory_of(process),
            workers=[memory_of(child) for child in process.children()],
        )
        with atomic_file(self.out) as file:
            json.dump(result, file)
        os._exit(0)


def memory_of(process: psutil.Process) -> dict[str, float]:
    """Return the memory of a process in MiB.

    Returns:
        dict[str, float]: ``peak_rss``; ``rss``, with what it shares; ``pss``,
        with its part of what it shares; ``uss``, that no other process has.
    """
    found = process.memory_full_info()
    return dict(
        peak_rss=process_status('VmHWM', process.pid) / _MIB,
        rss=found.rss / _MIB,
        pss=found.pss / _MIB,
        uss=found.uss / _MIB,
    )
