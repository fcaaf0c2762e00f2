"""The table and the curves of a checkpoint's results, beside the paper."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from uniemox_mm.datasets.named_datasets import NAMED_DATASETS
from uniemox_mm.evaluation.paper_results import PAPER_RESULTS
from uniemox_mm.utils.figures import save_figure
from uniemox_mm.utils.markdown_table import markdown_table

_METRICS = {
    'top1': 'top-1',
    'macro_f1': 'macro F1',
    'weighted_f1': 'weighted F1',
    'images': 'test images',
}
_KNN = 'k-NN top-1'

# The metrics of a job, or why there are none.
Outcome = Mapping | str


@dataclass(frozen=True)
class Results:
    """The outcomes of a checkpoint so far.

    Attributes:
        method (str): The checkpoint's name.
        datasets (Sequence[str]): Keys of :data:`NAMED_DATASETS`, the columns.
        outcomes (Mapping): (dataset, fraction of the training images) ->
            outcome. The fraction is None if it is what the config says.
        knn (Mapping): Dataset -> outcome of k-NN. Defaults to {}.
    """

    method: str
    datasets: Sequence[str]
    outcomes: Mapping[tuple[str, float | None], Outcome]
    knn: Mapping[str, Outcome] = field(default_factory=dict)

    @property
    def fractions(self) -> list[float | None]:
        """The fractions, in their order."""
        return list(dict.fromkeys(fraction for _, fraction in self.outcomes))

    @property
    def titles(self) -> list[str]:
        """Names of the columns."""
        return [NAMED_DATASETS[name].title for name in self.datasets]

    def row(self, fraction: float | None, metric: str = 'top1') -> list[str]:
        """Return the cells of one fraction and metric."""
        return [
            cell(self.outcomes[name, fraction], metric)
            for name in self.datasets
        ]

    def curve(self, dataset: str) -> list[tuple[float, float]]:
        """Return fraction and top-1 of what was measured."""
        points = [(f, self.outcomes[dataset, f]) for f in self.fractions]
        return [
            (fraction, outcome['top1'])
            for fraction, outcome in points
            if fraction is not None and not isinstance(outcome, str)
        ]


def cell(outcome: Outcome, metric: str) -> str:
    """Return a metric of a job as text, or why there is none."""
    if isinstance(outcome, str):
        return outcome
    value = outcome[metric]
    return str(value) if isinstance(value, int) else f'{value:.2f}'


def _percent(fraction: float | None) -> str:
    return '' if fraction is None else f'{100 * fraction:g} %'


def markdown(results: Results) -> str:
    """Return the tables: beside the paper, in detail, learning curves."""
    method, fractions = results.method, results.fractions
    own = [[method, *results.row(f)] for f in fractions if f in (None, 1)]
    parts = [
        f'# {method} on emotional images',
        'Top-1 in percent. Rows with (paper) are Table III of arXiv '
        '2409.18877, none of them\nmeasured here; - is what it leaves out. '
        'The splits of the paper are not public.',
    ]
    if not own:
        parts.append(
            'This checkpoint has no row, since none of its runs saw all '
            'training images.'
        )
    header = ['method', *results.titles]
    parts.append(markdown_table(header, [*own, *_paper_rows(results)]))
    details = _details(results)
    if details:
        header = ['dataset', *_METRICS.values()]
        header[1:1] = ['of train'] if fractions != [None] else []
        header += [_KNN] if results.knn else []
        parts += [
            f'## {method} in detail',
            markdown_table(header, details),
        ]
    if fractions != [None]:
        columns = [results.row(fraction) for fraction in fractions]
        parts += [
            '## Top-1 by fraction of the training images',
            markdown_table(
                ['dataset', *map(_percent, fractions)],
                zip(results.titles, *columns, strict=True),
            ),
        ]
    return '\n\n'.join(parts) + '\n'


def csv_text(results: Results) -> str:
    """Return the same as CSV: by fraction and metric, then the paper."""
    file = io.StringIO()
    table = csv.writer(file, lineterminator='\n')
    table.writerow(['method', 'of train', 'measure', *results.titles])
    for fraction in results.fractions:
        for key, name in _METRICS.items():
            row = results.row(fraction, key)
            table.writerow([results.method, _percent(fraction), name, *row])
    if results.knn:
        row = [cell(results.knn[name], 'top1') for name in results.datasets]
        table.writerow([results.method, '', _KNN, *row])
    for method, *row in _paper_rows(results):
        table.writerow([method, '100 %', 'top-1', *row])
    return file.getvalue()


def _paper_rows(results: Results) -> list[list[str]]:
    rows = []
    for method, row in PAPER_RESULTS.items():
        values = [row.get(name) for name in results.datasets]
        cells = ['-' if v is None else f'{v:.2f}' for v in values]
        rows.append([f'{method} (paper)', *cells])
    return rows


def _details(results: Results) -> list[list[str]]:
    """One row for each job with a result."""
    rows = []
    for (name, fraction), outcome in results.outcomes.items():
        cells = [cell(outcome, metric) for metric in _METRICS]
        outcomes = [outcome]
        if results.knn:
            outcomes.append(results.knn[name])
            cells.append(cell(results.knn[name], 'top1'))
        if not all(isinstance(outcome, str) for outcome in outcomes):
            if fraction is not None:
                cells.insert(0, _percent(fraction))
            rows.append([NAMED_DATASETS[name].title, *cells])
    return rows


def draw_learning_curves(path: Path, results: Results) -> None:
    """Draw top-1 over the fraction of the training images, as in Fig. 7.

    Args:
        path (Path): The file, a PNG. None is written without any result.
        results (Results): A line for each dataset that has any.
    """
    figure = Figure(figsize=(6.4, 4.4), dpi=120, layout='constrained')
    axis = figure.subplots()
    for name, title in zip(results.datasets, results.titles, strict=True):
        curve = sorted(results.curve(name))
        if curve:
            fractions, top1 = zip(*curve, strict=True)
            percents = [100 * fraction for fraction in fractions]
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
