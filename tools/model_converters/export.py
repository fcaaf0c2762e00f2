r"""Writes a checkpoint in a format that others read.

safetensors   every weight, decoder and fusion too, and JSON that describes it
timm          a folder for timm.create_model('local-dir:DST', pretrained=True)
onnx          a classifier for any size of batch (extra: export)
torch-export  the same, for torch.export.load

Examples:
    python tools/model_converters/export.py work_dirs/vit-l_uniemox_fi \
        fi.onnx --to onnx
    python tools/model_converters/export.py epoch_200.pth u.safetensors \
        --to safetensors --config configs/uniemox_vit-l_pretrain.py
"""

import argparse
import sys

import uniemox_mm  # noqa: F401  (registers the parts)
from uniemox_mm.export.export_checkpoint import EXPORTS, export_checkpoint


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        'checkpoint',
        help='file, or work dir, of which the best on val is taken',
    )
    parser.add_argument(
        'target', metavar='DST', help='file, or for timm folder, to write'
    )
    parser.add_argument('--to', dest='form', choices=[*EXPORTS], required=True)
    parser.add_argument(
        '--config',
        help='config that it was trained with (the only one beside it)',
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        metavar='NAME',
        help='names of the classes, where the config does not know them',
    )
    return parser.parse_args()


def main() -> None:
    try:
        written = export_checkpoint(**vars(parse_args()))
    except (ImportError, OSError, ValueError) as error:
        sys.exit(str(error))
    print('Written:', *written, sep='\n  ')


if __name__ == '__main__':
    main()
