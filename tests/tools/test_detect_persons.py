"""tools/dataset_converters/detect_persons.py as a user runs it."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.helpers import ROOT
from tests.processes import kill_after, run
from uniemox_mm.datasets import EmoSet, LoadEmotionImage
from uniemox_mm.datasets.image_lists import list_images
from uniemox_mm.models import PersonDetector
from uniemox_mm.preparation.write_person_boxes import write_person_boxes

TOOL = 'tools/dataset_converters/detect_persons.py'


@pytest.fixture(scope='module')
def detector(narrow_yolov3):
    config, weights = narrow_yolov3
    return PersonDetector(weights, config, 0.5, batch_size=4)


def command(narrow_yolov3, source, out, *more):
    config, weights = narrow_yolov3
    return [
        *(TOOL, source, '--out', out, '--config', config),
        *('--weights', weights, '--confidence', '0.5'),
        *('--batch-size', '2', '--workers', '1', *more),
    ]


def test_the_file_has_what_the_detector_finds(detector, drawn, tmp_path):
    images = list_images([drawn])
    out = tmp_path / 'persons.json'
    metainfo = write_person_boxes(images, out, detector, workers=2)
    content = json.loads(out.read_text())
    assert content['metainfo'] == metainfo
    entries = content['data_list']
    assert [e['img_path'] for e in entries] == list(images.names)
    found = detector([drawn / e['img_path'] for e in entries])
    for entry, boxes in zip(entries, found, strict=True):
        persons = np.array(entry['persons']).reshape(-1, 5)
        np.testing.assert_allclose(persons[:, :4], boxes[:, :4], atol=0.006)
        np.testing.assert_allclose(persons[:, 4], boxes[:, 4], atol=6e-5)
    counts = np.bincount([len(e['persons']) for e in entries])
    assert metainfo == dict(
        **detector.provenance,
        batch_size=4,
        images=len(entries),
        images_sha256=images.sha256(),
        images_with_people=int(counts[1:].sum()),
        people=int((counts * np.arange(len(counts))).sum()),
        images_by_people={str(i): int(n) for i, n in enumerate(counts) if n},
        bad_images=0,
    )
    assert metainfo['people'] > 10
    dataset = EmoSet(str(drawn), 'test', persons=str(out))
    by_name = {e['img_path']: e['persons'] for e in entries}
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        name = info['img_path'].removeprefix(f'{drawn}/')
        assert info['persons'] == by_name[name]


def test_bad_images_are_listed(detector, own_drawn, tmp_path):
    names = list_images([own_drawn]).names
    (own_drawn / names[0]).write_bytes(b'')
    (own_drawn / names[5]).unlink()
    Image.new('RGB', (400, 3)).save(own_drawn / names[6])
    (tmp_path / 'list.txt').write_text('\n'.join(names[:9]))
    images = list_images([tmp_path / 'list.txt'], root=own_drawn)
    out = tmp_path / 'p.json'
    assert write_person_boxes(images, out, detector)['bad_images'] == 3
    entries = json.loads(out.read_text())['data_list']
    errors = {e['img_path']: e['error'] for e in entries if 'error' in e}
    assert set(errors) == {names[0], names[5], names[6]}
    assert errors[names[0]] == (
        'expected a readable image, but it is empty, 0 bytes'
    )
    assert errors[names[5]].startswith('no such image')
    assert errors[names[6]].startswith('the image is 400 x 3 pixels')
    good = [e for e in entries if 'error' not in e]
    alone = detector([own_drawn / e['img_path'] for e in good])
    assert [len(e['persons']) for e in good] == [len(b) for b in alone]


def test_a_file_made_otherwise_is_not_overwritten(detector, drawn, tmp_path):
    images = list_images([drawn / 'test.json'])
    out = tmp_path / 'p.json'
    first = write_person_boxes(images, out, detector, workers=0)
    before = out.stat().st_mtime_ns
    assert write_person_boxes(images, out, detector, workers=0) == first
    assert out.stat().st_mtime_ns == before
    others = list_images([drawn / 'val.json'])
    with pytest.raises(FileExistsError, match='images_sha256 was'):
        write_person_boxes(others, out, detector)
    assert out.stat().st_mtime_ns == before


def test_other_images_of_the_same_names_are_other_images(
    detector, drawn, tmp_path
):
    (name, *_) = list_images([drawn / 'test.json']).names
    for folder, scale in (('a', 1), ('b', 2)):
        (tmp_path / folder).mkdir()
        with Image.open(drawn / name) as image:
            size = (scale * image.width, scale * image.height)
            image.resize(size).save(tmp_path / folder / 'x.jpg')
    out = tmp_path / 'p.json'
    write_person_boxes(list_images([tmp_path / 'a']), out, detector)
    with pytest.raises(FileExistsError, match='images_sha256 was'):
        write_person_boxes(list_images([tmp_path / 'b']), out, detector)


def test_thin_image_is_bad(detector, drawn, tmp_path):
    (name, *_) = list_images([drawn / 'test.json']).names
    (tmp_path / 'good.jpg').write_bytes((drawn / name).read_bytes())
    Image.new('RGB', (20000, 16)).save(tmp_path / 'thin.png')
    out = tmp_path / 'p.json'
    write_person_boxes(list_images([tmp_path]), out, detector)
    good, thin = json.loads(out.read_text())['data_list']
    assert 'error' not in good and good['persons']
    assert thin['error'].startswith('an image of 20000 x 16 pixels cannot')


def test_no_good_image(detector, tmp_path):
    (tmp_path / 'a.txt').write_text('x.jpg\ny.jpg\n')
    images = list_images([tmp_path / 'a.txt'])
    with pytest.raises(
        ValueError, match=r'not one of the 2 .*x\.jpg: no such'
    ):
        write_person_boxes(images, tmp_path / 'p.json', detector)
    assert [p.name for p in tmp_path.iterdir()] == ['a.txt']


@pytest.mark.long
def test_killed_run_resumes(narrow_yolov3, drawn, tmp_path):
    whole, out = tmp_path / 'whole.json', tmp_path / 'out.json'
    result = run(*command(narrow_yolov3, drawn, whole))
    assert result.returncode == 0, result.stderr
    assert 'people in' in result.stdout and '0 people' in result.stdout
    parts = tmp_path / 'out.json.parts'
    for at_least in (1, 6, 13):
        kill_after(at_least, parts, out, *command(narrow_yolov3, drawn, out))
        assert not out.exists()
    done = len(list(parts.glob('[0-9]*.json')))
    assert 13 <= done < 20
    result = run(*command(narrow_yolov3, drawn, out))
    assert result.returncode == 0, result.stderr
    assert f'{40 - 2 * done} images in ' in result.stdout  # and not again
    assert out.read_bytes() == whole.read_bytes()
    assert not parts.exists()


@pytest.mark.long
def test_two_processes_write_what_one_writes(narrow_yolov3, drawn, tmp_path):
    one, two = tmp_path / 'one.json', tmp_path / 'two.json'
    launcher = ('-m', 'torch.distributed.run', '--standalone')
    launch = (*launcher, '--nproc_per_node', '2')
    distributed = command(narrow_yolov3, drawn, two, '--launcher', 'pytorch')
    result = run(*launch, *distributed)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count('people in') == 1
    assert run(*command(narrow_yolov3, drawn, one)).returncode == 0
    assert two.read_bytes() == one.read_bytes()
    again = run(*launch, *distributed)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count('people in') == 1


@pytest.mark.slow
def test_errors_are_one_line(drawn, tmp_path):
    result = run(TOOL, drawn, '--out', tmp_path / 'p.json', '--weights', 'no')
    assert result.returncode == 1
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith('FileNotFoundError: no: no such file')
    assert not list(tmp_path.iterdir())
    arguments = (TOOL, drawn, '--out', tmp_path / 'p.json', '--weights', 'no')
    result = run(*arguments, '--launcher', 'pytorch')
    assert result.stderr.startswith(
        '--launcher pytorch: start this with torch'
    )


@pytest.mark.long
def test_a_narrow_yolov3_learns_to_find_drawn_people(tmp_path):
    """And feeds PersonCrop through the boxes file."""
    data, work_dir = tmp_path / 'data', tmp_path / 'work'
    result = run(
        'tools/demo/train_person_detector.py',
        work_dir,
        *('--data', data, '--train', 384, '--test', 64, '--epochs', 10),
    )
    assert result.returncode == 0, result.stderr
    said = result.stdout.splitlines()[-1]
    recall = float(said.split('recall ')[1].split(',')[0])
    precision = float(said.split('precision ')[1].split(' ')[0])
    assert recall > 0.8 and precision > 0.8, said
    out = data / 'found.json'
    config = ROOT / 'configs/person_detection/yolov3_narrow_drawn.py'
    found = PersonDetector(work_dir / 'epoch_10.pth', config, 0.5)
    write_person_boxes(list_images([data / 'test.json']), out, found)
    crop = dict(type='PersonCrop', policy='best_score')
    pipeline = [dict(type='LoadEmotionImage'), crop]
    split = dict(split='test', pipeline=pipeline)
    ours = EmoSet(str(data), persons='found.json', **split)
    truth = EmoSet(str(data), persons='persons.json', split='test')
    overlaps = []
    for i in range(len(ours)):
        cropped, drawn_boxes = ours[i], truth.get_data_info(i)['persons']
        if cropped['person_box'] is None or not drawn_boxes:
            continue
        x1, y1, x2, y2 = cropped['person_box']
        assert cropped['img'].shape[:2] == (y2 - y1, x2 - x1)
        whole = LoadEmotionImage()(dict(img_path=cropped['img_path']))['img']
        np.testing.assert_array_equal(cropped['img'], whole[y1:y2, x1:x2])
        overlaps.append(max(iou((x1, y1, x2, y2), b) for b in drawn_boxes))
    assert len(overlaps) > 30
    assert np.mean(overlaps) > 0.7


def iou(a, b):
    wide = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    high = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    shared = wide * high
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return shared / (areas - shared)
