"""Networks of documents against torch's own LSTM, and what must not be seen."""

import pytest
import torch
from torch import nn

from stabaudit.errors import UsageError
from stabaudit.nets import lstm
from stabaudit.training.step.noise import Fresh

K, D, LENGTH = 9, 3, 6
X = torch.tensor([[3.0, 5.0, 4.0, 8.0, 9.0, 2.0], [7.0, 2.0, 0.0, 0.0, 0.0, 0.0], [4.0, 6.0, 6.0, 2.0, 0.0, 0.0]])


def networks(context_dim=0, **options):
    torch.manual_seed(0)
    return lstm.build((LENGTH, K), D, context_dim, embedding=4, hidden=5, **options)


def theirs_of(layer):
    """Torch's layer with the same function; its gates are in the order input, forget, cell, output."""
    theirs = nn.LSTM(layer.inputs.in_features, layer.hidden, batch_first=True)
    order = torch.cat([torch.arange(5) + 5 * gate for gate in (0, 1, 3, 2)])
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(layer.inputs.weight[order])
        theirs.bias_ih_l0.copy_(layer.inputs.bias[order])
        theirs.weight_hh_l0.copy_(layer.states.T[order])
        theirs.bias_hh_l0.zero_()
        for parameter in theirs.parameters():
            parameter[10:15] /= 2  # ours takes tanh of half of it
    return theirs


@torch.no_grad()
def test_a_layer_is_torchs_lstm():
    torch.manual_seed(0)
    layer, x = lstm.LSTM(4, 5), torch.randn(7, LENGTH, 4)
    torch.testing.assert_close(layer(x), theirs_of(layer)(x)[0])


@torch.no_grad()
def test_the_encoder_keeps_the_state_at_the_last_word():
    encoder, _ = networks()
    packed = nn.utils.rnn.pack_padded_sequence(encoder.words(X.long()), [6, 2, 4], batch_first=True, enforce_sorted=False)
    last = theirs_of(encoder.reader)(packed)[1][0][0]
    torch.testing.assert_close(encoder(X, None, None).mean, encoder.heads(last)[:, :D])


@torch.no_grad()
@pytest.mark.parametrize("kind", ["lstm", "bag"])
def test_the_encoder_does_not_see_what_is_behind_the_end(kind):
    encoder, _ = networks(encoder=kind)
    short = encoder(X[1:2, :2], None, None)
    torch.testing.assert_close(encoder(X, None, None).mean[1:2], short.mean)


@torch.no_grad()
def test_a_bag_does_not_see_the_order_and_an_lstm_does():
    turned = X[:1].flip(1)
    for kind, blind in (("bag", True), ("lstm", False)):
        encoder, _ = networks(encoder=kind)
        assert torch.allclose(encoder(X[:1], None, None).mean, encoder(turned, None, None).mean, atol=1e-6) == blind


@torch.no_grad()
def test_the_encoder_sees_its_context():
    encoder, _ = networks(context_dim=2)
    u = torch.eye(2)[[0, 1, 0]]
    assert not torch.allclose(encoder(X, u, None).mean, encoder(X, 1 - u, None).mean)


@torch.no_grad()
def test_the_decoder_is_two_layers_over_the_words_before_and_z():
    _, decoder = networks()
    z = torch.randn(3, D)
    before = torch.cat([torch.zeros(3, 1), X[:, :-1]], 1).long()
    h = torch.cat([decoder.history.words(before), z[:, None].expand(3, LENGTH, D)], 2)
    for layer in decoder.history.layers:
        h = theirs_of(layer)(h)[0]
    torch.testing.assert_close(decoder(z, None, X), decoder.out(h))
    assert len(decoder.history.layers) == 2


def test_each_word_depends_on_z_and_the_words_before_and_on_no_other():
    _, decoder = networks()
    z = torch.randn(1, D, requires_grad=True)
    first = decoder(z, None, X[:1])
    for place in range(LENGTH):
        (slope,) = torch.autograd.grad(first[0, place].sum(), z, retain_graph=True)
        assert (slope != 0).all()  # at every place
        other = X[:1].clone()
        other[0, place] = 1
        changed = (decoder(z, None, other) != first).any(2)[0]
        assert changed.tolist() == [later > place for later in range(LENGTH)]


def test_word_dropout_makes_words_unknown_while_training_and_their_targets_stay():
    _, decoder = networks(word_dropout=0.4)
    z, many = torch.randn(1, D).expand(500, D), X[:1].expand(500, LENGTH)
    seen = []
    decoder.history.words.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    decoder.train()(z, Fresh(torch.Generator().manual_seed(0)), many)
    assert (seen[0][:, 0] == 0).all()  # where the document begins
    told = seen[0][:, 1:]
    lost = told == lstm.UNKNOWN
    assert 0.37 < lost.float().mean() < 0.43
    assert (lost | (told == many[:, :-1])).all()
    decoder(z, None, many)
    decoder.eval()(z, Fresh(torch.Generator()), many)
    assert torch.equal(seen[1], seen[2])
    assert torch.equal(seen[1][:, 1:], many[:, :-1].long())


@pytest.mark.parametrize("shape", [(6,), (1, 8, 8)])
def test_what_is_no_document_is_refused(shape):
    with pytest.raises(UsageError, match=r"architecture 'lstm' needs documents, these data have the shape .*; use --arch mlp"):
        lstm.build(shape, D, 0)
