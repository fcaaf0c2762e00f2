"""What cannot be split, and what is said then."""

import pytest

from tests.datasets.miniatures import draw, names, read
from tests.preparation.miniature_splits import make
from uniemox_mm.preparation import make_splits as made_splits


@pytest.mark.parametrize(
    ('name', 'options', 'parts'),
    [
        ('EmoSet', {}, ['its own splits; prepare_emoset.py']),
        ('WEBEmo', {}, ['WEBEmo: no such', 'CAERS, FI, UnbiasedEmo, Emo']),
        (
            'CAERS',
            dict(ratios=(0.7, 0.1, 0.2)),
            ['train and test', 'val-from'],
        ),
        ('CAERS', dict(val_from='val'), ["'train' or 'test', but is 'val'"]),
        ('FI', dict(val_from='test'), ['FI is not shipped in parts']),
        ('FI', dict(ratios=(0.7, 0.1, 0.3)), ['to add up to 1']),
        ('FI', dict(ratios=(1.2, -0.4, 0.2)), ['0.7 0.1 0.2, but are 1.2 -0']),
        ('FI', dict(ratios=(0.8, 0.2)), ['0.7 0.1 0.2, but are 0.8 0.2']),
        ('FI', dict(ratios=(0.8, 0.2, 0)), ['test would be empty', '0% test']),
        ('FI', dict(duplicates='keep'), ["'report' or 'drop', but is 'kee"]),
        ('FI', dict(seed=-1), ['seed at least 0']),
        ('Emo8', dict(seed=-1), ['seed at least 0']),
        ('FI', dict(figure='{root}/awe/a.png'), ['among the images', 'awe/a']),
        ('HECO', {}, ['not laid out as HECO', 'Labels/HECO', 'it holds amus']),
    ],
)
def test_errors_say_what_to_do(mini, name, options, parts):
    root = mini('FI' if name != 'CAERS' else 'CAERS')
    if 'figure' in options:
        options = dict(figure=options['figure'].format(root=root))
    with pytest.raises(ValueError) as error:
        make(name, root, **options)
    for part in parts:
        assert part in str(error.value)
    assert not list(root.glob('.*')) and not list(root.glob('*.json'))


def test_folders_that_cannot_be(own_mini, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no such folder; expected\n'):
        make('FI', tmp_path / 'nowhere')
    root = own_mini('FI')
    (tmp_path / 'file').write_text('mine')
    with pytest.raises(OSError, match='file: cannot be written to'):
        make('FI', root, out=tmp_path / 'file')
    assert (tmp_path / 'file').read_text() == 'mine'
    with pytest.raises(ValueError, match='candidates must be at least 1'):
        made_splits.make_splits('FI', root, candidates=0)
    # With several candidates a picture would be found as an image of Emo8.
    with pytest.raises(ValueError, match=r'splits/splits\.png: would be'):
        made_splits.make_splits('FI', root, root / 'splits', candidates=2)


def test_too_little_that_is_good(own_mini):
    root = own_mini('Emotion6')
    for path in (root / 'images').rglob('*.jpg'):
        path.write_bytes(b'')
    with pytest.raises(ValueError) as error:
        make('Emotion6', root)
    first = 'not one of its 120 images can be read; the first: images/anger/'
    assert first in str(error.value)
    assert not list(root.glob('.*'))
    val = names(read('Emotion6', root, 'val'))
    for path in (root / 'images').rglob('*.jpg'):
        name = path.relative_to(root).as_posix()
        if name not in val:
            draw(root, name)
    with pytest.raises(ValueError, match='val would be empty: of 120 ima'):
        make('Emotion6', root)
    assert not list(root.glob('*.json'))
