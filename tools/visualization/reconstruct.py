"""Shows what a pretrained model makes of images that are mostly hidden.

One row an image: original, masked, reconstruction, and the reconstruction
pasted into the visible patches. Images come from the config's dataset, or
are given.

Examples:
    python tools/visualization/reconstruct.py CONFIG work_dirs/demo
    python tools/visualization/reconstruct.py CONFIG epoch_200.pth --images *
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmpretrain.registry import DATASETS, TRANSFORMS
from PIL import Image, ImageDraw
from torch import Tensor

from uniemox_mm.apis import load_pretrained

COLUMNS = ('original', 'masked', 'reconstruction', 'pasted')
GAP, TITLE = 4, 18


def load_images(cfg: Config, paths: list[str], split: str, num: int) -> Tensor:
    """Centre crops of given images, or of the first ones of a split.

    Returns:
        Tensor: (num, 3, size, size) uint8, BGR as MMCV decodes it.
    """
    size = cfg.model.backbone.img_size
    pipeline = [
        dict(type='LoadEmotionImage'),
        dict(type='ResizeEdge', scale=size, edge='short', backend='pillow'),
        dict(type='CenterCrop', crop_size=size),
    ]
    if not paths:
        dataset = DATASETS.build(
            {
                **cfg.train_dataloader.dataset,
                'split': split,
                'persons': None,
                'pipeline': [],
            }
        )
        # Spread over the split, which may be sorted by class.
        rows = np.linspace(0, len(dataset) - 1, min(num, len(dataset)))
        paths = [dataset.get_data_info(int(i))['img_path'] for i in rows]
    images = []
    for path in paths:
        results = dict(img_path=path)
        for transform in pipeline:
            results = TRANSFORMS.build(dict(transform))(results)
        images.append(results['img'].transpose(2, 0, 1).copy())
    return torch.from_numpy(np.stack(images))


def draw_grid(columns: list[np.ndarray]) -> Image.Image:
    """Lays out (N, H, W, 3) uint8 columns under their titles."""
    count, height, width = columns[0].shape[:3]
    zoom = max(1, 128 // width)
    cell_h, cell_w = zoom * height + GAP, zoom * width + GAP
    grid = Image.new(
        'RGB', (len(columns) * cell_w, TITLE + count * cell_h), 'white'
    )
    draw = ImageDraw.Draw(grid)
    for x, (title, column) in enumerate(zip(COLUMNS, columns, strict=True)):
        draw.text((x * cell_w + GAP, GAP), title, fill='black')
        for y, picture in enumerate(column):
            tile = Image.fromarray(picture).resize(
                (zoom * width, zoom * height), Image.Resampling.NEAREST
            )
            grid.paste(tile, (x * cell_w, TITLE + y * cell_h))
    return grid


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('checkpoint', help='file, or work dir for its newest')
    parser.add_argument('--images', nargs='+', default=[])
    parser.add_argument('--split', default='test', help='without --images')
    parser.add_argument('--num', type=int, default=8, help='without --images')
    parser.add_argument('--seed', type=int, default=0, help='of the masks')
    parser.add_argument(
        '--out', type=Path, default=Path('reconstructions.png')
    )
    args = parser.parse_args()
    cfg = Config.fromfile(args.config)
    model = load_pretrained(cfg, args.checkpoint)
    images = load_images(cfg, args.images, args.split, args.num)
    data = dict(inputs=images, data_samples=None)
    scene = model.data_preprocessor(data)['inputs']
    torch.manual_seed(args.seed)
    painted, mask = model.reconstruct(scene)
    visible = scene * (1 - mask)
    mean = model.data_preprocessor.mean
    std = model.data_preprocessor.std
    columns = [
        (x * std + mean).round().clamp(0, 255)
        for x in (scene, visible, painted, visible + painted * mask)
    ]
    columns[1] = columns[1] * (1 - mask) + 128 * mask
    args.out.parent.mkdir(parents=True, exist_ok=True)
    draw_grid([c.permute(0, 2, 3, 1).byte().numpy() for c in columns]).save(
        args.out
    )
    print(f'Reconstructions: {args.out}')


if __name__ == '__main__':
    main()
