"""From a download to its split files."""

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.datasets.miniatures import (
    MINIATURES,
    SPLITS,
    draw,
    names,
    read,
    write_miniature,
)
from tests.preparation.split_criterion import criterion
from tests.processes import killed_at
from uniemox_mm.datasets.class_folders import LabelledImage
from uniemox_mm.datasets.splitting import split_images
from uniemox_mm.preparation import check_image
from uniemox_mm.preparation import make_splits as module
from uniemox_mm.preparation.make_splits import split_usable

REPORT = 'splits_report.json'
FILES = {'train.json', 'val.json', 'test.json', REPORT}
RATIOS = dict(
    FI=(0.8, 0.05, 0.15),
    UnbiasedEmo=(0.7, 0.1, 0.2),
    Emotion6=(0.7, 0.1, 0.2),
    HECO=(0.7, 0.1, 0.2),
    Emo8=(0.8, 0.1, 0.1),
)


def make(name, root, **options):
    """Make splits in this process, by default with one candidate."""
    options = {'workers': 0, 'candidates': 1, **options}
    return module.make_splits(name.split('-')[0], root, **options)


def load(folder):
    return {s: json.loads((folder / f'{s}.json').read_text()) for s in SPLITS}


def rows(folder):
    """Split -> name -> label."""
    return {
        split: {e['img_path']: e['gt_label'] for e in content['data_list']}
        for split, content in load(folder).items()
    }


def all_files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


def report_of(folder):
    return json.loads((folder / REPORT).read_text())


@pytest.mark.parametrize('name', MINIATURES)
def test_files_equal_the_split_in_memory(own_mini, name):
    root = own_mini(name)
    before = all_files(root)
    in_memory = {s: read(name, root, s) for s in SPLITS}
    infos = {
        s: [d.get_data_info(i) for i in range(len(d))]
        for s, d in in_memory.items()
    }
    made = make(name, root)
    for split, dataset in in_memory.items():
        ours = read(name, root, split)
        assert names(ours) == names(dataset)
        for i, info in enumerate(infos[split]):
            assert ours.get_data_info(i) == info
        metainfo = load(root)[split]['metainfo']
        assert metainfo['dataset'] == name.split('-')[0]
        assert metainfo['classes'] == list(dataset.metainfo['classes'])
        assert (metainfo['split'], metainfo['seed']) == (split, 42)
        assert made.report['counts'][split] == {
            c: sum(info['gt_label'] == label for info in infos[split])
            for label, c in enumerate(metainfo['classes'])
        }
    after = all_files(root)
    assert {k: after[k] for k in before} == before
    assert {*after} - {*before} == FILES
    assert sorted(made.written) == sorted(root / file for file in FILES)


@pytest.mark.parametrize('seed', [42, 7])
@pytest.mark.parametrize('name', [n for n in MINIATURES if n != 'CAERS'])
def test_each_image_once_and_each_group_by_its_ratios(own_mini, name, seed):
    root = own_mini(name)
    make(name, root, seed=seed)
    found = rows(root)
    images = {n for n in all_files(root) if n.endswith(('.jpg', '.png'))}
    assert sorted(n for part in found.values() for n in part) == sorted(images)

    def group(image, label):
        return label if name == 'HECO' else Path(image).parent

    sizes = Counter(
        group(*row) for part in found.values() for row in part.items()
    )
    assert len(sizes) >= 6
    ratios = RATIOS[name.split('-')[0]]
    for split, ratio in zip(SPLITS, ratios, strict=True):
        counts = Counter(group(*row) for row in found[split].items())
        for key, size in sizes.items():
            assert abs(counts[key] - ratio * size) < 1


@pytest.mark.parametrize('val_from', [None, 'test', 'train'])
def test_validation_images_of_caers(own_mini, val_from):
    root = own_mini('CAERS')
    make('caers', root, val_from=val_from)
    found = rows(root)
    for part, ratio in (('train', 0.1), ('test', 0.34)):
        shipped = {n for n in all_files(root) if n.startswith(f'{part}/')}
        val = {n for n in found['val'] if n in shipped}
        assert found[part].keys() | val == shipped
        assert found[part].keys() & val == set()
        if part != (val_from or 'test'):
            assert val == set()
            continue
        counts = Counter(Path(n).parent.name for n in val)
        sizes = Counter(Path(n).parent.name for n in shipped)
        for emotion, size in sizes.items():
            assert abs(counts[emotion] - ratio * size) < 1


def test_ratios_replace_those_of_the_dataset(own_mini):
    root = own_mini('FI')
    make('FI', root, ratios=(0.5, 0.2, 0.3))
    assert [len(part) for part in rows(root).values()] == [80, 32, 48]
    shares = load(root)['val']['metainfo']['shares']
    assert shares == {'': dict(train=0.5, val=0.2, test=0.3)}


def test_files_follow_from_the_images_and_the_seed(own_mini, mini, tmp_path):
    root = own_mini('Emotion6')
    outs = [tmp_path / str(i) for i in range(3)]
    make('Emotion6', root, out=outs[0])
    make('Emotion6', mini('Emotion6'), out=outs[1])
    make('Emotion6', root, out=outs[2], seed=43)
    first, again, other = map(all_files, outs)
    assert len(first) == 4 and again == first
    hashes = [report_of(out)['sha256'] for out in outs]
    for split in SPLITS:
        assert other[f'{split}.json'] != first[f'{split}.json']
        assert hashes[2][split] != hashes[0][split] == hashes[1][split]
    assert list(root.glob('*')) == [root / 'images']
    ours = read('Emotion6', root, 'val', split_dir=str(outs[2]))
    seeded = read('Emotion6', root, 'val', split_seed=43)
    assert names(ours) == names(seeded) != names(read('Emotion6', root, 'val'))


def test_hash_of_a_split_by_hand(own_mini):
    root = own_mini('UnbiasedEmo')
    make('UnbiasedEmo', root)
    for split, content in load(root).items():
        digest = hashlib.sha256()
        for name, label in sorted(rows(root)[split].items()):
            file = hashlib.sha256((root / name).read_bytes()).hexdigest()
            digest.update(f'{name}\t{label}\t{file}\n'.encode())
        assert content['metainfo']['sha256'] == digest.hexdigest()
        assert report_of(root)['sha256'][split] == digest.hexdigest()
    draw(root, next(iter(rows(root)['val'])), 20)
    before = report_of(root)['sha256']
    with pytest.raises(FileExistsError, match=r'another val\.json;'):
        make('UnbiasedEmo', root)
    make('UnbiasedEmo', root, overwrite=True)
    after = report_of(root)['sha256']
    assert {s for s in SPLITS if before[s] != after[s]} == {'val'}


@pytest.fixture
def read_files(monkeypatch):
    """File -> how often it was read."""
    counts = Counter()
    real = check_image.check_image

    def check(path):
        counts[path] += 1
        return real(path)

    monkeypatch.setattr(check_image, 'check_image', check)
    return counts


@pytest.mark.parametrize('candidates', [1, 4])
def test_every_file_is_read_once(own_mini, read_files, candidates):
    make('Emo8', own_mini('Emo8'), candidates=candidates)
    assert len(read_files) == 160 and set(read_files.values()) == {1}


def test_killed_run_resumes(own_mini, monkeypatch, read_files):
    monkeypatch.setattr(module, '_CHUNK', 10)
    root = own_mini('Emo8')
    out = root.parent / 'whole'
    make('Emo8', root, out=out, candidates=3)
    with killed_at(5):
        make('Emo8', root, candidates=3)
    assert not (root / 'train.json').exists()
    read_files.clear()
    make('Emo8', root, candidates=3)
    assert len(read_files) == 110 and set(read_files.values()) == {1}
    files = all_files(out)
    assert len(files) == 5
    assert {k: v for k, v in all_files(root).items() if k in files} == files
    assert not list(root.glob('.*'))


def test_other_split_files_are_kept_or_overwritten(own_mini):
    root = own_mini('HECO')
    make('HECO', root)
    first = all_files(root)
    assert make('HECO', root).written == []
    parts = root / '.splits.parts'
    with pytest.raises(FileExistsError, match=f'train.*{parts}'):
        make('HECO', root, seed=1)
    now = all_files(root)
    assert {k: now[k] for k in first} == first
    assert make('HECO', root, seed=1, overwrite=True).report['seed'] == 1
    assert not parts.exists()
    changed = {k for k, v in all_files(root).items() if first[k] != v}
    assert changed == FILES


def test_shipped_list_is_kept(own_mini):
    root = own_mini('FI')
    (root / 'train.json').write_text('["shipped"]')
    with pytest.raises(FileExistsError, match=r'another train\.json;'):
        make('FI', root)
    assert (root / 'train.json').read_text() == '["shipped"]'
    assert not (root / 'val.json').exists()


# Candidates


def histogram(path):
    pixels = np.asarray(Image.open(path))
    return np.concatenate(
        [
            np.histogram(pixels[..., c], 256, (0, 256), density=True)[0]
            for c in range(3)
        ]
    )


def test_best_candidate_is_chosen(own_mini, mini):
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
    made = make('Emo8', root, seed=5, candidates=7)
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


def test_first_of_equal_candidates_is_chosen(own_mini, monkeypatch):
    monkeypatch.setattr(module, 'disagreement', lambda plane, splits: 0.5)
    made = make('Emo8', own_mini('Emo8'), seed=3, candidates=3)
    assert made.report['seed'] == 3


def test_default_number_of_candidates(own_mini, tmp_path):
    made = make('Emo8', own_mini('Emo8'), candidates=None)
    seeds = [c['seed'] for c in made.report['candidates']]
    assert seeds == list(range(42, 62))
    fi = write_miniature('FI', tmp_path / 'fi')
    made = make('FI', fi, candidates=None)
    assert made.report['candidates'] == [] and made.report['seed'] == 42
    assert not (fi / 'splits.png').exists()
    made = make('FI', fi, figure=tmp_path / 'new/fi.png')
    assert made.written == [fi / REPORT, tmp_path / 'new/fi.png']
    assert [c['seed'] for c in made.report['candidates']] == [42]


# Copies and broken files

GROUPED = [
    LabelledImage(f'{label}/{i}', label, group=str(label))
    for label in range(2)
    for i in range(20)
]
HASHES = {image.name: f'hash of {image.name}' for image in GROUPED}
GROUP_RATIOS = {'': dict(train=0.7, val=0.1, test=0.2)}


@pytest.mark.parametrize('drop', [False, True])
def test_copy_is_dropped_after_the_split(drop):
    whole = split_images(GROUPED, GROUP_RATIOS, 3)
    assert split_usable(GROUPED, GROUP_RATIOS, 3, HASHES, drop).splits == whole
    first, second = whole['train'][4].name, whole['test'][2].name
    hashes = {**HASHES, first: HASHES[second]}
    made = split_usable(GROUPED, GROUP_RATIOS, 3, hashes, drop)
    assert [g.sha256 for g in made.copies] == [HASHES[second]]
    train = [i for i in whole['train'] if not (drop and i.name == first)]
    assert made.splits == dict(whole, train=train)
    assert made.dropped == ({first: f'also in test: {second}'} if drop else {})


def test_empty_split_is_an_error():
    good = dict(list(HASHES.items())[:3])
    with pytest.raises(ValueError, match=r'val would be empty.* 1 are broken'):
        split_usable(GROUPED[:4], GROUP_RATIOS, 3, good, False)


def plant_copies(root):
    """Plant copies of every kind in Emotion6, by its split with seed 42.

    Returns:
        tuple[list[list], set]: The groups, and what drop must leave out.
    """
    dataset = {s: names(read('Emotion6', root, s)) for s in SPLITS}

    def of(split, emotion):
        return [n for n in dataset[split] if n.startswith(f'images/{emotion}')]

    def copy(source, *targets):
        for target in targets:
            shutil.copy(root / source, root / target)
        return [source, *targets]

    train, val, test = (of(s, 'anger') for s in SPLITS)
    fear = of('train', 'fear')
    groups = [
        copy(train[0], train[1], train[2]),
        copy(train[3], val[0]),
        copy(train[4], test[0]),
        copy(val[1], test[1]),
        copy(train[5], fear[0]),
        copy(test[2], of('test', 'fear')[0]),
        copy(train[6], fear[1], of('val', 'joy')[0]),
    ]
    dropped = {
        *(train[1], train[2], train[3], train[4], val[1]),
        *(train[5], fear[0], train[6], fear[1]),
    }
    return groups, dropped


@pytest.mark.parametrize('mode', ['report', 'drop'])
def test_copies_are_reported_or_dropped(own_mini, mode):
    root = own_mini('Emotion6')
    expected, dropped = plant_copies(root)
    whole = {s: names(read('Emotion6', root, s)) for s in SPLITS}
    make('Emotion6', root, duplicates=mode)
    copies = report_of(root)['copies']
    found = [{i['img_path'] for i in g['images']} for g in copies['members']]
    assert sorted(map(sorted, found)) == sorted(map(sorted, expected))
    for group in copies['members']:
        labels = {image['label'] for image in group['images']}
        assert group['conflict'] == (len(labels) > 1)
        for image in group['images']:
            assert image['img_path'] in whole[image['split']]
            assert image['label'] == Path(image['img_path']).parent.name
            content = (root / image['img_path']).read_bytes()
            assert group['sha256'] == hashlib.sha256(content).hexdigest()
    assert copies['groups'] == 7 and copies['conflicts'] == 3
    assert copies['inside'] == dict(train=3, val=0, test=1)
    across = {'train-val': 2, 'train-test': 1, 'val-test': 1}
    assert copies['across'] == across
    gone = dropped if mode == 'drop' else set()
    assert {entry['img_path'] for entry in copies['dropped']} == gone
    assert all(entry['reason'] for entry in copies['dropped'])
    for split in SPLITS:
        left = [name for name in whole[split] if name not in gone]
        assert names(read('Emotion6', root, split)) == left
    assert load(root)['train']['metainfo']['duplicates'] == mode


@pytest.mark.parametrize('candidates', [1, 3])
def test_broken_files_are_left_out_and_named(own_mini, mini, candidates):
    root = own_mini('FI')
    train, val, test = (names(read('FI', root, s)) for s in SPLITS)
    cut, empty, text = train[3], val[0], test[5]
    (root / cut).write_bytes((root / cut).read_bytes()[:-200])
    (root / empty).write_bytes(b'')
    (root / text).write_text('<html>')
    made = make('FI', root, candidates=candidates)
    assert made.report['broken'] == report_of(root)['broken']
    broken = {b['img_path']: b['problem'] for b in made.report['broken']}
    assert broken.keys() == {cut, empty, text}
    assert 'not a readable image' in broken[cut]
    assert 'empty' in broken[empty] and 'not an image' in broken[text]
    assert made.report['images'] == 160
    for split in SPLITS:  # that moves no other image
        seed = made.report['seed']
        whole = names(read('FI', mini('FI'), split, split_seed=seed))
        left = [name for name in whole if name not in broken]
        assert names(read('FI', root, split)) == left


# Refusals


@pytest.mark.parametrize(
    ('name', 'options', 'match'),
    [
        ('EmoSet', {}, r'prepare_emoset\.py'),
        ('WEBEmo', {}, 'WEBEmo: no such.*CAERS, FI, UnbiasedEmo, Emo'),
        ('CAERS', dict(ratios=(0.7, 0.1, 0.2)), 'train and test.*val-from'),
        ('CAERS', dict(val_from='val'), "'train' or 'test', but is 'val'"),
        ('FI', dict(val_from='test'), 'FI is not shipped in parts'),
        ('FI', dict(ratios=(0.7, 0.1, 0.3)), 'add up to 1'),
        ('FI', dict(ratios=(1.2, -0.4, 0.2)), 'but are 1.2 -0.4 0.2'),
        ('FI', dict(ratios=(0.8, 0.2)), 'but are 0.8 0.2'),
        ('FI', dict(ratios=(0.8, 0.2, 0)), 'test would be empty.*0% test'),
        ('FI', dict(duplicates='keep'), "but is 'keep'"),
        ('FI', dict(seed=-1), 'seed at least 0'),
        ('FI', dict(candidates=0), 'candidates must be at least 1'),
        ('FI', dict(figure='{root}/awe/a.png'), 'awe/a.*among the images'),
        # With several candidates it would be found as an image of Emo8.
        ('FI', dict(out='{root}/s', candidates=2), r's/splits\.png.*among'),
        ('HECO', {}, r'(?s)not laid out as HECO.*Labels/HECO.*holds amus'),
    ],
)
def test_errors_name_the_argument(mini, name, options, match):
    root = mini('FI' if name != 'CAERS' else 'CAERS')
    options = {
        key: value.format(root=root) if isinstance(value, str) else value
        for key, value in options.items()
    }
    with pytest.raises(ValueError, match=match):
        make(name, root, **options)
    assert not list(root.glob('.*')) and not list(root.glob('*.json'))


def test_missing_download_and_file_in_place_of_out(mini, tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere: no such folder'):
        make('FI', tmp_path / 'nowhere')
    (tmp_path / 'file').write_text('mine')
    with pytest.raises(OSError, match='file: cannot be written to'):
        make('FI', mini('FI'), out=tmp_path / 'file')
    assert (tmp_path / 'file').read_text() == 'mine'


def test_too_few_good_images(own_mini):
    root = own_mini('Emotion6')
    images = list((root / 'images').rglob('*.jpg'))
    for path in images:
        path.write_bytes(b'')
    with pytest.raises(ValueError, match=r'not one of its 120.*anger/'):
        make('Emotion6', root)
    assert not list(root.glob('.*'))
    val = names(read('Emotion6', root, 'val'))
    for path in images:
        name = path.relative_to(root).as_posix()
        if name not in val:
            draw(root, name)
    with pytest.raises(ValueError, match='val would be empty: of 120 ima'):
        make('Emotion6', root)
    assert not list(root.glob('*.json'))
