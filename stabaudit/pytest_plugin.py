"""A pytest fixture for projects that test how stable their representations are; it comes with the package.

    def test_axes_are_reproducible(stability):
        assert stability.compare("runs/a").strong_mcc.out.ci_low > 0.6

pytest loads this file in every project of an environment that holds stabaudit, so nothing else is loaded before the fixture is
used.
"""

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from os import PathLike

    from stabaudit.comparison.records import AnatomyRecord, CollapseScore, Comparison, DensityScore, Score


@pytest.fixture(scope="session")
def stability() -> "Stability":
    """Score runs of restarts: `stability.compare("runs/a").strong_mcc.out.ci_low`."""
    return Stability()


class Stability:
    """What the fixture gives."""

    def compare(self, path: "str | PathLike[str]", **settings: Any) -> "RunScores":  # noqa: ANN401 -- fields of Settings
        """Compare the restarts of a run.

        Args:
            path: the run folder.
            settings: k, correlation, floor_draws, seed, memory, as of `stabaudit.compare`.

        Raises:
            StabauditError: a folder that is no run, or latents that cannot be scored.
        """
        from stabaudit.api import compare  # noqa: PLC0415 -- see above

        return RunScores(compare(path, **settings))


class Value:
    """A score of a run: `mean`, `ci_low`, `ci_high`, and of scores of pairs the floors and what they make of it.

    What the score has not is an error that says why, so that no assertion is about None. `record` holds everything.
    """

    mean: float
    ci_low: float
    ci_high: float
    sd: float
    independence_floor: float
    rotation_floor: float
    adjusted: float
    axis_alignment: float
    p_rotation: float

    def __init__(self, record: "Score | CollapseScore | DensityScore", name: str) -> None:
        self.record = record
        self._name = name

    if not TYPE_CHECKING:  # a type checker knows the names above and no others

        def __getattr__(self, name: str) -> object:
            """Look a field of the record up."""
            if name.startswith("_"):  # what copying looks for
                raise AttributeError(name)
            known = [found.name for found in fields(self.record)]
            if name not in known:
                raise AttributeError(f"{self._name} has no {name!r}; known: {', '.join(known)}")
            value = getattr(self.record, name)
            if value is None and name in {"ci_low", "ci_high", "sd"}:
                raise AttributeError(
                    f"{self._name} has no {name}: {self.record.restarts} restarts are too few; train three or more"
                )
            if value is None:
                raise AttributeError(f"{self._name} has no {name}")
            return value

    def __repr__(self) -> str:
        """Return what an assertion that fails shows."""
        return repr(self.record)


class PairScores:
    """A score of a run out-of-sample (`out`) and in-sample (`in_`); a weak MCC also with a number of pairs: `weak_mcc["all"]`."""

    def __init__(self, scores: "list[Score]", name: str, k: "int | Literal['all'] | None" = None) -> None:
        self._scores, self._name, self._k = scores, name, k

    def __getitem__(self, k: "int | Literal['all']") -> "PairScores":
        """Choose how many canonical pairs a weak MCC averages.

        Raises:
            KeyError: a number that was not computed; see `compare(…, k=…)`.
        """
        if k not in (known := ["all" if score.k is None else score.k for score in self._scores]):
            raise KeyError(f"{self._name} was not computed with k = {k}; known: {', '.join(map(str, dict.fromkeys(known)))}")
        return PairScores(self._scores, f"{self._name}@{k}", k)

    @property
    def out(self) -> Value:
        """On the held-out rows: the headline."""
        return self._value("out")

    @property
    def in_(self) -> Value:
        """On the rows that everything was fitted to."""
        return self._value("in")

    def _value(self, sample: Literal["in", "out"]) -> Value:
        alike = [score for score in self._scores if score.sample == sample]
        if self._k is not None:
            alike = [score for score in alike if score.k == (None if self._k == "all" else self._k)]
        if not alike:
            raise AttributeError(
                f"{self._name} has no {'out' if sample == 'out' else 'in_'}; it is scored on the other rows alone"
            )
        return Value(alike[0], f"{self._name}.{sample}")  # of several k the first, which was asked for


class RunScores:
    """Scores of one run by name: those of pairs as `PairScores`, those of collapse and of densities as `Value`.

    `comparison` holds all results.
    """

    def __init__(self, comparison: "Comparison") -> None:
        self.comparison = comparison

    @property
    def anatomy(self) -> "tuple[AnatomyRecord, ...]":
        """A record for every dimension: `dimension`, `verdict`, `purity`, …; empty for a single restart."""
        return self.comparison.anatomy

    @property
    def axes(self) -> int:
        """How many dimensions are the same axes in every restart."""
        return sum(one.verdict == "axis" for one in self.comparison.anatomy)

    @property
    def verdict(self) -> str:
        """What `stabaudit compare` says of the run, in sentences."""
        from stabaudit.reports.verdict import verdict  # noqa: PLC0415 -- see above

        return " ".join(verdict(self.comparison, self.comparison.runs[0].name))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- PairScores or Value, by the kind of score
        """Look a score up."""
        if name.startswith("_"):
            raise AttributeError(name)
        comparison = self.comparison
        pairs = [score for score in comparison.scores if score.metric == name]
        if pairs:
            return PairScores(pairs, name)
        others: dict[str, CollapseScore | DensityScore] = {score.score: score for score in comparison.collapse}
        others |= {score.metric: score for score in comparison.densities}
        if name in others:
            return Value(others[name], name)
        known = dict.fromkeys([*(score.metric for score in comparison.scores), *others])
        raise AttributeError(f"{comparison.runs[0].name} has no score {name!r}; known: {', '.join(known)}")

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401
        """The same for names that are no identifiers: `scores["my_scores:overlap"].out`."""
        return getattr(self, name)
