"""How much the divergence counts: β, and less at the beginning of training (Bowman et al. 2016).

Over the first `share` of the training the weight rises evenly from a tenth of β to β, as it does in He et al. 2019 and Kim et al.
2018, so that the encoder is of use before the divergence presses on it.
"""

from typing import Annotated

from pydantic import Field
from torch import Tensor

START = 0.1  # part of β at the beginning
Share = Annotated[float, Field(ge=0, le=1)]


def annealed(terms: dict[str, Tensor], progress: Tensor, share: float, beta: float = 1.0) -> dict[str, Tensor]:
    """Terms of a negative ELBO with the weight of its divergence; the parts stay as they are.

    Args:
        terms: "reconstruction" and "kl" among them.
        progress: how much of the training is done, a scalar in [0, 1].
        share: of the training over which the weight rises; 0: none.
        beta: the weight after it.
    """
    if share == 0 and beta == 1:
        return terms
    weight = (START + (1 - START) * progress / share).clamp(max=1) if share else 1.0
    return terms | {"loss": terms["reconstruction"] + beta * weight * terms["kl"]}
