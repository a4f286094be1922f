"""What restarts share beyond linear maps: a row for every subspace and every other dimension, and what it says."""

from collections.abc import Sequence

from stabaudit.comparison.records import NonlinearRecord
from stabaudit.reports.report import Section
from stabaudit.reports.wording import NONE, mean_with_interval, number

BEYOND = 0.05  # of R², by which a nonlinear relation must exceed what it is held against
_HEADER = (
    "of the central restart",
    "linear R²",
    "nonlinear R² [95%]",
    "chance",
    "from elsewhere",
    "from all [95%]",
    "chance of all",
)
_LEGEND = (
    "R² of dimensions of the central restart from each other restart, out-of-sample: from the dimensions matched with them by an "
    "affine map, and by it and the 10 nearest rows; from the other dimensions; and from all. In many dimensions no row is near."
)


def nonlinear_section(run: str, own: Sequence[NonlinearRecord]) -> Section:
    """A row for every block of the central restart, and for every dimension outside them.

    Args:
        run: its name.
        own: its records.
    """
    rows = [
        [
            called(one),
            number(one.linear),
            mean_with_interval(one.members, one.members_low, one.members_high),
            number(one.members_floor),
            NONE if one.elsewhere is None else number(one.elsewhere),
            mean_with_interval(one.everything, one.everything_low, one.everything_high),
            number(one.everything_floor),
        ]
        for one in own
    ]
    return Section(f"beyond linear maps, within {run}", list(_HEADER), rows, [*nonlinear_sentences(own), _LEGEND], left=1)


def called(one: NonlinearRecord) -> str:
    """The dimensions of a record: "z3", "z0 z4"."""
    return " ".join(f"z{k}" for k in one.dimensions)


def nonlinear_sentences(own: Sequence[NonlinearRecord]) -> list[str]:
    """What is a function of other restarts although no linear one: a sentence for each, with its numbers."""
    said = []
    for one in own:
        if one.block is None and _above(one.everything_low, max(one.everything_floor, 0.0)):
            value = mean_with_interval(one.everything, one.everything_low, one.everything_high, 2)
            said.append(
                f"{called(one)} shares nothing linear with other restarts, but is a function of them "
                f"(nonlinear R² {value}, chance {number(one.everything_floor, 2)})."
            )
        elif one.block is not None and _above(one.gain_low, 0.0) and _above(one.members_low, max(one.members_floor, 0.0)):
            value = mean_with_interval(one.members, one.members_low, one.members_high, 2)
            these = "it" if len(one.dimensions) == 1 else "them"
            said.append(
                f"{called(one)}: the same dimensions of other restarts say more of {these} than a linear map shows "
                f"(nonlinear R² {value}, linear {number(one.linear, 2)})."
            )
    return said


def _above(low: float | None, floor: float) -> bool:
    return low is not None and low > floor + BEYOND
