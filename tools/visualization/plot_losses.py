"""Draws the losses of a run from its work dir.

Example:
    python tools/visualization/plot_losses.py work_dirs/demo --out losses.png
"""

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt


def read_scalars(work_dir: Path) -> dict[str, list[tuple[int, float]]]:
    """Reads the loss curves of all sittings of a run.

    Where a resumed sitting repeats iterations its values replace the older.

    Returns:
        dict[str, list[tuple[int, float]]]: Loss -> (iteration, value), by
        iteration.
    """
    curves: dict[str, dict[int, float]] = defaultdict(dict)
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            for name, value in entry.items():
                if 'loss' in name and 'step' in entry:
                    curves[name][entry['step']] = value
    return {name: sorted(points.items()) for name, points in curves.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('work_dir', type=Path)
    parser.add_argument('--out', type=Path, default=Path('losses.png'))
    args = parser.parse_args()
    curves = read_scalars(args.work_dir)
    if not curves:
        sys.exit(
            f'{args.work_dir}: no losses in */vis_data/scalars.json; expected '
            'the work dir of a run'
        )
    names = sorted(curves, key=lambda name: name != 'loss')
    figure, _ = plt.subplots(
        1, len(names), figsize=(3.4 * len(names), 3), layout='constrained'
    )
    for axis, name in zip(figure.axes, names, strict=True):
        axis.plot(*zip(*curves[name], strict=True))
        axis.set(title=name, xlabel='iteration', ylim=(0, None))
        axis.grid(alpha=0.3)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out, dpi=120)
    print(f'Losses: {args.out}')


if __name__ == '__main__':
    main()
