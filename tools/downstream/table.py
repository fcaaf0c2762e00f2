"""The table of a checkpoint's results beside those of the paper."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from uniemox_mm.datasets.named_datasets import NAMED_DATASETS
from uniemox_mm.evaluation.paper_results import PAPER_RESULTS

_MEASURES = {
    'top1': 'top-1',
    'macro_f1': 'macro F1',
    'weighted_f1': 'weighted F1',
    'images': 'test images',
}
_OF_NEIGHBOURS = 'k-NN top-1'

# The metrics of a job, or why there are none.
Outcome = Mapping | str


@dataclass(frozen=True)
class Results:
    """What is known of a checkpoint.

    Attributes:
        method (str): The checkpoint's name.
        datasets (Sequence[str]): Keys of :data:`NAMED_DATASETS`: the columns.
        outcomes (Mapping): (dataset, share of the training images) ->
            outcome. The share is None where it is what the config says.
        neighbours (Mapping): Dataset -> outcome of k-NN. Defaults to {}.
    """

    method: str
    datasets: Sequence[str]
    outcomes: Mapping[tuple[str, float | None], Outcome]
    neighbours: Mapping[str, Outcome] = field(default_factory=dict)

    @property
    def shares(self) -> list[float | None]:
        """The shares, in their order."""
        return list(dict.fromkeys(share for _, share in self.outcomes))

    @property
    def titles(self) -> list[str]:
        """Names of the columns."""
        return [NAMED_DATASETS[name].title for name in self.datasets]

    def row(self, share: float | None, measure: str = 'top1') -> list[str]:
        """Texts for one share and measure."""
        return [
            show(self.outcomes[name, share], measure) for name in self.datasets
        ]

    def curve(self, dataset: str) -> list[tuple[float, float]]:
        """Share and top-1 of what was measured."""
        points = [(s, self.outcomes[dataset, s]) for s in self.shares]
        return [
            (share, outcome['top1'])
            for share, outcome in points
            if share is not None and not isinstance(outcome, str)
        ]


def show(outcome: Outcome, measure: str) -> str:
    """A number of a job as text, or why there is none."""
    if isinstance(outcome, str):
        return outcome
    value = outcome[measure]
    return str(value) if isinstance(value, int) else f'{value:.2f}'


def percent(share: float | None) -> str:
    """A share as text, blank where it is what the config says."""
    return '' if share is None else f'{100 * share:g} %'


def markdown(results: Results) -> str:
    """The tables as text: beside the paper, in detail, learning curves."""
    method = results.method.replace('|', '\\|')
    whole = [share for share in results.shares if share in (None, 1)]
    own = [[method, *results.row(share)] for share in whole]
    parts = [
        f'# {method} on emotional images',
        'Top-1 in percent. Rows with (paper) are Table III of arXiv '
        '2409.18877, none of them\nmeasured here; what it leaves out is -. '
        'The splits of the paper are not public.',
    ]
    if not own:
        parts.append(
            'Nothing of this checkpoint is in this table, since none of its '
            'runs saw all training images.'
        )
    head = ['method', *results.titles]
    parts.append(_table(head, *own, *_paper(results)))
    lines = _detail(results)
    if len(lines) > 1:
        parts += [f'## {method} in detail', _table(*lines)]
    if results.shares != [None]:
        head = ['dataset', *map(percent, results.shares)]
        rows = [results.row(share) for share in results.shares]
        parts.append('## Top-1 by share of the training images')
        columns = zip(results.titles, *rows, strict=True)
        parts.append(_table(head, *columns))
    return '\n\n'.join(parts) + '\n'


def csv_text(results: Results) -> str:
    """The same as CSV: a line for each share and measure, then the paper."""
    file = io.StringIO()
    table = csv.writer(file, lineterminator='\n')
    table.writerow(['method', 'of train', 'measure', *results.titles])
    for share in results.shares:
        for key, name in _MEASURES.items():
            row = results.row(share, key)
            table.writerow([results.method, percent(share), name, *row])
    if results.neighbours:
        row = [show(results.neighbours[n], 'top1') for n in results.datasets]
        table.writerow([results.method, '', _OF_NEIGHBOURS, *row])
    for method, *row in _paper(results):
        table.writerow([method, '100 %', 'top-1', *row])
    return file.getvalue()


def _paper(results: Results) -> list[list[str]]:
    return [
        [f'{method} (paper)', *(_quoted(row.get(n)) for n in results.datasets)]
        for method, row in PAPER_RESULTS.items()
    ]


def _quoted(value: float | None) -> str:
    return '-' if value is None else f'{value:.2f}'


def _detail(results: Results) -> list[list[str]]:
    """The names of the columns, and a line for each job with a result."""
    with_shares = results.shares != [None]
    head = ['dataset', 'of train'] if with_shares else ['dataset']
    head += _MEASURES.values()
    head += [_OF_NEIGHBOURS] if results.neighbours else []
    lines = [head]
    for name, title in zip(results.datasets, results.titles, strict=True):
        for share in results.shares:
            line = [title, percent(share)] if with_shares else [title]
            outcomes = [results.outcomes[name, share]] * len(_MEASURES)
            keys = list(_MEASURES)
            if results.neighbours:
                outcomes.append(results.neighbours[name])
                keys.append('top1')
            if not all(isinstance(outcome, str) for outcome in outcomes):
                lines.append([*line, *map(show, outcomes, keys)])
    return lines


def _table(*lines: Sequence[str]) -> str:
    head, *rows = lines
    lines = (head, ['---'] * len(head), *rows)
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)
