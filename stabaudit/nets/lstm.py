"""`lstm`: a recurrent encoder and an autoregressive decoder of documents (Bowman et al. 2016; He et al. 2019, arXiv:1901.05534).

    enter, forget, leave = σ(·), candidate = tanh(·/2) of W [x_i, h_{i−1}] + b,   c_i = forget ⊙ c_{i−1} + enter ⊙ candidate,
    h_i = leave ⊙ tanh c_i   (Hochreiter & Schmidhuber 1997; Gers et al. 2000)

A document is a row of codes 1…K, with 0 after its end. The encoder reads embedded words and keeps the state at the last of them,
or takes the mean of a layer over them ("bag"). The decoder gives the logits of word i from z and the words before it, which it is
told (teacher forcing): its layers see [e(x_{i−1}), z] at every place, and e(0) where the document begins. Word dropout replaces
words that the decoder is told by the unknown one, so that it has to ask z (Bowman et al. 2016).

The cell is written out in plain operations, so that training steps can be traced and restarts stacked. Since tanh(a/2) =
2σ(a) − 1, one sigmoid serves all gates.
"""

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from stabaudit.config import Positive
from stabaudit.errors import UsageError
from stabaudit.nets.base import Noise, Posterior, bounded

UNKNOWN = 1  # code of a word that is not known
GATES = 4
Share = Annotated[float, Field(ge=0, lt=1)]


class LSTM(nn.Module):
    """One layer over whole sequences, from a state of zeros.

    Args:
        into: size of an input.
        hidden: size H of the state.
    """

    def __init__(self, into: int, hidden: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(hidden)
        self.hidden = hidden
        self.inputs = nn.Linear(into, GATES * hidden)  # gates in the order enter, forget, leave, candidate
        self.states = nn.Parameter(torch.empty(hidden, GATES * hidden).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """States at every place, shape (batch, L, H), of inputs of shape (batch, L, into)."""
        h = c = x.new_zeros(())
        places = []
        for number, gates in enumerate(self.inputs(x).unbind(1)):
            total = gates + h @ self.states if number else gates
            enter, forget, leave, candidate = total.sigmoid().chunk(GATES, 1)
            new = enter * (2 * candidate - 1)
            c = forget * c + new if number else new
            h = leave * c.tanh()
            places.append(h)
        return torch.stack(places, 1)


class Encoder(nn.Module):
    """q(z|x) or q(z|x, context): the context joins what was read before the heads."""

    def __init__(  # noqa: PLR0917
        self, outcomes: int, latent_dim: int, context_dim: int, embedding: int, hidden: int, kind: Literal["lstm", "bag"]
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(outcomes + 1, embedding)
        self.reader: nn.Module = LSTM(embedding, hidden) if kind == "lstm" else nn.Linear(embedding, hidden)
        self.bag = kind == "bag"
        self.heads = nn.Linear(hidden + context_dim, 2 * latent_dim)

    def forward(self, x: Tensor, context: Tensor | None, noise: Noise | None) -> Posterior:  # noqa: ARG002 -- no dropout here
        """Encode codes of shape (batch, L) and a context of shape (batch, k) or None."""
        there = (x > 0).to(self.heads.weight.dtype)
        read = self.reader(self.words(x.long()))
        if self.bag:
            weights = there / there.sum(1, keepdim=True)
            read = read.tanh()
        else:
            weights = there - functional.pad(there[:, 1:], (0, 1))  # 1 at the last word
        h = (read * weights.unsqueeze(2)).sum(1)
        mean, log_var = self.heads(h if context is None else torch.cat([h, context], 1)).chunk(2, 1)
        return Posterior(mean, bounded(log_var))


class History(nn.Module):
    """What a decoder knows of the words before each place: layers over their embeddings, and over what is seen beside them.

    Args:
        outcomes: K.
        beside: size of what is seen at every place beside the word before it; 0 for nothing.
        embedding: size of an embedded word.
        hidden: size of every layer.
        layers: how many.
        word_dropout: share of the words that become unknown while training.
    """

    def __init__(  # noqa: PLR0917
        self, outcomes: int, beside: int, embedding: int, hidden: int, layers: int, word_dropout: float
    ) -> None:
        super().__init__()
        self.outcomes, self.hidden = outcomes, hidden
        self.words = nn.Embedding(outcomes + 1, embedding)
        self.layers = nn.ModuleList(LSTM(hidden if number else embedding + beside, hidden) for number in range(layers))
        self.word_dropout = word_dropout

    def forward(self, x: Tensor, beside: Tensor | None, noise: Noise | None) -> Tensor:
        """States before each word, shape (batch, L, hidden), of codes (batch, L) and what is seen beside, (batch, beside)."""
        before = functional.pad(x[:, :-1], (1, 0))
        if self.word_dropout > 0 and self.training and noise is not None:
            lost = (noise.keep(before.shape, self.word_dropout) == 0) & (before > 0)
            before = torch.where(lost, UNKNOWN, before)
        h: Tensor = self.words(before.long())
        if beside is not None:
            h = torch.cat([h, beside.unsqueeze(1).expand(-1, h.shape[1], -1)], 2)
        for layer in self.layers:
            h = layer(h)
        return h

    def alone(self) -> "History":
        """Fresh layers of the same sizes that see nothing beside the words."""
        return History(self.outcomes, 0, self.words.embedding_dim, self.hidden, len(self.layers), self.word_dropout)


class Decoder(nn.Module):
    """Logits of every word from z and the words before it."""

    sees_past = True

    def __init__(self, outcomes: int, latent_dim: int, embedding: int, hidden: int, layers: int, word_dropout: float) -> None:  # noqa: PLR0917
        super().__init__()
        self.history = History(outcomes, latent_dim, embedding, hidden, layers, word_dropout)
        self.out = nn.Linear(hidden, outcomes)

    def forward(self, z: Tensor, noise: Noise | None, x: Tensor) -> Tensor:
        """Logits of shape (batch, L, K) from z of shape (batch, d) and codes of shape (batch, L)."""
        out: Tensor = self.out(self.history(x, z, noise))
        return out


def build(
    x_shape: tuple[int, ...],
    latent_dim: int,
    context_dim: int,
    *,
    embedding: Positive = 16,
    hidden: Positive = 32,
    layers: Positive = 2,
    word_dropout: Share = 0.0,
    encoder: Literal["lstm", "bag"] = "lstm",
) -> tuple[nn.Module, nn.Module]:
    """Build encoder and decoder.

    Args:
        x_shape: length of a document and number K of outcomes at each place.
        latent_dim: d.
        context_dim: size of what the encoder sees besides x; 0 for nothing.
        embedding: size of an embedded word (He et al.: 512 for Yahoo and Yelp).
        hidden: size of the LSTMs' states (He et al.: 1024).
        layers: of the decoder (Wang et al.: 2).
        word_dropout: share of the words the decoder is told that become unknown while training.
        encoder: "lstm", one layer, or "bag", which does not see the order of words.

    Raises:
        UsageError: the data are no documents.
    """
    if len(x_shape) != len(("length", "outcomes")):
        raise UsageError(
            f"architecture 'lstm' needs documents, these data have the shape {'×'.join(map(str, x_shape))}; use --arch mlp"
        )
    outcomes = x_shape[1]
    reader = Encoder(outcomes, latent_dim, context_dim, embedding, hidden, encoder)
    return reader, Decoder(outcomes, latent_dim, embedding, hidden, layers, word_dropout)
