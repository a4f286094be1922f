"""What lies behind the scores of a comparison: values pair by pair, and matched dimensions row by row, for pages and figures.

They hold arrays, which the records of the JSON report (see `stabaudit.comparison.records`) do not.
"""

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class PairTable:
    """One out-of-sample score, pair by pair.

    Args:
        run_a, run_b: as of a `Score`; run_b is "sources" for scores against true sources.
        metric, k: which score.
        restarts_a: what the restarts of run a are called: "vade#0"; its rows.
        restarts_b: those of run b; its columns.
        values: shape (restarts of a, restarts of b), NaN where there is no such pair; symmetric within a run.
    """

    run_a: str
    run_b: str
    metric: str
    k: int | None
    restarts_a: tuple[str, ...]
    restarts_b: tuple[str, ...]
    values: NDArray[Any] = field(compare=False)


@dataclass(frozen=True)
class MatchedDimension:
    """One dimension of a restart and the one of another that it was matched with, on some rows of *score*.

    Args:
        a, b: their numbers.
        inside: |correlation| on *fit*.
        outside: |correlation| on *score*.
        rows: values of both, shape (rows, 2).
    """

    a: int
    b: int
    inside: float
    outside: float
    rows: NDArray[Any] = field(compare=False)


@dataclass(frozen=True)
class Match:
    """Best, middle and worst matched dimension of a typical pair of a run: one whose strong MCC is the median."""

    run: str
    restart_a: str
    restart_b: str
    score: float  # strong MCC
    dimensions: tuple[MatchedDimension, ...]
