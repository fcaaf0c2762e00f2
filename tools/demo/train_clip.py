"""Trains a small CLIP on pictures and their captions, for the demonstration.

The teacher of a config, of the same architecture, is trained from nothing on
the config's own data by CLIP's contrastive loss, so that it knows something
that can be distilled.

Example:
    python tools/demo/train_clip.py configs/uniemox_vit-tiny_demo.py \
        --out work_dirs/demo_clip/clip.pt
"""

import argparse
from pathlib import Path

import open_clip
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, set_random_seed
from mmpretrain.registry import MODELS
from torch.nn import functional as F
from tqdm import tqdm

from uniemox_mm.utils.atomic_files import atomic_file


def build_loader(cfg: Config, batch_size: int) -> torch.utils.data.DataLoader:
    """Single views of the config's training images, with their captions."""
    views = cfg.train_dataloader.dataset.pipeline
    pipeline = [
        views[0],
        *views[1].scene,
        dict(type='PackInputs', algorithm_keys=('caption',)),
    ]
    return Runner.build_dataloader(
        dict(
            batch_size=batch_size,
            num_workers=1,
            drop_last=True,
            persistent_workers=True,
            sampler=dict(type='DefaultSampler', shuffle=True),
            collate_fn=dict(type='default_collate'),
            dataset=dict(cfg.train_dataloader.dataset, pipeline=pipeline),
        ),
        seed=0,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--data-root', help="in place of the config's")
    parser.add_argument('--epochs', type=int, default=12)
    parser.add_argument('--batch-size', type=int, default=64)
    parser.add_argument('--lr', type=float, default=1e-3)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    cfg = Config.fromfile(args.config)
    if args.data_root:
        cfg.train_dataloader.dataset.data_root = args.data_root
    init_default_scope(cfg.default_scope)
    set_random_seed(args.seed)
    teacher = MODELS.build(
        dict(cfg.model.target_generator, pretrained=None, seed=args.seed)
    )
    clip = teacher.clip.requires_grad_(True).train()
    tokenizer = open_clip.get_tokenizer(teacher.model_name)
    to_pixels = MODELS.build(cfg.model.data_preprocessor)
    loader = build_loader(cfg, args.batch_size)
    steps = args.epochs * len(loader)
    optimizer = torch.optim.AdamW(clip.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, steps)
    contrastive = open_clip.ClipLoss()
    bar = tqdm(total=steps, desc='training CLIP')
    for epoch in range(args.epochs):
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            data = to_pixels(batch)
            pixels = teacher.renormalise(data['inputs'])
            captions = [sample.caption for sample in data['data_samples']]
            tokens = tokenizer(captions, context_length=clip.context_length)
            loss = contrastive(
                F.normalize(clip.encode_image(pixels), dim=1),
                F.normalize(clip.encode_text(tokens), dim=1),
                clip.logit_scale.exp(),
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            bar.set_postfix(loss=f'{loss.item():.3f}', refresh=False)
            bar.update()
    bar.close()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(args.out, 'wb') as file:
        torch.save(clip.state_dict(), file)
    print(f'CLIP: {args.out}, last loss {loss.item():.3f}')


if __name__ == '__main__':
    main()
