"""Compare pretraining + fine-tuning with training from scratch, drawn.

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
import sys
from pathlib import Path

from tqdm import tqdm

from uniemox_mm.utils.atomic_files import atomic_file
from uniemox_mm.utils.markdown_table import markdown_table

sys.path += [str(Path(__file__).parents[1] / part) for part in ('', 'demo')]
from drawn_emoset import draw_class_folders, draw_emoset
from run_logged import run_logged

ROOT = Path(__file__).parents[2]
PRETRAIN = 'configs/uniemox_vit-tiny_demo.py'
FINETUNE = 'configs/finetune/vit-tiny_demo.py'


def run(log: Path, script: str, *arguments: object) -> None:
    """Run one of the tools, with its output in a log."""
    try:
        run_logged([sys.executable, script, *arguments], log, ROOT)
    except RuntimeError as error:
        sys.exit(f'{script} {error}')


def pretrain(seed: int, out: Path, data: Path) -> Path:
    """Train CLIP and UniEmoX, and return the work dir."""
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
    """Fine-tune and test; return top-1 in percent."""
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
    """Return top-1 by seed, and the means, as Markdown."""
    _, ours, scratch = map(statistics.mean, zip(*rows, strict=True))
    return markdown_table(
        ['seed', 'pretrained, fine-tuned', 'from scratch', 'difference'],
        [
            [seed, f'{a:.1f}', f'{b:.1f}', f'{a - b:+.1f}']
            for seed, a, b in (*rows, ('mean', ours, scratch))
        ],
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
