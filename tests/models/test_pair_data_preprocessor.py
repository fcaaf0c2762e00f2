import pytest
import torch
from mmpretrain.structures import DataSample

from tests.helpers import PREPROCESSOR, build
from tests.op_counts import OpCounts

WAITING = ('aten.index', 'aten._local_scalar_dense', 'aten.nonzero')


def pixels(count=3):
    return torch.randint(0, 256, (count, 3, 8, 10), dtype=torch.uint8)


def labelled(count=3):
    sample = DataSample().set_gt_label(2)
    sample.set_field(torch.arange(4.0), 'feature')
    return [sample.clone() for _ in range(count)]


def both(cfg, data):
    return [
        build(dict(cfg, type=kind))(data)
        for kind in ('PairDataPreprocessor', 'SelfSupDataPreprocessor')
    ]


@pytest.mark.parametrize('views', [1, 2], ids=['tensor', 'list'])
@pytest.mark.parametrize(
    'cfg',
    [
        PREPROCESSOR,
        dict(PREPROCESSOR, to_rgb=False),
        dict(to_rgb=True),
        dict(bgr_to_rgb=True),
        dict(),
    ],
    ids=['all', 'bgr', 'unnormalised', 'bgr_to_rgb', 'nothing'],
)
def test_pixels_equal_mmpretrains_bitwise(cfg, views):
    inputs = pixels() if views == 1 else [pixels(), pixels()]
    found, expected = both(cfg, dict(inputs=inputs, data_samples=labelled()))
    assert list(found) == list(expected) == ['inputs', 'data_samples']
    torch.testing.assert_close(
        found['inputs'], expected['inputs'], atol=0, rtol=0
    )


def test_channels_are_reversed_before_normalisation():
    blue = torch.zeros(1, 3, 1, 1, dtype=torch.uint8)
    blue[:, 0] = 255
    found = build(dict(PREPROCESSOR, type='PairDataPreprocessor'))(
        dict(inputs=blue)
    )
    expected = torch.tensor(
        [-123.675 / 58.395, -116.28 / 57.12, (255 - 103.53) / 57.375]
    )
    torch.testing.assert_close(found['inputs'].flatten(), expected)
    assert found['data_samples'] is None


def test_data_samples_are_passed_through():
    data_samples = labelled()
    labels = [sample.gt_label for sample in data_samples]
    preprocess = build(dict(PREPROCESSOR, type='PairDataPreprocessor'))
    preprocess.to('meta')  # stands for an accelerator
    found = preprocess(dict(inputs=pixels(), data_samples=data_samples))
    assert found['inputs'].is_meta
    assert found['data_samples'] is data_samples
    for sample, label in zip(data_samples, labels, strict=True):
        assert sample.gt_label is label and label.tolist() == [2]
        assert sample.feature.device.type == 'cpu'


def test_host_never_waits():
    """On an accelerator each of these operators would."""
    data = dict(inputs=[pixels(), pixels()], data_samples=labelled())
    counts = {}
    for kind in ('PairDataPreprocessor', 'SelfSupDataPreprocessor'):
        preprocess = build(dict(PREPROCESSOR, type=kind))
        with OpCounts() as ops:
            preprocess(data)
        counts[kind] = [ops.calls[name] for name in WAITING]
        assert ops.calls['aten.div'] == 2
    assert counts['PairDataPreprocessor'] == [0, 0, 0]
    assert counts['SelfSupDataPreprocessor'] == [2, 0, 0]


def test_another_collate_function_is_explained():
    preprocess = build(dict(PREPROCESSOR, type='PairDataPreprocessor'))
    with pytest.raises(TypeError, match='is a list: set collate_fn'):
        preprocess([pixels(), labelled()])
