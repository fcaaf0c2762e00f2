"""Whether an encoder fits a config, before anything runs for days."""

from mmengine.config import Config

from uniemox_mm.apis.pretrained import build_model
from uniemox_mm.engine.hooks.encoder_weights_hook import load_as_configured
from uniemox_mm.utils.quiet import quiet_logging
from uniemox_mm.weights.weight_files import load_weights


def check_neighbours(config: str, cfg: Config, checkpoint: str) -> None:
    """Loads an encoder as ``tools/knn.py`` will.

    Args:
        config (str): What follows ``--knn-config``.
        cfg (Config): What it says.
        checkpoint (str): The encoder.

    Raises:
        ValueError: It is another than that of the config.
    """
    weights = load_weights(checkpoint)
    try:
        with quiet_logging():
            load_as_configured(cfg, build_model(cfg), weights)
    except ValueError as error:
        raise ValueError(
            f'--knn-config {config}: {checkpoint}: {error}. Name with '
            '--knn-config a config with the encoder of the checkpoint'
        ) from None
