"""From a download to what training reads."""

import json
import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from drawn_emoset import draw_emoset
from PIL import Image

from tests.processes import killed_at
from uniemox_mm.datasets import EmoSet, LoadEmotionImage, PersonCrop, describe
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.preparation import emoset_samples
from uniemox_mm.preparation.prepare_emoset import prepare_emoset

SPLITS = ('train', 'val', 'test')


def rows_of(root, split):
    return json.loads((root / f'{split}.json').read_text())


def report_of(out):
    return json.loads((out / 'report.json').read_text())


def load(info):
    return LoadEmotionImage()(dict(info))


@pytest.mark.parametrize('images', ['folder', 'lmdb', 'original'])
def test_result_equals_the_download_as_read_by_emoset(drawn, tmp_path, images):
    out = tmp_path / 'out'
    report = prepare_emoset(
        drawn,
        out,
        images=images,
        short_side=48,
        persons=drawn / 'persons.json',
    )
    assert report['counts'] == report_of(out)['counts']
    assert report_of(out)['problems'] == []
    for split in SPLITS:
        options = dict(split=split, caption=dict(emotion=True))
        raw = EmoSet(str(drawn), persons='persons.json', **options)
        ours = EmoSet(str(out), **options)
        assert len(raw) == len(ours) == report['counts'][split]['images']
        people = 0
        for i in range(len(raw)):
            before, after = raw.get_data_info(i), ours.get_data_info(i)
            assert after['gt_label'] == before['gt_label']
            assert after['caption'] == raw.caption_of(i)
            height, width = load(before)['ori_shape']
            new_height, new_width = load(after)['ori_shape']
            assert (after['width'], after['height']) == (new_width, new_height)
            if images == 'original':
                assert (new_width, new_height) == (width, height)
            else:
                assert min(new_width, new_height) == 48
            stretch = np.tile([new_width / width, new_height / height], 2)
            people += bool(before['persons'])
            np.testing.assert_allclose(
                np.array(after['persons']).reshape(-1, 5)[:, :4],
                np.array(before['persons']).reshape(-1, 5)[:, :4] * stretch,
                atol=0.006,
            )
        assert report['counts'][split]['images_with_people'] == people > 0
    assert not (out / '.parts').exists()
    files = {path.name for path in out.iterdir()}
    assert (
        files
        == {f'{s}.json' for s in SPLITS}
        | {'report.json'}
        | {
            'folder': {'image'},
            'lmdb': {'image.lmdb'},
            'original': set(),
        }[images]
    )


def test_scaled_images_equal_pillow(drawn, tmp_path):
    """As if scaled after decoding all pixels, not in part while decoding."""
    prepare_emoset(drawn, tmp_path / 'out', splits=['test'], short_side=48)
    for _, name, _ in rows_of(drawn, 'test'):
        small = Image.open(tmp_path / 'out' / name)
        with Image.open(drawn / name) as image:
            scaled = image.resize(small.size, Image.Resampling.LANCZOS)
        scaled.save(tmp_path / 'a.jpg', quality=92)
        expected = np.float64(Image.open(tmp_path / 'a.jpg'))
        assert np.abs(np.float64(small) - expected).mean() < 1


def test_small_images_are_copied(drawn, tmp_path):
    prepare_emoset(drawn, tmp_path / 'out', splits=['test'], short_side=64)
    for _, name, _ in rows_of(drawn, 'test'):
        copied = (tmp_path / 'out' / name).read_bytes()
        assert copied == (drawn / name).read_bytes()


def test_images_become_upright_rgb(own_drawn, tmp_path):
    names = [row[1] for row in rows_of(own_drawn, 'test')]
    sideways, clear, cmyk, gray = (own_drawn / name for name in names[:4])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (80, 50), (200, 10, 10)).save(sideways, exif=exif)
    Image.new('RGBA', (90, 60), (0, 200, 0, 90)).save(clear, 'PNG')
    Image.new('CMYK', (90, 60), (9, 9, 9, 9)).save(cmyk, 'JPEG')
    Image.new('L', (90, 60), 77).save(gray, 'JPEG')
    out = tmp_path / 'out'
    prepare_emoset(own_drawn, out, splits=['test'], short_side=25)
    assert report_of(out)['problems'] == []
    with Image.open(out / names[0]) as image:
        assert (image.size, image.mode) == ((25, 40), 'RGB')
        assert image.getexif().get(0x0112) is None
    for name, mode in zip(names[1:4], ('RGB', 'RGB', 'L'), strict=True):
        with Image.open(out / name) as image:
            assert (image.mode, image.format) == (mode, 'JPEG')
    colors = [np.asarray(Image.open(out / n)) for n in names[:4]]
    assert np.abs(np.float64(colors[0]) - [200, 10, 10]).max() < 6
    assert np.abs(np.float64(colors[3]) - 77).max() < 3


def test_boxes_of_rotated_images(own_drawn, tmp_path):
    name = rows_of(own_drawn, 'test')[0][1]
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.new('RGB', (200, 60)).save(own_drawn / name, exif=exif)
    boxes = json.loads((own_drawn / 'persons.json').read_text())
    for entry in boxes['data_list']:
        if entry['img_path'] == name:  # upright it is 60 wide and 200 high
            entry['persons'] = [[6, 100, 60, 180, 0.5]]
    (own_drawn / 'persons.json').write_text(json.dumps(boxes))
    out = tmp_path / 'out'
    persons = own_drawn / 'persons.json'
    prepare_emoset(
        own_drawn, out, splits=['test'], short_side=30, persons=persons
    )
    info = EmoSet(str(out), 'test').get_data_info(0)
    assert load(info)['ori_shape'] == (100, 30)
    assert info['persons'] == [[3, 50, 30, 90, 0.5]]


def test_captions_with_other_options(drawn, tmp_path):
    prepare_emoset(drawn, tmp_path / 'out', images='original')
    plain = EmoSet(str(tmp_path / 'out'), 'test', caption=dict(emotion=False))
    raw = EmoSet(str(drawn), 'test', caption=dict(emotion=False))
    for i in range(len(plain)):
        assert plain.caption_of(i) == raw.caption_of(i)
        assert ' that evokes ' not in plain.caption_of(i)


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


def write_bomb(path):
    """A PNG whose header promises 60,000 x 60,000 pixels."""
    size = struct.pack('>IIBBBBB', 60000, 60000, 8, 2, 0, 0, 0)
    crc = struct.pack('>I', zlib.crc32(b'IHDR' + size))
    header = b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR' + size + crc
    path.write_bytes(header + b'\0\0\0\0IEND\xaeB`\x82')


# What the report must say of the image of row 0, 1, ... -> the damage.
IMAGES = {
    'no such image': Path.unlink,
    'OSError': lambda p: p.write_bytes(p.read_bytes()[:-400]),
    'the file is empty': lambda p: p.write_bytes(b''),
    'not an image': lambda p: p.write_text('<html>404</html>'),
    '300 x 9 pixels': lambda p: Image.new('RGB', (300, 9)).save(p),
    'is a folder': replace_by_folder,
    'DecompressionBomb': write_bomb,
}
# The same for the annotations of row 8, 9, ... -> what is lost by it, and
# bytes to write or entries to change.
ANNOTATIONS = [
    ('no such file', 'attributes', None),
    ('not valid JSON', 'attributes', b'{"brightness": '),
    ('found list', 'attributes', b'[1, 2]'),
    ('not valid JSON', 'attributes', b'\xff\xfe\x00{'),
    ("its emotion is 'awful'", 'attributes', dict(emotion='awful')),
    ("its image_id is 'x'", 'attributes', dict(image_id='x')),
    ('brightness must be a number', 'brightness', dict(brightness=7)),
    ('object must be a list', 'object', dict(object='dog')),
    ('scene must be a string', 'scene', dict(scene=[3])),
    ('surrogates not allowed', 'scene', dict(scene='\ud800x')),
]


def damage(root: Path) -> tuple[dict[str, tuple[str, str]], set[str]]:
    """Plant damage of every kind.

    Returns:
        tuple[dict[str, tuple[str, str]], set[str]]: The file that the report
        must name -> a part of what it must say, and of the consequence; and
        the images that must be left out.
    """
    rows = rows_of(root, 'train')
    expected = {}
    for row, (what, action) in zip(rows, IMAGES.items(), strict=False):
        action(root / row[1])
        expected[str(root / row[1])] = what, 'the row is left out'
    for row, (what, lost, content) in zip(rows[8:], ANNOTATIONS, strict=False):
        path = root / row[2]
        if content is None:
            path.unlink()
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            old = json.loads(path.read_text())
            path.write_text(json.dumps({**old, **content}))
        expected[str(path)] = what, f'kept, without {lost}'
    return expected, {row[1] for row in rows[: len(IMAGES)]}


@pytest.mark.parametrize('images', ['folder', 'lmdb', 'original'])
def test_damage_is_reported_and_nothing_good_is_lost(tmp_path, images):
    root = draw_emoset(
        tmp_path / 'raw', train=40, val=8, test=8, size=64, seed=2
    )
    expected, gone = damage(root)
    good = rows_of(root, 'train')
    bad_rows = [
        (['awe', 'image/awe/awe_00000.jpg'], 'expected [emotion, image, anno'),
        (['joy', 'image/joy/1.jpg', 'a.json'], "has the emotion 'joy'"),
        ('awe', 'expected [emotion, image, annotation]'),
        (['awe', 3, 'a.json'], 'expected [emotion, image, annotation]'),
        (['awe', '/etc/passwd', 'a.json'], 'expected a path inside'),
        (['awe', '../x.jpg', 'a.json'], 'expected a path inside'),
        (['awe', good[30][1], good[30][2]], 'the emotion of its folder'),
        (good[19], 'as does'),
    ]
    assert good[30][0] != 'awe'
    mixed = good[:20] + [row for row, _ in bad_rows] + good[20:]
    (root / 'train.json').write_text(json.dumps(mixed))
    (root / 'val.json').write_text('{"not": "rows"}')
    (root / 'info.json').write_text('{"label2idx": {"awe": 0}}')
    boxes = json.loads((root / 'persons.json').read_text())
    by_name = {entry['img_path']: entry for entry in boxes['data_list']}
    whole = [1.0, 2.0, 30.0, 40.0, 0.9]
    for number, box in (
        (21, [5, 5, 5, 9, 0.9]),
        (22, [float('nan'), 5, 9, 9, 0.9]),
        (23, [900, 900, 910, 910, 0.9]),
        (24, [1, 2, 3]),
        (25, 'box'),
    ):
        by_name[good[number][1]]['persons'] = [box, whole]
    by_name[good[26][1]]['persons'] = 5
    boxes['data_list'].remove(by_name[good[27][1]])
    persons = root / 'persons.json'
    persons.write_text(json.dumps(boxes))
    before = {p: p.read_bytes() for p in root.rglob('*') if p.is_file()}

    out = tmp_path / 'out'
    report = prepare_emoset(
        root, out, images=images, short_side=48, persons=persons
    )
    problems = report_of(out)['problems']
    found = {p['file']: p for p in problems}
    for file, (what, consequence) in expected.items():
        assert what in found[file]['problem'], file
        assert consequence in found[file]['consequence'], file
    in_list = [p for p in problems if p['file'] == str(root / 'train.json')]
    assert len(in_list) == len(bad_rows)
    for number, (_, what) in enumerate(bad_rows):
        assert any(
            what in p['problem'] and f'row {20 + number} ' in p['problem']
            for p in in_list
        ), what
    assert found[str(root / 'val.json')] == dict(
        file=str(root / 'val.json'),
        problem='not a list of rows',
        consequence='the split is left out',
    )
    assert 'label2idx' in found[str(root / 'info.json')]['problem']
    in_boxes = [p for p in problems if p['file'].startswith(str(persons))]
    for number, what in (
        (21, 'is empty'),
        (22, 'is not finite'),
        (23, 'is outside the image'),
        (24, 'does not have five values'),
        (25, 'is not numeric'),
        (26, 'not a list'),
        (27, 'has no entry'),
    ):
        assert any(
            what in p['problem'] and p['file'].endswith(good[number][1])
            for p in in_boxes
        ), what
    assert len(in_boxes) == 7

    # All that is good is there, in order, and nothing else.
    kept = [row for row in good if row[1] not in gone]
    assert report['counts'] == dict(
        train=dict(report['counts']['train'], rows=48, images=len(kept)),
        test=dict(report['counts']['test'], rows=8, images=8),
    )
    ours = EmoSet(str(out), 'train', caption=dict(emotion=True))
    assert len(ours) == len(kept)
    unread = EmoSet(str(out), 'train')  # no captions: attributes kept
    for i, (emotion, name, annotation) in enumerate(kept):
        info = ours.get_data_info(i)
        store = {
            'folder': out,
            'lmdb': out / 'image.lmdb',
            'original': root,
        }[images]
        path = info['img_path']
        assert os.path.normpath(path) == str(store / name)
        assert EMOSET_CATEGORIES[info['gt_label']] == emotion
        wrong = expected.get(str(root / annotation))
        if wrong is None:
            attributes = json.loads((root / annotation).read_text())
            assert info['caption'] == describe(attributes, emotion)
        elif 'attributes' in wrong[1]:
            assert info['caption'] == describe({}, emotion)
            assert unread.get_data_info(i)['attributes'] == {}
        image = load(info)
        if name == good[27][1] or name == good[26][1]:
            assert 'persons' not in info
        elif name in {good[n][1] for n in range(21, 26)}:
            (box,) = info['persons']
            assert box[4] == 0.9
        PersonCrop()(image)
    assert {p: p.read_bytes() for p in before} == before  # the download


def test_killed_run_resumes_and_finished_one_stays(
    drawn, tmp_path, monkeypatch
):
    out, whole = tmp_path / 'out', tmp_path / 'whole'
    options = dict(short_side=48, persons=drawn / 'persons.json')
    monkeypatch.setattr('uniemox_mm.preparation.prepare_emoset._CHUNK', 4)
    prepare_emoset(drawn, whole, **options)
    with killed_at(3):
        prepare_emoset(drawn, out, **options)
    with pytest.raises(ValueError, match='short_side was 48 and is 50'):
        prepare_emoset(drawn, out, **{**options, 'short_side': 50})
    assert (out / rows_of(drawn, 'train')[0][1]).is_file()
    report = prepare_emoset(drawn, out, **options)
    for path in whole.rglob('*.json'):
        other = out / path.relative_to(whole)
        assert other.read_bytes() == path.read_bytes()
    times = {p: p.stat().st_mtime_ns for p in out.rglob('*')}
    assert prepare_emoset(drawn, out, **options) == report
    assert {p: p.stat().st_mtime_ns for p in times} == times
    with pytest.raises(
        FileExistsError, match=r'persons was .*; short_side was 48 and is 32'
    ):
        prepare_emoset(drawn, out, short_side=32)


def test_resumed_with_splits_in_another_order(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr('uniemox_mm.preparation.prepare_emoset._CHUNK', 8)
    with killed_at(2):
        prepare_emoset(drawn, tmp_path / 'out', splits=['train', 'val'])
    prepare_emoset(drawn, tmp_path / 'out', splits=['val', 'train', 'val'])
    for split in ('train', 'val'):
        content = json.loads((tmp_path / f'out/{split}.json').read_text())
        names = [entry['img_path'] for entry in content['data_list']]
        assert names == [row[1] for row in rows_of(drawn, split)]


@pytest.mark.parametrize(
    ('options', 'error', 'match'),
    [
        (dict(root='image'), FileNotFoundError, r'has none of train\.json'),
        (dict(out='mine'), FileExistsError, 'mine: is not empty'),
        (dict(out='mine/a.tex'), FileExistsError, r'a\.tex: is a file'),
        (dict(out='raw'), ValueError, 'is inside the download'),
        (dict(out='raw/sub'), ValueError, 'is inside the download'),
        (dict(images='zip'), ValueError, "but is 'zip'"),
        (dict(short_side=3), ValueError, 'at least 16'),
        (dict(quality=96), ValueError, '320 and 96'),
        (dict(persons='none'), FileNotFoundError, 'none: no such file'),
        (dict(persons='raw/persons.json', detector=1), ValueError, 'not bo'),
    ],
)
def test_arguments_that_do_not_fit(
    drawn, tmp_path, monkeypatch, options, error, match
):
    monkeypatch.chdir(tmp_path)
    Path('raw').symlink_to(drawn)
    Path('mine').mkdir()
    Path('mine/a.tex').touch()
    options = {'out': 'out', **options}
    root = Path('raw') / options.pop('root', '')
    with pytest.raises(error, match=match):
        prepare_emoset(root, **options)
    assert not Path('out').exists()
    assert not (drawn / 'sub').exists()


def test_files_in_no_split_are_counted(own_drawn, tmp_path):
    (own_drawn / 'image/.DS_Store').write_bytes(b'x')  # not an emotion
    source = own_drawn / rows_of(own_drawn, 'val')[0][1]
    for number in (7, 8):
        shutil.copy(source, source.with_name(f'other_{number}.jpg'))
    prepare_emoset(own_drawn, tmp_path / 'all')
    assert report_of(tmp_path / 'all')['problems'] == [
        dict(
            file=str(source.parent),
            problem='2 of its files are in no split',
            consequence='not used',
        )
    ]
    prepare_emoset(own_drawn, tmp_path / 'one', splits=['val'])
    assert report_of(tmp_path / 'one')['problems'] == []


def test_full_disk(drawn, tmp_path, monkeypatch):
    real = emoset_samples.atomic_file
    written = []

    def full(path, *arguments, **options):
        if len(written) == 5:
            raise OSError(28, 'No space left on device')
        written.append(path)
        return real(path, *arguments, **options)

    monkeypatch.setattr(emoset_samples, 'atomic_file', full)
    with pytest.raises(OSError, match='No space left'):
        prepare_emoset(drawn, tmp_path / 'out', workers=0)
    monkeypatch.setattr(emoset_samples, 'atomic_file', real)
    report = prepare_emoset(drawn, tmp_path / 'out', workers=0)
    images = {s: c['images'] for s, c in report['counts'].items()}
    assert images == dict(train=24, val=8, test=8)


def test_changed_boxes_are_other_settings(own_drawn, tmp_path):
    persons = own_drawn / 'persons.json'
    prepare_emoset(
        own_drawn, tmp_path / 'out', splits=['test'], persons=persons
    )
    boxes = json.loads(persons.read_text())
    boxes['data_list'][0]['persons'] = []
    persons.write_text(json.dumps(boxes))
    with pytest.raises(FileExistsError, match='persons_sha256 was'):
        prepare_emoset(
            own_drawn, tmp_path / 'out', splits=['test'], persons=persons
        )


def test_boxes_of_another_dataset(own_drawn, tmp_path):
    other = tmp_path / 'other.json'
    other.write_text('{"data_list": [{"img_path": "x.jpg", "persons": []}]}')
    with pytest.raises(
        ValueError, match=r'has none of the images.*has x\.jpg'
    ):
        prepare_emoset(own_drawn, tmp_path / 'out', persons=other)
    assert not (tmp_path / 'out').exists()  # nor is time spent on images


def test_download_without_images(own_drawn, tmp_path):
    (own_drawn / 'image').rename(tmp_path / 'away')
    with pytest.raises(ValueError, match='not one image can be used; the fir'):
        prepare_emoset(own_drawn, tmp_path / 'out', images='lmdb')
    assert not (tmp_path / 'out').exists()
    (tmp_path / 'away').rename(own_drawn / 'image')
    report = prepare_emoset(own_drawn, tmp_path / 'out')
    assert report['counts']['train']['images'] == 16


@pytest.mark.parametrize('images', ['folder', 'lmdb'])
def test_folders_named_like_an_lmdb(drawn, tmp_path, images):
    out = tmp_path / 'a.lmdb/b.lmdb'
    prepare_emoset(drawn, out, splits=['test'], images=images)
    assert load(EmoSet(str(out), 'test').get_data_info(0))['img'].ndim == 3


def test_gray_of_16_bit(own_drawn, tmp_path):
    name = rows_of(own_drawn, 'test')[0][1]
    ramp = np.linspace(0, 65535, 100 * 80).reshape(80, 100).astype(np.uint16)
    Image.fromarray(ramp).save(own_drawn / name, 'PNG')
    before = load(dict(img_path=str(own_drawn / name)))['img']
    expected = np.repeat(np.round(ramp / 257.0)[..., None], 3, 2)
    np.testing.assert_array_equal(before, expected)
    prepare_emoset(own_drawn, tmp_path / 'out', splits=['test'], short_side=40)
    after = load(EmoSet(str(tmp_path / 'out'), 'test').get_data_info(0))['img']
    assert after.shape == (40, 50, 3)
    assert abs(after.mean() - before.mean()) < 1


def test_two_spellings_of_a_path(own_drawn, tmp_path):
    rows = rows_of(own_drawn, 'test')
    emotion, image, annotation = rows[0]
    rows.append([emotion, image.replace('image/', 'image/./'), annotation])
    (own_drawn / 'test.json').write_text(json.dumps(rows))
    report = prepare_emoset(own_drawn, tmp_path / 'out', splits=['test'])
    assert report['counts']['test']['images'] == 8
    (problem,) = report_of(tmp_path / 'out')['problems']
    assert f'names {image}, as does' in problem['problem']


def test_box_that_vanishes(own_drawn, tmp_path):
    persons = own_drawn / 'persons.json'
    name = rows_of(own_drawn, 'test')[0][1]
    Image.new('RGB', (4000, 4000)).save(own_drawn / name)
    boxes = json.loads(persons.read_text())
    for entry in boxes['data_list']:
        if entry['img_path'] == name:
            entry['persons'] = [[5, 5, 5.5, 9, 1.0]]
    persons.write_text(json.dumps(boxes))
    out = tmp_path / 'out'
    options = dict(splits=['test'], short_side=16, persons=persons)
    prepare_emoset(own_drawn, out, **options)
    (problem,) = report_of(out)['problems']
    assert 'is too small for this image' in problem['problem']


def test_no_good_row(own_drawn, tmp_path):
    (own_drawn / 'test.json').write_text('[["joy", "a", "b"]]')
    with pytest.raises(ValueError, match=r"the first problem: .*'joy'"):
        prepare_emoset(own_drawn, tmp_path / 'out', splits=['test'])


def test_originals_are_found_from_anywhere(own_drawn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prepare_emoset(os.path.relpath(own_drawn), 'out', images='original')
    monkeypatch.chdir('/')
    dataset = EmoSet(str(tmp_path / 'out'), 'test')
    assert load(dataset.get_data_info(0))['img'].shape[0] == 64
