"""Wraps the text of figures."""

import re

TICK_CHARACTERS, TICK_LINES = 24, 3  # of a name beside an axis, at most


def wrapped(text: str, characters: int) -> list[str]:
    """Text in lines of at most so many characters, at least one line; broken at spaces and after commas.

    >>> wrapped("family=vae,data=digits,latent_dim=2", 24)
    ['family=vae,data=digits,', 'latent_dim=2']
    """
    words = [part for word in text.split() for part in _after_commas(word)]
    lines = [""]
    for word, glued in words:
        line = lines[-1] + ("" if glued or not lines[-1] else " ") + word
        if len(line) <= characters:
            lines[-1] = line
            continue
        pieces = [word[start : start + characters] for start in range(0, len(word), characters)]
        lines = [*filter(None, lines), *pieces]
    return lines


def _after_commas(word: str) -> list[tuple[str, bool]]:
    """A word in parts that end in commas, and whether each is glued to what is before it."""
    parts = [part for part in re.split(r"(?<=,)", word) if part]
    return [(part, place > 0) for place, part in enumerate(parts)]


def tick_lines(name: str) -> list[str]:
    """The name at a tick in as many lines as there is room for; what does not fit is left out of its middle, as ends differ.

    >>> tick_lines("settings.components=10,data=digits,architecture=mlp,latent_dim=8,lr=0.01")[-1]
    '…lp,latent_dim=8,lr=0.01'
    """
    lines = wrapped(name, TICK_CHARACTERS)
    if len(lines) <= TICK_LINES:
        return lines
    return [*lines[: TICK_LINES - 1], f"…{name[-(TICK_CHARACTERS - 1) :]}"]
