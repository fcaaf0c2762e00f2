"""The picture of what encoders reach with fewer training images."""

from pathlib import Path

from matplotlib.figure import Figure

from uniemox_mm.utils.figures import save_figure

from .table import Results


def draw_learning_curves(path: Path, results: Results) -> None:
    """Draws top-1 over the share of the training images, as in Fig. 7.

    Args:
        path (Path): The file, a PNG. None is written while there is no
            result.
        results (Results): A line for each dataset that has any.
    """
    figure = Figure(figsize=(6.4, 4.4), dpi=120, layout='constrained')
    axis = figure.subplots()
    for name, title in zip(results.datasets, results.titles, strict=True):
        curve = sorted(results.curve(name))
        if curve:
            shares, top1 = zip(*curve, strict=True)
            percents = [100 * share for share in shares]
            axis.plot(percents, top1, marker='o', label=title)
    if not axis.lines:
        return
    axis.set(
        title=results.method,
        xlabel='training images (%)',
        ylabel='top-1 on test (%)',
        xlim=(0, 105),
    )
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)
    save_figure(path, figure)
