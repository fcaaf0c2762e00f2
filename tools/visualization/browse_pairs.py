r"""Shows what the model is fed, as one picture.

For each sample: the image with the boxes of all people (thin, yellow) and the
crop that is taken around the chosen one (thick, red), the scene view and the
person view as they come out of the config's pipeline, the label and the
caption.

Examples:
    python tools/visualization/browse_pairs.py \
        configs/uniemox_vit-l_pretrain.py --out pairs.png
    python tools/visualization/browse_pairs.py CONFIG --num 6 --cfg-options \
        train_dataloader.dataset.data_root=data/EmoSet-prepared
"""

import argparse
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS
from PIL import Image, ImageDraw, ImageFont, ImageOps

import uniemox_mm  # noqa: F401  (registers the parts)
from uniemox_mm.datasets import BadSampleError, BaseEmotionDataset
from uniemox_mm.datasets.sample_randomness import seeded
from uniemox_mm.engine.cfg_options import CfgOptions

CELL, GAP, LINES, LINE = 160, 6, 3, 14
COLUMNS = 2
HEAD = 2 * LINE + 2 * GAP  # height of legend and titles
THIN, THICK = (255, 210, 0), (255, 0, 90)
TITLES = 'image', 'scene', 'person'
LEGEND = (
    (THICK, 'red: the crop that is taken, with its margin'),
    (THIN, 'yellow: boxes of all people'),
)


def read_pair(
    dataset: BaseEmotionDataset, index: int, seed: int
) -> tuple[list[Image.Image], str]:
    """One sample, seen through the pipeline.

    Args:
        dataset (BaseEmotionDataset): A dataset whose pipeline starts with
            loading and has ``SceneAndPerson``.
        index (int): Which sample.
        seed (int): Decides the augmentation.

    Returns:
        tuple[list[Image.Image], str]: The image with boxes, the scene and
        the person; and the text to put below. No images where the sample is
        broken.
    """
    info = dataset.get_data_info(index)
    label = dataset.metainfo['classes'][info['gt_label']]
    name = Path(info['img_path']).name
    try:
        results = dataset.complete(info)
        original = None
        with seeded(seed, index):
            for transform in dataset.pipeline.transforms:
                results = transform(results)
                if original is None:
                    original = to_rgb(results['img'])
                if _has_views(results):
                    break
    except BadSampleError as error:
        return [], f'{label}: {error}'
    if not _has_views(results):
        raise ValueError(
            'the pipeline of this config has no SceneAndPerson; expected a '
            'config of pretraining, such as configs/uniemox_vit-l_pretrain.py'
        )
    persons = results.get('persons', [])
    original = draw_boxes(
        original, results['ori_shape'], persons, results['person_box']
    )
    count = f'{len(persons)} {"person" if len(persons) == 1 else "people"}'
    people = count if 'persons' in results else 'no boxes'
    views = [original, *map(to_rgb, results['img'])]
    return views, f'{label} ({name}, {people}): {results.get("caption", "")}'


def _has_views(results: dict) -> bool:
    """Whether there are a scene and a person in the place of an image."""
    return isinstance(results.get('img'), list)


def to_rgb(image: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(image[..., ::-1]))


def draw_boxes(
    image: Image.Image,
    ori_shape: tuple[int, int],
    persons: Sequence,
    chosen: Sequence | None,
) -> Image.Image:
    """Scales an image to its cell and draws the boxes of the original."""
    tile = ImageOps.contain(image, (CELL, CELL))
    height, width = ori_shape
    across, down = tile.width / width, tile.height / height
    draw = ImageDraw.Draw(tile)

    def outline(box: Sequence, color: tuple, line: int) -> None:
        x1, y1, x2, y2 = box[:4]
        place = (x1 * across, y1 * down, x2 * across - 1, y2 * down - 1)
        draw.rectangle(place, outline=color, width=line)

    for box in persons:
        outline(box, THIN, 1)
    if chosen is not None:
        outline(chosen, THICK, 2)
    return tile


def draw_sheet(pairs: list[tuple[list[Image.Image], str]]) -> Image.Image:
    """Lays out all samples with their texts, below legend and titles."""
    width = 3 * (CELL + GAP) + GAP
    height = CELL + LINES * LINE + 2 * GAP
    rows = -(-len(pairs) // COLUMNS)
    sheet = Image.new('RGB', (COLUMNS * width, HEAD + rows * height), 'white')
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(11)
    draw_head(draw, min(COLUMNS, len(pairs)), width, font)
    for i, (views, text) in enumerate(pairs):
        left = i % COLUMNS * width + GAP
        top = HEAD + i // COLUMNS * height + GAP
        for column, view in enumerate(views):
            tile = ImageOps.contain(view, (CELL, CELL))
            sheet.paste(tile, (left + column * (CELL + GAP), top))
        lines = textwrap.wrap(text, 88, max_lines=LINES, placeholder=' ...')
        for number, line in enumerate(lines):
            at = (left, top + CELL + 2 + number * LINE)
            draw.text(at, line, fill='black', font=font)
    return sheet


def draw_head(
    draw: ImageDraw.ImageDraw,
    samples: int,
    width: int,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    """Writes what the colors mean, and titles over as many samples."""
    left = GAP
    for color, text in LEGEND:
        draw.rectangle((left, GAP + 3, left + 9, GAP + 12), outline=color)
        draw.rectangle((left + 1, GAP + 4, left + 8, GAP + 11), outline=color)
        draw.text((left + 14, GAP), text, fill='black', font=font)
        left += 14 + int(font.getlength(text)) + 4 * GAP
    for i in range(samples):
        for column, title in enumerate(TITLES):
            at = (i * width + GAP + column * (CELL + GAP), GAP + LINE + GAP)
            draw.text(at, title, fill='black', font=font)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('config', help='of pretraining')
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/pairs.png'),
        help='the picture (%(default)s)',
    )
    parser.add_argument(
        '--num',
        type=int,
        default=16,
        help='samples, chosen at random (%(default)s)',
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='of the choice and the pipeline (%(default)s)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=CfgOptions,
        default={},
        metavar='KEY=VALUE',
        help='overrides of the config',
    )
    args = parser.parse_args()
    if args.num < 1 or args.out.suffix not in ('.png', '.jpg'):
        sys.exit('--num must be at least 1, and --out a .png or .jpg')
    try:
        browse(args)
    except (OSError, ValueError, TypeError) as error:
        sys.exit(str(error))


def browse(args: argparse.Namespace) -> None:
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    rng = np.random.default_rng(args.seed)
    count = min(args.num, len(dataset))
    chosen = rng.choice(len(dataset), count, replace=False)
    sheet = draw_sheet([read_pair(dataset, int(i), args.seed) for i in chosen])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(args.out)
    print(
        f'{count} of {len(dataset)} samples of {dataset.data_root}: {args.out}'
    )


if __name__ == '__main__':
    main()
