"""Compares pretraining + fine-tuning with training from scratch, drawn.

For each seed: a CLIP is trained on drawn pictures and captions, UniEmoX is
pretrained on them with it, and the encoder is fine-tuned on 40 other
drawn pictures, beside the same network from scratch in the same steps, on the
same images. Seeds differ in everything but the pictures. A run that was
stopped goes on.

Example (about 10 minutes on 2 cores):
    python tools/benchmark/pretraining_helps.py --out work_dirs/helps
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from tqdm import tqdm

from uniemox_mm.utils.atomic_files import atomic_file

sys.path.append(str(Path(__file__).parents[1] / 'demo'))
from drawn_emoset import draw_class_folders, draw_emoset

ROOT = Path(__file__).parents[2]
PRETRAIN = 'configs/uniemox_vit-tiny_demo.py'
FINETUNE = 'configs/finetune/vit-tiny_demo.py'


def run(log: Path, *command: object) -> None:
    """Runs a tool, with its output in a log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open('w') as file:
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    if done.returncode:
        sys.exit(f'{command[0]} failed; its output is in {log}')


def pretrain(seed: int, out: Path, data: Path) -> Path:
    """Trains CLIP and UniEmoX; the work dir."""
    clip, work_dir = out / f'clip_{seed}' / 'clip.pt', out / f'pre_{seed}'
    if not clip.exists():
        options = ['--data-root', data, '--seed', seed, '--out', clip]
        log = out / f'clip_{seed}.log'
        run(log, 'tools/demo/train_clip.py', PRETRAIN, *options)
    if not (work_dir / 'epoch_16.pth').exists():
        run(
            out / f'pre_{seed}.log',
            'tools/train.py',
            PRETRAIN,
            *('--data-root', data, '--work-dir', work_dir, '--resume'),
            '--cfg-options',
            f'model.target_generator.pretrained={clip}',
            f'default_hooks.text_features.folder={clip.parent / "text"}',
            f'randomness.seed={seed}',
            'train_dataloader.dataset.persons=persons.json',
        )
    return work_dir


def finetune(
    seed: int, out: Path, data: Path, name: str, weights: Path | None
) -> float:
    """Fine-tunes and tests; top-1 in percent."""
    work_dir = out / f'{name}_{seed}'
    result = work_dir / 'test' / 'metrics.json'
    where = ['--data-root', data]
    if not result.exists():
        run(
            out / f'{name}_{seed}.log',
            'tools/train.py',
            FINETUNE,
            *(*where, '--work-dir', work_dir, '--resume'),
            *(('--load-from', weights) if weights else ()),
            '--cfg-options',
            f'randomness.seed={seed}',
            f'train_dataloader.dataset.seed={seed}',
        )
        log = out / f'{name}_{seed}_test.log'
        run(log, 'tools/test.py', FINETUNE, work_dir, *where)
    return json.loads(result.read_text())['top1']


def table(rows: list[tuple[int, float, float]]) -> str:
    """The result as Markdown."""
    lines = [
        '| seed | pretrained, fine-tuned | from scratch | difference |',
        '|---|---|---|---|',
        *(
            f'| {seed} | {ours:.1f} | {scratch:.1f} | {ours - scratch:+.1f} |'
            for seed, ours, scratch in rows
        ),
    ]
    means = [
        statistics.mean(column) for column in list(zip(*rows, strict=True))[1:]
    ]
    return '\n'.join(
        [
            *lines,
            f'| mean | {means[0]:.1f} | {means[1]:.1f} | '
            f'{means[0] - means[1]:+.1f} |',
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/helps'))
    parser.add_argument('--seeds', type=int, default=3, help='how many')
    args = parser.parse_args()
    out = args.out.resolve()
    captioned = draw_emoset(out / 'captioned', train=384, val=64, test=8)
    labelled = draw_class_folders(out / 'labelled')
    rows = []
    for seed in tqdm(range(args.seeds), desc='seeds'):
        weights = pretrain(seed, out, captioned)
        ours = finetune(seed, out, labelled, 'ours', weights)
        scratch = finetune(seed, out, labelled, 'scratch', None)
        rows.append((seed, ours, scratch))
        with atomic_file(out / 'table.md') as file:
            file.write(table(rows) + '\n')
    print(table(rows))


if __name__ == '__main__':
    main()
