"""Compile the layers of transformers, or recompute their activations."""

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from uniemox_mm.models.transformer_layers import (
    checkpoint_layers,
    compile_layers,
)


@HOOKS.register_module()
class TransformerLayersHook(Hook):
    """Compile transformer layers, or save memory in them, before training.

    Args:
        compile (bool | dict): Whether to compile every layer by
            :func:`torch.compile`; a dict gives further options of it, such
            as ``backend``. Defaults to False.
        checkpoint (bool): Recompute activations in the backward pass
            instead of keeping them. Defaults to False.

    Raises:
        ValueError: The model has no transformer layer of MMPretrain.
    """

    priority = 'LOW'  # once other hooks have copied or changed the model

    def __init__(
        self, compile: bool | dict = False, checkpoint: bool = False
    ) -> None:
        self.compile = compile
        self.checkpoint = checkpoint

    def before_train(self, runner: Runner) -> None:
        """Change how the layers run, and log it."""
        if self.checkpoint:
            count = checkpoint_layers(runner.model)
            runner.logger.info(
                f'{count} layers recompute their activations in the backward '
                'pass.'
            )
        if self.compile is not False:
            options = self.compile if isinstance(self.compile, dict) else {}
            count = compile_layers(runner.model, **options)
            runner.logger.info(
                f'{count} layers are compiled; the first steps take longer.'
            )
