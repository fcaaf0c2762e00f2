r"""Export a checkpoint to a format that other projects read.

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

from mmpretrain.models import BaseClassifier

import uniemox_mm  # noqa: F401  (registers the parts)
from uniemox_mm.apis.load_model import load_model
from uniemox_mm.engine.read_config import resolve_checkpoint
from uniemox_mm.export.export_model import (
    EXPORT_FORMATS,
    check_export,
    export_model,
)
from uniemox_mm.utils.quiet import quiet_logging
from uniemox_mm.weights.checked_loading import MisfitError, check_weights
from uniemox_mm.weights.read_checkpoint import load_weights


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
    parser.add_argument(
        '--to', dest='format', choices=[*EXPORT_FORMATS], required=True
    )
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


def load(checkpoint, config, classes):
    """Load a model, of pretraining with the parts that a checkpoint has.

    MAE's, for one, has no fusion.
    """
    try:
        return load_model(checkpoint, config, classes)
    except MisfitError:
        model = load_model(checkpoint, config, classes, part='backbone')
        if isinstance(model, BaseClassifier):
            raise
    weights = load_weights(checkpoint)
    with quiet_logging():
        check_weights(model, weights)
    model.load_state_dict(weights, strict=False)
    given = {key.split('.')[0] for key in weights}
    for part in {key.split('.')[0] for key in model.state_dict()} - given:
        delattr(model, part)
    return model


def main() -> None:
    args = parse_args()
    try:
        checkpoint = resolve_checkpoint(args.checkpoint)
        check_export(checkpoint, args.target, args.format)
        model = load(checkpoint, args.config, args.classes)
        written = export_model(model, args.target, args.format)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(str(error))
    print('Written:', *written, sep='\n  ')


if __name__ == '__main__':
    main()
