"""Scores or an error for all kinds of files, arrays and images."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.apis.classifiers import expected_scores, photo
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES

# Turns an image upright, by EXIF's definition of each orientation.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a.transpose(1, 0, 2)[:, ::-1],
    7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda a: a.transpose(1, 0, 2)[::-1],
}


def decoded(path):
    """Pixels of a file by Pillow, without EXIF."""
    with Image.open(path) as image:
        return np.asarray(image.convert('RGB'))


def good_files(folder, seed):
    """Pairs of a file and its RGB pixels."""
    rgb = photo(seed)
    image = Image.fromarray(rgb)
    alpha = Image.fromarray(rgb[..., 0])
    with_alpha = image.copy()
    with_alpha.putalpha(alpha)
    palette = image.convert('P')
    gray = np.asarray(image.convert('L'))

    def save(name, saved, **options):
        path = folder / name
        saved.save(path, **options)
        return path

    yield save('rgb.png', image), rgb
    yield save('alpha.png', with_alpha), rgb
    yield save('palette.png', palette), np.asarray(palette.convert('RGB'))
    yield save('gray.png', Image.fromarray(gray)), gray[..., None].repeat(3, 2)
    deep = Image.fromarray(gray.astype(np.uint16) * 257)
    yield save('deep.png', deep), gray[..., None].repeat(3, 2)
    yield save('lossless.webp', image, lossless=True), rgb
    for name, saved in (
        ('palette.gif', palette),
        ('photo.jpg', image),
        ('cmyk.jpg', image.convert('CMYK')),
    ):
        path = save(name, saved)
        yield path, decoded(path)
    for orientation, turn in UPRIGHT.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = save(f'exif{orientation}.jpg', image, exif=exif)
        yield path, turn(decoded(path))
    if seed == 0:
        wide = photo(1, 50, 8000)
        yield save('wide.png', Image.fromarray(wide)), wide
        tall = photo(2, 8000, 50)
        yield save('tall.png', Image.fromarray(tall)), tall


def good_in_memory(seed):
    rgb = photo(seed)
    bgr, gray = rgb[..., ::-1], rgb[..., 0]
    gray_rgb = gray[..., None].repeat(3, 2)
    yield bgr, rgb
    yield np.ascontiguousarray(bgr), rgb
    yield gray, gray_rgb
    yield gray[..., None], gray_rgb
    yield np.dstack([bgr, gray]), rgb
    image = Image.fromarray(rgb)
    cmyk = image.convert('CMYK')
    yield image, rgb
    yield cmyk, np.asarray(cmyk.convert('RGB'))
    yield Image.fromarray(gray), gray_rgb


TOO_SMALL = 'the image is {} pixels; expected at least 16'


def broken_files(folder):
    """Pairs of a file and the cause of its error."""
    image = Image.fromarray(photo(3))
    image.save(folder / 'whole.jpg', quality=95)
    content = (folder / 'whole.jpg').read_bytes()
    (folder / 'cut.jpg').write_bytes(content[:-200])
    (folder / 'text.jpg').write_text('hello, I am a text')
    (folder / 'empty.png').touch()
    (folder / 'nothing here').mkdir()
    Image.new('RGB', (1, 1)).save(folder / 'dot.png')
    yield folder / 'cut.jpg', 'image file is truncated'
    yield folder / 'text.jpg', 'image'
    yield folder / 'empty.png', 'empty'
    yield folder / 'dot.png', TOO_SMALL.format('1 x 1')
    yield folder / 'gone.png', 'no such image'
    yield folder / 'nothing here', 'a folder without images'
    yield folder / ('x' * 300), 'File name too long'


def broken_in_memory():
    yield photo().astype(np.float32), 'got float32 (40, 60, 3)'
    yield photo()[None], 'got uint8 (1, 40, 60, 3)'
    yield np.zeros((0, 9, 3), np.uint8), 'no pixels: (0, 9, 3)'
    yield photo()[:3, :9], TOO_SMALL.format('9 x 3')
    yield None, 'got NoneType'
    yield b'jpeg', 'got bytes'


@pytest.fixture(scope='module')
def mixed(tmp_path_factory):
    """115 inputs: (input, its pixels or None, the cause of its error)."""
    folder = tmp_path_factory.mktemp('mixed')
    cases = []
    for seed in range(4):
        own = folder / str(seed)
        own.mkdir()
        good = [*good_files(own, seed), *good_in_memory(seed)]
        cases += [(item, rgb, None) for item, rgb in good]
    cases += [(item, None, text) for item, text in broken_files(folder)]
    cases += [(item, None, text) for item, text in broken_in_memory()]
    order = np.random.default_rng(0).permutation(len(cases))
    return [cases[i] for i in order]


def name_of(item, position):
    if isinstance(item, np.ndarray | Image.Image | bytes) or item is None:
        return f'inputs[{position}]'
    return str(item)


def test_every_input_gets_a_result(infer, model, mixed):
    assert len(mixed) == 115
    results = infer([item for item, _, _ in mixed], batch_size=32)
    assert len(results) == len(mixed)
    for position, ((item, rgb, problem), result) in enumerate(
        zip(mixed, results, strict=True)
    ):
        name = name_of(item, position)
        in_memory = name.startswith('inputs[')
        assert result['path'] == (None if in_memory else name)
        if rgb is None:
            assert result.keys() == {'path', 'error'}
            assert result['error'].startswith(f'{name}: ')
            assert problem in result['error'].removeprefix(f'{name}: ')
            continue
        assert 'error' not in result, name
        scores = expected_scores(model, np.ascontiguousarray(rgb))
        np.testing.assert_allclose(
            result['pred_scores'], scores, atol=1e-6, rtol=0, err_msg=name
        )
        assert result['pred_label'] == scores.argmax()
        assert result['pred_class'] == EMOSET_CATEGORIES[scores.argmax()]
        assert result['pred_score'] == result['pred_scores'].max()
        assert list(result['scores']) == list(EMOSET_CATEGORIES)
        assert list(result['scores'].values()) == list(result['pred_scores'])


def test_scores_depend_on_the_image(infer, mixed):
    """Otherwise the equality of scores would prove nothing."""
    good = [item for item, rgb, _ in mixed if rgb is not None]
    scores = np.stack([r['pred_scores'] for r in infer(good)])
    assert scores.std(0).max() > 0.1
    assert len(set(scores.argmax(1))) > 2


def test_results_do_not_depend_on_batch_size(infer, mixed):
    items = [item for item, _, _ in mixed]
    one, many = (
        infer(items, batch_size=size, return_features=True) for size in (1, 32)
    )
    for a, b in zip(one, many, strict=True):
        assert a.keys() == b.keys()
        if 'error' in a:
            assert a == b
            continue
        for name in ('pred_scores', 'features'):
            np.testing.assert_allclose(a[name], b[name], atol=1e-6, rtol=0)


def test_truncated_pillow_image(infer):
    """Pillow decodes it only on access."""
    file = io.BytesIO()
    Image.fromarray(photo()).save(file, 'jpeg', quality=95)
    image = Image.open(io.BytesIO(file.getvalue()[:-200]))
    good, broken = infer([photo(), image])
    assert 'error' not in good
    assert broken['error'].startswith('inputs[1]: image file is truncated')
