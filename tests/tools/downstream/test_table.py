"""The tables, to the letter."""

import csv
import io

import pytest
from downstream.table import Results, csv_text, markdown, show

from uniemox_mm.evaluation.paper_results import PAPER_RESULTS

SIX = ('ube', 'fi', 'emotion6', 'emo8', 'caers', 'heco')
FI = dict(images=3496, top1=69.334, macro_f1=60.666, weighted_f1=68.9)
EMO8 = dict(images=1776, top1=81.0, macro_f1=80.25, weighted_f1=81.5)
HEAD = """\
# a\\|b.pth on emotional images

Top-1 in percent. Rows with (paper) are Table III of arXiv 2409.18877, none \
of them
measured here; what it leaves out is -. The splits of the paper are not \
public.

"""
PAPER = """\
| Scratch, ViT (paper) | 31.89 | 37.44 | 32.09 | 31.89 | 22.01 | 31.57 |
| VGG-16 (paper) | 59.58 | 59.84 | 57.46 | 58.67 | 14.29 | 38.09 |
| ResNet-50 (paper) | 60.78 | 57.00 | 56.97 | 57.00 | 76.05 | 39.21 |
| DenseNet-121 (paper) | 60.33 | 60.24 | 58.21 | 55.44 | 77.49 | 40.02 |
| ViT, supervised (paper) | 38.47 | 53.82 | 63.68 | 54.89 | 77.17 | 34.62 |
| MoCov3 (paper) | 61.08 | 39.19 | 61.44 | 57.56 | 39.70 | 44.71 |
| DINO (paper) | 67.67 | 65.89 | 59.20 | 64.56 | 54.25 | 37.98 |
| BEiT (paper) | 35.30 | 28.10 | 31.80 | 28.90 | 15.90 | 29.10 |
| MAE (paper) | 35.92 | 59.07 | 41.29 | 77.89 | 21.56 | 33.60 |
| SimMIM (paper) | 82.78 | 67.18 | 58.71 | 73.33 | 84.09 | 45.83 |
| TinyMIM (paper) | 83.38 | 71.49 | 60.95 | 77.67 | 86.75 | 47.15 |
| SiameseIM (paper) | 83.83 | 70.63 | 65.67 | 80.00 | 88.20 | 46.74 |
| MixMAE (paper) | 83.83 | 69.99 | 62.69 | 73.67 | 83.12 | 48.37 |
| dBOT (paper) | 84.43 | 71.25 | 60.70 | 79.22 | 88.55 | 47.86 |
| CAE (paper) | 82.93 | 68.19 | 64.18 | 80.78 | 90.78 | 45.32 |
| SOLVER (paper) | - | 72.33 | 62.12 | - | - | - |
| Stimuli-aware (paper) | - | 72.42 | 61.62 | - | - | - |
| MDAN (paper) | - | - | 61.66 | - | - | - |
| EAP (paper) | 81.77 | - | - | - | - | - |
| RRLA (paper) | - | - | - | - | 84.82 | - |
| EmotiCon + CCIM (paper) | - | - | - | - | 91.17 | - |
| UniEmoX (paper) | 84.43 | 69.33 | 65.67 | 81.33 | 92.09 | 47.25 |
"""


def results(outcomes, share=None, datasets=SIX, **more):
    every = {(n, share): outcomes.get(n, 'not there') for n in datasets}
    return Results('a|b.pth', datasets, every, **more)


def test_beside_the_paper_and_in_detail():
    outcomes = dict(fi=FI, emo8=EMO8, caers='failed', heco='not yet')
    assert markdown(results(outcomes)) == (
        HEAD
        + '| method | UBE | FI | Emotion6 | Emo8 | CAER-S | HECO |\n'
        + '| --- | --- | --- | --- | --- | --- | --- |\n'
        + '| a\\|b.pth | not there | 69.33 | not there | 81.00 | failed '
        + '| not yet |\n'
        + PAPER
        + '\n## a\\|b.pth in detail\n\n'
        + '| dataset | top-1 | macro F1 | weighted F1 | test images |\n'
        + '| --- | --- | --- | --- | --- |\n'
        + '| FI | 69.33 | 60.67 | 68.90 | 3496 |\n'
        + '| Emo8 | 81.00 | 80.25 | 81.50 | 1776 |\n'
    )


def test_nothing_yet():
    text = markdown(results({}))
    assert text.endswith(PAPER)
    assert text.count('not there') == 6


def test_emoset_is_not_in_the_paper():
    text = markdown(results(dict(emoset=EMO8), datasets=(*SIX, 'emoset')))
    lines = text.splitlines()
    assert lines[5].endswith('| CAER-S | HECO | EmoSet |')
    assert lines[7].endswith('| not there | not there | 81.00 |')
    paper = [line for line in lines if '(paper) |' in line]
    assert len(paper) == len(PAPER_RESULTS)
    assert all(line.endswith('| - |') for line in paper)


def test_neighbours_have_a_column_in_the_details():
    neighbours = dict.fromkeys(SIX, 'not there')
    neighbours.update(fi=dict(FI, top1=40.0), emo8='failed', ube=dict(FI))
    text = markdown(results(dict(fi=FI, emo8=EMO8), neighbours=neighbours))
    assert text.endswith(
        '| dataset | top-1 | macro F1 | weighted F1 | test images '
        '| k-NN top-1 |\n| --- | --- | --- | --- | --- | --- |\n'
        '| UBE | not there | not there | not there | not there | 69.33 |\n'
        '| FI | 69.33 | 60.67 | 68.90 | 3496 | 40.00 |\n'
        '| Emo8 | 81.00 | 80.25 | 81.50 | 1776 | failed |\n'
    )


def test_a_share_of_the_images_is_not_compared_with_the_paper():
    text = markdown(results(dict(fi=FI), share=0.2))
    assert 'none of its runs saw all training images' in text
    assert 'HECO |\n| --- | --- | --- | --- | --- | --- | --- |\n| Scr' in text
    assert '| FI | 20 % | 69.33 | 60.67 | 68.90 | 3496 |\n' in text
    assert '| dataset | 20 % |\n| --- | --- |\n' in text
    assert '| FI | 69.33 |\n' in text


def test_curve_leaves_out_what_was_not_measured():
    outcomes = {('fi', 0.2): FI, ('fi', 0.5): 'failed', ('fi', 1.0): EMO8}
    several = Results('m', ('fi',), outcomes)
    assert several.shares == [0.2, 0.5, 1.0]
    assert several.curve('fi') == [(0.2, 69.334), (1.0, 81.0)]


def test_csv_has_the_same():
    text = csv_text(results(dict(fi=FI, emo8=EMO8)))
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == [
        *('method', 'of train', 'measure', 'UBE', 'FI', 'Emotion6', 'Emo8'),
        *('CAER-S', 'HECO'),
    ]
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
    paper = [' | '.join([row[0], *row[3:]]) for row in rows[5:]]
    assert '\n'.join(f'| {line} |' for line in paper) + '\n' == PAPER
    assert {tuple(row[1:3]) for row in rows[5:]} == {('100 %', 'top-1')}


@pytest.mark.parametrize(
    ('outcome', 'text'), [(dict(top1=100.0), '100.00'), ('failed', 'failed')]
)
def test_a_cell(outcome, text):
    assert show(outcome, 'top1') == text
