"""Draws the small datasets that the demonstration trains on.

Examples:
    python tools/demo/draw_dataset.py data/drawn_emoset
    python tools/demo/draw_dataset.py data/drawn_emo8 --layout emo8
"""

import argparse

from drawn_emoset import draw_class_folders, draw_emoset


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('root', help='folder to write; kept if it exists')
    parser.add_argument(
        '--layout',
        choices=['emoset', 'emo8'],
        default='emoset',
        help="EmoSet's, or a folder an emotion as in Emo8",
    )
    emoset = parser.add_argument_group('emoset')
    emoset.add_argument('--train', type=int, default=384)
    emoset.add_argument('--val', type=int, default=64)
    emoset.add_argument('--test', type=int, default=64)
    emo8 = parser.add_argument_group('emo8')
    emo8.add_argument('--per-class', type=int, default=240)
    parser.add_argument('--size', type=int, default=160, help='pixels high')
    parser.add_argument(
        '--seed', type=int, help='other pictures (0 for emoset, 1 for emo8)'
    )
    args = parser.parse_args()
    look = dict(size=args.size)
    if args.seed is not None:
        look['seed'] = args.seed
    if args.layout == 'emo8':
        root = draw_class_folders(args.root, args.per_class, **look)
    else:
        root = draw_emoset(args.root, args.train, args.val, args.test, **look)
    print(f'{root} is ready.')


if __name__ == '__main__':
    main()
