"""From a download to its split files."""

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from tests.datasets.miniatures import (
    MINIATURES,
    draw,
    names,
    read,
)
from tests.preparation.miniature_splits import (
    REPORT,
    SHARES,
    SPLITS,
    all_files,
    load,
    make,
    report_of,
    rows,
)
from uniemox_mm.preparation import image_files
from uniemox_mm.preparation import make_splits as made_splits
from uniemox_mm.preparation import splits_steps as steps


@pytest.mark.parametrize('name', MINIATURES)
def test_the_dataset_reads_what_it_would_have_made(own_mini, name):
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
        content = load(root)[split]
        metainfo = content['metainfo']
        assert metainfo['dataset'] == name.split('-')[0]
        assert metainfo['classes'] == list(dataset.metainfo['classes'])
        assert (metainfo['split'], metainfo['seed']) == (split, 42)
        assert made.report['counts'][split] == {
            c: sum(info['gt_label'] == label for info in infos[split])
            for label, c in enumerate(metainfo['classes'])
        }
    after = all_files(root)
    assert {k: after[k] for k in before} == before
    assert {*after} - {*before} == {f'{s}.json' for s in SPLITS} | {REPORT}
    assert sorted(made.written) == sorted(
        root / file for file in (*(f'{s}.json' for s in SPLITS), REPORT)
    )


@pytest.mark.parametrize('seed', [42, 7])
@pytest.mark.parametrize('name', [n for n in MINIATURES if n != 'CAERS'])
def test_each_image_once_and_each_stratum_by_its_shares(own_mini, name, seed):
    root = own_mini(name)
    make(name, root, seed=seed)
    found = rows(root)
    images = {n for n in all_files(root) if n.endswith(('.jpg', '.png'))}
    assert sorted(n for part in found.values() for n in part) == sorted(images)

    def stratum(image, label):
        return label if name == 'HECO' else Path(image).parent

    sizes = Counter(
        stratum(*row) for part in found.values() for row in part.items()
    )
    assert len(sizes) >= 6
    shares = SHARES[name.split('-')[0]]
    for split, share in zip(SPLITS, shares, strict=True):
        counts = Counter(stratum(*row) for row in found[split].items())
        for key, size in sizes.items():
            assert abs(counts[key] - share * size) < 1


@pytest.mark.parametrize('val_from', [None, 'test', 'train'])
def test_caers_takes_its_validation_from(own_mini, val_from):
    root = own_mini('CAERS')
    make('caers', root, val_from=val_from)
    found = rows(root)
    for part, share in (('train', 0.1), ('test', 0.34)):
        shipped = {n for n in all_files(root) if n.startswith(f'{part}/')}
        val = {n for n in found['val'] if n in shipped}
        assert found[part].keys() | val == shipped - {f'{part}.json'}
        assert found[part].keys() & val == set()
        if part != (val_from or 'test'):
            assert val == set()
            continue
        counts = Counter(Path(n).parent.name for n in val)
        sizes = Counter(Path(n).parent.name for n in shipped)
        for emotion, size in sizes.items():
            assert abs(counts[emotion] - share * size) < 1


def test_ratios_replace_the_shares(own_mini):
    root = own_mini('FI')
    make('FI', root, ratios=(0.5, 0.2, 0.3))
    counts = [len(part) for part in rows(root).values()]
    assert counts == [80, 32, 48]
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


def test_the_hash_can_be_computed_by_hand(own_mini):
    root = own_mini('UnbiasedEmo')
    make('UnbiasedEmo', root)
    for split, content in load(root).items():
        digest = hashlib.sha256()
        for name, label in sorted(rows(root)[split].items()):
            file = hashlib.sha256((root / name).read_bytes()).hexdigest()
            digest.update(f'{name}\t{label}\t{file}\n'.encode())
        assert content['metainfo']['sha256'] == digest.hexdigest()
        assert report_of(root)['sha256'][split] == digest.hexdigest()
    one = next(iter(rows(root)['val']))
    draw(root, one, 20)
    before = report_of(root)['sha256']
    with pytest.raises(FileExistsError, match=r'another val\.json;'):
        make('UnbiasedEmo', root)
    make('UnbiasedEmo', root, overwrite=True)
    after = report_of(root)['sha256']
    assert {s for s in SPLITS if before[s] != after[s]} == {'val'}


@pytest.mark.parametrize('candidates', [1, 4])
def test_every_file_is_read_once(own_mini, monkeypatch, candidates):
    read_files = Counter()
    real = image_files.check_image

    def counts(path, *arguments):
        read_files[path] += 1
        return real(path, *arguments)

    monkeypatch.setattr(image_files, 'check_image', counts)
    root = own_mini('Emo8')
    make('Emo8', root, candidates=candidates)
    assert len(read_files) == 160 and set(read_files.values()) == {1}


def test_a_run_goes_on_where_it_was(own_mini, monkeypatch):
    monkeypatch.setattr(made_splits, '_CHUNK', 10)
    root = own_mini('Emo8')
    out = root.parent / 'whole'
    make('Emo8', root, out=out, candidates=3)
    real = steps.ChunkedJob.save

    def dies(job, chunk, result):
        if chunk == 5:
            raise KeyboardInterrupt
        real(job, chunk, result)

    monkeypatch.setattr(steps.ChunkedJob, 'save', dies)
    with pytest.raises(KeyboardInterrupt):
        make('Emo8', root, candidates=3)
    assert not (root / 'train.json').exists()
    monkeypatch.setattr(steps.ChunkedJob, 'save', real)
    paths = []
    check = image_files.check_image
    monkeypatch.setattr(
        image_files,
        'check_image',
        lambda path, *rest: paths.append(path) or check(path, *rest),
    )
    make('Emo8', root, candidates=3)
    assert len(set(paths)) == len(paths) == 110
    files = all_files(out)
    assert len(files) == 5
    assert {k: v for k, v in all_files(root).items() if k in files} == files
    assert not list(root.glob('.*'))


def test_other_split_files_are_kept_unless_told_otherwise(own_mini):
    root = own_mini('HECO')
    make('HECO', root)
    first = all_files(root)
    assert make('HECO', root).written == []
    with pytest.raises(FileExistsError) as error:
        make('HECO', root, seed=1)
    assert 'holds another test.json, train.json, val.json' in str(error.value)
    parts = root / '.splits.parts'
    assert str(parts) in str(error.value)
    now = all_files(root)
    assert {k: now[k] for k in first} == first
    assert make('HECO', root, seed=1, overwrite=True).report['seed'] == 1
    assert not parts.exists()
    changed = {k for k, v in all_files(root).items() if first[k] != v}
    assert changed == {f'{s}.json' for s in SPLITS} | {REPORT}


def test_a_list_that_was_shipped_is_not_lost(own_mini):
    root = own_mini('FI')
    (root / 'train.json').write_text('["shipped"]')
    with pytest.raises(FileExistsError, match=r'another train\.json;'):
        make('FI', root)
    assert (root / 'train.json').read_text() == '["shipped"]'
    assert not (root / 'val.json').exists()
