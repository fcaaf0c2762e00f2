import json
from pathlib import Path

import numpy as np
from loader_speed.forms import sample_of
from loader_speed.photographs import photographs
from mmpretrain.registry import DATASETS

from uniemox_mm.datasets import EmoSet


def test_the_download_has_what_was_drawn(forms):
    dataset = DATASETS.build(forms[0].config([]))
    for i, (content, boxes) in enumerate(photographs(4)):
        info = dataset.get_data_info(i)
        assert Path(info['img_path']).read_bytes() == content
        assert info['persons'] == boxes


def test_all_forms_have_the_same_images_and_people(forms):
    datasets = [DATASETS.build(form.config([])) for form in forms]
    assert [len(dataset) for dataset in datasets] == [4, 4, 4]
    for i in range(4):
        raw, files, database = (d.get_data_info(i) for d in datasets)
        assert files['persons'] == database['persons']
        scale = 320 / {0: 683, 1: 683, 2: 768, 3: 768}[i]
        np.testing.assert_allclose(
            np.reshape(raw['persons'], (-1, 5))[:, :4] * scale,
            np.reshape(files['persons'], (-1, 5))[:, :4],
            atol=0.6,  # sides are rounded to whole pixels
        )


def test_facts(forms):
    assert [form.images for form in forms] == [4, 4, 4]
    raw, files, database = (form.facts() for form in forms)
    people = sum(bool(boxes) for _, boxes in photographs(4))
    kilobytes = np.median([len(c) / 1000 for c, _ in photographs(4)])
    assert raw == dict(
        images=4,
        with_people=people,
        short_side=(683 + 768) / 2,
        long_side=1024,
        kilobytes=kilobytes,
    )
    assert (files['short_side'], files['long_side']) == (320, (480 + 427) / 2)
    # The content is the same, byte by byte.
    assert database == files


def test_a_sample_is_evenly_spaced_and_whole(drawn):
    dataset = EmoSet(str(drawn), 'train', persons='persons.json')
    found = list(sample_of(dataset, 5))
    assert len(dataset) == 24
    for (content, boxes), index in zip(found, (0, 4, 9, 14, 19), strict=True):
        info = dataset.get_data_info(index)
        assert Path(info['img_path']).read_bytes() == content
        assert boxes == info['persons']
    assert len(list(sample_of(dataset, 99))) == 24


def test_a_sample_of_an_lmdb(forms):
    dataset = DATASETS.build(forms[2].config([]))
    files = DATASETS.build(forms[1].config([]))
    for i, (content, boxes) in enumerate(sample_of(dataset, 4)):
        info = files.get_data_info(i)
        assert Path(info['img_path']).read_bytes() == content
        assert boxes == info['persons']


def test_the_layout_is_that_of_emoset(forms):
    root = Path(forms[0].data_root)
    rows = json.loads((root / 'train.json').read_text())
    assert rows[1] == [
        'awe',
        'image/awe/awe_00001.jpg',
        'annotation/awe/awe_00001.json',
    ]
    names = sorted(p.name for p in root.iterdir())
    assert names == ['annotation', 'image', 'persons.json', 'train.json']
