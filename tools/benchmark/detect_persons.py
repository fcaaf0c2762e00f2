r"""Measure how fast people are found, and where the time goes.

Random weights of the real architecture are as fast as trained ones, and the
pictures are drawn, so nothing is needed but the machine. Prints a table in
Markdown; --out writes it as JSON.

Examples:
    python tools/benchmark/detect_persons.py --out people.json
    python tools/benchmark/detect_persons.py --images 4000 --workers 4 8 16
"""

import argparse
import json
import logging
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from machine import describe_machine, machine_text, matmul_peak
from mmengine.analysis import get_model_complexity_info
from mmengine.config import Config
from mmengine.registry import DefaultScope
from photographs import photographs
from torch.utils.data import DataLoader

from uniemox_mm.datasets.image_lists import list_images
from uniemox_mm.models import PersonDetector
from uniemox_mm.models.detectors.load_detector import import_mmdet
from uniemox_mm.models.detectors.mmdet_zoo import find_in_zoo
from uniemox_mm.models.detectors.person_detector import DEFAULT
from uniemox_mm.preparation.write_person_boxes import (
    PreprocessedImages,
    write_person_boxes,
)
from uniemox_mm.utils.markdown_table import markdown_table


def random_weights(path: Path) -> Path:
    """Write a checkpoint of the default detector with random weights."""
    import_mmdet()
    from mmdet.registry import MODELS

    found = find_in_zoo(DEFAULT)
    assert found is not None
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(Config.fromfile(found[0]).model)
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


def rate(function, count: int, device: torch.device) -> float:
    """Return how many a second, if one call does ``count``."""
    start = time.perf_counter()
    function()
    if device.type == 'cuda':
        torch.cuda.synchronize()
    return count / (time.perf_counter() - start)


def measure(args: argparse.Namespace, folder: Path) -> dict:
    device = torch.device(args.device)
    weights = random_weights(folder / 'weights.pth')
    (folder / 'images').mkdir()
    for number, (content, _) in enumerate(photographs(args.images)):
        (folder / f'images/{number:05d}.jpg').write_bytes(content)
    images = list_images([folder / 'images'])
    detector = PersonDetector(weights, batch_size=args.batch_size).to(device)
    ready = PreprocessedImages(images, detector.pipeline)
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
    return dict(
        machine=describe_machine(device),
        images=args.images,
        batch_size=args.batch_size,
        multiply_adds=float(macs),
        matmul_peak=peak,
        predicted=peak / macs,
        network=network,
        rows=rows,
    )


def markdown(result: dict) -> str:
    """Return a table of what was measured."""
    rates = [
        [row['workers'], *(f'{row[k]:.1f}' for k in ('loading', 'whole'))]
        for row in result['rows']
    ]
    return (
        f'{machine_text(result["machine"])}, {result["images"]} JPEGs of 1024 '
        f'pixels, batches of {result["batch_size"]}\n'
        f'One image: {result["multiply_adds"] / 1e9:.1f} G multiply-adds; '
        f'this device: {result["matmul_peak"] / 1e9:.0f} G a second in a '
        f'large product, so about {result["predicted"]:.1f} images a second.\n'
        f'The network alone: {result["network"]:.1f} images a second.\n\n'
        + markdown_table(['workers', 'loading alone', 'all'], rates)
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
    print(markdown(result))
    if args.out:
        args.out.write_text(json.dumps(result, indent=1))


if __name__ == '__main__':
    main()
