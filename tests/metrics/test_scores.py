"""Scores that users bring: what their functions may return, raise and print."""

import sys

import numpy as np
import pytest

from stabaudit.errors import BadData, UsageError
from stabaudit.metrics.scores import Measure, chosen

A, FIT = np.arange(12.0).reshape(6, 2), np.arange(6) % 2 == 0


def scored(function, low=0.0, high=1.0):
    mine = Measure(name="mine", label="mine", meaning="?", low=low, high=high, reference="none", function=function)
    return mine.of_rows(A, A, FIT)


def test_a_function_is_called_on_either_half():
    assert scored(lambda a, b: len(a) / 10 + b[0, 0] / 100) == (0.3, 0.32)


def test_a_function_that_fits_is_told_the_rows():
    def rows(a, b, fit=None):
        return 1.0 if fit is None else float(fit.sum()) / len(a)

    assert scored(rows) == (1.0, 0.5)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda *_: 1.01, "score mine is 1.01, expected 0 to 1, the range of its entry"),
        (lambda *_: -0.01, "score mine is -0.01, expected 0 to 1"),
        (lambda *_: np.nan, "score mine is nan, expected a finite number"),
        (lambda *_: "high", "score mine returned str, expected a number"),
        (lambda *_: sys.exit(3), "score mine: SystemExit: 3"),
        (lambda *_: 1 / 0, "score mine: ZeroDivisionError: division by zero"),
    ],
)
def test_what_a_function_may_not_do(function, message):
    with pytest.raises(BadData, match=message):
        scored(function)


def test_rounding_beyond_an_end_is_no_fault():
    assert scored(lambda *_: 1.0 + 1e-7) == (1.0 + 1e-7, 1.0 + 1e-7)


def test_a_range_without_room_is_refused():
    with pytest.raises(UsageError, match=r"its range \[1, 1\] has no room"):
        scored(lambda *_: 1.0, low=1.0)


def test_the_first_word_of_several_names_stands_for_them():
    assert [one.name for one in chosen(["rsa", "cka"])] == ["cka", "rsa_pearson", "rsa_spearman"]
    assert "knn_overlap" in [one.name for one in chosen(["knn"])]
    with pytest.raises(UsageError, match="unknown score 'stron'"):
        chosen(["stron"])
