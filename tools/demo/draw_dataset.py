"""Draws the small EmoSet-format data set that the demonstration trains on.

Example:
    python tools/demo/draw_dataset.py data/drawn_emoset
"""

import argparse

from uniemox_mm.datasets.drawn_emoset import draw_emoset


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('root', help='folder to write; kept if it exists')
    parser.add_argument('--train', type=int, default=384)
    parser.add_argument('--val', type=int, default=64)
    parser.add_argument('--test', type=int, default=64)
    parser.add_argument('--size', type=int, default=160, help='pixels high')
    parser.add_argument('--seed', type=int, default=0)
    print(f'{draw_emoset(**vars(parser.parse_args()))} is ready.')


if __name__ == '__main__':
    main()
