"""MMEngine's FSDP, with the recipe and the checkpoints of one GPU."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine._strategy import FSDPStrategy
from mmengine.device import get_device
from mmengine.optim import BaseOptimWrapper, build_optim_wrapper
from mmengine.registry import FUNCTIONS, STRATEGIES
from mmpretrain.models.backbones.vision_transformer import (
    TransformerEncoderLayer,
)
from torch import nn
from torch.distributed.fsdp import (
    FullStateDictConfig,
    FullyShardedDataParallel,
)

from ..atomic_saving import AtomicSavingMixin

_WRAPPED = '_fsdp_wrapped_module.'


@STRATEGIES.register_module()
class EmoFSDPStrategy(AtomicSavingMixin, FSDPStrategy):
    """Parameters, gradients and optimizer states sharded over all processes.

    MMEngine's :class:`FSDPStrategy`, but that

    - the optimizer is built before the parameters are flattened: afterwards
      each has one dimension, so ``flat_decay_mult=0`` would take the weight
      decay off all of them,
    - the model moves to the device as a whole first, and with it the frozen
      teacher, which is no submodule: FSDP would leave it behind,
    - it also runs on CPUs, over gloo,
    - checkpoints are saved atomically.

    Args:
        state_dict_cfg (str | dict): As in ``FSDPStrategy``, but 'full' by
            default: one file with the names and shapes of the unsharded
            model, which loads everywhere.
        **kwargs: Those of ``FSDPStrategy``.
    """

    model_wrapper: dict | None

    def __init__(
        self, *, state_dict_cfg: str | dict = 'full', **kwargs
    ) -> None:
        super().__init__(state_dict_cfg=state_dict_cfg, **kwargs)
        if get_device() == 'cpu':
            # torch gathers all states of a parameter into one buffer and
            # relies on the way to the CPU to make copies of it.
            self.optim_state_dict_config.offload_to_cpu = False

    def prepare(
        self,
        model: nn.Module | dict,
        *,
        optim_wrapper: BaseOptimWrapper | dict | None = None,
        **kwargs,
    ) -> Any:
        """Build model, optimizer and schedulers.

        Args:
            model (nn.Module | dict): The model, or its config.
            optim_wrapper (BaseOptimWrapper | dict, optional): The optimizer,
                or its config.
            **kwargs: Those of ``FSDPStrategy.prepare``.

        Returns:
            Any: The model, optimizer wrapper and schedulers.
        """
        if self._prepared:
            return self._prepared_components()
        model = self.build_model(model)
        if isinstance(optim_wrapper, dict):
            if optim_wrapper.get('type') == 'AmpOptimWrapper':
                optim_wrapper.setdefault('use_fsdp', True)
            optim_wrapper = build_optim_wrapper(model, optim_wrapper)
        return super().prepare(model, optim_wrapper=optim_wrapper, **kwargs)

    def build_optim_wrapper(
        self, optim_wrapper: BaseOptimWrapper, model: nn.Module | None = None
    ) -> BaseOptimWrapper:
        """Give the optimizer the sharded parameters instead of the whole.

        Args:
            optim_wrapper (BaseOptimWrapper): Built for the unsharded model.
            model (nn.Module): The sharded model.

        Returns:
            BaseOptimWrapper: The same one.
        """
        assert model is not None
        sharded = {
            name.replace(_WRAPPED, ''): parameter
            for name, parameter in model.named_parameters()
        }
        self._names: list[str] = []
        for group in optim_wrapper.optimizer.param_groups:
            names = [self.id_to_name[id(p)] for p in group['params']]
            group['params'] = [sharded[name] for name in names]
            self._names += names
        return optim_wrapper

    def load_model_state_dict(self, state_dict: dict, **kwargs) -> None:
        """Load the weights of a whole model, sharding them.

        Args:
            state_dict (dict): The weights, in every process.
            **kwargs: Those of ``FSDPStrategy``.
        """
        if not self._is_full_state_dict():
            super().load_model_state_dict(state_dict, **kwargs)
            return
        # EmoMAE compares weights with its own, in every process.
        everywhere = FullStateDictConfig(offload_to_cpu=True)
        with FullyShardedDataParallel.state_dict_type(
            self.model, self.state_dict_type, everywhere
        ):
            super().load_model_state_dict(state_dict, **kwargs)

    def optim_state_dict(self) -> dict:
        """Return the whole optimizer's state, by the names of the parameters.

        Returns:
            dict: On the first process, as ``OptimWrapper.state_dict``; empty
            on the others.
        """
        state = super().optim_state_dict()
        base = self.optim_wrapper.base_param_settings
        if state and base is not None:
            state['base_param_settings'] = base
        return state

    def load_optim_state_dict(self, state_dict: dict) -> None:
        """Load the state of a whole optimizer, sharding it.

        Args:
            state_dict (dict): As of :meth:`optim_state_dict`, or of an
                optimizer that was not sharded.
        """
        state_dict = _by_name(state_dict, self._names)
        base = state_dict.pop('base_param_settings', None)
        state = FullyShardedDataParallel.optim_state_dict_to_load(
            model=self.model,
            optim=self.optim_wrapper.optimizer,
            optim_state_dict=state_dict,
        )
        self.optim_wrapper.load_state_dict(state)
        if base is not None:
            self.optim_wrapper.base_param_settings = base

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        device = get_device()
        model = model.to(device)
        if device == 'cpu':  # MMEngine takes LOCAL_RANK for a GPU's number
            wrapper = self.model_wrapper or {}
            self.model_wrapper = {**wrapper, 'device_id': torch.device('cpu')}
        return super()._wrap_model(model)


@FUNCTIONS.register_module()
def wrap_transformer_layers(
    module: nn.Module, recurse: bool, nonwrapped_numel: int
) -> bool:
    """Make every transformer layer a unit, as FSDP's ``auto_wrap_policy``.

    The layers of encoder and decoder hold nearly all parameters, so a process
    never has more than two of them whole; the rest (embeddings, projections,
    fusion) is the root's.

    Args:
        module (nn.Module): A module of the model.
        recurse (bool): Whether FSDP asks about its children.
        nonwrapped_numel (int): Parameters in it that are in no unit yet.

    Returns:
        bool: Whether to visit the children, or to make it a unit.
    """
    return recurse or isinstance(module, TransformerEncoderLayer)


def _by_name(state_dict: dict, names: Sequence[str]) -> dict:
    """Convert an optimizer's state from numbers to names of parameters.

    Args:
        state_dict (dict): The state, by numbers or names.
        names (Sequence[str]): The names, in the order of the optimizer.

    Returns:
        dict: The state by names.
    """
    groups = state_dict['param_groups']
    keys = [key for group in groups for key in group['params']]
    if all(isinstance(key, str) for key in keys):
        return dict(state_dict)
    named = dict(zip(keys, names, strict=True))
    return dict(
        state_dict,
        state={named[k]: v for k, v in state_dict['state'].items()},
        param_groups=[
            dict(group, params=[named[key] for key in group['params']])
            for group in groups
        ],
    )
