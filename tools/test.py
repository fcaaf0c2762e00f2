r"""Test a classifier: top-1, macro and weighted F1, per class.

Writes metrics.json, report.md, confusion_matrix.png and predictions.csv.

Examples:
    python tools/test.py configs/finetune/vit-l_uniemox_fi.py \
        work_dirs/vit-l_uniemox_fi --data-root data/FI
    python tools/test.py CONFIG best_accuracy_top1_epoch_37.pth --split val
"""

import argparse
import os
import sys
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

import uniemox_mm  # noqa: F401  (registers the parts)
from uniemox_mm.datasets.named_datasets import NAMED_DATASETS
from uniemox_mm.engine.cfg_options import CfgOptions
from uniemox_mm.engine.launch import fit_to_machine
from uniemox_mm.engine.read_config import (
    check_training,
    read_config,
    resolve_checkpoint,
)
from uniemox_mm.weights.checked_loading import load_strictly
from uniemox_mm.weights.read_checkpoint import read_checkpoint, weights_of


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('config', help='config that it was trained with')
    parser.add_argument(
        'checkpoint',
        help='file, or work dir for the best on val',
    )
    parser.add_argument(
        '--dataset',
        help='for configs for any dataset: ' + ', '.join(NAMED_DATASETS),
    )
    parser.add_argument(
        '--data-root', help='folder of the dataset (that of the config)'
    )
    parser.add_argument('--split', default='test', help='test, val or train')
    parser.add_argument(
        '--out',
        type=Path,
        help='folder for the results (<checkpoint folder>/<split>)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=CfgOptions,
        default={},
        metavar='KEY=VALUE',
        help='overrides, such as test_dataloader.batch_size=256',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def build_config(args: argparse.Namespace, checkpoint: str) -> Config:
    cfg = read_config(
        args.config, args.cfg_options, args.dataset, args.data_root
    )
    if not cfg.get('test_dataloader'):
        raise ValueError(
            f'{args.config}: has no test_dataloader; expected a config that '
            'classifies, such as those in configs/finetune'
        )
    cfg.launcher = args.launcher
    cfg.test_dataloader.dataset.split = args.split
    cfg.load_from, cfg.resume = None, False
    out = args.out or Path(checkpoint).parent / args.split
    cfg.work_dir = str(out)
    name = cfg.test_dataloader.dataset.type
    cfg.test_evaluator = dict(
        type='EmotionReport',
        out_dir=str(out),
        title=f'{Path(args.config).stem} on {name}, {args.split}',
        facts=dict(
            checkpoint=checkpoint,
            config=args.config,
            dataset=name,
            data_root=cfg.test_dataloader.dataset.data_root,
            split=args.split,
            split_dir=cfg.test_dataloader.dataset.get('split_dir'),
        ),
    )
    # MMEngine's report of the machine and the config would bury the table.
    cfg.log_level = 'WARNING'
    cfg.default_hooks = dict(progress=dict(type='ProgressBarHook'))
    cfg.custom_hooks = []
    cfg.visualizer = None
    return cfg


def main() -> None:
    args = parse_args()
    try:
        checkpoint = resolve_checkpoint(args.checkpoint)
        content = read_checkpoint(checkpoint)
        weights = weights_of(content, checkpoint)
        cfg = build_config(args, checkpoint)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(str(error))
    fit_to_machine(cfg, args.launcher)
    runner = Runner.from_cfg(cfg)
    wrapped = is_model_wrapper(runner.model)
    model = runner.model.module if wrapped else runner.model
    try:
        load_strictly(model, weights)
    except ValueError as error:
        sys.exit(f'{checkpoint}: {error}')
    trained = (content.get('meta') or {}).get('dataset_meta') or {}
    try:
        dataset = runner.test_loop.dataloader.dataset
        check_training(trained, dataset.metainfo)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(str(error))
    runner.test()
    if is_main_process():
        print((Path(cfg.work_dir) / 'report.md').read_text())
        print(
            f'Checkpoint: {checkpoint}\n'
            f'Predictions, confusion matrix, numbers: {cfg.work_dir}'
        )


if __name__ == '__main__':
    main()
