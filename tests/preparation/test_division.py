import pytest

from uniemox_mm.datasets.class_folders import LabelledImage
from uniemox_mm.datasets.splitting import split_images
from uniemox_mm.preparation.division import divide

SHARES = {'': dict(train=0.7, val=0.1, test=0.2)}
IMAGES = [
    LabelledImage(f'{label}/{i}', label, group=str(label))
    for label in range(2)
    for i in range(20)
]
HASHES = {image.name: f'hash of {image.name}' for image in IMAGES}


def test_it_is_the_datasets_own_division():
    division = divide(IMAGES, SHARES, 3, HASHES, drop=True)
    assert division.splits == split_images(IMAGES, SHARES, 3)
    assert division.copies == [] and division.dropped == {}


def test_a_broken_image_moves_no_other():
    whole = divide(IMAGES, SHARES, 3, HASHES, drop=False).splits
    gone = whole['val'][1].name
    hashes = {k: v for k, v in HASHES.items() if k != gone}
    less = divide(IMAGES, SHARES, 3, hashes, drop=False).splits
    assert less == dict(whole, val=[whole['val'][i] for i in (0, 2, 3)])


@pytest.mark.parametrize('drop', [False, True])
def test_a_copy_goes_after_the_division(drop):
    whole = divide(IMAGES, SHARES, 3, HASHES, drop=False).splits
    first, second = whole['train'][4].name, whole['test'][2].name
    hashes = {**HASHES, first: HASHES[second]}
    division = divide(IMAGES, SHARES, 3, hashes, drop)
    assert [g.sha256 for g in division.copies] == [HASHES[second]]
    train = [i for i in whole['train'] if not (drop and i.name == first)]
    assert division.splits == dict(whole, train=train)
    assert division.dropped == (
        {first: f'also in test: {second}'} if drop else {}
    )


def test_an_empty_split_is_an_error():
    with pytest.raises(ValueError) as error:
        divide(IMAGES[:4], SHARES, 3, dict(list(HASHES.items())[:3]), False)
    for part in (
        'val would be empty: of 4 images 1 are broken and 0',
        'the download is divided 70% train, 10% val, 20% test',
        'Give other shares, or more images',
    ):
        assert part in str(error.value)
