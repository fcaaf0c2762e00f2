"""Measurements of a training step: time, memory, work and waiting."""

import copy
import ctypes
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import process_status
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from step_variants import Variant
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from uniemox_mm.engine.launch import limit_workers
from uniemox_mm.models import EmoMAE

# PyTorch's warning of each wait; it warns of the mode that finds them too.
_WARNING = 'called a synchronizing CUDA operation'
# Operations whose result the host needs before it can go on.
_WAITING = {
    'aten._local_scalar_dense',
    'aten.is_nonzero',
    'aten.masked_select',
    'aten.nonzero',
    'aten.equal',
}
# The same if indexed by a mask, which decides the size of the result.
_INDEXING = {'aten.index', 'aten.index_put', 'aten.index_put_'}


def seconds_of(call: Callable, device: torch.device) -> float:
    """Return the wall time of a call, until the device has done it."""
    _synchronize(device)
    start = time.perf_counter()
    call()
    _synchronize(device)
    return time.perf_counter() - start


def _synchronize(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def interleave(
    variants: Sequence[Variant],
    rounds: int,
    steps: int,
    device: torch.device,
    progress: Callable[[Iterable], Iterable] = iter,
) -> dict[str, np.ndarray]:
    """Time all variants in every round, in turns.

    What slows the machine down for a while then slows all of them down, and
    the ratios of a round stay true. The order is reversed in every other
    round, so that none always comes after the same one.

    Args:
        variants (Sequence[Variant]): What to run, warmed up.
        rounds (int): Number of rounds.
        steps (int): Steps of a variant in a round.
        device (torch.device): Where they run.
        progress (Callable): Wraps the rounds.

    Returns:
        dict[str, np.ndarray]: Seconds a step, (rounds,), by name.
    """
    found = {v.name: np.empty(rounds) for v in variants}
    for number in progress(range(rounds)):
        for variant in variants[:: -1 if number % 2 else 1]:

            def run(step: Callable = variant.step) -> None:
                for _ in range(steps):
                    step()

            found[variant.name][number] = seconds_of(run, device) / steps
    return found


def quartiles(values: np.ndarray) -> list[float]:
    """Return 25 %, median and 75 % of values."""
    return np.percentile(values, [25, 50, 75]).tolist()


def multiply_adds(variant: Variant) -> int:
    """Count the multiply-adds of one step, forward and backward.

    Counts matrix products, convolutions and attention. What is computed
    again because of checkpointing counts as well. Takes a step.

    Args:
        variant (Variant): Not compiled: compiled layers are opaque.
    """
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # is not counted
    try:
        # Attention as products of matrices, which are, on any device.
        with (
            sdpa_kernel(SDPBackend.MATH),
            FlopCounterMode(display=False) as counter,
        ):
            variant.step()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
    return counter.get_total_flops() // 2


def peak_bytes(variant: Variant, device: torch.device) -> int | None:
    """Return the peak memory of a step, with the variant's own weights.

    What other variants of the process hold is subtracted. Takes a step.

    Args:
        variant (Variant): Warmed up.
        device (torch.device): Where it runs.

    Returns:
        int | None: Bytes on a GPU as PyTorch allocated them, or of the
        process on a CPU; None if the system does not report them.
    """
    own = variant.own_bytes()
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        variant.step()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before + own
    # Return free memory first, or the step would find its memory there.
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim is not None:  # glibc
        trim(0)
    try:
        Path('/proc/self/clear_refs').write_text('5')  # resets the peak
        before = process_status('VmRSS')
        variant.step()
        return max(0, process_status('VmHWM') - before) + own
    except OSError:
        return None


class _CountWaits(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = str(func.overloadpacket)
        masked = name in _INDEXING and any(
            index is not None and index.dtype in (torch.bool, torch.uint8)
            for index in args[1]
        )
        if name in _WAITING or masked:
            self.found[name] += 1
        return func(*args, **(kwargs or {}))


def count_waits(variant: Variant, device: torch.device) -> dict[str, int]:
    """Count how often the host waits for the device in one step.

    Args:
        variant (Variant): Warmed up.
        device (torch.device): On a GPU PyTorch itself reports every wait; on
            a CPU the operations are counted that would be one there, other
            than copies from and to the device, which a CPU does not have.

    Returns:
        dict[str, int]: How often, by operation or place in the code.
    """
    if device.type != 'cuda':
        with _CountWaits() as counting:
            variant.step()
        return dict(counting.found)
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.synchronize(device)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        torch.cuda.set_sync_debug_mode('warn')
        try:
            variant.step()
        finally:
            torch.cuda.set_sync_debug_mode(mode)
    return dict(
        Counter(
            f'{w.filename.rsplit("site-packages/", 1)[-1]}:{w.lineno}'
            for w in caught
            if _WARNING in str(w.message)
        )
    )


def profile_gaps(
    variant: Variant, device: torch.device, steps: int = 3
) -> dict[str, float] | None:
    """Measure how much of a step a GPU is idle, by PyTorch's profiler.

    Args:
        variant (Variant): Warmed up.
        device (torch.device): A CPU has no gaps to see.
        steps (int): Steps to profile, one after the other.

    Returns:
        dict[str, float] | None: Parts of a step, 0 to 1: ``idle`` in all,
        and the ``longest`` gap. None if the profiler sees nothing, as on
        machines that forbid it.
    """
    if device.type != 'cuda':
        return None
    activities = [
        torch.profiler.ProfilerActivity.CPU,
        torch.profiler.ProfilerActivity.CUDA,
    ]
    with torch.profiler.profile(activities=activities) as profiler:
        for _ in range(steps):
            variant.step()
        torch.cuda.synchronize(device)
    busy = [
        (event.time_range.start, event.time_range.end)
        for event in profiler.events()
        if event.device_type == torch.autograd.DeviceType.CUDA
        and not getattr(event, 'is_user_annotation', False)
    ]
    if not busy:
        return None
    starts, ends = np.array(sorted(busy), float).T
    reached = np.maximum.accumulate(ends)  # kernels may overlap
    gaps = (starts[1:] - reached[:-1]).clip(0)
    whole = reached[-1] - starts[0]
    return dict(
        idle=float(gaps.sum() / whole),
        longest=float(gaps.max(initial=0) * steps / whole),
    )


def data_wait(
    cfg: Config, variant: Variant, device: torch.device, steps: int
) -> float | None:
    """Measure how long a step waits for its images.

    Args:
        cfg (Config): The training config, whose data loader runs beside the
            steps.
        variant (Variant): Steps on its own batch, so that only loading is
            added.
        device (torch.device): Where it runs.
        steps (int): Steps to measure, after two to warm up.

    Returns:
        float | None: Median seconds that a step waits for the next batch;
        None if the dataset is not there.
    """
    cfg = copy.deepcopy(cfg)
    limit_workers(cfg)
    root = cfg.train_dataloader.dataset.get('data_root')
    if root is None or not Path(root).is_dir():
        return None
    cfg.train_dataloader.batch_size = variant.images
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    waits: list[float] = []
    batches = iter(loader)
    for _ in range(steps + 2):
        _synchronize(device)
        start = time.perf_counter()
        if next(batches, None) is None:  # an epoch is over
            batches = iter(loader)
            continue
        waits.append(time.perf_counter() - start)
        variant.step()
    return float(np.median(waits[2:] or waits)) if waits else None


def time_parts(
    variant: Variant, rounds: int, device: torch.device
) -> dict[str, float]:
    """Time every part of a step by itself, with its backward pass.

    The person encoder is what both streams take in one call, less what the
    scene takes alone.

    Args:
        variant (Variant): 'ours' with a fusion, or any classifier.
        rounds (int): Number of rounds, of which medians are returned.
        device (torch.device): Where it runs.

    Returns:
        dict[str, float]: Seconds by part.
    """
    model, wrapper = variant.model, variant.optim_wrapper

    def load() -> dict:
        return model.data_preprocessor(dict(variant.batch), True)

    def classify() -> None:
        losses = model(**data, mode='loss')
        _backward(*(v for k, v in losses.items() if 'loss' in k))

    with wrapper.optim_context(model):
        data = load()
        calls = {'pixels to the device': load}
        if isinstance(model, EmoMAE):
            calls |= _parts_of_emo_mae(model, **data)
        else:
            calls['model'] = classify
    calls['optimizer'] = wrapper.optimizer.step
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds + 1):
        # The optimizer needs gradients, to which each round adds.
        wrapper.optimizer.zero_grad(set_to_none=False)
        for name, call in calls.items():

            def run(call: Callable = call) -> None:
                with wrapper.optim_context(model):
                    call()

            seconds[name].append(seconds_of(run, device))
    # The first round is to warm up.
    medians = {name: float(np.median(v[1:])) for name, v in seconds.items()}
    if 'both streams' in medians:
        both = medians.pop('both streams')
        medians['person encoder'] = both - medians['scene encoder']
    return medians


def _parts_of_emo_mae(
    model: Any, inputs: list[Tensor], data_samples: list
) -> dict[str, Callable]:
    scene, person = inputs
    with torch.no_grad():
        (latent, mask, ids), (other, _, _) = model.backbone(scene, person)
        needs_text = model.distill.needs_text
        texts = model._texts(data_samples) if needs_text else None
        omega, lambda_ = model.target_generator(scene, texts)
    latent, other = (t.clone().requires_grad_() for t in (latent, other))

    def encode_scene() -> None:
        _backward(model.backbone(scene)[0])

    def encode_both() -> None:
        (first, _, _), (second, _, _) = model.backbone(scene, person)
        _backward(first, second)

    def decode() -> None:
        pred = model.neck(latent, ids)
        _backward(model.head.loss(pred, scene, mask))

    def distill() -> None:
        upsilon = model.fusion(
            model.neck.embed_cls(latent), model.neck.embed_cls(other)
        )
        _backward(*model.distill(upsilon, omega, lambda_).values())

    def teach() -> None:
        model.target_generator(scene, texts)

    return {
        'scene encoder': encode_scene,
        'both streams': encode_both,
        **({'decoder and L1': decode} if model.with_head else {}),
        'teacher': teach,
        'fusion, L2, L3': distill,
    }


def _backward(*outputs: Tensor) -> None:
    torch.stack([output.float().sum() for output in outputs]).sum().backward()
