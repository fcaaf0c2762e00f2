"""Load a model from its checkpoint and its config."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from mmpretrain.models import BaseClassifier
from mmpretrain.registry import DATASETS, MODELS

from uniemox_mm.engine.hooks.encoder_weights_hook import load_as_configured
from uniemox_mm.engine.read_config import (
    find_config,
    read_config,
    resolve_checkpoint,
    tested_dataset,
)
from uniemox_mm.export.read_exported_config import read_exported_config
from uniemox_mm.utils.quiet import quiet_logging
from uniemox_mm.weights.checked_loading import MisfitError, load_strictly
from uniemox_mm.weights.read_checkpoint import read_checkpoint, weights_of


def load_model(
    checkpoint: str | Path,
    config: str | Path | Config | None = None,
    classes: Sequence[str] | None = None,
    part: Literal['all', 'backbone'] = 'all',
) -> BaseModel:
    """Build the model of a config and fill it from a checkpoint.

    A config is a program. It is read from a file that the caller names, or
    that lies beside the checkpoint, where MMEngine wrote it; the copy inside
    a checkpoint is never run.

    Args:
        checkpoint (str | Path): A checkpoint, of DeepSpeed a folder; exported
            safetensors; or a work dir, of which the checkpoint that is best
            on val is taken, or the newest.
        config (str | Path | Config, optional): The config that it was trained
            with, or the JSON of an export. Defaults to the JSON beside an
            export, or the only config in the checkpoint's folder.
        classes (Sequence[str], optional): Names of a classifier's classes.
            Defaults to those that the checkpoint, or else the config's test
            dataset, names.
        part (str): 'all' accounts for every key. 'backbone' fills the
            backbone of a classifier from a checkpoint of any task, as
            training with ``EncoderWeightsHook`` would; the rest of the model
            has fresh weights. Defaults to 'all'.

    Returns:
        BaseModel: The model on the CPU in eval mode. As in MMPretrain's
        ``get_model``, ``_config`` is its config and ``_dataset_meta`` has the
        ``classes`` of a classifier; with 'backbone' only where they are given
        or the config names them. ``_checkpoint`` is the path of the file, and
        ``_encoder_report`` says what 'backbone' took. The CLIP teacher of
        pretraining is in no checkpoint and has random weights.

    Raises:
        FileNotFoundError: There is no checkpoint or config.
        MisfitError: The weights are not those of the model; the message
            names the file and the keys.
        ValueError: The checkpoint holds more than weights, the model cannot
            be built, or the classes are unknown or not as many as the
            classifier has.
    """
    if '://' in str(checkpoint):
        raise ValueError(
            f'{checkpoint}: is an address, which is not read; download the '
            'checkpoint and give its path'
        )
    path = resolve_checkpoint(str(checkpoint))
    content = read_checkpoint(path)
    weights = weights_of(content, path)
    cfg = _read_config(config, path)
    model = _build(cfg)
    model._config, model._checkpoint = cfg, path
    model._dataset_meta, model._encoder_report = {}, None
    try:
        if part == 'all':
            load_strictly(model, weights)
        else:
            model._encoder_report = load_as_configured(cfg, model, weights)
    except MisfitError as error:
        raise MisfitError(f'{path}: {error}') from None
    if isinstance(model, BaseClassifier):
        own = _classes_of_config(cfg)
        if part == 'all':
            own = _classes_of_checkpoint(content, path) or own
        if part == 'all' or classes or own:
            names = _choose_classes(classes, own, cfg.model.get('head'))
            model._dataset_meta = dict(classes=names)
    return model.eval()


def build_model(config: Config) -> BaseModel:
    """Build the model of a config, to be filled from a checkpoint.

    Args:
        config (Config): The config; it is not changed.

    Returns:
        BaseModel: The model with fresh weights, and a random teacher.
    """
    init_default_scope(config.get('default_scope', 'mmpretrain'))
    settings = copy.deepcopy(config.model)
    if config.get('data_preprocessor'):  # as MMEngine's runner does
        pixels = copy.deepcopy(config.data_preprocessor)
        settings.setdefault('data_preprocessor', pixels)
    if settings.get('target_generator'):
        # The teacher is in no checkpoint, and a trained student needs none.
        settings['target_generator']['pretrained'] = None
    return MODELS.build(settings)


def check_classifies(model: BaseModel) -> None:
    """Refuse a model that cannot be asked for the classes of images.

    Args:
        model (BaseModel): A model of :func:`load_model`.

    Raises:
        ValueError: It does not classify, or its config does not say how to
            preprocess images.
    """
    name = _name_of(model._config)
    if not isinstance(model, BaseClassifier):
        raise ValueError(
            f'{name}: {type(model).__name__} does not classify. A pretrained '
            'encoder knows no emotions yet: train a classifier of the same '
            'architecture with it first (python tools/train.py CONFIG '
            f'--load-from {model._checkpoint}; for ViT-L '
            'configs/finetune/vit-l_uniemox_fi.py), or ask CLIP, which needs '
            'no training (ZeroShotEmotionInferencer, --zero-shot)'
        )
    if not model._config.get('test_dataloader'):
        raise ValueError(
            f'{name}: has no test_dataloader, whose pipeline says how to '
            'preprocess images; expected a config such as those in '
            'configs/finetune'
        )


def check_class_names(
    names: object, count: int | None = None
) -> tuple[str, ...]:
    """Validate class names.

    Args:
        names (object): Names of the classes.
        count (int, optional): The number of classes, where it is known.

    Returns:
        tuple[str, ...]: The names.

    Raises:
        ValueError: They are not texts, or some are the same, or there are not
            as many as classes.
    """
    if not isinstance(names, list | tuple) or not all(
        isinstance(name, str) and name.strip() for name in names
    ):
        raise ValueError(
            'expected a list of class names, each of them a text, but got '
            f'{names!r}'
        )
    count = len(names) if count is None else count
    if count != len(names) or len(set(names)) != len(names):
        raise ValueError(
            f'the classifier has {count} classes, but there are '
            f'{len(set(names))} names: {", ".join(names)}'
        )
    return tuple(names)


def _read_config(
    config: str | Path | Config | None, checkpoint: str
) -> Config:
    if isinstance(config, Config):
        return config
    if config is None:
        exported = Path(f'{checkpoint}.json')
        config = exported if exported.is_file() else find_config(checkpoint)
    if Path(config).suffix == '.json':
        return read_exported_config(config)
    return read_config(config)


def _build(cfg: Config) -> BaseModel:
    name, settings = _name_of(cfg), cfg.get('model')
    if not isinstance(settings, dict) or 'type' not in settings:
        raise ValueError(
            f'{name}: has no model with a type; expected a config such as '
            'those in configs/finetune'
        )
    try:
        with quiet_logging():  # MMEngine reports how it was trained
            return build_model(cfg)
    except Exception as error:  # classes raise what they like
        raise ValueError(
            f'{name}: its model cannot be built ({type(error).__name__}: '
            f'{error})'
        ) from error


def _name_of(cfg: Config) -> str:
    return cfg.filename or 'the config'


def _classes_of_checkpoint(content: Mapping[str, Any], path: str) -> Any:
    found: Any = content
    for key in ('meta', 'dataset_meta'):
        found = found.get(key) or {}
        if not isinstance(found, dict):
            raise ValueError(
                f'{path}: its {key} is {found!r}; expected a dict, as '
                'MMEngine writes it'
            )
    return found.get('classes')


def _classes_of_config(cfg: Config) -> Any:
    dataset = tested_dataset(cfg) if cfg.get('test_dataloader') else {}
    kind = DATASETS.get(dataset['type']) if dataset.get('type') else None
    named = (dataset.get('metainfo') or {}).get('classes')
    return named or getattr(kind, 'METAINFO', {}).get('classes')


def _choose_classes(
    given: Sequence[str] | None, own: Any, head: Any
) -> tuple[str, ...]:
    """The given names or else the classifier's own, as many as outputs.

    Raises:
        ValueError: There are none, they are not names, or they are the
            classifier's own in another order.
    """
    names = given or own
    if not names:
        raise ValueError(
            'neither the checkpoint (meta.dataset_meta.classes) nor the '
            "config's test dataset names the classes: give them as "
            'classes=[...]'
        )
    count = head.get('num_classes') if isinstance(head, dict) else None
    checked = check_class_names(names, count)
    known = tuple(map(str, own)) if isinstance(own, list | tuple) else checked
    if checked != known and sorted(checked) == sorted(known):
        raise ValueError(
            f'the classes are given in another order, {", ".join(checked)}, '
            f'than the classifier has them: {", ".join(known)}. Leave them out'
        )
    return checked
