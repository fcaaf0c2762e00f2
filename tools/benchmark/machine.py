"""The machine that a measurement is made on."""

import os
import platform
import re
from pathlib import Path
from typing import Any

import torch
from mmengine.utils.dl_utils import collect_env
from torch.utils.benchmark import Timer

_DETAILS = 'PyTorch compiling details'  # forty lines of flags


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Return the device and the versions, for tables of measurements.

    Returns:
        dict: ``device``, ``memory`` of a GPU in bytes (None on a CPU),
        ``cores``, and the ``environment`` as MMEngine reports it; plain JSON.
    """
    name, memory = cpu_name(), None
    if device.type == 'cuda':
        found = torch.cuda.get_device_properties(device)
        name, memory = found.name, found.total_memory
    environment = collect_env()
    del environment[_DETAILS]
    return dict(
        device=name,
        memory=memory,
        cores=len(os.sched_getaffinity(0)),
        environment={key: str(value) for key, value in environment.items()},
    )


def machine_text(machine: dict[str, Any]) -> str:
    """Return :func:`describe_machine` in a few words."""
    text = f'{machine["device"]}, {machine["cores"]} cores'
    if machine['memory']:
        text += f', {machine["memory"] / 1e9:.0f} GB'
    return f'{text}, torch {machine["environment"]["PyTorch"]}'


def cpu_name() -> str:
    """Return the processor's name, or its architecture."""
    cpuinfo = Path('/proc/cpuinfo')
    text = cpuinfo.read_text() if cpuinfo.is_file() else ''
    found = re.search(r'^model name\s*:\s*(.+)$', text, re.MULTILINE)
    if found:
        return found[1]
    return platform.processor() or platform.machine()


def matmul_peak(device: torch.device, precision: str = 'float32') -> float:
    """Return multiply-adds a second of the best of some large products.

    Args:
        device (torch.device): Where.
        precision (str): Name of a torch dtype. Defaults to 'float32'.
    """
    dtype = getattr(torch, precision)
    on_gpu = device.type == 'cuda'
    best = 0.0
    for n in (4096, 8192, 16384) if on_gpu else (1024, 2048):
        a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in 'ab')
        timer = Timer(
            'a @ b',
            globals=dict(a=a, b=b),
            num_threads=torch.get_num_threads(),
        )
        seconds = min(timer.timeit(20 if on_gpu else 3).mean for _ in range(4))
        best = max(best, n**3 / seconds)
    return best


def process_status(key: str, pid: int | str = 'self') -> int:
    """Return a size in bytes that Linux reports of a process.

    Args:
        key (str): 'VmRSS', or 'VmHWM' for the most so far.
        pid (int | str): The process. Defaults to this one.

    Raises:
        OSError: The system is not Linux, or there is no such process.
    """
    text = Path(f'/proc/{pid}/status').read_text()
    found = re.search(rf'^{key}:\s*(\d+) kB$', text, re.MULTILINE)
    if found is None:
        raise OSError(f'/proc/{pid}/status: has no {key}')
    return 1024 * int(found[1])
