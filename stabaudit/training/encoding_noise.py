"""Noise in what is encoded, as some published code has it: pixels drawn anew, dropout left on.

Grey values in [0, 1] can be read as probabilities, and an image drawn as x ~ Bernoulli(p) (dynamic binarisation: Salakhutdinov
and Murray 2008, doi:10.1145/1390156.1390266). The code of Willetts and Paige (2021, arXiv:2106.05238) draws every image anew at
each training step and again, for every restart by itself, where the test set is encoded; and dropout stays on while encoding
unless a checkpoint was loaded. Two restarts then differ by these draws too, which lowers every score between them.
"""

import torch
from torch import Tensor, nn

from stabaudit.families.base import Family
from stabaudit.nets.base import MLP, Posterior
from stabaudit.training.step.noise import Fresh
from stabaudit.training.step.restarts import Rows, encode
from stabaudit.training.step.streams import BINARY_STREAM, ENCODING_STREAM


def binarised(rows: Rows, seed: int) -> Rows:
    """Rows drawn once as x ~ Bernoulli(p).

    Args:
        rows: their x holds probabilities, in [0, 1].
        seed: of the draw.
    """
    generator = torch.Generator().manual_seed(BINARY_STREAM + seed)
    return Rows(torch.bernoulli(rows.x, generator=generator), rows.u)


def dropping(family: Family) -> list[MLP]:
    """Layers of the family's encoder that drop out while it is trained."""
    encoder = getattr(family, "encoder", None)
    parts = encoder.modules() if isinstance(encoder, nn.Module) else ()
    return [part for part in parts if isinstance(part, MLP) and part.drop > 0]


def encode_with_dropout(family: Family, rows: Rows, seed: int) -> Posterior:
    """Encode all rows with dropout on, each row with a mask of its own.

    Args:
        family: in evaluation mode, in which it is left.
        rows: what is encoded.
        seed: of the masks.

    Returns:
        Posterior means and log-variances, shape (n, d) each, on the CPU.
    """
    device = next(family.parameters()).device
    noise = Fresh(torch.Generator(device).manual_seed(ENCODING_STREAM + seed))

    def with_noise(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[object, ...]:
        return (args[0], noise, *args[2:])

    hooks = []
    try:
        for part in dropping(family):
            part.training = True
            hooks.append(part.register_forward_pre_hook(with_noise))
        return encode(family, rows)
    finally:
        for hook in hooks:
            hook.remove()
        family.eval()
