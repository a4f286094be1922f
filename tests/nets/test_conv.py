"""`conv` and `mlp`: the layers of the papers, the sizes they take, and what they cannot."""

import pytest
import torch
from torch import nn

from stabaudit.errors import UsageError
from stabaudit.nets import conv, mlp


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 8, 8), (2, 12, 20), (1, 4, 4)])
def test_an_image_comes_back_in_its_own_size(shape):
    encoder, decoder = conv.build(shape, 7, 3)
    posterior = encoder(torch.rand(2, *shape), torch.rand(2, 3), None)
    assert posterior.mean.shape == posterior.log_var.shape == (2, 7)
    assert decoder(posterior.mean, None).shape == (2, *shape)


@pytest.mark.parametrize(("shape", "quarter"), [((1, 28, 28), 7), ((3, 32, 32), 8)])
def test_the_layers_are_those_of_the_paper(shape, quarter):
    """Willetts et al. 2021, Table B.3; what it writes as convolutions from and to 1×1 are linear maps of as many weights."""
    encoder, decoder = conv.build(shape, 50, 0)

    def layers(module, kind):
        return [(m.out_channels, m.kernel_size[0], m.stride[0]) for m in module.modules() if isinstance(m, kind)]

    assert layers(encoder, nn.Conv2d) == [(8, 3, 1), (16, 3, 1), (32, 3, 1), (64, 3, 1)]
    assert [tuple(m.weight.shape) for m in encoder.modules() if isinstance(m, nn.Linear)] == [
        (64, quarter * quarter * 64),
        (64, 64),
        (100, 64),
    ]
    assert [m.weight.shape[0] for m in decoder.features if isinstance(m, nn.Linear)] == [64, 64, quarter * quarter * 64]
    assert layers(decoder, nn.ConvTranspose2d) == [(32, 4, 2), (16, 3, 1), (8, 4, 2)]
    assert layers(decoder, nn.Conv2d) == [(shape[0], 3, 1)]
    assert sum(isinstance(m, nn.MaxPool2d) for m in encoder.modules()) == 2


@pytest.mark.slow
def test_the_linear_maps_are_the_convolutions_from_and_to_one_pixel():
    encoder, decoder = conv.build((1, 8, 12), 4, 0)
    image = torch.rand(3, 64, 2, 3)
    kernel = encoder.pooled.weight.view(64, 2, 3, 64).movedim(-1, 1)
    convolved = nn.functional.conv2d(image, kernel, encoder.pooled.bias)
    torch.testing.assert_close(encoder.pooled(image.movedim(1, -1).flatten(1)), convolved.flatten(1))
    one = torch.rand(3, 64)
    last = decoder.features[-1]
    kernel = last.weight.view(2, 3, 64, 64).permute(3, 2, 0, 1)
    spread = nn.functional.conv_transpose2d(one[:, :, None, None], kernel)
    torch.testing.assert_close(last(one).unflatten(1, decoder.pooled_shape).movedim(-1, 1), spread)


@pytest.mark.parametrize("shape", [(6,), (8, 8), (1, 30, 28), (1, 28, 30), (1, 7, 8)])
def test_what_cannot_be_halved_twice_is_refused(shape):
    with pytest.raises(
        UsageError, match=f"multiples of 4; these data have the shape {'×'.join(map(str, shape))}; use --arch mlp"
    ):
        conv.build(shape, 4, 0)


@pytest.mark.parametrize(
    ("shape", "widths", "drop"),
    [((1, 28, 28), [512, 384, 256, 256], 0.1), ((3, 32, 32), [512, 384, 256, 256], 0.1), ((5,), [100, 100], 0)],
)
def test_mlp_has_the_widths_of_the_papers(shape, widths, drop):
    encoder, decoder = mlp.build(shape, 9, 2)
    sizes = [[m.out_features for m in net.modules() if isinstance(m, nn.Linear)] for net in (encoder, decoder)]
    x = torch.Size(shape).numel()
    assert sizes == [[*widths, 18], [*reversed(widths), x]]
    assert [encoder.body.drop, decoder.body.drop] == [drop, drop]
    posterior = encoder(torch.rand(2, *shape), torch.rand(2, 2), None)
    assert decoder(posterior.mean, None).shape == (2, *shape)


@pytest.mark.parametrize("widths", [[40], [40, 30], [40, 30, 20]], ids=len)
def test_dropout_acts_however_few_hidden_layers_there_are(widths):
    class Halved:
        """Noise that drops every unit of the second half."""

        def keep(self, shape, _drop):
            return torch.cat([torch.ones(shape[-1] // 2), torch.zeros(shape[-1] - shape[-1] // 2)]).expand(shape)

    body = mlp.build((5,), 3, 0, widths=tuple(widths), dropout=0.5)[0].body
    h = torch.rand(4, 5)
    assert not torch.equal(body(h, Halved()), body(h, None))
    assert torch.equal(body.eval()(h, Halved()), body(h, None))
