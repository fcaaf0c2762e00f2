r"""Turn an EmoSet download into a dataset that is ready for training.

Checks every row, image and annotation, scales the images down, finds the
people, and writes one annotation file per split and a report of all problems.
The download is not changed. A run that was killed resumes where it was.

Examples:
    python tools/dataset_converters/prepare_emoset.py data/EmoSet-118K \
        --out data/EmoSet-prepared --weights yolov3_d53_mstrain-416_273e_coco
    python tools/train.py configs/uniemox_vit-l_pretrain.py --cfg-options \
        train_dataloader.dataset.data_root=data/EmoSet-prepared
"""

import argparse
import os
import sys
from collections import defaultdict
from pathlib import Path

import torch
from mmengine.config import Config
from mmpretrain.registry import DATASETS, MODELS

from uniemox_mm.datasets import TextFeatures
from uniemox_mm.datasets.features.feature_cache import (
    cache_folder,
    has_features,
)
from uniemox_mm.datasets.features.text_features import compute_text_features
from uniemox_mm.datasets.splitting import SPLITS
from uniemox_mm.models import PersonDetector
from uniemox_mm.preparation.emoset_lists import SPLIT_LEFT_OUT
from uniemox_mm.preparation.emoset_samples import IMAGES
from uniemox_mm.preparation.prepare_emoset import REPORT, prepare_emoset
from uniemox_mm.utils.json_files import read_json

SHOWN = 10


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('root', type=Path, help='folder of the download')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--splits', nargs='+', default=list(SPLITS))
    parser.add_argument(
        '--images',
        choices=IMAGES,
        default='folder',
        help='write them to a folder or an LMDB, or use the original ones '
        '(%(default)s)',
    )
    parser.add_argument(
        '--short-side',
        type=int,
        default=320,
        help='larger images are scaled down to it, in pixels (%(default)s)',
    )
    parser.add_argument(
        '--quality', type=int, default=92, help='of JPEG (%(default)s)'
    )
    people = parser.add_argument_group('people, one of')
    people.add_argument('--persons', help='boxes file for the download')
    people.add_argument(
        '--weights',
        help="of a detector: a file, or a name in MMDetection's index",
    )
    people.add_argument('--config', help='of the detector (YOLOv3 at 416)')
    people.add_argument('--confidence', type=float, default=0.8)
    people.add_argument('--iou-threshold', type=float, default=0.4)
    people.add_argument('--device', help='cuda if there is one, or cpu')
    parser.add_argument(
        '--text-features',
        metavar='CONFIG',
        help='also compute the text features that this config trains with',
    )
    parser.add_argument(
        '--workers', type=int, default=min(8, os.cpu_count() or 1)
    )
    return parser.parse_args()


def print_report(report: dict, out: Path) -> bool:
    """Print the counts and the most frequent problems.

    Returns:
        bool: Whether every existing split file could be read.
    """
    for split, counts in report['counts'].items():
        people = ''
        if report['settings']['persons'] or report['settings']['detector']:
            people = f', people in {counts["images_with_people"]}'
        print(
            f'{out / f"{split}.json"}: {counts["images"]} of '
            f'{counts["rows"]} images{people}'
        )
    problems = read_json(out / REPORT)['problems']
    if not problems:
        print('No problems.')
        return True
    lost = [p for p in problems if p['consequence'] == SPLIT_LEFT_OUT]
    for entry in lost:
        print(f'{entry["file"]}: LEFT OUT: {entry["problem"]}')
    kinds = defaultdict(list)
    for entry in problems:
        kinds[entry['problem'], entry['consequence']].append(entry['file'])
    print(f'{len(problems)} problems, all in {out / REPORT}:')
    often = sorted(kinds.items(), key=lambda kind: -len(kind[1]))
    for (problem, consequence), files in often[:SHOWN]:
        more = f' and {len(files) - 1} more' if len(files) > 1 else ''
        print(f'  {files[0]}{more}: {problem} -> {consequence}')
    if len(often) > SHOWN:
        print(f'  ... and {len(often) - SHOWN} other kinds')
    return not any(Path(entry['file']).exists() for entry in lost)


def text_feature_hook(cfg: Config) -> dict:
    """Return the settings of a config's TextFeatureHook."""
    hooks = [
        *cfg.get('default_hooks', {}).values(),
        *cfg.get('custom_hooks', []),
    ]
    found = [h for h in hooks if h and h['type'] == 'TextFeatureHook']
    if found and 'target_generator' in cfg.model:
        return found[0]
    raise ValueError(
        f'{cfg.filename}: computes no text features; expected a config with a '
        'TextFeatureHook and model.target_generator'
    )


def write_text_features(config: str, out: Path, device: str) -> None:
    """Writes the cache that training with this config will look for."""
    cfg = Config.fromfile(config)
    hook = text_feature_hook(cfg)
    dataset = DATASETS.build(
        {**cfg.train_dataloader.dataset, 'data_root': str(out), 'pipeline': []}
    )
    teacher = MODELS.build(cfg.model.target_generator).to(device)
    folder = Path(hook.get('folder') or cache_folder(dataset, 'text_features'))
    if has_features(folder):
        TextFeatures(folder, teacher.text_fingerprint(), len(dataset))
        print(f'{folder}: is there already, from the same teacher')
        return
    batch_size = hook.get('batch_size', 256)
    compute_text_features(folder, dataset, teacher, batch_size, print)


def main() -> None:
    args = parse_args()
    if args.workers < 0:
        sys.exit(f'--workers must be at least 0, but is {args.workers}')
    if args.persons and (args.weights or args.config):
        sys.exit('give --persons or --weights, not both')
    device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        if args.text_features:  # sooner than after all the work
            text_feature_hook(Config.fromfile(args.text_features))
        detector = None
        if args.weights or args.config:
            detector = PersonDetector(
                args.weights, args.config, args.confidence, args.iou_threshold
            ).to(device)
        report = prepare_emoset(
            args.root,
            args.out,
            splits=args.splits,
            images=args.images,
            short_side=args.short_side,
            quality=args.quality,
            persons=args.persons,
            detector=detector,
            workers=args.workers,
        )
        whole = print_report(report, args.out)
        if args.text_features:
            write_text_features(args.text_features, args.out, device)
        sys.exit(not whole)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        sys.exit(f'{type(error).__name__}: {error}')
    except KeyboardInterrupt:
        print('\nInterrupted: repeat the command to resume.', file=sys.stderr)
        os._exit(130)


if __name__ == '__main__':
    main()
