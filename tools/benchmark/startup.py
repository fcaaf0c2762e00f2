r"""Measure the start of a training: seconds to the first step, and memory.

Writes a prepared dataset with as many entries as EmoSet, which refer to a
few random images, and starts trainings on it, with a small model or that of
a config. Prints tables in Markdown. Linux only.

Examples (the first takes about 3 minutes on 2 cores):
    python tools/benchmark/startup.py --out work_dirs/startup
    python tools/benchmark/startup.py configs/uniemox_vit-l_pretrain.py \
        --out work_dirs/startup_vit-l
"""

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from machine import describe_machine, machine_text
from mmengine.config import Config
from PIL import Image
from tqdm import tqdm

from uniemox_mm.datasets.captions import describe
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.engine.cfg_options import CfgOptions
from uniemox_mm.utils.atomic_files import atomic_file
from uniemox_mm.utils.json_files import read_metainfo, write_openmmlab

sys.path.append(str(Path(__file__).parents[1]))
from run_logged import run_logged

ROOT = Path(__file__).parents[2]
_IMAGES = 64  # files, to which all entries refer
_WIDTH, _HEIGHT = 96, 72  # pixels
_VAL_RATIO = 0.06
_SCENES = ('beach', 'street', 'kitchen', 'forest_path', 'stadium', 'pier')
_ACTIONS = ('running', 'dancing', 'reading', 'push up', 'cooking')
_FACES = ('happy', 'sad', 'angry', 'fear', 'surprise', 'disgust')
_OBJECTS = ('Dog', 'Tree', 'Car', 'Flower', 'Boat', 'Chair', 'Guitar')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        'config',
        nargs='?',
        default=ROOT / 'configs/uniemox_vit-tiny_demo.py',
        help='pretraining config on EmoSet (the small one of the demo)',
    )
    parser.add_argument(
        '--out',
        type=Path,
        required=True,
        help='folder for the data, text features, startup.json, startup.md',
    )
    for name, number, least, text in (
        ('rows', 118_000, 1, 'images of train and val together'),
        ('workers', 4, 0, 'data workers'),
        ('rounds', 3, 1, 'trainings, after one that does not count'),
        ('steps', 10, 1, 'steps of each training, before memory is read'),
    ):
        parser.add_argument(
            f'--{name}',
            type=int,
            default=number,
            help=f'{text}, from {least} (%(default)s)',
        )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=CfgOptions,
        default={},
        metavar='KEY=VALUE',
    )
    return parser.parse_args()


def measure_startup(
    config: str | Path,
    folder: Path,
    rows: int = 118_000,
    workers: int = 4,
    rounds: int = 3,
    steps: int = 10,
    options: dict[str, Any] | None = None,
    script: Path = ROOT / 'tools/train.py',
) -> dict[str, Any]:
    """Measure from the start of the process to the end of the first step.

    The first training, which computes the text features, is not counted.

    Args:
        config (str | Path): A pretraining on EmoSet.
        folder (Path): For data, text features and logs; what is there
            already is used again.
        rows (int): Entries of the dataset. Defaults to 118,000.
        workers (int): Data workers; 0 reads in the main process. Defaults to
            4.
        rounds (int): Trainings that count. Defaults to 3.
        steps (int): Steps before memory is read. Defaults to 10.
        options (dict[str, Any], optional): Further changes of the config.
        script (Path): ``tools/train.py``.

    Returns:
        dict[str, Any]: The settings, the ``machine``, and ``rounds``: of
        each the seconds of every part, and the memory of the main process
        and of each worker in MiB; plain JSON.

    Raises:
        RuntimeError: A training failed.
        ValueError: A number is too small.
    """
    if min(rows, rounds, steps) < 1 or workers < 0:
        raise ValueError(
            'rows, rounds and steps must be at least 1, and workers at least '
            f'0, but they are {rows}, {rounds}, {steps} and {workers}'
        )
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(options or {})
    folder = folder.resolve()
    add_hook(
        cfg, folder, write_data_set(folder / 'data', rows), workers, steps
    )
    path = folder / Path(config).name
    cfg.dump(path)
    measured = [
        _train(script, path) for _ in tqdm(range(rounds + 1), 'trainings')
    ]
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    return dict(
        machine=describe_machine(device),
        config=path.name,
        rows=rows,
        batch_size=cfg.train_dataloader.batch_size,
        workers=workers,
        steps=steps,
        rounds=measured[1:],
    )


def add_hook(
    cfg: Config, folder: Path, data: Path, workers: int, steps: int
) -> None:
    """Make a config train on the data and stop after some steps, in place."""
    hook = dict(
        type='StartupHook',
        out=str(folder / 'times.json'),
        steps=steps,
        workers=workers,
    )
    cfg.merge_from_dict(
        {
            'train_dataloader.dataset.data_root': str(data),
            'train_dataloader.dataset.split': ['train', 'val'],
            'train_dataloader.dataset.persons': None,
            'train_dataloader.num_workers': workers,
            'train_dataloader.persistent_workers': workers > 0,
            'model.target_generator.pretrained': None,
            'default_hooks.text_features.folder': str(folder / 'text'),
            'default_hooks.startup': hook,
        }
    )
    cfg.custom_imports.imports.append('startup_hook')


def _train(script: Path, config: Path) -> dict[str, Any]:
    folder = config.parent
    times, log = folder / 'times.json', folder / 'training.log'
    times.unlink(missing_ok=True)
    log.unlink(missing_ok=True)
    begin = time.time()
    run_logged(
        [sys.executable, script, config, '--work-dir', folder / 'work'],
        log,
        env=dict(PYTHONPATH=os.pathsep.join(sys.path)),
    )
    if not times.is_file():
        raise RuntimeError(f'the training ended before its time; see {log}')
    result = json.loads(times.read_text())
    seconds, before = {}, begin
    for part, now in result.pop('times').items():
        seconds[part], before = now - before, now
    return dict(seconds=seconds, total=before - begin, **result)


def write_data_set(root: Path, rows: int) -> Path:
    """Write a dataset as ``prepare_emoset.py`` does, with random images.

    Attributes, captions and boxes are as many and as long as EmoSet's. A
    folder with as many entries is kept.

    Args:
        root (Path): The folder.
        rows (int): Number of images in train and val together.

    Returns:
        Path: The folder, with ``train.json``, ``val.json`` and the images.
    """
    val = round(_VAL_RATIO * rows)
    # val.json is written last: if it is there, all is.
    for split, count in (('train', rows - val), ('val', val)):
        path = root / f'{split}.json'
        if path.is_file() and read_metainfo(path).get('rows') == count:
            continue
        rng = np.random.default_rng(0)
        for number in range(_IMAGES):
            image = root / _image_path(number)
            image.parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (_HEIGHT, _WIDTH, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(image)
        metainfo = dict(
            dataset='EmoSet',
            split=split,
            rows=count,
            classes=EMOSET_CATEGORIES,
            caption=dict(emotion=True),
        )
        write_openmmlab(path, metainfo, _entries(split, count))
    return root


def _image_path(number: int) -> str:
    emotion = EMOSET_CATEGORIES[number % len(EMOSET_CATEGORIES)]
    return f'image/{emotion}/{emotion}_{number % _IMAGES:05d}.jpg'


def _entries(split: str, count: int) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(len(split))
    for number in range(count):
        label = number % len(EMOSET_CATEGORIES)
        attributes: dict[str, Any] = dict(
            brightness=round(0.1 * int(rng.integers(0, 11)), 1),
            colorfulness=round(0.1 * int(rng.integers(0, 11)), 1),
        )
        # About as often as in EmoSet.
        if rng.random() < 0.5:
            attributes['scene'] = str(rng.choice(_SCENES))
        if rng.random() < 0.3:
            attributes['facial_expression'] = str(rng.choice(_FACES))
            attributes['human_action'] = str(rng.choice(_ACTIONS))
        if rng.random() < 0.6:
            few = rng.choice(_OBJECTS, rng.integers(1, 4), replace=False)
            attributes['object'] = few.tolist()
        yield dict(
            img_path=_image_path(number),
            gt_label=label,
            width=_WIDTH,
            height=_HEIGHT,
            attributes=attributes,
            caption=describe(attributes, EMOSET_CATEGORIES[label]),
            persons=_boxes(rng),
        )


def _boxes(rng: np.random.Generator) -> list[list[float]]:
    """Boxes with a score, one and a half an image, hundredths of a pixel."""
    shape = (rng.poisson(1.5), 2, 2)
    corners = np.sort(rng.random(shape), axis=1) * (_WIDTH - 2, _HEIGHT - 2)
    corners[:, 1] += 1
    return [
        [*box, round(rng.random(), 4)]
        for box in corners.reshape(-1, 4).round(2).tolist()
    ]


def markdown(result: dict[str, Any]) -> str:
    """Return tables of what :func:`measure_startup` measured."""
    rounds = result['rounds']
    lines = [
        f'{result["config"]}, {result["rows"]} images, batches of '
        f'{result["batch_size"]}, {result["workers"]} workers; '
        f'{machine_text(result["machine"])}; median of {len(rounds)} starts, '
        'lowest and highest in brackets, text features computed before.',
        '',
        '| part | seconds |',
        '|---|---|',
    ]
    for part in rounds[0]['seconds']:
        seconds = [r['seconds'][part] for r in rounds]
        lines.append(f'| {part} | {_spread(seconds)} |')
    total = _spread([r['total'] for r in rounds])
    lines += [
        f'| **process start to end of first step** | **{total}** |',
        '',
        '| process | peak RSS, MiB | RSS | PSS | USS |',
        '|---|---|---|---|---|',
        _memory('main', [r['main'] for r in rounds]),
    ]
    for number in range(len(rounds[0]['workers'])):
        of_worker = [r['workers'][number] for r in rounds]
        lines.append(_memory(f'worker {number + 1}', of_worker))
    lines += [
        '',
        f'The annotations are {rounds[0]["annotations"]:.1f} MiB, once. '
        f'Memory after {result["steps"]} steps.',
    ]
    return '\n'.join(lines) + '\n'


def _spread(values: list[float]) -> str:
    return f'{median(values):.2f} ({min(values):.2f} to {max(values):.2f})'


def _memory(name: str, rounds: list[dict[str, float]]) -> str:
    values = [
        f'{median([r[key] for r in rounds]):.0f}'
        for key in ('peak_rss', 'rss', 'pss', 'uss')
    ]
    return f'| {name} | {" | ".join(values)} |'


def main() -> None:
    args = parse_args()
    logging.disable(logging.INFO)  # MMEngine logs each file that reads it
    try:
        result = measure_startup(
            args.config,
            args.out,
            args.rows,
            args.workers,
            args.rounds,
            args.steps,
            args.cfg_options,
        )
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(str(error))
    text = markdown(result)
    print(text)
    with atomic_file(args.out / 'startup.json') as file:
        json.dump(result, file, indent=1)
    with atomic_file(args.out / 'startup.md') as file:
        file.write(text)


if __name__ == '__main__':
    main()
