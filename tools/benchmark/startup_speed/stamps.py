"""Takes the times of a training's start from inside of it.

Training imports this through ``custom_imports``, which is the end of its own
imports; nothing else may import it.
"""

import json
import os
import time

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from uniemox_mm.utils.atomic_files import atomic_file

from .memory import children_of, memory_of, private_part

IMPORTED = time.time()
# Training gives no loader more workers than there are cores; the memory of
# four is of interest on any machine.
os.sched_getaffinity = lambda pid: set(range(64))


@HOOKS.register_module()
class StartupHook(Hook):
    """Writes when each part of the start was done, and stops the training.

    Args:
        out (str): The file to write.
        steps (int): Steps before the memory is read.
    """

    priority = 'LOWEST'

    def __init__(self, out: str, steps: int) -> None:
        self.out, self.steps = out, steps
        self.times = dict(imports=IMPORTED, model=time.time())

    def before_run(self, runner: Runner) -> None:
        self.times['lists'] = time.time()

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
        dataset = runner.train_dataloader.dataset
        annotations = dataset.data_bytes
        workers = [
            dict(
                memory_of(pid), own_annotations=private_part(pid, annotations)
            )
            for pid in children_of(os.getpid())
        ]
        result = dict(
            times=self.times,
            rows=len(dataset),
            annotations=annotations.nbytes / 2**20,
            main=memory_of(os.getpid()),
            workers=workers,
        )
        with atomic_file(self.out) as file:
            json.dump(result, file)
        os._exit(0)
