"""MMEngine's DeepSpeed, with plain weights in its checkpoints."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine._strategy import DeepSpeedStrategy
from mmengine.dist import is_main_process
from mmengine.registry import STRATEGIES
from mmengine.runner.checkpoint import weights_to_cpu
from torch import nn

from uniemox_mm.weights.safe_unpickling import plain_globals

from ..atomic_saving import AtomicSavingMixin

WEIGHTS = 'weights.pth'


@STRATEGIES.register_module()
class EmoDeepSpeedStrategy(AtomicSavingMixin, DeepSpeedStrategy):
    """Gradients and optimizer states sharded by DeepSpeed's ZeRO.

    MMEngine's :class:`DeepSpeedStrategy`, but that

    - a checkpoint, which is a folder with a part of each process, also has
      the weights in a plain file, ``weights.pth``, for all who read weights,
    - mixed precision is autocast, as in other trainings: DeepSpeed's own
      bfloat16 would also turn the frozen teacher into it,
    - it also runs on CPUs, over gloo,
    - checkpoints are saved atomically,
    - checkpoints that it cannot resume are refused.

    Args:
        autocast (str, optional): 'bfloat16' or 'float16'. None, the default,
            is float32.
        config (dict, optional): DeepSpeed's settings.
        zero_optimization (dict, optional): Those of ZeRO.
        **kwargs: Those of ``DeepSpeedStrategy``.

    Raises:
        ImportError: DeepSpeed is not installed, or lacks what MMEngine
            imports.
    """

    def __init__(
        self,
        *,
        autocast: str | None = None,
        config: dict | None = None,
        zero_optimization: dict | None = None,
        **kwargs,
    ) -> None:
        config = _plain(config or {})
        if autocast is not None:
            config['torch_autocast'] = dict(
                enabled=True,
                dtype=autocast,
                # Gradients are reduced in float32, as elsewhere.
                lower_precision_safe_modules=[],
            )
        try:
            super().__init__(
                config=config,
                zero_optimization=_plain(zero_optimization),
                **kwargs,
            )
        except (AssertionError, ModuleNotFoundError) as error:
            raise ImportError(
                f'DeepSpeed cannot be used ({error}): pip install '
                '"uniemox_mm[deepspeed]"; MMEngine needs one before 0.19'
            ) from error

    def prepare(self, model: nn.Module | dict, **kwargs) -> Any:
        """Build model, optimizer and schedulers.

        Args:
            model (nn.Module | dict): The model, or its config.
            **kwargs: Those of ``DeepSpeedStrategy.prepare``.

        Returns:
            Any: The model, optimizer wrapper and schedulers.
        """
        size = (kwargs.get('dispatch_kwargs') or {}).get(
            'train_micro_batch_size_per_gpu'
        )
        if size is not None:
            # FlexibleRunner gives it to DeepSpeedStrategy alone.
            self.config['train_micro_batch_size_per_gpu'] = size
        return super().prepare(model, **kwargs)

    def save_checkpoint(
        self,
        filename: str,
        *,
        extra_ckpt: dict | None = None,
        callback: Callable | None = None,
        **kwargs,
    ) -> None:
        """Save a folder atomically.

        Args:
            filename (str): The folder.
            extra_ckpt (dict, optional): Further content.
            callback (Callable, optional): May change ``extra_ckpt``.
            **kwargs: Those of ``DeepSpeedStrategy``.
        """
        extra_ckpt = extra_ckpt or {}
        if callback is not None:
            callback(extra_ckpt)  # MMEngine's leaves it out
        super().save_checkpoint(filename, extra_ckpt=extra_ckpt, **kwargs)

    def resume(self, filename: str, **kwargs) -> dict:
        """Resume from a folder, with as many processes as wrote it.

        Args:
            filename (str): The folder.
            **kwargs: Those of ``DeepSpeedStrategy``.

        Returns:
            dict: The further content.

        Raises:
            ValueError: Not such a folder, or the number of processes or of
                iterations per epoch has changed.
        """
        parts = len(list(Path(filename).glob('*_optim_states.pt')))
        if parts != self.world_size:
            raise ValueError(
                f'{filename}: has the states of {parts} processes of '
                f'DeepSpeed, but there are {self.world_size} now: resume with '
                f'as many, or start from its weights: --load-from {filename}'
            )
        with torch.serialization.safe_globals(_saved_classes()):
            content = super().resume(filename, **kwargs)
        meta, length = content['meta'], self.dispatch_kwargs['epoch_length']
        if meta['iter'] != meta['epoch'] * length:
            raise ValueError(
                f'{filename}: iteration {meta["iter"]} is not the end of '
                f'epoch {meta["epoch"]} with {length} iterations per '
                'epoch: with DeepSpeed the batch size must stay the same'
            )
        return content

    def load_checkpoint(
        self,
        filename: str,
        *,
        callback: Callable | None = None,
        **kwargs,
    ) -> dict:
        """Load start weights from a plain file.

        Args:
            filename (str): A checkpoint of any training.
            callback (Callable, optional): May change the content.
            **kwargs: Ignored.

        Returns:
            dict: The content.
        """
        from mmengine.runner.checkpoint import _load_checkpoint

        self.logger.info(f'Load checkpoint from {filename}')
        content = _load_checkpoint(filename, map_location='cpu')
        if callback is not None:
            callback(content)
        weights = content.get('state_dict', content)
        self.model.module.load_state_dict(weights, strict=False)
        # The optimizer has a copy of its own of its part.
        self.optim_wrapper.optimizer.refresh_fp32_params()
        return content

    def _write(self, filename: str, **kwargs) -> None:
        super()._write(filename, **kwargs)
        if is_main_process() and Path(filename).is_dir():
            weights = weights_to_cpu(self.model.module_state_dict())
            meta = kwargs['extra_ckpt'].get('meta', {})
            torch.save(
                dict(meta=meta, state_dict=weights), Path(filename) / WEIGHTS
            )

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        wrapper = super()._wrap_model(model)
        # gloo gathers into views, which is forbidden where gradients flow.
        wrapper.model.step = torch.no_grad()(wrapper.model.step)
        return wrapper


def _plain(settings: Any) -> Any:
    """Replace MMEngine's ConfigDict, which no checkpoint may name."""
    if isinstance(settings, dict):
        return {key: _plain(value) for key, value in settings.items()}
    return settings


def _saved_classes() -> list:
    """List the classes in DeepSpeed's checkpoints; all are plain values."""
    from deepspeed.runtime.fp16.loss_scaler import (
        DynamicLossScaler,
        LossScaler,
    )
    from deepspeed.runtime.zero.config import ZeroStageEnum
    from deepspeed.utils.tensor_fragment import fragment_address

    own = [DynamicLossScaler, LossScaler, ZeroStageEnum, fragment_address]
    return [*plain_globals(), *own]
