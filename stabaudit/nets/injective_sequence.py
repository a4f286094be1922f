"""A decoder of documents, injective in z at every place: logits [g₂(βᵀ g₁([z, f(x_{<i})])), 0] (Wang et al. 2021, Example 2).

Both g are gradients of input-convex networks, strictly monotone with slope at least α. For the same words before it, two z give
the logits of a word at least α²‖z − z′‖ apart, measured against the last outcome, whose logit is 0.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from stabaudit.errors import UsageError
from stabaudit.nets.base import Noise
from stabaudit.nets.convex import ConvexGradient
from stabaudit.nets.lstm import History


class InjectiveSequenceDecoder(nn.Module):
    """Logits of every word from z and what the history says.

    Args:
        history: layers over the words before; they do not see z.
        latent_dim: d.
        widths: hidden sizes of both convex networks.
        alpha: smallest slope of both.

    Raises:
        UsageError: d + H > K − 1.
    """

    sees_past = True

    def __init__(self, history: History, latent_dim: int, widths: Sequence[int], alpha: float) -> None:
        super().__init__()
        free, into = history.outcomes - 1, latent_dim + history.hidden
        if into > free:
            raise UsageError(
                f"an injective decoder of {latent_dim} latent dimensions and a history of {history.hidden} needs at least "
                f"{into + 1} symbols, this vocabulary has {free + 1}: lower --latent-dim or --set hidden=…"
            )
        self.history = history
        self.padding = free - into
        self.inner = ConvexGradient(into, widths, alpha)
        self.outer = ConvexGradient(free, widths, alpha)

    def forward(self, z: Tensor, noise: Noise | None, x: Tensor) -> Tensor:
        """Logits of shape (batch, L, K) from z of shape (batch, d) and codes of shape (batch, L)."""
        told: Tensor = self.history(x, None, noise)
        both = torch.cat([z.unsqueeze(1).expand(-1, told.shape[1], -1), told], 2).flatten(0, 1)
        logits = self.outer(functional.pad(self.inner(both), (0, self.padding)))
        out: Tensor = functional.pad(logits, (0, 1)).unflatten(0, told.shape[:2])
        return out
