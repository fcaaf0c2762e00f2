"""The command ``predict``."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uniemox_mm.atomic_files import atomic_file
from uniemox_mm.datasets.benchmarks import BENCHMARKS

from .emotion_inferencer import EmotionInferencer
from .results import to_json
from .text_table import printable, text_table
from .zero_shot import ZeroShotEmotionInferencer

FAILED, NOT_STARTED = 1, 2
_ENDINGS = ('.json', '.jsonl')

_EPILOG = """\
Prints a table, or with --json a line of JSON for each image. What is wrong
with an image goes to stderr, and the others are answered. Exit code: 0 if all
images are answered, 1 if some are not, 2 if nothing could be started.

Examples:
  python -m uniemox_mm predict beach.jpg photos/ --checkpoint work_dirs/fi
  python -m uniemox_mm predict photos/ --checkpoint best.pth --config fi.py \\
      --persons yolov3_d53_mstrain-416_273e_coco --out emotions.json
  python -m uniemox_mm predict photos/ --zero-shot openai --classes emotion6
"""


def add_to(commands: Any) -> None:
    """Adds the command to argparse's subparsers."""
    parser = commands.add_parser(
        'predict',
        help='the emotion of images',
        description='The emotion of images.',
        epilog=_EPILOG,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.set_defaults(run=lambda args: run(parser, args))
    parser.add_argument(
        'images',
        nargs='+',
        help='images, and folders, which are searched with all below them',
    )
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument(
        '--checkpoint', help='file, or work dir, of which the best is taken'
    )
    model.add_argument(
        '--zero-shot',
        metavar='WEIGHTS',
        help='ask CLIP, without training: a tag of open_clip, which is\n'
        'downloaded, such as openai; or a file',
    )
    parser.add_argument(
        '--config',
        help='config of the checkpoint (the one in its folder)',
    )
    parser.add_argument(
        '--clip-model',
        help="open_clip's name of the model (ViT-B-16-quickgelu)",
    )
    parser.add_argument(
        '--prompt',
        action='append',
        help='text for CLIP with {emotion} in it; may be given several times\n'
        '(a photo that evokes {emotion})',
    )
    parser.add_argument(
        '--classes',
        help='names with commas between them, or those of a dataset:\n'
        f'{", ".join(BENCHMARKS)} (of the checkpoint; CLIP: emoset)',
    )
    parser.add_argument(
        '--persons',
        metavar='DETECTOR',
        help="also find people: a detector's checkpoint, or a name in\n"
        "MMDetection's index to download",
    )
    parser.add_argument(
        '--persons-config',
        help='config of the detector (what belongs to it, or YOLOv3 at 416)',
    )
    parser.add_argument(
        '--batch-size', type=int, default=32, help='(%(default)s)'
    )
    parser.add_argument('--device', help='cuda if there is one, or cpu')
    parser.add_argument(
        '--top',
        type=int,
        default=3,
        metavar='K',
        help='emotions in a line of the table (%(default)s)',
    )
    parser.add_argument(
        '--json', action='store_true', help='print JSON, a line an image'
    )
    parser.add_argument(
        '--out',
        type=Path,
        help='write a file in the place of printing: *.json (a list) or\n'
        '*.jsonl (a line an image)',
    )
    parser.add_argument(
        '--show-dir', help='folder for the images with their emotion drawn'
    )


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    """Runs the command.

    Returns:
        int: The exit code.
    """
    _check(parser, args)
    try:
        infer = _build(args)
        results = infer(
            args.images,
            batch_size=args.batch_size,
            on_error='report',
            return_person=bool(args.persons),
            show_dir=args.show_dir,
        )
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        print(f'{error}', file=sys.stderr)
        return NOT_STARTED
    failed = [result for result in results if 'error' in result]
    if args.out:
        _write(args.out, results)
        print(f'{args.out}: {len(results)} images, {len(failed)} failed')
    elif args.json:
        for result in results:
            print(json.dumps(to_json(result)))
    else:
        print(text_table(results, args.top), end='')
    for result in failed:
        print(printable(result['error']), file=sys.stderr)
    return FAILED if failed else 0


def _check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuses options that would have no effect or cannot be."""
    for option in ('prompt', 'clip_model'):
        if args.checkpoint and getattr(args, option):
            name = option.replace('_', '-')
            parser.error(f'--{name} goes with --zero-shot only')
    if args.zero_shot and args.config:
        parser.error('--config goes with --checkpoint only')
    if args.persons_config and not args.persons:
        parser.error('--persons-config goes with --persons only')
    if args.out and args.out.suffix not in _ENDINGS:
        parser.error(f'--out {args.out}: expected {" or ".join(_ENDINGS)}')
    if args.batch_size < 1 or args.top < 1:
        parser.error('--batch-size and --top must be at least 1')


def _build(args: argparse.Namespace) -> EmotionInferencer:
    detector = None
    if args.persons:
        detector = dict(weights=args.persons, config=args.persons_config)
    settings: dict[str, Any] = dict(device=args.device, detector=detector)
    if args.classes:
        settings['classes'] = _class_names(args.classes)
    if args.checkpoint:
        return EmotionInferencer(args.checkpoint, args.config, **settings)
    if args.clip_model:
        settings['model'] = args.clip_model
    if args.prompt:
        settings['prompt'] = args.prompt
    return ZeroShotEmotionInferencer(pretrained=args.zero_shot, **settings)


def _class_names(text: str) -> tuple[str, ...]:
    if text in BENCHMARKS:
        return BENCHMARKS[text].dataset.METAINFO['classes']
    names = tuple(name.strip() for name in text.split(','))
    if len(names) < 2 or not all(names):
        raise ValueError(
            f'--classes {text}: expected names with commas between them, or '
            f'one of {", ".join(BENCHMARKS)}'
        )
    return names


def _write(path: Path, results: Sequence[dict]) -> None:
    plain = [to_json(result) for result in results]
    with atomic_file(path) as file:
        if path.suffix == '.json':
            json.dump(plain, file, indent=1)
        else:
            file.writelines(f'{json.dumps(row)}\n' for row in plain)
