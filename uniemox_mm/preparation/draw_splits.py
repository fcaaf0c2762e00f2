"""Draw how similar the splits of a dataset are in their colors."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uniemox_mm.utils.figures import save_figure

from .color_histograms import ColorPlane

SIZE = 1600, 520  # pixels
_DPI = 100
_POINTS = 150  # per emotion and panel
_SHOWN = 1, 99  # percentiles


def draw_splits(
    path: Path,
    plane: ColorPlane,
    labels: Sequence[int],
    splits: Mapping[str, Sequence[int]],
    classes: Sequence[str],
    title: str,
) -> None:
    """Draw images as points by their colors, as Fig. 6 of the paper.

    One panel shows all images and one each split, with the same axes. At
    most 150 images of an emotion are drawn in each, chosen at random. The
    few outliers are cut off, since they would squeeze all others together.
    ``labels`` are per image; ``splits`` maps each to the rows of its images.
    """
    figure = Figure(
        figsize=(SIZE[0] / _DPI, SIZE[1] / _DPI),
        dpi=_DPI,
        layout='constrained',
    )
    panels = {'all': range(len(labels)), **splits}
    axes = figure.subplots(1, len(panels), sharex=True, sharey=True)
    rng = np.random.default_rng(0)
    for axis, (name, rows) in zip(axes, panels.items(), strict=True):
        axis.set_title(f'{name} ({len(rows):,})')
        _draw_panel(
            axis, plane, np.asarray(labels), np.asarray(rows), classes, rng
        )
    low, high = np.percentile(plane.points, _SHOWN, axis=0)
    margin = np.maximum((high - low) * 0.05, 1e-9)
    axes[0].set_xlim(low[0] - margin[0], high[0] + margin[0])
    axes[0].set_ylim(low[1] - margin[1], high[1] + margin[1])
    first, second = plane.explained
    for axis in axes:
        axis.set_xlabel(f'component 1 ({first:.0%} of the variance)')
    axes[0].set_ylabel(f'component 2 ({second:.0%})')
    figure.suptitle(title)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(
        *(handles, names),
        loc='outside lower center',
        ncols=len(names),
        frameon=False,
        markerscale=2,
    )
    save_figure(path, figure)


def _draw_panel(
    axis: Axes,
    plane: ColorPlane,
    labels: np.ndarray,
    rows: np.ndarray,
    classes: Sequence[str],
    rng: np.random.Generator,
) -> None:
    chosen, colors = [], []
    for label, name in enumerate(classes):
        own = rng.permutation(rows[labels[rows] == label])[:_POINTS]
        chosen.append(plane.points[own])
        colors += [colormaps['tab10'](label)] * len(own)
        axis.scatter([], [], s=14, color=colormaps['tab10'](label), label=name)
    # Mixed, or the last emotion would cover the others.
    points = np.concatenate(chosen)
    order = rng.permutation(len(points))
    axis.scatter(
        *points[order].T,
        s=14,
        color=[colors[i] for i in order],
        alpha=0.7,
        linewidths=0,
    )
    axis.grid(alpha=0.3)
