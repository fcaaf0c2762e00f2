"""The command ``predict``."""

import argparse
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

from uniemox_mm.datasets.named_datasets import NAMED_DATASETS
from uniemox_mm.utils.quiet import messages_to_stderr
from uniemox_mm.utils.terminal_text import printable

from .emotion_inferencer import EmotionInferencer
from .result_writers import Write, file_writer, line_writer, table_writer
from .zero_shot import ZeroShotEmotionInferencer

FAILED, NOT_STARTED = 1, 2
_ENDINGS = ('.json', '.jsonl')

_EPILOG = """\
Prints a table at the end, or with --json a line of JSON for each image as
soon as its batch is done. What is wrong with an image goes to stderr, and the
others are answered. Exit code: 0 if all images are answered, 1 if some are
not, 2 if it could not start or had to stop.

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
        f'{", ".join(NAMED_DATASETS)} (of the checkpoint; CLIP: emoset)',
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
    stdout = sys.stdout
    with messages_to_stderr():
        try:
            with _writer(args, stdout) as write:
                done, failed = _predict(args, write)
        except (OSError, ValueError, RuntimeError, ImportError) as error:
            for line in str(error).splitlines():
                print(printable(line), file=sys.stderr)
            return NOT_STARTED
    if args.out:
        summary = f'{args.out}: {done} images, {failed} failed'
        print(printable(summary), file=sys.stderr)
    return FAILED if failed else 0


def _predict(args: argparse.Namespace, write: Write) -> tuple[int, int]:
    """Answers all images, and counts them and the failed among them."""
    results = _build(args).iterate(
        args.images,
        batch_size=args.batch_size,
        on_error='report',
        return_person=bool(args.persons),
        show_dir=args.show_dir,
    )
    done = failed = 0
    for result in results:
        write(result)
        done += 1
        if 'error' in result:
            failed += 1
            print(printable(result['error']), file=sys.stderr)
    return done, failed


def _writer(
    args: argparse.Namespace, stdout: IO[str]
) -> AbstractContextManager[Write]:
    if args.out:
        return file_writer(args.out)
    if args.json:
        return line_writer(stdout)
    return table_writer(stdout, args.top)


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
    if text in NAMED_DATASETS:
        return NAMED_DATASETS[text].dataset.METAINFO['classes']
    names = tuple(name.strip() for name in text.split(','))
    if len(names) < 2 or not all(names):
        raise ValueError(
            f'--classes {text}: expected names with commas between them, or '
            f'one of {", ".join(NAMED_DATASETS)}'
        )
    return names
