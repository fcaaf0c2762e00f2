import copy

import pytest
import torch
from mmpretrain.structures import DataSample
from torch._dynamo.exc import Unsupported

from tests.helpers import (
    ARCH,
    CLASSIFIER,
    EMO_MAE,
    build,
    build_emo_mae,
    samples,
    views,
)
from uniemox_mm.models.transformer_layers import (
    checkpoint_layers,
    compile_layers,
    transformer_layers,
)


@pytest.fixture(autouse=True)
def _compiler():
    """Forget the graphs of other tests."""
    limit = torch._dynamo.config.cache_size_limit
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()
    torch._dynamo.config.cache_size_limit = limit


class Graphs:
    """A backend that keeps the graphs it gets and runs them as they are."""

    def __init__(self):
        self.inputs = []

    def __call__(self, graph, inputs):
        self.inputs.append(inputs)
        return graph

    def symbolic(self):
        """Whether any graph was made for more than one shape."""
        sizes = [
            size
            for inputs in self.inputs
            for value in inputs
            for size in getattr(value, 'shape', [value])
        ]
        assert sizes
        return any(isinstance(size, torch.SymInt) for size in sizes)


def pair(change, **parts):
    """The same model twice, the second changed."""
    model = build_emo_mae(**parts)
    changed = copy.deepcopy(model)
    change(changed)
    return model, changed


def losses_and_gradients(model, count=4):
    model.zero_grad()
    torch.manual_seed(3)  # of the masks
    inputs = [view[:count] for view in views()]
    losses = model.loss(inputs, samples(count))
    sum(losses.values()).backward()
    return losses, {
        name: p.grad for name, p in model.named_parameters() if p.requires_grad
    }


def assert_equal_steps(model, changed, tolerance=1e-5):
    found, expected = (losses_and_gradients(m) for m in (changed, model))
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)


@pytest.mark.slow
@pytest.mark.long
def test_inductor_gives_the_losses_and_gradients_of_the_eager_model():
    # Without the decoder, since compiling to C++ takes its time.
    assert_equal_steps(*pair(compile_layers, head=None))


@pytest.mark.parametrize('checkpointed', [False, True])
def test_compiled_layers_train_as_eager_ones(checkpointed):
    def change(model):
        if checkpointed:
            assert checkpoint_layers(model) == 4
        assert compile_layers(model, backend='aot_eager') == 4

    model, changed = pair(change)
    assert_equal_steps(model, changed)
    assert list(model.state_dict()) == list(changed.state_dict())


@pytest.mark.parametrize('checkpointed', [False, True])
def test_layers_of_a_width_share_a_graph(checkpointed):
    model = build(EMO_MAE)
    graphs = Graphs()
    if checkpointed:
        checkpoint_layers(model)
    compile_layers(model, backend=graphs)
    counts = []
    for batch_size in (4, 4, 3, 2, 3, 4):
        losses_and_gradients(model, batch_size)
        counts.append(len(graphs.inputs))
    # One for the two layers of the encoder, one for those of the decoder.
    assert counts == [2, 2, 4, 6, 6, 6]
    assert not graphs.symbolic()


def test_as_many_drop_path_rates_as_layers_are_compiled():
    """More than the graphs at which PyTorch gives up."""
    cfg = copy.deepcopy(CLASSIFIER)
    cfg['backbone'].update(arch=dict(ARCH, num_layers=12), drop_path_rate=0.2)
    model = build(cfg)
    graphs = Graphs()
    assert compile_layers(model, backend=graphs) == 12
    labels = [DataSample().set_gt_label(i) for i in range(4)]
    model(views()[0], labels, mode='loss')['loss'].backward()
    assert len(graphs.inputs) == 12


def test_compiles_and_checkpoints_a_classifier_of_mmpretrain():
    model = build(CLASSIFIER)
    changed = copy.deepcopy(model)
    assert checkpoint_layers(changed) == 2
    assert compile_layers(changed, backend='aot_eager') == 2
    labels = [DataSample().set_gt_label(i) for i in range(4)]
    found, expected = [], []
    for each, results in ((changed, found), (model, expected)):
        loss = each(views()[0], labels, mode='loss')['loss']
        loss.backward()
        results += [loss, *(p.grad for p in each.parameters())]
    assert len(found) == 1 + 28 + 4
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('checkpointed', [False, True])
def test_a_graph_break_is_an_error(checkpointed, monkeypatch):
    model = build(EMO_MAE)
    attention = model.backbone.layers[1].attn
    forward = attention.forward

    def broken(x):
        torch._dynamo.graph_break()
        return forward(x)

    monkeypatch.setattr(attention, 'forward', broken)
    if checkpointed:
        checkpoint_layers(model)
    compile_layers(model, backend='eager')
    with pytest.raises(Unsupported, match='graph_break'):
        losses_and_gradients(model)


def test_the_whole_encoder_is_one_graph():
    model = build_emo_mae()
    compile_layers(model, backend='eager')  # makes drop rates traceable
    encoder = copy.deepcopy(model.backbone)  # copies are not compiled
    torch._dynamo.reset()
    explained = torch._dynamo.explain(encoder)(*views())
    assert explained.graph_count == 1
    assert explained.graph_break_count == 0, explained.break_reasons
    torch._dynamo.reset()
    compiled = torch.compile(
        encoder.forward, fullgraph=True, backend='eager', dynamic=False
    )
    results = []
    for forward in (compiled, encoder.forward):
        torch.manual_seed(5)
        results.append(forward(*views()))
    for ours, theirs in zip(*results, strict=True):
        for found, expected in zip(ours, theirs, strict=True):
            assert torch.equal(found, expected)


def test_checkpointed_layers_train_as_plain_ones():
    assert_equal_steps(*pair(checkpoint_layers), tolerance=0)


def bytes_saved(model, tokens):
    """Bytes that the encoder's layers keep for the backward pass."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage  # held, so that none is reused
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        for layer in model.backbone.layers:
            tokens = layer(tokens)
    return sum(storage.nbytes() for storage in kept.values())


def test_checkpointed_layers_keep_their_input_alone():
    """12.25 times less, at this width.

    A layer keeps for each token of width D: its input, what both norms,
    attention and GELU give (4 D, and F), three times D of q, k and v, and F
    that enters GELU; the input of the second norm, mean and deviation of
    both norms, and a sum for each of H heads.
    """
    model, changed = pair(checkpoint_layers)
    tokens = torch.randn(2, 5, 32, requires_grad=True)
    width, hidden, heads = 32, 64, 4
    layer = 8 * width + 2 * hidden + 4 + heads
    assert bytes_saved(model, tokens) == 2 * 10 * 4 * layer
    assert bytes_saved(changed, tokens) == 2 * 10 * 4 * width
    assert layer / width == 12.25


@pytest.mark.parametrize('compiled', [False, True])
def test_a_copy_of_a_changed_model_trains_its_own_weights(compiled):
    model, changed = pair(checkpoint_layers)
    if compiled:
        compile_layers(changed, backend='eager')
    duplicate = copy.deepcopy(changed)
    before = copy.deepcopy(changed.state_dict())
    changed.zero_grad()
    _, found = losses_and_gradients(duplicate)
    assert all(p.grad is None for p in changed.parameters())
    _, expected = losses_and_gradients(model)
    for name, gradient in expected.items():
        assert torch.equal(found[name], gradient), name
    torch.optim.SGD(duplicate.parameters(), lr=1.0).step()
    after = duplicate.state_dict()
    assert all(
        torch.equal(before[k], v) for k, v in changed.state_dict().items()
    )
    assert not torch.equal(
        after['backbone.layers.1.attn.qkv.weight'],
        before['backbone.layers.1.attn.qkv.weight'],
    )


@pytest.mark.parametrize(
    'function', [checkpoint_layers, compile_layers, transformer_layers]
)
def test_model_without_transformer_layers_is_refused(function):
    with pytest.raises(ValueError, match='Linear has no TransformerEncoder'):
        function(torch.nn.Linear(2, 2))
