r"""Classify by k-NN on the features of a frozen encoder, without training.

The features are those of the config's backbone (the config of a linear probe
takes the cls token); votes are weighted as in DINO. If several k are given,
the best on val is chosen.

Examples:
    python tools/knn.py configs/linear_probe/vit-l_uniemox.py \
        work_dirs/uniemox_vit-l_pretrain --dataset fi --data-root data/FI
"""

import argparse
import copy
import sys
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import Runner
from torch.utils.data import DataLoader

import uniemox_mm  # noqa: F401  (registers the parts)
from uniemox_mm.apis.load_model import load_model
from uniemox_mm.datasets.named_datasets import NAMED_DATASETS
from uniemox_mm.engine.cfg_options import CfgOptions
from uniemox_mm.engine.launch import fit_to_machine
from uniemox_mm.engine.read_config import read_config
from uniemox_mm.evaluation import evaluate
from uniemox_mm.evaluation.classification_report import write_report
from uniemox_mm.evaluation.features import extract_features
from uniemox_mm.evaluation.knn import predict_knn


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('config', help='config of the encoder and the data')
    parser.add_argument('checkpoint', help='file, or work dir')
    parser.add_argument(
        '--dataset',
        help='for configs for any dataset: ' + ', '.join(NAMED_DATASETS),
    )
    parser.add_argument(
        '--data-root', help='folder of the dataset (that of the config)'
    )
    parser.add_argument(
        '--k',
        type=int,
        nargs='+',
        default=[5, 10, 20],
        help='numbers of neighbours; the best on val is reported (5 10 20)',
    )
    parser.add_argument(
        '--temperature',
        type=float,
        default=0.07,
        help='of the votes; a smaller one favours the nearest (%(default)s)',
    )
    parser.add_argument(
        '--out', type=Path, help='folder for the results (not written)'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=CfgOptions,
        default={},
        metavar='KEY=VALUE',
        help='overrides, such as test_dataloader.batch_size=256',
    )
    return parser.parse_args()


def build_loaders(cfg: Config) -> dict[str, DataLoader]:
    """Build loaders of train, val and test, all without augmentation."""
    loaders = {}
    for split in ('train', 'val', 'test'):
        settings = copy.deepcopy(cfg.test_dataloader)
        settings.dataset.split = split
        loaders[split] = Runner.build_dataloader(settings)
    return loaders


def main() -> None:
    args = parse_args()
    try:
        cfg = read_config(
            args.config, args.cfg_options, args.dataset, args.data_root
        )
        if not cfg.get('test_dataloader'):
            raise ValueError(f'{args.config}: has no test_dataloader')
        fit_to_machine(cfg, 'none')
        model = load_model(args.checkpoint, cfg, part='backbone')
    except (FileNotFoundError, ValueError) as error:
        sys.exit(str(error))
    checkpoint = model._checkpoint
    print(f'{checkpoint}: {model._encoder_report}')
    model = model.to(torch.device(get_device()))
    try:
        loaders = build_loaders(cfg)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(str(error))
    count = len(loaders['train'].dataset)
    if not 1 <= min(args.k) <= max(args.k) <= count or args.temperature <= 0:
        sys.exit(
            f'--k {args.k} --temperature {args.temperature}: expected 1 to '
            f'{count} neighbours, which is the number of training images, and '
            'a positive temperature'
        )
    data = {
        split: extract_features(model, loader, f'features of {split}')
        for split, loader in loaders.items()
    }
    classes = loaders['test'].dataset.metainfo['classes']
    of_val, of_test = (
        predict_knn(*data['train'], data[split][0], args.k, args.temperature)
        for split in ('val', 'test')
    )
    val = {k: evaluate(data['val'][1], of_val[k], classes) for k in args.k}
    test = {k: evaluate(data['test'][1], of_test[k], classes) for k in args.k}
    print('\n| k | val top-1 | test top-1 |\n|---|---|---|')
    for k in args.k:
        print(f'| {k} | {val[k].top1:.2f} | {test[k].top1:.2f} |')
    best = max(args.k, key=lambda k: val[k].top1)
    title = f'k-NN, k = {best}, {Path(checkpoint).name}'
    print('\n' + test[best].markdown(title))
    if args.out is not None:
        facts = dict(k=best, checkpoint=checkpoint, config=args.config)
        write_report(args.out, test[best], title, **facts)
        print(f'Numbers and confusion matrix: {args.out}')


if __name__ == '__main__':
    main()
