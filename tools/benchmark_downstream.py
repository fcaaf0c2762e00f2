r"""Compares an encoder with the paper on all datasets that are there.

Trains and tests on each dataset that it finds in ROOT, and writes one table,
beside the numbers of the paper: OUT/results.md and OUT/results.csv. The same
command goes on where it was killed; what is done is not done again.

Datasets can be divided among machines by --datasets with the same OUT; the
command without it then gathers them.

Examples:
    python tools/benchmark_downstream.py work_dirs/uniemox_vit-l_pretrain \
        --root data
    python tools/benchmark_downstream.py CHECKPOINT --root data --knn \
        --config configs/linear_probe/vit-l_uniemox.py --out work_dirs/linear
    python tools/benchmark_downstream.py none --root data \
        --config configs/baselines/vit-l_mae.py --out work_dirs/mae
    python tools/benchmark_downstream.py CHECKPOINT --root data \
        --fractions 0.2 0.4 0.6 0.8 1.0 --out work_dirs/learning_curve
"""

import argparse
import signal
import sys
from pathlib import Path

from downstream import Comparison, compare

from uniemox_mm.datasets.named_datasets import NAMED_DATASETS

INTERRUPTED = 130  # what shells give a process that Ctrl-C ended


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        'checkpoint',
        help='start weights: a file, an address, or a work dir, of which\n'
        "the best or the newest is taken; none for the config's, if any",
    )
    parser.add_argument(
        '--root', type=Path, required=True, help='folder of the datasets'
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/downstream'),
        help='folder for all runs and the table (%(default)s)',
    )
    parser.add_argument(
        '--datasets',
        nargs='+',
        metavar='NAME',
        help='only these of ' + ', '.join(NAMED_DATASETS),
    )
    parser.add_argument(
        '--config',
        default='configs/finetune/vit-l_uniemox_{dataset}.py',
        help='config for any dataset, or with {dataset} in its name\n'
        '(%(default)s)',
    )
    parser.add_argument(
        '--fractions',
        type=float,
        nargs='+',
        metavar='SHARE',
        help='learning curve: train on each of these shares of the images',
    )
    parser.add_argument(
        '--knn',
        action='store_true',
        help='also k-NN on the features of the encoder as it is; other\n'
        'encoders than ViT-L need --knn-config',
    )
    parser.add_argument(
        '--knn-config',
        default='configs/linear_probe/vit-l_uniemox.py',
        metavar='CONFIG',
        help='config for k-NN, with the encoder of the checkpoint\n'
        '(%(default)s)',
    )
    parser.add_argument(
        '--gpus', type=int, default=1, help='to train with (%(default)s)'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the real batch size',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='overrides for training and testing, not for k-NN',
    )
    args = parser.parse_args()
    if not args.knn:
        args.knn_config = None
    del args.knn
    return args


def report(comparison: Comparison) -> None:
    """Prints the tables and what failed."""
    out = comparison.recipe.out
    print('\n' + (out / 'results.md').read_text())
    print(f'Tables: {out}/results.md, {out}/results.csv')
    if (out / 'learning_curve.png').exists():
        print(f'Learning curve: {out}/learning_curve.png')
    if comparison.failed:
        failed = [j.title for j in comparison.jobs if j in comparison.failed]
        sys.exit(
            f'Failed: {"; ".join(failed)}. What is above says why; the same '
            'command tries again'
        )


def stop(*_) -> None:
    """Ends at SIGTERM as at Ctrl-C, which background jobs would ignore."""
    raise KeyboardInterrupt


def main() -> None:
    args = parse_args()
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    try:
        comparison = compare(**vars(args), tools=Path(__file__).parent)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print('\nInterrupted: the same command goes on.', file=sys.stderr)
        sys.exit(INTERRUPTED)
    report(comparison)


if __name__ == '__main__':
    main()
