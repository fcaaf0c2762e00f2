"""The numbers of the paper, against a second copy and its own words."""

import pytest

from tests.helpers import ROOT
from uniemox_mm.datasets.named_datasets import NAMED_DATASETS
from uniemox_mm.evaluation.paper_results import DATASETS, PAPER_RESULTS

# The lines of the table as its text can be copied from the PDF, less the
# years, parameters, backbones and marks.
TABLE = """\
Scratch, ViT: 31.89 37.44 32.09 31.89 22.01 31.57
VGG-16: 59.58 59.84 57.46 58.67 14.29 38.09
ResNet-50: 60.78 57.00 56.97 57.00 76.05 39.21
DenseNet-121: 60.33 60.24 58.21 55.44 77.49 40.02
ViT: 38.47 53.82 63.68 54.89 77.17 34.62
MoCov3: 61.08 39.19 61.44 57.56 39.70 44.71
DINO: 67.67 65.89 59.20 64.56 54.25 37.98
BEiT: 35.30 28.10 31.80 28.90 15.90 29.10
MAE: 35.92 59.07 41.29 77.89 21.56 33.60
SimMIM: 82.78 67.18 58.71 73.33 84.09 45.83
TinyMIM: 83.38 71.49 60.95 77.67 86.75 47.15
SiameseIM: 83.83 70.63 65.67 80.00 88.20 46.74
MixMAE: 83.83 69.99 62.69 73.67 83.12 48.37
dBOT: 84.43 71.25 60.70 79.22 88.55 47.86
CAE: 82.93 68.19 64.18 80.78 90.78 45.32
SOLVER: - 72.33 62.12 - - -
Stimuli-aware: - 72.42 61.62 - - -
MDAN: - - 61.66 - - -
EAP: 81.77 - - - - -
RRLA: - - - - 84.82 -
EmotiCon + CCIM: - - - - 91.17 -
UniEmoX: 84.43 69.33 65.67 81.33 92.09 47.25
"""
# Configs of methods in the table quote it, too.
CONFIGS = {
    'vit-l_scratch': 'Scratch, ViT',
    'vgg-16': 'VGG-16',
    'resnet-50': 'ResNet-50',
    'densenet-121': 'DenseNet-121',
    'vit-l_supervised': 'ViT, supervised',
    'vit-b_mocov3': 'MoCov3',
    'vit-b_beit': 'BEiT',
    'vit-l_mae': 'MAE',
    'swin-b_simmim': 'SimMIM',
    'mixmim-b': 'MixMAE',
    'vit-b_cae': 'CAE',
}


def rows():
    return [tuple(row.values()) for row in PAPER_RESULTS.values()]


def column(dataset):
    values = {m: row[dataset] for m, row in PAPER_RESULTS.items()}
    return {m: value for m, value in values.items() if value is not None}


def test_the_table_against_a_second_copy():
    names, copied = [], []
    for line in TABLE.splitlines():
        name, values = line.split(': ')
        names.append(name)
        copied.append(
            tuple(None if v == '-' else float(v) for v in values.split())
        )
    assert rows() == copied
    names[4] = 'ViT, supervised'  # the second of that name
    assert list(PAPER_RESULTS) == names


def test_columns_are_in_the_order_of_the_paper():
    assert DATASETS == ('ube', 'fi', 'emotion6', 'emo8', 'caers', 'heco')
    assert [*DATASETS, 'emoset'] == list(NAMED_DATASETS)
    for row in PAPER_RESULTS.values():
        assert tuple(row) == DATASETS


def test_scratch_twenty_methods_and_uniemox():
    assert len(PAPER_RESULTS) == 1 + 20 + 1
    known = dict(zip(PAPER_RESULTS, rows(), strict=True))
    assert known['UniEmoX'] == (84.43, 69.33, 65.67, 81.33, 92.09, 47.25)
    assert known['MAE'] == (35.92, 59.07, 41.29, 77.89, 21.56, 33.60)
    assert known['Scratch, ViT'] == (31.89, 37.44, 32.09, 31.89, 22.01, 31.57)


def test_what_the_paper_leaves_out():
    missing = {
        method: sum(value is None for value in row.values())
        for method, row in PAPER_RESULTS.items()
    }
    assert {m: n for m, n in missing.items() if n} == {
        'SOLVER': 4,
        'Stimuli-aware': 4,
        'MDAN': 5,
        'EAP': 5,
        'RRLA': 5,
        'EmotiCon + CCIM': 5,
    }


@pytest.mark.parametrize(
    ('dataset', 'best', 'change'),
    [
        ('fi', 'Stimuli-aware', -3.09),
        ('emo8', 'CAE', 0.55),
        ('caers', 'EmotiCon + CCIM', 0.92),
        ('heco', 'MixMAE', -1.12),
    ],
)
def test_the_best_others_as_the_paper_marks_them(dataset, best, change):
    values = column(dataset)
    own = values.pop('UniEmoX')
    assert max(values, key=values.get) == best
    assert own - values[best] == pytest.approx(change, abs=1e-6)


@pytest.mark.parametrize(
    ('dataset', 'equal', 'marked', 'change'),
    [('ube', 'dBOT', 'MixMAE', 0.6), ('emotion6', 'SiameseIM', 'CAE', 1.49)],
)
def test_two_marks_that_the_numbers_contradict(dataset, equal, marked, change):
    values = column(dataset)
    assert max(values.values()) == values['UniEmoX'] == values[equal]
    difference = values['UniEmoX'] - values[marked]
    assert difference == pytest.approx(change, abs=1e-6)


@pytest.mark.parametrize('config', CONFIGS)
def test_baselines_quote_the_same(config):
    text = (ROOT / f'configs/baselines/{config}.py').read_text()
    row = PAPER_RESULTS[CONFIGS[config]]
    assert ', '.join(f'{value:.2f}' for value in row.values()) in text


@pytest.mark.parametrize('dataset', DATASETS)
def test_configs_of_uniemox_quote_the_same(dataset):
    text = (ROOT / f'configs/finetune/vit-l_uniemox_{dataset}.py').read_text()
    value = PAPER_RESULTS['UniEmoX'][dataset]
    assert f'the paper reports {value:.2f} % top-1' in text
