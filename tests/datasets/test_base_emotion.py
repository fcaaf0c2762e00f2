import gc
import json

import pytest

from uniemox_mm.datasets import FI, EmoSet
from uniemox_mm.datasets.base_emotion import collection_paused


@pytest.mark.parametrize('enabled', [True, False])
def test_collection_is_as_before(enabled):
    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(KeyError), collection_paused():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()


def test_paths_are_below_the_root_or_absolute(tmp_path):
    entries = [
        dict(img_path='image/a.jpg', gt_label=1, width=3),
        dict(img_path='/elsewhere/b.jpg', gt_label=0),
    ]
    dataset = FI(f'{tmp_path}/', lazy_init=True)
    rows = dataset._openmmlab_rows(
        tmp_path / 'train.json', dict(data_list=entries)
    )
    assert rows == [
        dict(img_path=f'{tmp_path}/image/a.jpg', gt_label=1, width=3),
        dict(img_path='/elsewhere/b.jpg', gt_label=0),
    ]


@pytest.mark.parametrize(
    ('caption', 'kept'),
    [
        (None, {'attributes', 'caption'}),  # somebody else may read them
        (dict(emotion=True), {'caption'}),  # it is in the file
        (dict(emotion=False), {'attributes'}),  # it is written from them
    ],
)
def test_attributes_are_kept_where_something_reads_them(
    own_drawn, caption, kept
):
    image = 'image/awe/awe_00000.jpg'
    entry = dict(
        img_path=image,
        gt_label=1,
        attributes=dict(scene='beach'),
        caption='A photo that evokes awe, taken on a beach.',
    )
    content = dict(
        metainfo=dict(caption=dict(emotion=True)), data_list=[entry]
    )
    (own_drawn / 'made.json').write_text(json.dumps(content))
    dataset = EmoSet(str(own_drawn), split='made', caption=caption)
    info = dataset.get_data_info(0)
    assert info.keys() & {'attributes', 'caption'} == kept
    if caption == dict(emotion=False):
        assert dataset[0]['caption'] == 'A photo, taken on a beach.'
    elif caption:
        assert dataset[0]['caption'] == entry['caption']
