"""When does a score lie? Simulated once, kept in a table, and put into words.

The table is what `python tests/benchmarks/validity.py` gives: every score of pairs in worlds whose truth is known, five data
processes by twelve encoders. A score lies where what it says, adjusted for chance, is more than 0.1 from the part that restarts
share of what it asks for.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from stabaudit.published import published_file

TOLERANCE = 0.1
_FILE = "validity.csv"


@dataclass(frozen=True)
class Cell:
    """A score in a world.

    Args:
        process: how sources are drawn.
        encoder: how restarts show them.
        score: its name, or that of its axis score.
        right: what it ought to say, adjusted for chance, in [0, 1]; None where nothing is right.
        said: what it says, adjusted for chance, mean over runs.
        sd: standard deviation over runs.
    """

    process: str
    encoder: str
    score: str
    right: float | None
    said: float
    sd: float

    @property
    def error(self) -> float | None:
        """Above 0 where the score is too high; None where nothing is right."""
        return None if self.right is None else self.said - self.right

    @property
    def lies(self) -> bool:
        """Whether it is more than a tenth off."""
        return self.error is not None and abs(self.error) > TOLERANCE


@cache
def cells() -> tuple[Cell, ...]:
    """The table, in its order: by process, then encoder, then score."""
    with published_file(_FILE).open(encoding="utf-8", newline="") as file:
        return tuple(
            Cell(
                row["process"],
                row["encoder"],
                row["score"],
                float(row["right"]) if row["right"] else None,
                float(row["said"]),
                float(row["sd"]),
            )
            for row in csv.DictReader(file)
        )


def sentence(score: str, own: Sequence[Cell]) -> str:
    """In how many worlds a score is right, and where it is too high or too low, and by how much.

    Args:
        score: its name.
        own: its cells.
    """
    judged = [cell for cell in own if cell.right is not None]
    lying = sum(cell.lies for cell in judged)
    said = [f"{score}: right in {len(judged) - lying} of {len(judged)} worlds"]
    for way, sign in (("too high", 1), ("too low", -1)):
        places = [place for place in _places(judged, sign) if place]
        if places:
            said.append(f"{way} in {', '.join(places)}")
    return "; ".join(said) + "."


def _places(judged: Sequence[Cell], sign: int) -> list[str]:
    """Encoders under which a score lies one way, with the mean error, and the data processes where not all show it."""
    found = []
    for encoder in dict.fromkeys(cell.encoder for cell in judged):
        here = [cell for cell in judged if cell.encoder == encoder]
        wrong = [cell for cell in here if cell.lies and (cell.error or 0.0) * sign > 0]
        if not wrong:
            continue
        error = sum(cell.error or 0.0 for cell in wrong) / len(wrong)
        where = "" if len(wrong) == len(here) else f", {' and '.join(cell.process for cell in wrong)}"
        found.append(f'"{encoder}" ({error:+.2f}{where})')
    return found


def sentences() -> list[str]:
    """A sentence for every score, in the order of the table of scores."""
    by_score = sorted(cells(), key=lambda cell: cell.score)
    found = {score: sentence(score, list(own)) for score, own in groupby(by_score, key=lambda cell: cell.score)}
    return [found[score] for score in dict.fromkeys(cell.score for cell in cells())]


def validity_text() -> str:
    """What `stabaudit explain validity` prints."""
    encoders = ", ".join(dict.fromkeys(cell.encoder for cell in cells()))
    processes = ", ".join(dict.fromkeys(cell.process for cell in cells()))
    head = (
        "When does a score lie?\n\n"
        "Simulated restarts of six dimensions whose truth is known, under every data process and every encoder:\n"
        f"  data processes: {processes}\n  encoders: {encoders}\n\n"
        "A score answers one question (stabaudit list scores) with a part of the dimensions or of the variance. What it says,\n"
        f"adjusted to 0 at chance and 1 at the best, is right within {TOLERANCE:g} of that part; other errors in brackets.\n"
        ".axis_alignment is the axis score: adjusted to 0 at the rotation floor in place of chance."
    )
    return head + "\n\n" + "\n\n".join(sentences())
