"""Boxes of people, and what is drawn."""

import numpy as np
import pytest
from PIL import Image

from tests.apis.classifiers import photo
from uniemox_mm import EmotionInferencer
from uniemox_mm.datasets import BadSampleError
from uniemox_mm.models import PersonDetector


@pytest.fixture(scope='module')
def detector(narrow_yolov3):
    config, weights = narrow_yolov3
    return dict(weights=weights, config=config, confidence=0.5)


def test_persons_equal_the_detector(work_dir, detector, tmp_path):
    images = [photo(i, 80, 120) for i in range(3)]
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(images[0]).save(tmp_path / 'turned.png', exif=exif)
    Image.fromarray(photo(4, 16, 20000)).save(tmp_path / 'thread.png')
    infer = EmotionInferencer(work_dir, device='cpu', detector=detector)
    inputs = [*images, tmp_path / 'gone.png', tmp_path / 'turned.png']
    results = infer(inputs, return_person=True, batch_size=2)
    turned = np.ascontiguousarray(images[0].transpose(1, 0, 2)[:, ::-1])
    expected = PersonDetector(**detector)([*images, turned[..., ::-1].copy()])
    found = [results[i]['persons'] for i in (0, 1, 2, 4)]
    assert sum(map(len, expected)) > 4
    for boxes, own in zip(found, expected, strict=True):
        # Scores that differ in the last digit may change places.
        apart = np.abs(boxes[:, None] - own).max(2)
        assert len(boxes) == len(own)
        assert max(apart.min(0).max(), apart.min(1).max()) < 1e-3
    assert results[3]['error'] == f'{tmp_path}/gone.png: no such image'
    assert not any('persons' in result for result in infer(inputs))


def test_failed_search_keeps_the_emotion(work_dir, detector, tmp_path):
    path = tmp_path / 'thread.png'
    Image.fromarray(photo(4, 16, 20000)).save(path)
    infer = EmotionInferencer(work_dir, device='cpu', detector=detector)
    results = infer([path, photo()], return_person=True)
    assert results[0]['error'].startswith(
        f'{path}: an image of 20000 x 16 pixels'
    )
    assert 'persons' not in results[0] and 'persons' in results[1]
    plain = infer(path)[0]
    np.testing.assert_allclose(
        results[0]['pred_scores'], plain['pred_scores'], atol=1e-6
    )
    with pytest.raises(BadSampleError, match=r'20000 x 16.* the detector'):
        infer(path, return_person=True)


def test_given_persons(infer):
    boxes = [[-5, 2, 30, 99, 0.5]]
    results = infer([photo()] * 3, persons=[boxes, [], [[1, 2]]])
    np.testing.assert_array_equal(
        results[0]['persons'], np.float32([[0, 2, 30, 40, 0.5]])
    )
    assert results[1]['persons'].shape == (0, 5)
    assert results[2]['error'].startswith('inputs[2]: person box [[1, 2]] is')
    assert results[2]['pred_class'] == results[0]['pred_class']


def test_pictures_are_drawn(infer, folder, tmp_path):
    out = tmp_path / 'deep' / 'drawn'
    boxes = [[10, 70, 40, 90, 1]]
    Image.fromarray(photo(0, 100, 150)).save(folder / 'b.png')
    infer([folder], persons=[[], boxes, [], []], show_dir=out, batch_size=2)
    names = {path.name for path in out.iterdir()}
    assert names == {'a.png', 'b.png', 'a-2.png'}
    drawn, plain = np.array(Image.open(out / 'b.png')), photo(0, 100, 150)
    assert (drawn != plain).any(2)[:40].sum() > 300  # the emotion
    boxed = plain.copy()
    boxed[70:91, [10, 40]] = boxed[[70, 90], 10:41] = (255, 0, 0)
    # matplotlib draws the image again, nearly as it is.
    np.testing.assert_allclose(drawn[60:], boxed[60:], atol=40)
    assert np.abs(drawn[60:].astype(float) - boxed[60:]).mean() < 3


class Extended(EmotionInferencer):
    """Add an argument as in MMPretrain, and use the pictures."""

    postprocess_kwargs = {'decimals'}

    def postprocess(self, preds, drawn, return_datasamples=False, decimals=9):
        results = super().postprocess(preds, drawn, return_datasamples)
        drawn = drawn or [None] * len(preds)
        return [
            dict(path=r['path'], score=round(r['pred_score'], decimals), as_=d)
            for r, d in zip(results, drawn, strict=True)
            if 'pred_score' in r
        ]


def test_subclass_with_own_arguments(infer, work_dir, tmp_path):
    extended = Extended(work_dir, device='cpu')
    inputs = [photo(1), tmp_path / 'gone.png', photo(2)]
    plain = infer(inputs)
    results = extended(inputs, decimals=2, batch_size=2)
    assert [result['score'] for result in results] == [
        round(plain[i]['pred_score'], 2) for i in (0, 2)
    ]
    (drawn,) = extended(photo(1, 100, 150), show_dir=tmp_path)
    written = np.array(Image.open(tmp_path / '0.png').convert('RGB'))
    np.testing.assert_array_equal(drawn['as_'], written)
