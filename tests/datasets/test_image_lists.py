import hashlib
import json
import os

import pytest

from uniemox_mm.datasets.image_lists import ImageList, list_images

FORMATS = {
    'emoset.json': [['awe', 'b/x.jpg', 'c.json'], ['awe', 7, 'a.jpg', 'd']],
    'mm.json': dict(
        metainfo={},
        data_list=[dict(img_path='b/x.jpg'), dict(img_path='a.jpg')],
    ),
    'coco.json': dict(
        images=[dict(id=1, file_name='b/x.jpg'), dict(file_name='a.jpg')]
    ),
    'paths.json': ['b/x.jpg', 'a.jpg'],
    'tabs.txt': 'b/x.jpg\t3\na.jpg\t0\n',
    'plain.txt': 'b/x.jpg\na.jpg\n\n',
    'labelled.txt': 'b/x.jpg 3\na.jpg 0\n',
}


def write(folder, name):
    content = FORMATS[name]
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize('name', FORMATS)
def test_annotation_files(tmp_path, name):
    images = list_images([write(tmp_path, name)])
    assert images == ImageList(tmp_path, ('b/x.jpg', 'a.jpg'))


def test_the_hash_is_of_names_order_and_sizes(tmp_path):
    (tmp_path / 'a.jpg').write_bytes(b'123')
    (tmp_path / 'x.lmdb').mkdir()
    (tmp_path / 'x.lmdb/data.mdb').write_bytes(b'12345')
    names = ('a.jpg', 'none.jpg', 'x.lmdb/b.jpg')
    images = ImageList(tmp_path, names)
    content = b'a.jpg\n3\nnone.jpg\n-1\nx.lmdb/b.jpg\n5\n'
    assert images.sha256() == hashlib.sha256(content).hexdigest()
    assert images.sha256() != ImageList(tmp_path, names[::-1]).sha256()


def test_names_need_not_be_utf8(tmp_path):
    name = os.fsdecode(b'a\xff.jpg')
    (tmp_path / name).touch()
    images = list_images([tmp_path])
    assert images.names == (name,)
    assert len(images.sha256()) == 64


def test_links_are_followed_but_not_in_circles(tmp_path):
    (tmp_path / 'store/awe').mkdir(parents=True)
    (tmp_path / 'store/awe/a.jpg').touch()
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/awe').symlink_to(tmp_path / 'store/awe')
    (tmp_path / 'store/awe/back').symlink_to(tmp_path / 'data')
    assert list_images([tmp_path / 'data']).names == ('awe/a.jpg',)


def test_images_themselves(tmp_path):
    for name in ('b.jpg', 'a.png'):
        (tmp_path / name).touch()
    images = list_images([tmp_path / 'b.jpg', tmp_path / 'a.png'])
    assert images.names == ('b.jpg', 'a.png')


def test_spaces_in_names(tmp_path):
    (tmp_path / 'a.txt').write_text('my dog 2.jpg\nmy dog.jpg 3\n')
    images = list_images([tmp_path / 'a.txt'], root=tmp_path / 'images')
    assert images.names == ('my dog 2.jpg', 'my dog.jpg')
    assert images.root == tmp_path / 'images'


def test_folders_are_searched_in_order(tmp_path):
    for name in ('b/z.JPG', 'b/a.png', 'a.webp', '.hidden/x.jpg', 'b/.y.jpg'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / 'b/notes.txt').touch()
    assert list_images([tmp_path]).names == ('a.webp', 'b/a.png', 'b/z.JPG')
    inner = list_images([tmp_path / 'b'], root=tmp_path)
    assert inner.names == ('b/a.png', 'b/z.JPG')


def test_several_sources_are_joined_once(tmp_path):
    first = write(tmp_path, 'emoset.json')
    (tmp_path / 'more.txt').write_text('a.jpg\nc.jpg\n')
    images = list_images([first, tmp_path / 'more.txt'])
    assert images.names == ('b/x.jpg', 'a.jpg', 'c.jpg')


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{', 'not valid JSON'),
        ('{"a": 1}', r'expected rows \[emotion, image, annotation\]'),
        ('[3]', 'expected rows'),
        ('[["a"]]', 'expected rows'),
        ('[["awe", "a.jpg"]]', 'expected rows'),
        ('[["a", 3, "b"]]', 'expected rows'),
        ('{"data_list": [{"path": "x"}]}', '"img_path"'),
        ('[]', 'no images found'),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    (tmp_path / 'a.json').write_text(content)
    with pytest.raises(ValueError, match=f'{tmp_path}/a.json.*{message}'):
        list_images([tmp_path / 'a.json'])


def test_sources_that_do_not_fit(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such folder or file'):
        list_images([tmp_path / 'none'])
    (tmp_path / 'a').mkdir()
    (tmp_path / 'b').mkdir()
    with pytest.raises(ValueError, match=r'a.*b: different roots'):
        list_images([tmp_path / 'a', tmp_path / 'b'])
    with pytest.raises(ValueError, match=r'a: not below .*b'):
        list_images([tmp_path / 'a'], root=tmp_path / 'b')
    with pytest.raises(ValueError, match='no images found'):
        list_images([tmp_path / 'a'])
