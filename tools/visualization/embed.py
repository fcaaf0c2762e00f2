r"""Draw the features of encoders in two dimensions, by t-SNE or UMAP.

One panel per checkpoint and one color per class of a split. Checkpoints are
classifiers, or pretrained encoders with the config of a classifier. The
silhouette score is that of the features, not of the picture.

Examples:
    python tools/visualization/embed.py \
        --checkpoint work_dirs/demo/finetune work_dirs/demo/scratch
    python tools/visualization/embed.py --checkpoint mae.pth ours.pth \
        --config configs/linear_probe/vit-l_uniemox.py --dataset fi \
        --data-root data/FI --method umap --num 2000
"""

import argparse
import sys

import uniemox_mm  # noqa: F401  (registers the parts)
from uniemox_mm.apis.load_model import load_model
from uniemox_mm.apis.name_checkpoints import add_checkpoints, name_checkpoints
from uniemox_mm.utils.figures import save_figure
from uniemox_mm.visualization.embeddings import draw_embeddings, embed_split

TITLES = dict(tsne='t-SNE', umap='UMAP')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add_checkpoints(parser)
    parser.add_argument('--dataset', help='for configs for any dataset')
    parser.add_argument('--data-root', help="instead of the configs'")
    parser.add_argument(
        '--split', default='test', help='test, val or train (%(default)s)'
    )
    parser.add_argument(
        '--method', choices=TITLES, default='tsne', help='(%(default)s)'
    )
    parser.add_argument(
        '--num', type=int, help='maximum number of random images (all)'
    )
    parser.add_argument('--perplexity', type=float, help='of t-SNE (30)')
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='of the method and the choice (%(default)s)',
    )
    parser.add_argument(
        '--out', default='embedding.png', help='the picture (%(default)s)'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    found = {}
    try:
        for checkpoint in name_checkpoints(
            args.checkpoint,
            args.config,
            args.names,
            args.data_root,
            args.dataset,
        ):
            model = load_model(
                checkpoint.path, checkpoint.config, part='backbone'
            )
            embedding = embed_split(
                model,
                args.split,
                args.method,
                args.seed,
                args.num,
                args.perplexity,
                title=f'features of {checkpoint.name}',
            )
            found[checkpoint.name] = embedding
            print(
                f'{checkpoint.name}: silhouette {embedding.silhouette:.3f} '
                f'on {len(embedding.labels)} images of {args.split}'
            )
        figure = draw_embeddings(found, TITLES[args.method], args.split)
    except (OSError, ValueError, ImportError) as error:
        sys.exit(str(error))
    save_figure(args.out, figure)
    print(f'{TITLES[args.method]}: {args.out}')


if __name__ == '__main__':
    main()
