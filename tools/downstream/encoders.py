"""Whether an encoder fits a config, before anything runs for days."""

from mmengine.config import Config

from uniemox_mm.apis.load_model import load_model
from uniemox_mm.weights.checked_loading import MisfitError


def check_neighbours(config: str, cfg: Config, checkpoint: str) -> None:
    """Loads an encoder as ``tools/knn.py`` will.

    Args:
        config (str): What follows ``--knn-config``.
        cfg (Config): What it says.
        checkpoint (str): The encoder.

    Raises:
        ValueError: It is another than that of the config.
    """
    try:
        load_model(checkpoint, cfg, part='backbone')
    except MisfitError as error:
        raise ValueError(
            f'--knn-config {config}: {error}. Name with '
            '--knn-config a config with the encoder of the checkpoint'
        ) from None
