r"""Draw Grad-CAM of classifiers over images.

One row per image and one column per classifier, with the predicted class and
its score. Images are preprocessed by the classifier's test pipeline. Works for
vision transformers and convolutional networks of MMPretrain.

Examples:
    python tools/visualization/cam.py photos/*.jpg \
        --checkpoint work_dirs/demo/finetune work_dirs/demo/scratch
    python tools/visualization/cam.py beach.jpg --checkpoint work_dirs/fi \
        --target awe --layer backbone.layers.20.ln1
"""

import argparse
import sys

import uniemox_mm  # noqa: F401  (registers the parts)
from uniemox_mm.apis.load_model import check_classifies, load_model
from uniemox_mm.apis.name_checkpoints import add_checkpoints, name_checkpoints
from uniemox_mm.utils.figures import save_figure
from uniemox_mm.visualization.grad_cam import draw_grad_cam


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('images', nargs='+', help='images or folders of them')
    add_checkpoints(parser, 'classifiers: ')
    parser.add_argument('--dataset', help='for configs for any dataset')
    parser.add_argument(
        '--target', help='class of the heatmaps (the predicted one)'
    )
    parser.add_argument(
        '--layer', help='target layer, by its name in the model (a late one)'
    )
    parser.add_argument(
        '--out', default='cam.png', help='the picture (%(default)s)'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        checkpoints = name_checkpoints(
            args.checkpoint, args.config, args.names, dataset=args.dataset
        )
        models = {}
        for checkpoint in checkpoints:
            model = load_model(checkpoint.path, checkpoint.config)
            check_classifies(model)
            models[checkpoint.name] = model
        figure = draw_grad_cam(models, args.images, args.target, args.layer)
    except (OSError, ValueError, ImportError) as error:
        sys.exit(str(error))
    save_figure(args.out, figure)
    print(f'Grad-CAM: {args.out}')


if __name__ == '__main__':
    main()
