"""Build a detector of MMDetection, load its weights, set its thresholds."""

import copy
import hashlib
import io
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.model.utils import revert_sync_batchnorm
from mmengine.registry import DefaultScope
from mmengine.utils import digit_version
from torch import nn

from uniemox_mm.utils.sha256_file import sha256_file
from uniemox_mm.weights.checked_loading import MisfitError, load_strictly
from uniemox_mm.weights.read_checkpoint import read_checkpoint, weights_of

from .mmdet_zoo import download, find_in_zoo, similar_names

LOWEST, ABOVE = '3.0.0', '4.0.0'
# YOLOv3's threshold of the class score, beside that of the objectness.
CLASS_SCORE = 0.5


@dataclass
class LoadedDetector:
    """A detector of MMDetection and its origin.

    Attributes:
        model (nn.Module): The detector, in eval mode.
        config (Config): Its config.
        classes (tuple[str, ...]): Names of its classes.
        provenance (dict[str, str]): Names and hashes of its config (the
            model and the test pipeline) and of its weights.
    """

    model: nn.Module
    config: Config
    classes: tuple[str, ...]
    provenance: dict[str, str]


def import_mmdet() -> None:
    """Import MMDetection, with or without MMCV's compiled ops.

    Raises:
        ImportError: It is not installed, or not of a supported version.
    """
    needed = f'MMDetection >={LOWEST},<{ABOVE}'
    try:
        import mmdet
    except ModuleNotFoundError as error:
        if error.name != 'mmdet':
            raise
        raise ImportError(
            f'finding people needs {needed}, which is not installed: `pip '
            'install "uniemox_mm[mm]"` has it'
        ) from None
    found = digit_version(mmdet.__version__)
    if not digit_version(LOWEST) <= found < digit_version(ABOVE):
        raise ImportError(
            f'finding people needs {needed}, but found {mmdet.__version__}'
        )
    with _silence():
        import mmdet.apis
        from mmcv.ops import batched_nms
        from mmdet.models.dense_heads import base_dense_head
    if base_dense_head.batched_nms is not batched_nms:
        raise ImportError(
            'MMDetection was imported before uniemox_mm, on an MMCV without '
            'compiled ops: import uniemox_mm before mmpretrain.models and '
            'mmdet'
        )


def load_detector(
    weights: str | Path | None, config: str | Path | dict | None, default: str
) -> LoadedDetector:
    """Build a detector of MMDetection and load its weights strictly.

    Args:
        weights (str | Path, optional): A local file, a name in MMDetection's
            index, or an address.
        config (str | Path | dict, optional): A config file, a name in
            MMDetection's index, or a config. None takes the config that
            belongs to ``weights`` where that is a name.
        default (str): The config where neither names one.

    Returns:
        LoadedDetector: The detector, on the CPU.

    Raises:
        FileNotFoundError: No such config or weights, or no weights given.
        MisfitError: The weights do not fit the config; lists the keys.
        RuntimeError: The weights cannot be downloaded.
    """
    import_mmdet()
    file, own_config = _find_weights(weights, default)
    cfg, name = _read_config(config or own_config or default)
    if 'model' not in cfg:
        raise ValueError(
            'a config of MMDetection has model=dict(...), but this one has '
            f'only {sorted(cfg)}'
        )
    from mmdet.registry import MODELS

    content = read_checkpoint(file)
    with DefaultScope.overwrite_default_scope(
        cfg.get('default_scope', 'mmdet')
    ):
        model = revert_sync_batchnorm(MODELS.build(cfg.model))
        try:
            load_strictly(model, weights_of(content, file))
        except MisfitError as error:
            raise MisfitError(
                f'{file}: does not fit the detector of {name}: {error}. '
                'Expected a checkpoint of this very config, in the format '
                'that MMDetection publishes'
            ) from None
        classes = _classes(cfg, content)
    provenance = dict(
        config=name,
        config_sha256=_hash_config(cfg),
        weights=file.name,
        weights_sha256=sha256_file(file),
    )
    return LoadedDetector(model.eval(), cfg, classes, provenance)


def set_thresholds(
    detector: nn.Module, confidence: float | None, iou_threshold: float | None
) -> float:
    """Set the thresholds of a detector, or keep those that are None.

    Returns:
        float: The score from which a box counts afterwards.
    """
    min_score = confidence or 0.0
    for name, module in detector.named_modules():
        settings = getattr(module, 'test_cfg', None)
        # The first stage of a two-stage detector must stay generous.
        if not isinstance(settings, dict) or 'rpn_head' in name.split('.'):
            continue
        settings = copy.deepcopy(settings)
        final = settings.get('rcnn', settings)
        if 'conf_thr' in final and confidence is not None:
            final['conf_thr'], final['score_thr'] = confidence, CLASS_SCORE
            min_score = 0.0
        elif 'score_thr' in final and confidence is not None:
            final['score_thr'] = confidence
        nms = final.get('nms') or {}
        if 'iou_threshold' in nms and iou_threshold is not None:
            nms['iou_threshold'] = iou_threshold
        module.test_cfg = settings
    return min_score


def _find_weights(
    weights: str | Path | None, default: str
) -> tuple[Path, str | None]:
    """Return the local file of the weights, and their config if known."""
    how = (
        "give the path of a checkpoint, or a name of MMDetection's index "
        f'such as {default!r}, which is downloaded'
    )
    if weights is None:
        raise FileNotFoundError(
            f'a detector needs weights to find people: {how}'
        )
    if Path(weights).is_file():
        return Path(weights), None
    if str(weights).startswith(('http://', 'https://')):
        return download(str(weights)), None
    found = find_in_zoo(str(weights))
    if found is None:
        similar = similar_names(str(weights))
        hint = f' (near it: {", ".join(similar)})' if similar else ''
        raise FileNotFoundError(
            f"{weights}: no such file, and not a name of MMDetection's "
            f'index{hint}; {how}'
        )
    return download(found[1]), found[0]


def _read_config(config: str | Path | dict) -> tuple[Config, str]:
    if isinstance(config, dict | Config):
        cfg = config if isinstance(config, Config) else Config(config)
        return copy.deepcopy(cfg), 'a config from memory'
    path = Path(config)
    if not path.is_file():
        found = find_in_zoo(str(config))
        if found is None:
            raise FileNotFoundError(
                f'{config}: no such config file, and not a name of '
                "MMDetection's index"
            )
        path = Path(found[0])
    return Config.fromfile(path), path.stem


def _classes(cfg: Config, content: dict) -> tuple[str, ...]:
    from mmdet.registry import DATASETS

    meta = content.get('meta') or {}
    known = meta.get('dataset_meta') or {}
    classes = known.get('classes') or known.get('CLASSES')
    classes = classes or meta.get('CLASSES')
    if not classes:
        dataset = cfg.get('test_dataloader', {}).get('dataset', {})
        classes = dataset.get('metainfo', {}).get('classes')
        if not classes and 'type' in dataset:
            classes = DATASETS.get(dataset['type']).METAINFO.get('classes')
    if not classes:
        raise ValueError(
            'neither the checkpoint (meta.dataset_meta.classes) nor the '
            "config (test_dataloader.dataset) names the detector's classes"
        )
    return (classes,) if isinstance(classes, str) else tuple(classes)


def _hash_config(cfg: Config) -> str:
    from mmdet.utils import get_test_pipeline_cfg

    read = [cfg.model, get_test_pipeline_cfg(cfg)]
    text = json.dumps(read, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def _silence() -> Iterator[None]:
    """Hide what MMDetection says about optional parts that are missing."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(before)
