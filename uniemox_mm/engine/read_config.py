"""Read configs, and find checkpoints, as a command line names them."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmpretrain.registry import DATASETS

from uniemox_mm.datasets.named_datasets import NAMED_DATASETS
from uniemox_mm.utils.quiet import quiet_logging

from .resuming import find_best_checkpoint
from .strategies.emo_deepspeed_strategy import WEIGHTS

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def read_config(
    path: str | Path,
    options: dict | None = None,
    dataset: str | None = None,
    data_root: str | None = None,
) -> Config:
    """Read a config and apply a command line to it.

    Args:
        path (str | Path): The config file.
        options (dict, optional): Overrides, dotted key -> value.
        dataset (str, optional): Name in :data:`NAMED_DATASETS`, for configs
            for any dataset. Defaults to the environment variable
            ``DATASET``.
        data_root (str, optional): Folder of the data, for all loaders.

    Returns:
        Config: The result.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: ``dataset`` is unknown, or the config is for one dataset
            only, has no data loaders for ``data_root``, or has another number
            of classes than its data.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path}: no such config')
    name = dataset or os.environ.get('DATASET')
    if dataset is not None:
        os.environ['DATASET'] = dataset
    try:
        with quiet_logging():  # MMEngine logs each file that it reads
            cfg = Config.fromfile(path)
    except FileNotFoundError as error:
        if name is None or name in NAMED_DATASETS:
            raise
        raise ValueError(
            f'{path}: there is no dataset {name!r} ({error}); expected one '
            f'of {", ".join(NAMED_DATASETS)}'
        ) from None
    if dataset is not None and not _is_for(cfg, dataset):
        raise ValueError(
            f'{path}: is for one dataset, so --dataset {dataset} would have '
            'no effect'
        )
    if data_root is not None:
        set_data_root(cfg, data_root)
    cfg.merge_from_dict(options or {})
    check_classes(cfg)
    return cfg


def _is_for(cfg: Config, name: str) -> bool:
    """Tell whether a config depends on the name of the dataset."""
    if 'DATASET' not in cfg.env_variables:
        return False
    if name not in NAMED_DATASETS:  # added by a user as a config file
        return True
    # A config may override the type of the dataset's own file.
    wanted = NAMED_DATASETS[name].dataset
    kinds = [DATASETS.get(inner.get('type')) for _, inner in _datasets(cfg)]
    return all(
        isinstance(kind, type) and issubclass(kind, wanted) for kind in kinds
    )


def set_data_root(cfg: Config, data_root: str) -> None:
    """Point all data loaders of a config at one folder.

    Raises:
        ValueError: There are none.
    """
    found = list(_datasets(cfg))
    if not found:
        raise ValueError('the config has no data loaders, so no data_root')
    for _, dataset in found:
        dataset.data_root = str(data_root)


def check_classes(cfg: Config) -> None:
    """Check that model and data have the same number of classes.

    Raises:
        ValueError: The numbers differ; the message names the settings.
    """
    head = (cfg.model.get('head') or {}).get('num_classes')
    pixels = (cfg.get('data_preprocessor') or {}).get('num_classes')
    for loader, dataset in _datasets(cfg):
        kind = DATASETS.get(dataset.get('type'))
        known = getattr(kind, 'METAINFO', {}).get('classes', ())
        count = dataset.get('num_classes') or len(known)
        for setting, value in (
            ('model.head.num_classes', head),
            ('data_preprocessor.num_classes', pixels),
        ):
            if value is not None and count and value != count:
                raise ValueError(
                    f'{setting} is {value}, but {dataset.type} in {loader} '
                    f'has {count} classes'
                )


def check_training(
    trained: Mapping[str, Any], tested: Mapping[str, Any]
) -> None:
    """Refuse to test a classifier on other classes or another split.

    Args:
        trained (Mapping[str, Any]): ``metainfo`` of the dataset that it was
            trained on, as its checkpoint has it.
        tested (Mapping[str, Any]): That of the dataset to test on.

    Raises:
        ValueError: The classes differ or are in another order, or the same
            dataset is split differently, so that test images may have been
            used for training.
    """
    then, now = trained.get('classes'), tested.get('classes')
    if then and now and len(then) == len(now) and list(then) != list(now):
        raise ValueError(
            f'it was trained on the classes {", ".join(then)}, but would be '
            f'tested on {", ".join(now)}'
        )
    split_ids = [str(info.get('split_id', '')) for info in (trained, tested)]
    datasets = [each.partition(' ')[0] for each in split_ids]
    if datasets[0] == datasets[1] and split_ids[0] != split_ids[1]:
        raise ValueError(
            f'it was trained on {split_ids[0]} and would be tested on '
            f'{split_ids[1]}, with images that it may have seen; expected '
            'the same split_dir (or its files) and split_seed as in training, '
            'such as --cfg-options test_dataloader.dataset.split_dir=...'
        )


def tested_dataset(cfg: Config) -> ConfigDict:
    """Return the settings of the test dataset, without MMEngine's wrappers."""
    return _unwrap(cfg.test_dataloader.dataset)


def _datasets(cfg: Config) -> Iterator[tuple[str, ConfigDict]]:
    """Yield the name of each loader and the config of its dataset."""
    for name in LOADERS:
        if cfg.get(name):
            yield name, _unwrap(cfg[name].dataset)


def _unwrap(dataset: ConfigDict) -> ConfigDict:
    while 'dataset' in dataset:
        dataset = dataset.dataset
    return dataset


def find_config(checkpoint: str | Path) -> Path:
    """Find the config that MMEngine wrote beside a checkpoint.

    Raises:
        FileNotFoundError: There is none.
        ValueError: There are several.
    """
    found = sorted(Path(checkpoint).parent.glob('*.py'))
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


def resolve_checkpoint(path: str) -> str:
    """Return the checkpoint of a path, work dir or address.

    Args:
        path (str): A checkpoint; a work dir, for the one that is best on
            val, or the newest where none is marked as best; or an address.

    Returns:
        str: A path or address.

    Raises:
        FileNotFoundError: There is no such file, or no checkpoint in the
            folder.
    """
    if '://' in path:
        return path
    if (Path(path) / WEIGHTS).is_file():  # a checkpoint of DeepSpeed
        return str(Path(path) / WEIGHTS)
    if Path(path).is_dir():
        found = find_best_checkpoint(path)
        if found is None:
            raise FileNotFoundError(
                f'{path}: holds no checkpoint (best_*.pth or epoch_*.pth)'
            )
        return resolve_checkpoint(str(found))
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path}: no such checkpoint')
    return path


def validation_note(cfg: Config) -> str:
    """Warn of a run that cannot choose its best epoch.

    Returns:
        str: One line, or blank if there is validation or none is needed.
    """
    hooks = cfg.get('default_hooks') or {}
    if cfg.get('val_dataloader') or not hooks.get('checkpoint', {}).get(
        'save_best'
    ):
        return ''
    return (
        'There is no validation (val_dataloader is None), so no best epoch '
        'can be chosen: tools/test.py will take the last one.'
    )
