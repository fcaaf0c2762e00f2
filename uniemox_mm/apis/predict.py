"""The command ``predict``: the emotion of images."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any

from uniemox_mm.datasets.named_datasets import NAMED_DATASETS
from uniemox_mm.utils.atomic_files import atomic_file
from uniemox_mm.utils.quiet import messages_to_stderr
from uniemox_mm.utils.terminal_text import printable

from .emotion_inferencer import EmotionInferencer
from .zero_shot import ZeroShotEmotionInferencer

FAILED, NOT_STARTED = 1, 2
_ENDINGS = ('.json', '.jsonl')
Write = Callable[[dict], object]

_EPILOG = """\
Prints a table at the end, or with --json a line of JSON for each image as
soon as its batch is done. Problems with single images go to stderr and do not
stop the others. Exit code: 0 if all images have a result, 1 if some failed,
2 if it could not start or had to stop.

Examples:
  python -m uniemox_mm predict beach.jpg photos/ --checkpoint work_dirs/fi
  python -m uniemox_mm predict photos/ --checkpoint best.pth --config fi.py \\
      --persons yolov3_d53_mstrain-416_273e_coco --out emotions.json
  python -m uniemox_mm predict photos/ --zero-shot openai --classes emotion6
"""


def add_predict(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser = commands.add_parser(
        'predict',
        help='predict the emotions of images',
        description='Predict the emotions of images.',
        epilog=_EPILOG,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.set_defaults(run=lambda args: predict(parser, args))
    parser.add_argument(
        'images',
        nargs='+',
        help='images, and folders, which are searched with their subfolders',
    )
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument(
        '--checkpoint', help='file, or work dir for its best checkpoint'
    )
    model.add_argument(
        '--zero-shot',
        metavar='WEIGHTS',
        help='CLIP without training: a tag of open_clip to download, such as\n'
        'openai; or a file',
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
        help='text for CLIP with {emotion} in it; can be repeated\n'
        '(a photo that evokes {emotion})',
    )
    parser.add_argument(
        '--classes',
        help='names separated by commas, or those of a dataset:\n'
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
        help='config of the detector (its own, or YOLOv3 at 416)',
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
        help='emotions per image in the table (%(default)s)',
    )
    parser.add_argument(
        '--json',
        action='store_true',
        help='print JSON, one line per image',
    )
    parser.add_argument(
        '--out',
        type=Path,
        help='write a file instead of printing: *.json (a list) or\n'
        '*.jsonl (one line per image)',
    )
    parser.add_argument(
        '--show-dir', help='folder for images with their emotion drawn on them'
    )


def predict(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
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
    """Write all results; return the number of results and of failures."""
    results = _build_inferencer(args).iterate(
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


def _check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse options that would have no effect or are invalid."""
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


def _build_inferencer(args: argparse.Namespace) -> EmotionInferencer:
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
            f'--classes {text}: expected names separated by commas, or one '
            f'of {", ".join(NAMED_DATASETS)}'
        )
    return names


def _writer(
    args: argparse.Namespace, stdout: IO[str]
) -> AbstractContextManager[Write]:
    if args.out:
        return _file_writer(args.out)
    if args.json:
        return _line_writer(stdout)
    return _table_writer(stdout, args.top)


@contextmanager
def _file_writer(path: Path) -> Iterator[Write]:
    """Write ``*.json``, a list, or ``*.jsonl``, a line for each result.

    The file is opened at once and gets its name at the end, all or nothing.
    """
    if path.is_dir():
        raise IsADirectoryError(f'{path}: is a folder; expected a file')
    with atomic_file(path) as file:
        if path.suffix == '.jsonl':
            yield lambda result: file.write(_json_line(result))
        else:
            results: list[dict] = []
            yield lambda result: results.append(_plain(result))
            json.dump(results, file, indent=1)


@contextmanager
def _line_writer(stream: IO[str]) -> Iterator[Write]:
    yield lambda result: print(
        _json_line(result), end='', file=stream, flush=True
    )


@contextmanager
def _table_writer(stream: IO[str], top: int) -> Iterator[Write]:
    """Write a table at the end, when its widths are known."""
    results: list[dict] = []
    yield results.append
    stream.write(text_table(results, top))


def _json_line(result: dict) -> str:
    return f'{json.dumps(_plain(result))}\n'


def _plain(result: dict[str, Any]) -> dict[str, Any]:
    """Convert a result to JSON types, with scores of six digits."""
    plain = {k: v for k, v in result.items() if k != 'pred_scores'}
    if 'scores' in plain:
        plain['pred_score'] = round(plain['pred_score'], 6)
        plain['scores'] = {k: round(v, 6) for k, v in plain['scores'].items()}
    if 'persons' in plain:
        plain['persons'] = plain['persons'].round(6).tolist()
    return plain


def text_table(results: Sequence[dict], top: int) -> str:
    """Format the most likely emotions of images and the number of people.

    Args:
        results (Sequence[dict]): Of ``EmotionInferencer``; those without an
            emotion are left out.
        top (int): Number of emotions for each image.

    Returns:
        str: A line per image, columns aligned.

    Example:
        >>> scores = dict(awe=0.25, joy=0.75)
        >>> print(text_table([dict(path='a.jpg', scores=scores)], top=2))
        a.jpg  joy 75.0 %  awe 25.0 %
        <BLANKLINE>
    """
    rows = [_cells(result, top) for result in results if 'scores' in result]
    widths = [max(map(len, column)) for column in zip(*rows, strict=False)]
    return ''.join(
        '  '.join(map(str.ljust, row, widths)).rstrip() + '\n' for row in rows
    )


def _cells(result: dict, top: int) -> list[str]:
    scores = result['scores']
    best = sorted(scores, key=scores.get, reverse=True)[:top]
    width = max(map(len, scores))
    cells = [printable(result['path'] or '')]
    cells += [f'{name:<{width}} {100 * scores[name]:5.1f} %' for name in best]
    if 'persons' in result:
        cells.append(count_people(len(result['persons'])))
    return cells


def count_people(count: int) -> str:
    """Return '1 person', '2 people' and so on."""
    return f'{count} {"person" if count == 1 else "people"}'
