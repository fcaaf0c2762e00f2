r"""Trains a small person detector on drawn people and says how good it is.

For trying the commands that need a detector where no weights are at hand.

Example:
    python tools/demo/train_person_detector.py work_dirs/people
    python tools/dataset_converters/detect_persons.py data/drawn_people \
        --config configs/person_detection/yolov3_narrow_drawn.py \
        --weights work_dirs/people/epoch_12.pth \
        --confidence 0.5 --out persons.json
"""

import argparse
import json
from pathlib import Path

import numpy as np
from drawn_emoset import draw_emoset
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from uniemox_mm.datasets import EmoSet
from uniemox_mm.models import PersonDetector
from uniemox_mm.models.detectors.load_detector import import_mmdet

CONFIG = (
    Path(__file__).parents[2]
    / 'configs/person_detection/yolov3_narrow_drawn.py'
)


def write_coco(root: Path, split: str) -> Path:
    """Writes the boxes of a split in COCO's format, for MMDetection."""
    rows = EmoSet(str(root), split, persons='persons.json')
    images, annotations = [], []
    for i in range(len(rows)):
        info = rows.get_data_info(i)
        width, height = Image.open(info['img_path']).size
        name = Path(info['img_path']).relative_to(root).as_posix()
        images.append(dict(id=i, file_name=name, width=width, height=height))
        for x1, y1, x2, y2, _ in info['persons']:
            annotations.append(
                dict(
                    id=len(annotations),
                    image_id=i,
                    category_id=1,
                    bbox=[x1, y1, x2 - x1, y2 - y1],
                    area=(x2 - x1) * (y2 - y1),
                    iscrowd=0,
                )
            )
    path = root / f'{split}.coco.json'
    categories = [dict(id=1, name='person')]
    path.write_text(
        json.dumps(
            dict(images=images, annotations=annotations, categories=categories)
        )
    )
    return path


def score(detector: PersonDetector, root: Path) -> tuple[float, float]:
    """Recall and precision at an IoU of 0.5 on the test split."""
    from mmdet.evaluation import eval_map

    rows = EmoSet(str(root), 'test', persons='persons.json')
    infos = [rows.get_data_info(i) for i in range(len(rows))]
    found = [[boxes] for boxes in detector([i['img_path'] for i in infos])]
    truth = [
        dict(
            bboxes=np.array(i['persons'], np.float32).reshape(-1, 5)[:, :4],
            labels=np.zeros(len(i['persons']), int),
        )
        for i in infos
    ]
    _, (result,) = eval_map(found, truth, iou_thr=0.5, logger='silent')
    if not len(result['recall']):  # nothing was found
        return 0.0, 0.0
    return float(result['recall'][-1]), float(result['precision'][-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('work_dir', help='for the log and the checkpoint')
    parser.add_argument('--data', type=Path, default=Path('data/drawn_people'))
    parser.add_argument('--train', type=int, default=512, help='pictures')
    parser.add_argument('--test', type=int, default=128, help='pictures')
    parser.add_argument('--epochs', type=int, default=12)
    parser.add_argument('--confidence', type=float, default=0.5)
    args = parser.parse_args()
    draw_emoset(args.data, args.train, 8, args.test, seed=1)
    for split in ('train', 'test'):
        write_coco(args.data, split)
    import_mmdet()
    cfg = Config.fromfile(CONFIG)
    cfg.work_dir = args.work_dir
    for part in (cfg.train_dataloader, cfg.test_dataloader):
        part.dataset.data_root = str(args.data)
    cfg.train_cfg.max_epochs = cfg.default_hooks.checkpoint.interval = (
        args.epochs
    )
    cfg.param_scheduler[1].T_max = args.epochs
    Runner.from_cfg(cfg).train()
    weights = Path(args.work_dir) / f'epoch_{args.epochs}.pth'
    detector = PersonDetector(weights, CONFIG, args.confidence)
    recall, precision = score(detector, args.data)
    print(
        f'{weights}: recall {recall:.3f}, precision {precision:.3f} at an IoU '
        f'of 0.5 and a confidence of {args.confidence}, on {args.test} '
        'pictures that it has not seen'
    )


if __name__ == '__main__':
    main()
