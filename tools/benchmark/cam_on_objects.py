r"""Measures whether activation maps lie on what gives a picture its class.

Draws pictures in which one object alone says the class, fine-tunes the demo's
classifier on them by the demo's recipe, from the pretrained encoder and from
scratch, and measures what share of Grad-CAM lies inside the object's box on
the test pictures that are classified right, against the share of the picture
that the box takes. A run that was stopped goes on.

Example (after make demo; about 5 minutes on 2 cores):
    python tools/benchmark/cam_on_objects.py work_dirs/demo
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from cam_mass import CamMass, cam_mass
from planted_objects import OBJECTS, plant_objects
from tqdm import tqdm

import uniemox_mm  # noqa: F401  (registers the parts)
from uniemox_mm.apis.load_model import load_model
from uniemox_mm.utils.atomic_files import atomic_file

ROOT = Path(__file__).parents[2]
CONFIG = 'configs/finetune/vit-tiny_demo.py'
# Where cam.py looks, and after the last block, where only the mean can be.
FIRST, LAST = 'backbone.layers.3.ln1', 'backbone.layers.3'
MEAN = (
    'model.backbone.out_type=avg_featmap',
    'model.backbone.final_norm=False',
)
# What is classified -> settings, and the layers to compare.
KINDS = {
    'cls token': ((), (FIRST,)),
    'mean of the patches': (MEAN, (FIRST, LAST)),
}


def finetune(
    work_dir: Path, data: Path, options: tuple, weights: Path | None
) -> None:
    """Trains a classifier, with its output in a log."""
    if list(work_dir.glob('epoch_16.pth')):
        return
    command = [
        *(sys.executable, 'tools/train.py', CONFIG, '--resume'),
        *('--data-root', data, '--work-dir', work_dir),
        *(('--load-from', weights.resolve()) if weights else ()),
        *('--cfg-options', 'train_dataloader.dataset.fraction=0.25', *options),
    ]
    work_dir.parent.mkdir(parents=True, exist_ok=True)
    log = work_dir.with_suffix('.log')
    with log.open('w') as file:
        done = subprocess.run(
            list(map(str, command)),
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    if done.returncode:
        sys.exit(f'fine-tuning failed; its output is in {log}')


def row(kind: str, start: str, found: CamMass) -> str:
    """A line of the table."""
    seen = found.correct & ~np.isnan(found.mass)
    mass, area = found.mass[seen], found.area[seen]
    everywhere = np.nanmean(found.mass)
    return (
        f'| {kind} | {start} | {found.layer.removeprefix("backbone.")} '
        f'| {100 * found.correct.mean():.1f} '
        f'| {100 * mass.mean():.1f} ± {100 * mass.std():.1f} '
        f'| {100 * area.mean():.1f} ± {100 * area.std():.1f} '
        f'| {100 * (mass > area).mean():.0f} '
        f'| {np.isnan(found.mass[found.correct]).sum()} '
        f'| {100 * everywhere:.1f} |'
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('pretrained', type=Path, help="the demo's work dir")
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/cam_on_objects')
    )
    args = parser.parse_args()
    out = args.out.resolve()
    if not args.pretrained.exists():
        sys.exit(f'{args.pretrained}: no such work dir; run make demo first')
    data = plant_objects(out / 'planted')
    boxes = json.loads((data / OBJECTS).read_text())
    lines = [
        '| classified | start | layer | top-1 | map inside (%) | chance (%) '
        '| pictures above chance (%) | empty maps | map inside, also where '
        'wrong (%) |',
        '|---|---|---|---|---|---|---|---|---|',
    ]
    starts = {'pretrained': args.pretrained, 'scratch': None}
    jobs = [(kind, start) for kind in KINDS for start in starts]
    for kind, start in tqdm(jobs, desc='classifiers'):
        options, layers = KINDS[kind]
        work_dir = out / f'{start}_{kind.split()[0]}'
        finetune(work_dir, data, options, starts[start])
        model = load_model(work_dir)
        for layer in layers:
            lines.append(row(kind, start, cam_mass(model, boxes, layer)))
    table = '\n'.join(lines)
    with atomic_file(out / 'table.md') as file:
        file.write(table + '\n')
    print(table)


if __name__ == '__main__':
    main()
