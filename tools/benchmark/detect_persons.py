r"""Measures how fast people are found, and where the time goes.

Random weights of the real architecture are as fast as trained ones, and the
pictures are noise of the size of photographs, so nothing is needed but the
machine. Prints a table in Markdown and writes it as JSON.

Examples:
    python tools/benchmark/detect_persons.py --out people.json
    python tools/benchmark/detect_persons.py --images 4000 --workers 4 8 16
"""

import argparse
import json
import logging
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from mmengine.analysis import get_model_complexity_info
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image
from torch.utils.data import DataLoader

from uniemox_mm.datasets.image_lists import ImageList, list_images
from uniemox_mm.models import PersonDetector
from uniemox_mm.models.detectors.mmdet_model import import_mmdet
from uniemox_mm.models.detectors.mmdet_zoo import find_in_zoo
from uniemox_mm.models.detectors.person_detector import DEFAULT
from uniemox_mm.preparation.person_boxes import ReadyImages, write_person_boxes

# Width and height of photographs, 3:2 and 4:3, both ways.
SHAPES = ((1024, 683), (683, 1024), (1024, 768), (768, 1024))


def draw(folder: Path, count: int) -> ImageList:
    """Writes noise that is as hard to decode as a photograph."""
    rng = np.random.default_rng(0)
    for i in range(count):
        size = SHAPES[i % len(SHAPES)]
        coarse = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize(size), np.int16)
        grain = rng.integers(-12, 13, smooth.shape, np.int16)
        picture = (smooth + grain).clip(0, 255).astype(np.uint8)
        Image.fromarray(picture).save(folder / f'{i:05d}.jpg', quality=85)
    return list_images([folder])


def random_weights(path: Path) -> Path:
    """A checkpoint of the default detector with random weights."""
    import_mmdet()
    from mmdet.registry import MODELS

    found = find_in_zoo(DEFAULT)
    assert found is not None
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(Config.fromfile(found[0]).model)
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


def rate(function, count: int, device: torch.device) -> float:
    """Calls a second, of ``count`` done by one call."""
    start = time.perf_counter()
    function()
    if device.type == 'cuda':
        torch.cuda.synchronize()
    return count / (time.perf_counter() - start)


def matmul_peak(device: torch.device) -> float:
    """Multiply-adds a second of a large float32 product."""
    n = 8192 if device.type == 'cuda' else 2048
    a = torch.rand(n, n, device=device)
    for _ in range(3):
        a @ a
    return max(rate(lambda: a @ a, n**3, device) for _ in range(5))


def measure(args: argparse.Namespace, folder: Path) -> dict:
    device = torch.device(args.device)
    weights = random_weights(folder / 'weights.pth')
    (folder / 'images').mkdir()
    images = draw(folder / 'images', args.images)
    detector = PersonDetector(weights, batch_size=args.batch_size).to(device)
    ready = ReadyImages(images, detector.pipeline)
    some = [ready[i] for i in range(min(args.batch_size, args.images))]
    for image in some:
        image['inputs'] = torch.from_numpy(image['inputs'])
    shapes = [tuple(image['inputs'].shape) for image in some]
    padded = [(c, -(-h // 32) * 32, -(-w // 32) * 32) for c, h, w in shapes]
    logging.disable(logging.WARNING)  # of operators that are not counted
    counted = {
        shape: get_model_complexity_info(
            detector.detector, shape, show_table=False, show_arch=False
        )['flops']
        for shape in set(padded)
    }
    logging.disable(logging.NOTSET)
    macs = np.mean([counted[shape] for shape in padded])
    detector.detect(some)  # warm up
    network = max(
        rate(lambda: detector.detect(some), len(some), device)
        for _ in range(3)
    )
    peak = matmul_peak(device)
    rows = []
    for workers in args.workers:
        loader = DataLoader(
            ready,
            args.batch_size,
            sampler=range(args.images),
            num_workers=workers,
            collate_fn=list,
        )
        loading = rate(lambda loader=loader: list(loader), args.images, device)
        out = folder / f'{workers}.json'
        whole = rate(
            lambda out=out, workers=workers: write_person_boxes(
                images, out, detector, workers
            ),
            args.images,
            device,
        )
        rows.append(dict(workers=workers, loading=loading, whole=whole))
    name = platform.processor() or platform.machine()
    if device.type == 'cuda':
        name = torch.cuda.get_device_name(device)
    return dict(
        device=name,
        cpus=os.cpu_count(),
        torch=torch.__version__,
        images=args.images,
        batch_size=args.batch_size,
        multiply_adds=float(macs),
        matmul_peak=peak,
        predicted=peak / macs,
        network=network,
        rows=rows,
    )


def print_table(result: dict) -> None:
    print(
        f'{result["device"]}, {result["cpus"]} CPUs, torch '
        f'{result["torch"]}, {result["images"]} JPEGs of 1024 pixels, '
        f'batches of {result["batch_size"]}\n'
        f'One image: {result["multiply_adds"] / 1e9:.1f} G multiply-adds; '
        f'this device: {result["matmul_peak"] / 1e9:.0f} G a second in a '
        f'large product, so about {result["predicted"]:.1f} images a '
        f'second\n\n'
        '| workers | loading alone | network alone | both |\n'
        '|---|---|---|---|'
    )
    for row in result['rows']:
        print(
            f'| {row["workers"]} | {row["loading"]:.1f} | '
            f'{result["network"]:.1f} | {row["whole"]:.1f} |'
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--images', type=int, default=128)
    parser.add_argument('--batch-size', type=int, default=32)
    parser.add_argument('--workers', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    parser.add_argument('--out', type=Path, help='JSON file')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(args, Path(folder))
    print_table(result)
    if args.out:
        args.out.write_text(json.dumps(result, indent=1))


if __name__ == '__main__':
    main()
