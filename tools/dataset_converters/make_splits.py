r"""Make train.json, val.json and test.json for a download that has none.

For CAERS, FI, UnbiasedEmo, Emotion6, HECO and Emo8. Reads every file once,
leaves broken images out, finds exact copies, and for Emo8 chooses among 20
candidates the one whose splits agree best in their colors. No image is
changed or copied. A run that was killed resumes where it was.

Examples:
    python tools/dataset_converters/make_splits.py FI data/FI
    python tools/dataset_converters/make_splits.py CAERS data/CAER-S \
        --val-from train --duplicates drop
    python tools/dataset_converters/make_splits.py Emo8 data/Emo8
"""

import argparse
import os
import shlex
import sys
from pathlib import Path

from uniemox_mm.preparation.make_splits import (
    DATASETS,
    MadeSplits,
    make_splits,
)
from uniemox_mm.preparation.split_files import REPORT

SHOWN = 5


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('dataset', help=', '.join(DATASETS))
    parser.add_argument('root', type=Path, help='folder of the download')
    parser.add_argument('--out', type=Path, help='folder for the files (ROOT)')
    parser.add_argument('--seed', type=int, default=42, help='(%(default)s)')
    parser.add_argument(
        '--ratios',
        type=float,
        nargs=3,
        metavar=('TRAIN', 'VAL', 'TEST'),
        help="adding up to 1 (the dataset's own)",
    )
    parser.add_argument(
        '--val-from',
        choices=('test', 'train'),
        help='for CAERS: 34 %% of test or 10 %% of train (test)',
    )
    parser.add_argument(
        '--duplicates',
        choices=('report', 'drop'),
        default='report',
        help='drop leaves copies out of train and val, never out of test;\n'
        'copies inside one of them that have different labels go together\n'
        '(%(default)s)',
    )
    parser.add_argument(
        '--candidates',
        type=int,
        help='candidates to choose from (20 for Emo8, 1 for others)',
    )
    parser.add_argument(
        '--figure',
        type=Path,
        help='picture of the colors (splits.png with several candidates)',
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='replace split files that differ',
    )
    parser.add_argument(
        '--workers', type=int, default=min(8, os.cpu_count() or 1)
    )
    return parser.parse_args()


def print_counts(counts: dict[str, dict[str, int]]) -> None:
    """Print a table of splits and classes."""
    classes = list(next(iter(counts.values())))
    width = max(map(len, [*classes, 'all']))
    print(' ' * width, *(f'{split:>7}' for split in counts))
    for name in classes:
        numbers = (f'{of_split[name]:7}' for of_split in counts.values())
        print(f'{name:{width}}', *numbers)
    sums = (f'{sum(of_split.values()):7}' for of_split in counts.values())
    print(f'{"all":{width}}', *sums)


def print_report(made: MadeSplits) -> None:
    """Print the findings and the choice."""
    report = made.report
    print_counts(report['counts'])
    broken = report['broken']
    print(f'Broken files: {len(broken)} of {report["images"]}')
    for entry in broken[:SHOWN]:
        print(f'  {entry["img_path"]}: {entry["problem"]}')
    if len(broken) > SHOWN:
        print(f'  ... and {len(broken) - SHOWN} more')
    print_copies(report['copies'], report['duplicates'])
    scores = {c['seed']: c['disagreement'] for c in report['candidates']}
    among = ''
    if len(scores) > 1:
        low, high = min(scores.values()), max(scores.values())
        among = f', of {len(scores)} whose colors disagree by {low:.4f} to '
        among += f'{high:.4f}'
    print(f'Seed {report["seed"]}{among}')


def print_copies(copies: dict, mode: str) -> None:
    """Print how many copies there are and which were dropped."""
    print(
        f'Groups of exact copies: {copies["groups"]}, of which '
        f'{copies["conflicts"]} with different labels; images dropped: '
        f'{len(copies["dropped"])}'
    )
    if not copies['groups']:
        return
    for kind in ('inside', 'across'):
        counts = (f'{n} {where}' for where, n in copies[kind].items())
        print(f'  {kind}: {", ".join(counts)}')
    if mode == 'report':
        print('  --duplicates drop leaves copies out of train and val')


def print_files(made: MadeSplits, args: argparse.Namespace) -> None:
    """Print the files that were written and the next command."""
    out = args.out or args.root
    if not any(path.suffix == '.json' for path in made.written):
        print(f'{out}: the files exist already and are unchanged')
    for path in made.written:
        print(f'Written: {path}')
    print(f'Full report: {out / REPORT}')
    print(f'Next: python {_next_command(made, args.root, out)}')


def _next_command(made: MadeSplits, root: Path, out: Path) -> str:
    name = made.report['dataset']
    config = 'ube' if name == 'UnbiasedEmo' else name.lower()
    parts = [
        f'tools/train.py configs/finetune/vit-l_uniemox_{config}.py',
        f'--load-from CHECKPOINT --data-root {shlex.quote(str(root))}',
    ]
    if out.resolve() != root.resolve():  # else they are found
        key = '{train,val,test}_dataloader.dataset.split_dir'
        parts.append(f'--cfg-options {key}={shlex.quote(str(out.resolve()))}')
    return ' \\\n    '.join(parts)


def main() -> None:
    args = parse_args()
    # A name that is not UTF-8 must not fail the command at its end.
    sys.stdout.reconfigure(errors='backslashreplace')
    sys.stderr.reconfigure(errors='backslashreplace')
    try:
        made = make_splits(**vars(args))
        print_report(made)
        print_files(made, args)
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f'{type(error).__name__}: {error}')
    except KeyboardInterrupt:
        print('\nInterrupted: repeat the command to resume.', file=sys.stderr)
        os._exit(130)


if __name__ == '__main__':
    main()
