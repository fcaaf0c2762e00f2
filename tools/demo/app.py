r"""Serve a web page that predicts the emotions of an uploaded image.

It also shows people, Grad-CAM and the reconstruction of the masked image.
Needs the packages gradio and grad-cam, and no network.

Examples:
    python tools/demo/app.py --checkpoint work_dirs/demo/finetune \
        --pretrained work_dirs/demo --persons data/drawn_emoset/persons.json \
        --examples data/drawn_emoset/image
    python tools/demo/app.py --checkpoint best.pth --config fi.py \
        --persons yolov3_d53_mstrain-416_273e_coco --port 8000
    python tools/demo/app.py --zero-shot openai
"""

import argparse
import sys
from pathlib import Path

import uniemox_mm  # noqa: F401  (registers the parts)
from uniemox_mm.apis.page import (
    build_page,
    choose_examples,
    import_gradio,
    load_models,
    serve,
)


def port_number(text: str) -> int:
    """Parse a port.

    Raises:
        argparse.ArgumentTypeError: It is not one.
    """
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f'{text!r}: expected 1 to 65535')
    return int(text)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument(
        '--checkpoint',
        help='classifier: file, or work dir for its best checkpoint',
    )
    model.add_argument(
        '--zero-shot',
        metavar='WEIGHTS',
        help='CLIP without training: a tag of open_clip to download, such as\n'
        'openai; or a file',
    )
    parser.add_argument(
        '--config', help='config of the checkpoint (the one in its folder)'
    )
    parser.add_argument(
        '--clip-model',
        default='ViT-B-16-quickgelu',
        help="open_clip's name of the model (%(default)s)",
    )
    parser.add_argument(
        '--pretrained',
        help='checkpoint of pretraining, or work dir, for reconstructions',
    )
    parser.add_argument(
        '--pretrained-config', help='its config (the one in its folder)'
    )
    parser.add_argument(
        '--persons',
        help="detector's checkpoint, or a name in MMDetection's index to\n"
        'download; or *.json, the boxes file in the root of a dataset,\n'
        'for images of this dataset',
    )
    parser.add_argument(
        '--persons-config',
        help='config of the detector (its own, or YOLOv3 at 416)',
    )
    parser.add_argument(
        '--examples', type=Path, help='folder to choose eight examples from'
    )
    parser.add_argument('--device', help='cuda if there is one, or cpu')
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to listen on (%(default)s: this machine only;\n'
        '0.0.0.0: all networks, without a password)',
    )
    parser.add_argument(
        '--port', type=port_number, default=7860, help='(%(default)s)'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        import_gradio()  # before models are loaded for a minute
        examples = choose_examples(args.examples) if args.examples else []
        models = load_models(
            args.checkpoint,
            args.config,
            args.zero_shot,
            args.clip_model,
            args.pretrained,
            args.pretrained_config,
            args.persons,
            args.persons_config,
            args.device,
        )
        serve(build_page(models, examples), args.host, args.port)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        sys.exit(str(error))


if __name__ == '__main__':
    main()
