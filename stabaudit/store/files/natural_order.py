"""Names in the order in which people count: 2, 4, 10."""

import re


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts numbers by their size.

    >>> sorted(["seed10.npy", "seed9.npy"], key=natural)
    ['seed9.npy', 'seed10.npy']
    """
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name)]
