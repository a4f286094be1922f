"""`resnet`: sizes, weight normalisation against torch's own, and what it cannot take."""

import pytest
import torch
from torch import nn

from stabaudit.errors import UsageError
from stabaudit.nets.resnet import NormalisedConv, build


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 8, 8), (2, 6, 10), (1, 7, 5)])
def test_an_image_comes_back_in_its_own_size(shape):
    encoder, decoder = build(shape, 7, 3, channels=(4, 5, 6, 7, 8))
    posterior = encoder(torch.rand(2, *shape), torch.rand(2, 3), None)
    assert posterior.mean.shape == posterior.log_var.shape == (2, 7)
    assert decoder(posterior.mean, None).shape == (2, *shape)


def test_the_paper_has_five_halvings_of_32_by_32():
    encoder, decoder = build((3, 32, 32), 50, 0)
    sizes = []
    for block in [*encoder.image.blocks, *decoder.image.blocks]:
        block.register_forward_hook(lambda _, __, out: sizes.append(tuple(out.shape[1:3])))
    decoder(encoder(torch.rand(1, 3, 32, 32), None, None).mean, None)
    down = [(32, 32), (64, 16), (128, 8), (256, 4), (512, 2)]  # averaged over 2×2 after each
    assert sizes == [*down, (256, 2), (128, 4), (64, 8), (32, 16), (16, 32)]
    assert encoder.heads.in_features == 512


def test_weights_are_normalised_as_torch_does_it():
    mine = NormalisedConv(3, 5, 3)
    theirs = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 5, 3, padding=1))
    with torch.no_grad():
        mine.length.uniform_(0.5, 2)
        theirs.parametrizations.weight.original0.copy_(mine.length.view(5, 1, 1, 1))
        theirs.parametrizations.weight.original1.copy_(mine.weight)
        theirs.bias.copy_(mine.bias)
    x = torch.rand(2, 3, 6, 6)
    torch.testing.assert_close(mine(x), theirs(x))


@pytest.mark.parametrize("shape", [(6,), (3, 1, 1), (2, 3)])
def test_what_is_no_image_is_refused(shape):
    with pytest.raises(UsageError, match="architecture 'resnet' needs images"):
        build(shape, 4, 0)
