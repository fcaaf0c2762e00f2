r"""Convert weights of other projects to a checkpoint for this one.

Reads MAE, UniEmoX as its authors published it, dBOT, timm, open_clip, CLIP as
OpenAI published it, and MMPretrain; ViTs only. Nothing but weights is read:
a file that asks for code is refused. DST is for --load-from of
tools/train.py and, of a classifier, for tools/test.py; DST.report.txt accounts
for every key.

Examples:
    python tools/model_converters/convert.py mae_pretrain_vit_large.pth \
        weights/mae_vit-l.pth
    python tools/model_converters/convert.py ViT-B-16.pt weights/clip_b.pth
    python tools/model_converters/convert.py SRC DST --img-size 384 \
        --leave-out 'head.*' 'fc_norm.*'
"""

import argparse
import sys

import uniemox_mm  # noqa: F401  (registers the parts)
from uniemox_mm.weights import convert_checkpoint
from uniemox_mm.weights.formats import FORMATS


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('source', metavar='SRC', help='file of weights')
    parser.add_argument('target', metavar='DST', help='checkpoint to write')
    parser.add_argument(
        '--from',
        dest='source_format',
        choices=['auto', *FORMATS],
        default='auto',
        help="whose names they are (auto: by the file's keys)",
    )
    parser.add_argument(
        '--img-size',
        type=int,
        metavar='PIXELS',
        help='side of the images it is for; position embeddings are adapted',
    )
    parser.add_argument(
        '--patch-size',
        type=int,
        metavar='PIXELS',
        help='side of the patches, which must be that of the file',
    )
    parser.add_argument(
        '--leave-out',
        nargs='+',
        default=[],
        metavar='PATTERN',
        help="keys of SRC not to take, such as 'head.*'",
    )
    parser.add_argument(
        '--allow-missing',
        nargs='+',
        default=[],
        metavar='PATTERN',
        help="keys, by MMPretrain's names, that may be missing",
    )
    parser.add_argument(
        '--pre-norm',
        action='store_true',
        help="keep CLIP's norm before the first block, for a model with "
        'pre_norm=True',
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        metavar='NAME',
        help="names of the head's classes, in its order",
    )
    return parser.parse_args()


def main() -> None:
    args = vars(parse_args())
    source, target = args.pop('source'), args.pop('target')
    try:
        report = convert_checkpoint(source, target, **args)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    print(*report.summary(), f'Written to {target}', sep='\n')


if __name__ == '__main__':
    main()
