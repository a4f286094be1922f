"""A group of restarts as its pairs see it, and which pairs of two groups are independent."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Member:
    """A group as the pairs see it: its name, the positions of its latents among all that were scored, and their seeds."""

    run: str
    positions: tuple[int, ...]
    seeds: tuple[int | None, ...]


def independent(a: Member, b: Member) -> list[tuple[int, int]]:
    """Pairs of a restart of `a` and one of `b` that were trained from different seeds, or all of them where no two were.

    Restarts of one seed start from the same random numbers, whatever they are trained to be, and are more alike for it.

    >>> independent(Member("a", (0, 1), (0, 1)), Member("b", (2, 3), (0, 1)))
    [(0, 3), (1, 2)]
    """
    every = [
        ((i, j), seed is None or seed != other)
        for i, seed in zip(a.positions, a.seeds, strict=True)
        for j, other in zip(b.positions, b.seeds, strict=True)
    ]
    return [pair for pair, apart in every if apart] or [pair for pair, _ in every]
