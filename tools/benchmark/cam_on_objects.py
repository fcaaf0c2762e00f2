r"""Measure whether activation maps lie on what gives a picture its class.

Draws pictures in which one object alone gives the class, fine-tunes the demo's
classifier on them by the demo's recipe, from the pretrained encoder and from
scratch, and measures how much of Grad-CAM lies inside the object's box on the
test pictures that are classified right, beside the part of the picture that
the box takes. A run that was stopped goes on.

Example (after make demo; about 5 minutes on 2 cores):
    python tools/benchmark/cam_on_objects.py work_dirs/demo
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.model import BaseModel
from mmpretrain.registry import DATASETS
from PIL import Image, ImageDraw
from tqdm import tqdm

import uniemox_mm  # noqa: F401  (registers the parts)
from uniemox_mm.apis.load_model import load_model
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.datasets.image_sources import Source
from uniemox_mm.datasets.inference_pipeline import InferencePipeline
from uniemox_mm.engine.read_config import tested_dataset
from uniemox_mm.utils.atomic_files import atomic_file, atomic_folder
from uniemox_mm.utils.markdown_table import markdown_table
from uniemox_mm.visualization.grad_cam import grad_cam

sys.path += [str(Path(__file__).parents[1] / part) for part in ('', 'demo')]
from drawn_pictures import draw_sample, hsv_color
from run_logged import run_logged

ROOT = Path(__file__).parents[2]
CONFIG = 'configs/finetune/vit-tiny_demo.py'
OBJECTS = 'objects.json'
# The layer that cam.py takes, and the last block, where only the mean can be.
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
_BATCH = 32
_CORNERS = (0, 3, 4, 5)  # of the shapes; 0 is a disc
_RIM = 3  # pixels


def plant_objects(
    root: str | Path, per_class: int = 240, size: int = 160, seed: int = 2
) -> Path:
    """Write a dataset in Emo8's layout whose labels are objects.

    The rest of a picture is one of any emotion, chosen at random. The object
    is a disc, triangle, square or pentagon in a color of its own with a white
    rim, as high as a quarter to a third of the picture, anywhere in its
    middle, so that the center crop has all of it. ``objects.json`` has the
    boxes: path -> x1, y1, x2, y2 in pixels. A folder that is already there
    is kept.

    Args:
        root (str | Path): Where to write.
        per_class (int): Pictures of each class. Defaults to 240.
        size (int): Height of the pictures in pixels. Defaults to 160.
        seed (int): Other seeds give other pictures. Defaults to 2.

    Returns:
        Path: ``root``.
    """

    def write(work: Path) -> None:
        boxes = {}
        for label, name in enumerate(EMOSET_CATEGORIES):
            (work / name).mkdir()
            for number in range(per_class):
                rng = np.random.default_rng([seed, label, number])
                around = str(rng.choice(EMOSET_CATEGORIES))
                picture, _, _ = draw_sample(around, size, rng)
                place = f'{name}/{number:05d}.jpg'
                boxes[place] = plant(picture, label, rng)
                picture.save(work / place, quality=92)
        (work / OBJECTS).write_text(json.dumps(boxes))

    return atomic_folder(root, write)


def plant(
    picture: Image.Image, label: int, rng: np.random.Generator
) -> list[float]:
    """Draw the object of a class into a picture.

    Returns:
        list[float]: The box around it, x1, y1, x2, y2 in pixels.
    """
    side = min(picture.size)
    radius = side * rng.uniform(0.25, 0.33) / 2
    x, y = (
        length / 2 + rng.uniform(-1, 1) * (0.42 * side - radius)
        for length in picture.size
    )
    corners, hue = _CORNERS[label % len(_CORNERS)], 45 * label
    pen, fill = ImageDraw.Draw(picture), hsv_color(hue, 0.9, 0.9)
    if corners:
        turn = rng.uniform(0, 360)
        pen.regular_polygon((x, y, radius), corners, turn, fill, 'white', _RIM)
    else:
        pen.circle((x, y), radius, fill, 'white', _RIM)
    return [x - radius, y - radius, x + radius, y + radius]


@dataclass(frozen=True)
class CamMass:
    """Ratios of N images, from 0 to 1.

    Attributes:
        mass (np.ndarray): Part of the map inside the object, (N,); NaN if the
            map is empty.
        area (np.ndarray): Part of the picture that the object takes, which
            is what a meaningless map has inside of it, (N,).
        correct (np.ndarray): Whether the class is right, (N,) bool.
        layer (str): Name of the target layer.
    """

    mass: np.ndarray
    area: np.ndarray
    correct: np.ndarray
    layer: str


def cam_mass(
    model: BaseModel,
    boxes: Mapping[str, Sequence[float]],
    layer: str | None = None,
) -> CamMass:
    """Measure activation maps against boxes of objects.

    The maps are those of the true class, on the test images.

    Args:
        model (BaseModel): Of :func:`load_model`.
        boxes (Mapping[str, Sequence[float]]): Path under the data root ->
            x1, y1, x2, y2 of the object in pixels.
        layer (str, optional): Name of the target layer.

    Raises:
        ValueError: There is no box for a test image.
    """
    settings = tested_dataset(model._config)
    dataset = DATASETS.build(settings)
    prepare = InferencePipeline.from_config(settings.pipeline)
    parts = []
    for start in range(0, len(dataset), _BATCH):
        rows = range(start, min(start + _BATCH, len(dataset)))
        infos = [dataset.get_data_info(i) for i in rows]
        images, masks = zip(
            *(_with_mask(prepare, info, dataset, boxes) for info in infos),
            strict=True,
        )
        labels = [int(info['gt_label']) for info in infos]
        found = grad_cam(model, torch.stack(images), labels, layer)
        correct = found.scores.argmax(1) == labels
        inside = np.stack(masks)
        mass = mass_inside(found.heatmaps, inside)
        parts.append((mass, inside.mean((1, 2)), correct))
    mass, area, right = map(np.concatenate, zip(*parts, strict=True))
    return CamMass(mass, area, right, found.layer)


def mass_inside(heat: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return how much of each map (N, H, W) is inside masks, NaN if empty."""
    with np.errstate(invalid='ignore'):
        return (heat * inside).sum((1, 2)) / heat.sum((1, 2))


def _with_mask(
    prepare: InferencePipeline,
    info: dict,
    dataset: torch.utils.data.Dataset,
    boxes: Mapping[str, Sequence[float]],
) -> tuple[torch.Tensor, np.ndarray]:
    """A preprocessed image, and the mask of its object."""
    path = info['img_path']
    name = str(Path(path).relative_to(dataset.data_root))  # type: ignore[attr-defined]
    if name not in boxes:
        raise ValueError(f'{path}: has no box in the list of objects')
    shape = prepare.read.whole(Source(path, path=path)).shape
    x1, y1, x2, y2 = (round(value) for value in boxes[name])
    picture = np.zeros(shape, np.uint8)
    picture[max(0, y1) : y2, max(0, x1) : x2] = 255
    # Through the same pipeline, so that it is cropped as the image is.
    mask = prepare(Source('the mask', content=picture))['inputs']
    image = prepare(Source(path, path=path))['inputs']
    return image, (mask[0] > 127).numpy()


def finetune(
    work_dir: Path, data: Path, options: tuple, weights: Path | None
) -> None:
    """Train a classifier, unless it is trained already."""
    if (work_dir / 'epoch_16.pth').exists():
        return
    command = [
        *(sys.executable, 'tools/train.py', CONFIG, '--resume'),
        *('--data-root', data, '--work-dir', work_dir),
        *(('--load-from', weights.resolve()) if weights else ()),
        *('--cfg-options', 'train_dataloader.dataset.fraction=0.25', *options),
    ]
    run_logged(command, work_dir.with_suffix('.log'), ROOT)


def table_row(kind: str, start: str, found: CamMass) -> list[str]:
    """Return the cells of a measurement; ratios in percent."""
    seen = found.correct & ~np.isnan(found.mass)
    mass, area = 100 * found.mass[seen], 100 * found.area[seen]
    return [
        kind,
        start,
        found.layer.removeprefix('backbone.'),
        f'{100 * found.correct.mean():.1f}',
        f'{mass.mean():.1f} ± {mass.std():.1f}',
        f'{area.mean():.1f} ± {area.std():.1f}',
        f'{100 * (mass > area).mean():.0f}',
        f'{np.isnan(found.mass[found.correct]).sum()}',
        f'{100 * np.nanmean(found.mass):.1f}',
    ]


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
    rows = []
    starts = {'pretrained': args.pretrained, 'scratch': None}
    jobs = [(kind, start) for kind in KINDS for start in starts]
    for kind, start in tqdm(jobs, desc='classifiers'):
        options, layers = KINDS[kind]
        work_dir = out / f'{start}_{kind.split()[0]}'
        try:
            finetune(work_dir, data, options, starts[start])
        except RuntimeError as error:
            sys.exit(f'fine-tuning {error}')
        model = load_model(work_dir)
        for layer in layers:
            found = cam_mass(model, boxes, layer)
            rows.append(table_row(kind, start, found))
    header = (
        'classified', 'start', 'layer', 'top-1', 'map inside (%)',
        'chance (%)', 'pictures above chance (%)', 'empty maps',
        'map inside, also where wrong (%)',
    )  # fmt: skip
    table = markdown_table(header, rows)
    with atomic_file(out / 'table.md') as file:
        file.write(table + '\n')
    print(table)


if __name__ == '__main__':
    main()
