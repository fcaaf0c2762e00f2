"""Says what pretraining was worth: `compare.py PRETRAINED SCRATCH`.

The arguments are folders that tools/test.py wrote.
"""

import argparse
import json
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('pretrained', type=Path)
    parser.add_argument('scratch', type=Path)
    args = parser.parse_args()
    metrics = {
        name: json.loads((folder / 'metrics.json').read_text())
        for name, folder in vars(args).items()
    }
    one = metrics['pretrained']
    print(
        f'Top-1 on {one["images"]} {one["split"]} images: '
        f'{one["top1"]:.1f} % pretrained and fine-tuned, '
        f'{metrics["scratch"]["top1"]:.1f} % from scratch in as many steps, '
        f'{100 / len(one["classes"]):.1f} % by chance'
    )


if __name__ == '__main__':
    main()
