r"""Find the people in images, once, and write their boxes to a file.

A run that was killed resumes where it was. Images come from folders, which
are searched, or annotation files (EmoSet's, OpenMMLab 2.0, COCO, or text with
a path per line).

Examples:
    python tools/dataset_converters/detect_persons.py data/EmoSet-118K \
        --weights yolov3_d53_mstrain-416_273e_coco --out persons.json
    torchrun --nproc_per_node 8 tools/dataset_converters/detect_persons.py \
        IMAGES --weights yolov3.pth --out persons.json --launcher pytorch
"""

import argparse
import datetime
import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from uniemox_mm.datasets.image_lists import list_images
from uniemox_mm.models import PersonDetector
from uniemox_mm.preparation.write_person_boxes import write_person_boxes
from uniemox_mm.utils.json_files import read_json


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('sources', nargs='+', help='folders, annotation files')
    parser.add_argument('--out', type=Path, required=True, help='boxes file')
    parser.add_argument(
        '--weights',
        required=True,
        help="checkpoint, or a name in MMDetection's index to download",
    )
    parser.add_argument(
        '--config',
        help="config of the detector, a file or a name in MMDetection's "
        'index\n(what belongs to --weights, or YOLOv3 at 416)',
    )
    parser.add_argument('--root', help='what paths are relative to')
    parser.add_argument(
        '--confidence', type=float, default=0.8, help='(%(default)s)'
    )
    parser.add_argument(
        '--iou-threshold', type=float, default=0.4, help='(%(default)s)'
    )
    parser.add_argument('--category', default='person', help='(%(default)s)')
    parser.add_argument(
        '--batch-size', type=int, default=64, help='(%(default)s)'
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=min(8, os.cpu_count() or 1),
        help='processes that load images, per detector (%(default)s)',
    )
    parser.add_argument('--device', help='cuda if there is one, or cpu')
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch'], default='none'
    )
    return parser.parse_args()


def print_summary(metainfo: dict, out: Path, root: Path) -> None:
    good = metainfo['images'] - metainfo['bad_images']
    found = metainfo['images_with_people']
    print(
        f'{out}: {metainfo["people"]} people in {found} of {good} images '
        f'({found / max(good, 1):.1%})'
    )
    for people, count in metainfo['images_by_people'].items():
        bar = '#' * round(40 * count / max(good, 1))
        print(f'  {people:>3} people {count:>8} images {bar}')
    if metainfo['bad_images']:
        print(f'{metainfo["bad_images"]} bad images, without boxes:')
        for entry in read_json(out)['data_list']:
            if 'error' in entry:
                print(f'  {root / entry["img_path"]}: {entry["error"]}')


def main() -> None:
    args = parse_args()
    local = 0
    if args.launcher == 'pytorch':
        if 'LOCAL_RANK' not in os.environ:
            sys.exit(
                '--launcher pytorch: start this with torchrun '
                '--nproc_per_node N tools/dataset_converters/detect_persons.py'
            )
        local = int(os.environ['LOCAL_RANK'])
        # gloo, since only a signal is passed; one process may be hours ahead.
        dist.init_process_group('gloo', timeout=datetime.timedelta(days=7))
    if args.batch_size < 1 or args.workers < 0:
        sys.exit('--batch-size must be at least 1, and --workers 0')
    device = args.device or (
        f'cuda:{local}' if torch.cuda.is_available() else 'cpu'
    )
    try:
        images = list_images(args.sources, args.root)
        detector = PersonDetector(
            args.weights,
            args.config,
            args.confidence,
            args.iou_threshold,
            args.category,
            args.batch_size,
        ).to(device)
        metainfo = write_person_boxes(images, args.out, detector, args.workers)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        sys.exit(f'{type(error).__name__}: {error}')
    except KeyboardInterrupt:
        print('\nInterrupted: repeat the command to resume.', file=sys.stderr)
        os._exit(130)
    if metainfo is not None:
        print_summary(metainfo, args.out, images.root)


if __name__ == '__main__':
    main()
