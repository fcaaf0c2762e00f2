"""A small fine-tuned classifier, and its scores by Pillow and NumPy."""

import copy

import numpy as np
import torch
from mmengine.config import Config
from PIL import Image

from tests.helpers import build, tiny_finetune
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES

MEAN = np.array([123.675, 116.28, 103.53])
STD = np.array([58.395, 57.12, 57.375])
SHORT, CROP = 36, 32


def write_work_dir(work_dir, data_root='data/Emo8', **meta):
    """Write a work dir of a config, as MMEngine dumps it, and a checkpoint."""
    cfg = tiny_finetune(data_root, work_dir)
    cfg.model.train_cfg = dict(augments=[dict(type='Mixup', alpha=0.8)])
    work_dir.mkdir(parents=True, exist_ok=True)
    cfg.dump(work_dir / 'ft.py')
    torch.manual_seed(0)
    model = build_model(cfg)
    # Large enough that the scores depend on the image.
    torch.nn.init.normal_(model.backbone.patch_embed.projection.weight, 0, 0.1)
    torch.nn.init.normal_(model.head.fc.weight, 0, 1)
    meta = dict(dataset_meta=dict(classes=EMOSET_CATEGORIES), **meta)
    torch.save(
        dict(state_dict=model.state_dict(), meta=meta),
        work_dir / 'epoch_3.pth',
    )
    return work_dir


def build_model(cfg):
    settings = copy.deepcopy(cfg.data_preprocessor)
    return build(cfg.model, data_preprocessor=settings)


def load_model(work_dir):
    """Load the same model with PyTorch alone."""
    model = build_model(Config.fromfile(work_dir / 'ft.py')).eval()
    content = torch.load(work_dir / 'epoch_3.pth', weights_only=True)
    model.load_state_dict(content['state_dict'])
    return model


def preprocessed(rgb):
    """Resize, crop and normalise by Pillow and NumPy, (3, H, W)."""
    height, width = rgb.shape[:2]
    scale = SHORT / min(height, width)
    size = (int(width * scale), int(height * scale))
    resized = Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC)
    left, top = ((side - CROP) // 2 for side in size)
    crop = resized.crop((left, top, left + CROP, top + CROP))
    return ((np.asarray(crop, float) - MEAN) / STD).transpose(2, 0, 1)


@torch.no_grad()
def expected_scores(model, rgb):
    """(H, W, 3) uint8 RGB -> scores (K,)."""
    pixels = torch.from_numpy(preprocessed(rgb)[None].astype(np.float32))
    return model(pixels, mode='tensor').softmax(1)[0].numpy()


def photo(seed=0, height=40, width=60):
    """Coarse noise, (H, W, 3) uint8 RGB, whose sides stay even in the crop."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize((width, height))
    return np.array(image)
