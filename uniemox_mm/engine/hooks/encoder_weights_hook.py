"""Start a classifier from the encoder of a checkpoint, checked."""

from collections.abc import Mapping, Sequence

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel, is_model_wrapper
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch import Tensor
from torch.distributed.fsdp import FullyShardedDataParallel

from uniemox_mm.weights.checked_loading import (
    FRESH,
    LEFT_OUT,
    EncoderReport,
    MisfitError,
    load_encoder,
)
from uniemox_mm.weights.read_checkpoint import weights_of


@HOOKS.register_module()
class EncoderWeightsHook(Hook):
    """Load only the backbone of ``load_from``, or stop if it does not fit.

    MMEngine loads what happens to fit and logs the rest. With this hook a
    backbone that does not fit is an error, the heads of other tasks are left
    alone, and a run without start weights says so. A resumed run is not
    touched.

    Args:
        fresh (Sequence[str]): Patterns of backbone keys that may start fresh,
            beside ``ln2.*``. Defaults to ().
        left_out (Sequence[str]): Patterns of backbone keys that may be in the
            checkpoint only, beside ``ln1.*`` and ``mask_token``. Defaults to
            ().
    """

    priority = 'VERY_HIGH'

    def __init__(
        self, fresh: Sequence[str] = (), left_out: Sequence[str] = ()
    ) -> None:
        self.fresh = (*FRESH, *fresh)
        self.left_out = (*LEFT_OUT, *left_out)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Load the encoder, instead of MMEngine."""
        if runner._resume:
            return
        path = runner._load_from
        if isinstance(runner.model, FullyShardedDataParallel):
            raise ValueError(
                f'load_from {path}: EncoderWeightsHook needs the whole model '
                'in every process, but FSDP has sharded it: fine-tune with '
                "MMEngine's Runner (leave out runner_type and strategy)"
            )
        wrapped = is_model_wrapper(runner.model)
        model = runner.model.module if wrapped else runner.model
        try:
            report = load_encoder(
                model, weights_of(checkpoint, path), self.fresh, self.left_out
            )
        except MisfitError as error:
            raise MisfitError(f'load_from {path}: {error}') from None
        runner.logger.info(f'{path}: {report}')
        # MMEngine loads this next: the model's own weights.
        checkpoint['state_dict'] = model.state_dict()

    def before_train(self, runner: Runner) -> None:
        """Warn that a run starts from random weights."""
        if not runner._resume and runner._load_from is None:
            runner.logger.warning(
                'No start weights (load_from is None): training from scratch.'
            )


def load_as_configured(
    cfg: Config, model: BaseModel, weights: Mapping[str, Tensor]
) -> EncoderReport:
    """Fill a model's backbone as training with a config would.

    Args:
        cfg (Config): Its ``EncoderWeightsHook``, if any, says what may
            differ.
        model (BaseModel): A classifier of MMPretrain.
        weights (Mapping[str, Tensor]): The checkpoint's state dict.

    Returns:
        EncoderReport: What was done.

    Raises:
        MisfitError: The weights do not fit.
    """
    settings = (cfg.get('default_hooks') or {}).get('encoder_weights')
    hook = HOOKS.build(settings or dict(type='EncoderWeightsHook'))
    return load_encoder(model, weights, hook.fresh, hook.left_out)
