"""Features by class, as points."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from uniemox_mm.utils.figures import save_figure

from .embeddings import Embedding

_PANEL = 4.6  # inches


def draw_embeddings(
    path: str | Path,
    embeddings: Mapping[str, Embedding],
    method: str,
    split: str,
) -> None:
    """Draws a panel for each encoder, a color for each class.

    Args:
        path (str | Path): The file, a PNG.
        embeddings (Mapping[str, Embedding]): Name -> points, all of the same
            classes.
        method (str): What made the points, for the title.
        split (str): Of the dataset, for the title.

    Raises:
        ValueError: The classes differ.
    """
    known = {found.classes for found in embeddings.values()}
    if len(known) > 1:
        raise ValueError(
            'these were embedded with different classes: '
            + '; '.join(', '.join(classes) for classes in known)
        )
    (classes,) = known
    figure = Figure(
        figsize=(max(6, _PANEL * len(embeddings)), _PANEL + 1.2),
        dpi=120,
        layout='constrained',
    )
    figure.suptitle(title_of(list(embeddings.values()), method, split))
    axes = figure.subplots(1, len(embeddings), squeeze=False)[0]
    colors = class_colors(len(classes))
    for axis, (name, found) in zip(axes, embeddings.items(), strict=True):
        # Mixed, or the last class would cover the others.
        order = np.random.default_rng(0).permutation(len(found.labels))
        axis.scatter(
            *found.points[order].T,
            s=16,
            color=colors[found.labels[order]],
            alpha=0.8,
            linewidths=0,
        )
        axis.set(
            title=f'{name}, silhouette {found.silhouette:.3f}',
            xticks=[],
            yticks=[],
        )
    handles = [
        Line2D([], [], color=color, marker='o', linestyle='', label=name)
        for name, color in zip(classes, colors, strict=True)
    ]
    figure.legend(
        handles=handles,
        loc='outside lower center',
        ncols=min(len(handles), 4 if len(embeddings) == 1 else 6),
        frameon=False,
    )
    save_figure(path, figure)


def title_of(found: Sequence[Embedding], method: str, split: str) -> str:
    """What is shown, such as 't-SNE of 192 images, Emo8 test'."""
    counts = {len(embedding.labels) for embedding in found}
    datasets = {embedding.dataset: None for embedding in found}
    return (
        f'{method} of {" or ".join(map(str, sorted(counts)))} images, '
        f'{" and ".join(datasets)} {split}'
    )


def class_colors(count: int) -> np.ndarray:
    """A color for each class, (count, 4), RGBA."""
    if count <= 10:
        return np.array([colormaps['tab10'](i) for i in range(count)])
    return colormaps['turbo'](np.linspace(0, 1, count))
