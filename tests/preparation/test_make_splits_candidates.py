"""The choice among several divisions."""

import numpy as np
from PIL import Image

from tests.datasets.miniatures import names, read, write_miniature
from tests.preparation.miniature_splits import REPORT, SPLITS, make
from tests.preparation.test_split_choice import criterion
from uniemox_mm.preparation import make_splits as made_splits


def histogram(path):
    pixels = np.asarray(Image.open(path))
    return np.concatenate(
        [
            np.histogram(pixels[..., c], 256, (0, 256), density=True)[0]
            for c in range(3)
        ]
    )


def test_the_candidate_whose_colors_agree_best_is_chosen(own_mini, mini):
    root = own_mini('Emo8')
    image_names = names(read('Emo8', root))
    histograms = np.float32([histogram(root / n) for n in image_names])
    row = {name: i for i, name in enumerate(image_names)}
    expected = {
        seed: criterion(
            histograms,
            [
                [row[n] for n in names(read('Emo8', root, s, split_seed=seed))]
                for s in SPLITS
            ],
        )
        for seed in range(5, 12)
    }
    made = made_splits.make_splits(
        'Emo8', root, seed=5, candidates=7, workers=0
    )
    found = {c['seed']: c['disagreement'] for c in made.report['candidates']}
    assert list(found) == list(expected)
    np.testing.assert_allclose(
        [*found.values()], [*expected.values()], rtol=1e-4
    )
    best = min(expected, key=expected.get)
    assert best != 5 and made.report['seed'] == best
    for split in SPLITS:
        chosen = read('Emo8', mini('Emo8'), split, split_seed=best)
        assert names(read('Emo8', root, split)) == names(chosen)
    with Image.open(root / 'splits.png') as image:
        assert (image.format, image.size) == ('PNG', (1600, 520))
    assert made.written[-1] == root / 'splits.png'


def test_of_equal_candidates_the_first_is_chosen(own_mini, monkeypatch):
    monkeypatch.setattr(made_splits, 'disagreement', lambda plane, parts: 0.5)
    made = made_splits.make_splits(
        'Emo8', own_mini('Emo8'), seed=3, candidates=3, workers=0
    )
    assert made.report['seed'] == 3


def test_emo8_has_twenty_candidates_and_others_one(own_mini, tmp_path):
    made = made_splits.make_splits('Emo8', own_mini('Emo8'), workers=0)
    seeds = [c['seed'] for c in made.report['candidates']]
    assert seeds == list(range(42, 62))
    fi = write_miniature('FI', tmp_path / 'fi')
    made = made_splits.make_splits('FI', fi, workers=0)
    assert made.report['candidates'] == [] and made.report['seed'] == 42
    assert not (fi / 'splits.png').exists()
    made = make('FI', fi, figure=tmp_path / 'new/fi.png')
    assert made.written == [fi / REPORT, tmp_path / 'new/fi.png']
    assert [c['seed'] for c in made.report['candidates']] == [42]
