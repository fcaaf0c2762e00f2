"""From a checkpoint on disk to a classifier that knows its classes."""

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.model import BaseModel
from mmpretrain.models import BaseClassifier
from mmpretrain.registry import MODELS

from uniemox_mm.apis.pretrained import build_model
from uniemox_mm.engine.reading_configs import read_config, resolve_checkpoint
from uniemox_mm.utils.quiet import quiet_logging
from uniemox_mm.weights.encoder_weights import load_classifier
from uniemox_mm.weights.weight_files import read_checkpoint, weights_of

from .class_names import class_names
from .exported_config import read_exported_config


def load_trained_classifier(
    checkpoint: str | Path,
    config: str | Path | Config | None = None,
    classes: Sequence[str] | None = None,
) -> BaseModel:
    """Builds a classifier and fills it from a checkpoint.

    A config is a program. It is read from a file that the caller names, or
    that lies beside the checkpoint, where MMEngine wrote it; the copy inside
    of a checkpoint is never run.

    Args:
        checkpoint (str | Path): A checkpoint, or a work dir, of which the one
            that is best on val is taken, or the newest.
        config (str | Path | Config, optional): The config that it was trained
            with, or the JSON of an export. Defaults to that beside the
            export, or the only config in the checkpoint's folder.
        classes (Sequence[str], optional): Names of the classes. Defaults to
            those that the checkpoint, or else the config's dataset, names.

    Returns:
        BaseModel: The classifier on the CPU in eval mode, with ``_config``
        and ``_dataset_meta`` as MMPretrain's ``get_model`` sets them.

    Raises:
        FileNotFoundError: There is no checkpoint or config.
        ValueError: The checkpoint holds more than weights, does not fit, or
            is of pretraining; or the classes are unknown or not as many as
            the classifier has.
    """
    if '://' in str(checkpoint):
        raise ValueError(
            f'{checkpoint}: is an address, which is not read; download the '
            'checkpoint and give its path'
        )
    path = resolve_checkpoint(str(checkpoint))
    content = read_checkpoint(path)
    weights = weights_of(content, path)
    cfg, name = _config(config, path)
    _check_task(cfg, name, path)
    dataset, head = tested_dataset(cfg), cfg.model.get('head')
    names = class_names(classes, content, path, dataset, head)
    with quiet_logging():  # MMEngine tells of how it was trained
        model = _build(cfg, name)
    try:
        load_classifier(model, weights)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    model._config = cfg
    model._dataset_meta = dict(classes=names)
    return model.eval()


def find_config(checkpoint: str | Path) -> Path:
    """The config that MMEngine wrote beside a checkpoint.

    Raises:
        FileNotFoundError: There is none.
        ValueError: There are several.
    """
    folder = Path(checkpoint).parent
    found = sorted(folder.glob('*.py'))
    if not found:
        raise FileNotFoundError(
            f'{checkpoint}: there is no config beside it (*.py); name the '
            'config that it was trained with (config=..., --config ...)'
        )
    if len(found) > 1:
        raise ValueError(
            f'{checkpoint}: there are several configs beside it ('
            f'{", ".join(p.name for p in found)}); name the one that it was '
            'trained with (config=..., --config ...)'
        )
    return found[0]


def tested_dataset(cfg: Config) -> ConfigDict:
    """The dataset of a config's tests, without MMEngine's wrappers."""
    dataset = cfg.test_dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    return dataset


def _config(
    config: str | Path | Config | None, checkpoint: str
) -> tuple[Config, str]:
    """The config and what to call it."""
    if isinstance(config, Config):
        return config, 'the config'
    exported = Path(f'{checkpoint}.json')
    if config is None:
        config = exported if exported.is_file() else find_config(checkpoint)
    if Path(config).suffix == '.json':
        return read_exported_config(config), str(config)
    return read_config(config), str(config)


def _check_task(cfg: Config, name: str, checkpoint: str) -> None:
    settings = cfg.get('model')
    if not isinstance(settings, dict) or 'type' not in settings:
        raise ValueError(
            f'{name}: has no model with a type; expected a config such as '
            'those in configs/finetune'
        )
    kind = MODELS.get(settings['type'])
    if isinstance(kind, type) and not issubclass(kind, BaseClassifier):
        raise ValueError(
            f'{name}: {cfg.model.type} does not classify. A pretrained '
            'encoder knows no emotions yet: train a classifier of the same '
            'architecture with it first (python tools/train.py CONFIG '
            f'--load-from {checkpoint}; for ViT-L '
            'configs/finetune/vit-l_uniemox_fi.py), or ask CLIP, which needs '
            'no training (ZeroShotEmotionInferencer, --zero-shot)'
        )
    if not cfg.get('test_dataloader'):
        raise ValueError(
            f'{name}: has no test_dataloader, whose pipeline says how images '
            'are made ready; expected a config such as those in '
            'configs/finetune'
        )


def _build(cfg: Config, name: str) -> BaseModel:
    try:
        return build_model(cfg)
    except Exception as error:  # classes raise what they like
        raise ValueError(
            f'{name}: its model cannot be built ({type(error).__name__}: '
            f'{error})'
        ) from error
