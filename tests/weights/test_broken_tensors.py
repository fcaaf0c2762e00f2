"""Tensors that are no weights, and names that are no names."""

import pytest
import torch

from tests.weights.comparing import save
from tests.weights.test_refused_files import encoder
from uniemox_mm.weights import convert_checkpoint


def as_is(**changes):
    return lambda: {**encoder(), **changes}


def other(change):
    key = 'blocks.0.attn.qkv.weight'
    return lambda: {**encoder(), key: change(encoder()[key])}


NUMBERS = '; expected dense tensors of numbers'
KEY = "'blocks.0.attn.qkv.weight' is "
TENSORS = {
    'number-as-key': (
        lambda: {**encoder(), 7: torch.ones(1)},
        'a weight is called 7; expected names as text',
    ),
    'tuple-as-key': (
        lambda: {'model': {('a', 'b'): torch.ones(2)}},
        "a weight is called ('a', 'b'); expected names as text",
    ),
    'escapes-in-a-key': (
        as_is(**{'\x1b[31mx\n\x07': torch.ones(1)}),
        r"a weight is called '\x1b[31mx\n\x07'; expected names as text",
    ),
    'sparse': (other(torch.Tensor.to_sparse), KEY + 'sparse_coo' + NUMBERS),
    'meta': (other(lambda v: v.to('meta')), KEY + 'without content' + NUMBERS),
    'float8': (
        other(lambda v: v.to(torch.float8_e4m3fn)),
        KEY + 'float8_e4m3fn' + NUMBERS,
    ),
    'complex': (
        other(lambda v: v.to(torch.complex64)),
        KEY + 'complex64' + NUMBERS,
    ),
    'quantised': (
        other(lambda v: torch.quantize_per_tensor(v, 0.1, 0, torch.qint8)),
        KEY + 'qint8' + NUMBERS,
    ),
    'nested': (
        other(lambda v: torch.nested.nested_tensor([v])),
        KEY + 'nested' + NUMBERS,
    ),
    'repeated': (
        other(lambda v: torch.zeros(1).expand(10**6, 10**6)),
        KEY + 'of shape (1000000, 1000000), but the file holds 1 of its '
        'numbers' + NUMBERS,
    ),
}


@pytest.mark.parametrize('name', TENSORS)
@pytest.mark.filterwarnings('ignore')
def test_tensors_that_are_no_weights(name, tmp_path):
    make, message = TENSORS[name]
    path, target = tmp_path / 'file.pth', tmp_path / 'out' / 'ours.pth'
    save(path, make())
    with pytest.raises(ValueError) as error:
        convert_checkpoint(path, target)
    assert str(error.value) == f'{path}: {message}'
    assert not target.parent.exists()


def test_escapes_do_not_reach_the_terminal(tmp_path):
    """Nor what UTF-8 cannot say the report."""
    content = {'model': encoder(), '\ud800\x1b[31m': 1}
    path, target = tmp_path / 'file.pth', tmp_path / 'ours.pth'
    report = convert_checkpoint(save(path, content), target)
    line = r'left out  [\ud800\x1b[31m]: beside the weights'
    assert line in report.summary()
    written = tmp_path / 'ours.pth.report.txt'
    assert line in written.read_text().splitlines()


def test_views_take_no_more_than_their_own_place(tmp_path):
    weights = encoder()
    whole = torch.zeros(10**6)
    whole[:32] = weights['norm.bias']
    weights['norm.bias'] = whole[:32]
    path = save(tmp_path / 'file.pth', weights)
    convert_checkpoint(path, tmp_path / 'ours.pth')
    assert path.stat().st_size > 4 * 10**6
    assert (tmp_path / 'ours.pth').stat().st_size < 10**6
