"""What a measurement was made on."""

import os
import platform
from pathlib import Path
from typing import Any

import torch

_CPU = Path('/proc/cpuinfo')


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Names the device and the versions, for tables of measurements.

    Args:
        device (torch.device): What was measured.

    Returns:
        dict: ``device``, ``memory`` in bytes and ``cuda`` (None on a CPU),
        ``cores``, ``torch``, ``python``; plain JSON.
    """
    name, memory, cuda = cpu_name(), None, None
    if device.type == 'cuda':
        found = torch.cuda.get_device_properties(device)
        name, memory = found.name, found.total_memory
        cuda = torch.version.cuda
    return dict(
        device=name,
        memory=memory,
        cuda=cuda,
        cores=len(os.sched_getaffinity(0)),
        torch=torch.__version__,
        python=platform.python_version(),
    )


def cpu_name() -> str:
    """The processor as Linux names it, or its architecture."""
    if _CPU.is_file():
        for line in _CPU.read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()
