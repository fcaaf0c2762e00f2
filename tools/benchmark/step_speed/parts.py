"""What the parts of a step cost."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from uniemox_mm.models import EmoMAE

from .arrangements import Arrangement
from .timing import seconds_of


def time_parts(
    arrangement: Arrangement, rounds: int, device: torch.device
) -> dict[str, float]:
    """Times every part by itself, with its backward pass where it has one.

    The person encoder is what both streams take in one call, less what the
    scene takes alone.

    Args:
        arrangement (Arrangement): 'ours' with a fusion, or any classifier.
        rounds (int): How often; medians are given.
        device (torch.device): Where it runs.

    Returns:
        dict[str, float]: Seconds by part.
    """
    model, batch = arrangement.model, arrangement.batch
    context = arrangement.optim_wrapper.optim_context(model)
    with context:
        data = model.data_preprocessor(dict(batch), True)
    if isinstance(model, EmoMAE):
        calls = _calls_of_emo_mae(model, data, arrangement)
    else:
        calls = dict(
            model=lambda: _backward(
                sum(
                    value
                    for key, value in model(**data, mode='loss').items()
                    if 'loss' in key
                )
            )
        )
    calls = {
        'pixels to the device': lambda: model.data_preprocessor(
            dict(batch), True
        ),
        **calls,
        'optimizer': arrangement.optim_wrapper.optimizer.step,
    }
    found: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():

            def run(call: Callable = call) -> None:
                with arrangement.optim_wrapper.optim_context(model):
                    call()

            seconds = seconds_of(run, device)
            if number > 0:  # the first is to warm up
                found[name].append(seconds)
        if number < rounds:
            # The optimizer needs gradients, which the next round adds to.
            arrangement.optim_wrapper.optimizer.zero_grad(set_to_none=False)
    medians = {name: float(np.median(v)) for name, v in found.items()}
    if 'both streams' in medians:
        both = medians.pop('both streams')
        medians['person encoder'] = both - medians['scene encoder']
    return medians


def _calls_of_emo_mae(
    model: Any, data: dict, arrangement: Arrangement
) -> dict[str, Callable]:
    scene, person = data['inputs']
    samples = data['data_samples']
    with torch.no_grad(), arrangement.optim_wrapper.optim_context(model):
        (latent, mask, ids), (other, _, _) = model.backbone(scene, person)
        texts = model._texts(samples) if model.distill.needs_text else None
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
