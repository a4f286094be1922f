"""Where a restart's chance comes from, source by source, so that each can be varied by itself.

Without a choice a restart's seed opens three streams that share no numbers: initialisation, training (order of rows and noise, in
turn) and evaluation. Where sources are chosen (`train --vary init,order`), the order of rows and the noise get streams of their
own, and the sources that are not chosen take those of the first seed in every restart.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from stabaudit.config import parse_vary

SEEDS = 2**30  # there are so many
TRAINING_STREAM, EVALUATION_STREAM, ORDER_STREAM, DATA_STREAM, BINARY_STREAM, ENCODING_STREAM = (n * SEEDS for n in range(1, 7))


@dataclass(frozen=True)
class Streams:
    """Seeds of one restart.

    Args:
        init: of its weights at the start.
        noise: of its training noise, and of the order of rows where that has no stream of its own.
        evaluation: of the noise that it is evaluated with.
        order: of the order of rows; None: the noise's own stream.
        data: of the training rows that it sees; None: all of them.
        share: part of the rows, drawn without replacement; None: as many as there are, with replacement.
    """

    init: int
    noise: int
    evaluation: int
    order: int | None = None
    data: int | None = None
    share: float | None = None

    def generator(self, device: str) -> torch.Generator:
        """What the noise is drawn from, and the order of rows where that has no stream of its own."""
        return torch.Generator(device).manual_seed(TRAINING_STREAM + self.noise)

    def order_generator(self, device: str) -> torch.Generator | None:
        """What the order of rows is drawn from; None: the generator of the noise."""
        return None if self.order is None else torch.Generator(device).manual_seed(ORDER_STREAM + self.order)

    def rows(self, count: int) -> Tensor | None:
        """Numbers of the training rows that the restart sees, of so many; None: all of them."""
        if self.data is None:
            return None
        generator = torch.Generator().manual_seed(DATA_STREAM + self.data)
        if self.share is None:
            return torch.randint(count, (count,), generator=generator)
        return torch.randperm(count, generator=generator)[: rows_seen(count, self.share)]


def rows_seen(count: int, share: float | None) -> int:
    """How many training rows a restart sees."""
    return count if share is None else max(1, round(share * count))


def streams_of(seed: int, first: int, vary: str | None) -> Streams:
    """The seeds of a restart.

    Args:
        seed: its own.
        first: that of the first restart.
        vary: what is varied, as in a configuration; None: all but the data.

    >>> streams_of(7, 5, "order")
    Streams(init=5, noise=5, evaluation=5, order=7, data=None, share=None)
    """
    if vary is None:
        return Streams(seed, seed, seed)
    sources, share = parse_vary(vary)

    def of(source: str) -> int:
        return seed if source in sources else first

    return Streams(of("init"), of("noise"), of("noise"), of("order"), seed if "data" in sources else None, share)
