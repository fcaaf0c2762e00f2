"""The numbers of the tables."""

import csv
import io

import pytest
from downstream_table import Results, cell, csv_text, markdown

from uniemox_mm.evaluation.paper_results import PAPER_RESULTS

SIX = ('ube', 'fi', 'emotion6', 'emo8', 'caers', 'heco')
FI = dict(images=3496, top1=69.334, macro_f1=60.666, weighted_f1=68.9)
EMO8 = dict(images=1776, top1=81.0, macro_f1=80.25, weighted_f1=81.5)
OURS = '| UniEmoX (paper) | 84.43 | 69.33 | 65.67 | 81.33 | 92.09 | 47.25 |'
SOLVER = '| SOLVER (paper) | - | 72.33 | 62.12 | - | - | - |'


def results(outcomes, fraction=None, datasets=SIX, **more):
    every = {(n, fraction): outcomes.get(n, 'not there') for n in datasets}
    return Results('a|b.pth', datasets, every, **more)


def test_beside_the_paper_and_in_detail():
    outcomes = dict(fi=FI, emo8=EMO8, caers='failed', heco='not yet')
    text = markdown(results(outcomes))
    for line in (
        '| method | UBE | FI | Emotion6 | Emo8 | CAER-S | HECO |',
        r'| a\|b.pth | not there | 69.33 | not there | 81.00 | failed '
        '| not yet |',
        OURS,
        SOLVER,
        '| dataset | top-1 | macro F1 | weighted F1 | test images |',
        '| FI | 69.33 | 60.67 | 68.90 | 3496 |',
        '| Emo8 | 81.00 | 80.25 | 81.50 | 1776 |',
    ):
        assert line in text.splitlines()
    assert text.count('(paper) |') == len(PAPER_RESULTS)
    assert 'fraction' not in text


def test_without_results_there_are_no_details():
    text = markdown(results({}))
    assert text.endswith(f'{OURS}\n')
    assert text.count('not there') == 6


def test_emoset_is_not_in_the_paper():
    text = markdown(results(dict(emoset=EMO8), datasets=(*SIX, 'emoset')))
    lines = text.splitlines()
    assert any(line.endswith('| HECO | EmoSet |') for line in lines)
    assert any(line.endswith('| not there | 81.00 |') for line in lines)
    assert f'{OURS} - |' in lines


def test_knn_is_a_column_of_the_details():
    knn = dict.fromkeys(SIX, 'not there')
    knn.update(fi=dict(FI, top1=40.0), emo8='failed', ube=dict(FI))
    text = markdown(results(dict(fi=FI, emo8=EMO8), knn=knn))
    assert text.endswith(
        '| UBE | not there | not there | not there | not there | 69.33 |\n'
        '| FI | 69.33 | 60.67 | 68.90 | 3496 | 40.00 |\n'
        '| Emo8 | 81.00 | 80.25 | 81.50 | 1776 | failed |\n'
    )


def test_a_fraction_is_not_compared_with_the_paper():
    text = markdown(results(dict(fi=FI), fraction=0.2))
    assert 'has no row' in text and '| a\\|b.pth |' not in text
    assert '| FI | 20 % | 69.33 | 60.67 | 68.90 | 3496 |' in text
    assert '| dataset | 20 % |' in text and '| FI | 69.33 |' in text


def test_curve_leaves_out_what_was_not_measured():
    outcomes = {('fi', 0.2): FI, ('fi', 0.5): 'failed', ('fi', 1.0): EMO8}
    several = Results('m', ('fi',), outcomes)
    assert several.fractions == [0.2, 0.5, 1.0]
    assert several.curve('fi') == [(0.2, 69.334), (1.0, 81.0)]


def test_csv_has_the_same():
    text = csv_text(results(dict(fi=FI, emo8=EMO8)))
    rows = list(csv.reader(io.StringIO(text)))
    titles = ['UBE', 'FI', 'Emotion6', 'Emo8', 'CAER-S', 'HECO']
    assert rows[0] == ['method', 'of train', 'measure', *titles]
    no = 'not there'
    assert rows[1:5] == [
        ['a|b.pth', '', name, no, fi, no, emo8, no, no]
        for name, fi, emo8 in (
            ('top-1', '69.33', '81.00'),
            ('macro F1', '60.67', '80.25'),
            ('weighted F1', '68.90', '81.50'),
            ('test images', '3496', '1776'),
        )
    ]
    paper = [[row[0], *row[3:]] for row in rows[5:]]
    assert len(paper) == len(PAPER_RESULTS)
    assert f'| {" | ".join(paper[-1])} |' == OURS
    assert {tuple(row[1:3]) for row in rows[5:]} == {('100 %', 'top-1')}


@pytest.mark.parametrize(
    ('outcome', 'text'), [(dict(top1=100.0), '100.00'), ('failed', 'failed')]
)
def test_cells(outcome, text):
    assert cell(outcome, 'top1') == text
