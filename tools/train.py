r"""Trains any config of this project or of MMPretrain that imports it.

Examples:
    python tools/train.py configs/uniemox_vit-l_pretrain.py
    python tools/train.py configs/uniemox_vit-l_pretrain.py --resume
    python tools/train.py CONFIG --cfg-options train_dataloader.batch_size=32
    python tools/train.py configs/finetune/vit-l_uniemox_fi.py \
        --load-from work_dirs/uniemox_vit-l_pretrain --data-root data/FI
    python tools/train.py configs/baselines/vit-l_mae.py --dataset fi
"""

import argparse
import math
import os
import signal
import sys
import time
from pathlib import Path

from mmengine.config import Config

import uniemox_mm  # noqa: F401  (registers the parts)
from uniemox_mm.datasets.named_datasets import NAMED_DATASETS
from uniemox_mm.engine.cfg_options import CfgOptions
from uniemox_mm.engine.launch import (
    fit_to_machine,
    place_of_process,
    scale_learning_rate,
    switch_amp,
)
from uniemox_mm.engine.read_config import (
    read_config,
    resolve_checkpoint,
    validation_note,
)
from uniemox_mm.engine.resuming import (
    find_checkpoint,
    remove_unfinished,
    resume_command,
    set_resume,
)
from uniemox_mm.engine.runners import build_runner, settings_read
from uniemox_mm.weights.checked_loading import MisfitError
from uniemox_mm.weights.safe_unpickling import distrust_checkpoints

INTERRUPTED = 130  # what shells give a process that Ctrl-C ended
GRACE = 3.0  # seconds


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir',
        help='folder for checkpoints and logs (work_dirs/<config name>)',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='PATH',
        help='go on from PATH, or from the newest checkpoint in the work dir',
    )
    parser.add_argument(
        '--load-from',
        metavar='PATH',
        help='start weights: a checkpoint, an address, or a work dir, of '
        'which the best or the newest is taken',
    )
    parser.add_argument(
        '--dataset',
        help='for configs for any dataset: ' + ', '.join(NAMED_DATASETS),
    )
    parser.add_argument(
        '--data-root', help="the dataset's folder, in place of the config's"
    )
    parser.add_argument(
        '--amp',
        action=argparse.BooleanOptionalAction,
        default=None,
        help='mixed precision on or off, whatever the config says',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the real batch size',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=CfgOptions,
        default={},
        metavar='KEY=VALUE',
        help='overrides, such as model.backbone.mask_ratio=0.5',
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


def check_options(cfg: Config, options: dict) -> None:
    """Refuses overrides that would have no effect."""
    for key in options:
        if key.split('.')[0] not in settings_read(cfg):
            sys.exit(
                f'--cfg-options {key}: training reads no such setting, so it '
                'would have no effect. Variables of a config are settled when '
                'the file is read: override what they set, such as '
                'train_dataloader.batch_size'
            )


def build_config(args: argparse.Namespace) -> Config:
    cfg = read_config(
        args.config, args.cfg_options, args.dataset, args.data_root
    )
    check_options(cfg, args.cfg_options)
    if args.load_from is not None:
        cfg.load_from = resolve_checkpoint(args.load_from)
    cfg.launcher = args.launcher
    name = Path(args.config).stem
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or f'work_dirs/{name}'
    if args.amp is not None:
        switch_amp(cfg, args.amp)
    if args.auto_scale_lr:
        if 'auto_scale_lr' not in cfg:
            sys.exit(
                f'{args.config}: --auto-scale-lr needs auto_scale_lr = '
                'dict(base_batch_size=...), the batch size the lr is for'
            )
        cfg.auto_scale_lr.enable = True
    return cfg


def config_environment(cfg: Config, dataset: str | None) -> dict[str, str]:
    """The variables in the environment that the config was read with."""
    variables = dict(cfg.env_variables)
    if dataset is not None:  # an argument says so
        variables.pop('DATASET', None)
    return variables


def stop_on_signals() -> None:
    """Ends at SIGTERM, which Slurm sends, as at Ctrl-C.

    torchrun passes on a Ctrl-C that its workers have had already: what comes
    within seconds of the first must not cut the message off.
    """
    last = -math.inf

    def stop(*_) -> None:
        nonlocal last
        since, last = time.monotonic() - last, time.monotonic()
        if since > GRACE:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def main() -> None:
    args = parse_args()
    distrust_checkpoints()
    stop_on_signals()
    rank, processes = place_of_process(args.launcher)
    try:
        cfg = build_config(args)
        notes = [
            set_resume(cfg, args.resume),
            *fit_to_machine(cfg, args.launcher),
            scale_learning_rate(cfg, processes),
            validation_note(cfg),
        ]
    except (FileNotFoundError, ValueError) as error:
        sys.exit(str(error))
    # Not is_main_process: on GPUs there is no process group yet.
    first = rank == 0
    if first:
        print(*filter(None, notes), sep='\n', flush=True)
        remove_unfinished(cfg.work_dir)
    try:
        runner = build_runner(cfg)
        try:
            _ = runner.train_loop, runner.val_loop  # read the lists of images
        except (FileNotFoundError, ValueError) as error:
            sys.exit(str(error))
        try:
            runner.train()
        except MisfitError as error:
            sys.exit(str(error))
    except KeyboardInterrupt:
        if first:
            # Until the work dir has one, the checkpoint that was given.
            given = cfg.get('resume') and not find_checkpoint(cfg.work_dir)
            command = resume_command(
                __file__,
                sys.argv[1:],
                args.config,
                args.launcher,
                cfg.load_from if given else None,
                config_environment(cfg, args.dataset),
            )
            print(
                '\nInterrupted. Continue from the last whole epoch with:\n  '
                + command,
                file=sys.stderr,
                flush=True,
            )
        # Other ranks may wait for this one: leave without a goodbye.
        os._exit(INTERRUPTED)


if __name__ == '__main__':
    main()
