"""Typed results as tables of pandas."""

from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame


def frame(records: Sequence[object]) -> "DataFrame":
    """Typed results as a pandas frame, a row for each and a column for each field.

    Args:
        records: dataclasses of one kind: `comparison.scores`, `comparison.differences`, `reported.tests.comparisons`, …

    >>> from stabaudit.comparison.records import DimensionRecord
    >>> frame([DimensionRecord("vae", "vae#0", 0, variance=0.9, active=True, kl=None)]).loc[0, "variance"].item()
    0.9
    """
    from pandas import DataFrame  # noqa: PLC0415 -- half a second that only frames need

    return DataFrame([asdict(record) if is_dataclass(record) and not isinstance(record, type) else record for record in records])
