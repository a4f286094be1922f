"""Baselines: the stability of an earlier run, kept in a JSON file to hold later ones against.

A baseline keeps every within-run score with its standard error, so that new − baseline has an interval. It can be held against
runs on the same dataset (fingerprint) with as many dimensions, scored in the same way; other differences of configuration are
what a regression test is there to judge.
"""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, ValidationError, model_validator

from stabaudit.comparison.records import Comparison, Score
from stabaudit.comparison.settings import Settings
from stabaudit.config import Frozen, Positive, RunConfig
from stabaudit.errors import UsageError
from stabaudit.metrics.scores import measure
from stabaudit.statistics.jackknife import ROUNDING, Estimate, difference
from stabaudit.statistics.power import detectable_loss
from stabaudit.store.files.atomic import missing, reason, shown, write_bytes
from stabaudit.store.files.regular import read_regular

SCHEMA_VERSION = 3  # 2: standard errors with their degrees of freedom and scale, and the loss that can be detected; 3: the margin
_LARGEST_SE = 1e100  # of a score without bounds; squares of larger numbers leave floating point
BASELINE_BYTES = 16 << 20  # at most; one has some 10 kB


class BaselineScore(Frozen):
    """One score within a run; `se` is None where two restarts gave no interval.

    `detectable_loss` is the loss, the margin included, that a run with as many restarts, as far apart, detects in four cases of
    five, at the margin that the baseline was made with; version 1 has neither it nor `df` and `scale`.
    """

    metric: str
    k: int | None
    sample: str
    mean: FiniteFloat
    se: Annotated[FiniteFloat, Field(ge=0)] | None
    df: Annotated[FiniteFloat, Field(ge=0)] | None = None
    scale: Literal["identity", "logit", "atanh", "log1m", "log"] = "identity"
    ci_low: FiniteFloat | None
    ci_high: FiniteFloat | None
    restarts: Annotated[int, Field(ge=2)]
    detectable_loss: Annotated[FiniteFloat, Field(ge=0)] | None = None

    @property
    def name(self) -> str:
        """As it is typed: "weak_mcc@20.out"."""
        return f"{self.metric}{'' if self.k is None else f'@{self.k}'}.{self.sample}"

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """Refuse what no run can have, and a gate could be talked round with."""
        low, high = _range(self.metric)
        if not low - ROUNDING <= self.mean <= high + ROUNDING:
            message = f"the mean of {self.name} is {self.mean:g}, and the score lies in [{low:g}, {high:g}]"
        elif _is_certain(self):
            message = f"the standard error of {self.name} is 0, and restarts that differ have one"
        elif self.se is not None and self.se > min(high - low, _LARGEST_SE):
            message = f"the standard error of {self.name} is {self.se:g}, more than the range of the score"
        elif self.se is not None and self.df == 0:
            message = f"{self.name} has a standard error without degrees of freedom"
        else:
            return self
        raise ValueError(message)

    def estimate(self) -> Estimate:
        """The mean and how sure it is, as when it was measured."""
        return Estimate(self.mean, None, self.se, self.restarts - 1 if self.df is None else self.df, 0, self.scale)


class Baseline(Frozen):
    """What a run was like."""

    schema_version: int = SCHEMA_VERSION
    run: str
    fingerprint: str | None
    latent_dim: Positive
    grid: tuple[Positive, Positive, Positive] | None = None
    k: Positive
    correlation: str
    restarts: Annotated[int, Field(ge=2)]
    config: RunConfig | None
    margin: Annotated[FiniteFloat, Field(ge=0)] | None = None  # that it is to be held with unless another one is given
    scores: list[BaselineScore]

    @model_validator(mode="after")
    def _of_one_name(self) -> Self:
        """Refuse two scores of one name, of which one would count in silence."""
        for name, count in Counter(score.name for score in self.scores).items():
            if count > 1:
                message = f"{name} is there {count} times"
                raise ValueError(message)
        return self

    def difference(self, score: Score) -> Estimate | None:
        """Score − baseline, or None where the baseline has no such score."""
        for old in self.scores:
            if (old.metric, old.k, old.sample) == (score.metric, score.k, score.sample):
                return difference(score.estimate(), old.estimate())
        return None


def as_baseline(comparison: Comparison, settings: Settings, config: RunConfig | None, margin: float) -> Baseline:
    """The baseline that a comparison of one run makes.

    Args:
        comparison: of one run.
        settings: how it was scored.
        config: of the run, where stabaudit trained it.
        margin: that it is to be held with, and of the loss that can be detected. Scores without any spread are left out.
    """
    (run,) = comparison.runs
    return Baseline(
        run=run.name,
        fingerprint=run.fingerprint,
        latent_dim=run.latent_dim,
        grid=run.grid,
        k=settings.k,
        correlation=settings.correlation,
        restarts=run.restarts,
        config=config,
        margin=margin,
        scores=[
            BaselineScore(
                metric=score.metric,
                k=score.k,
                sample=score.sample,
                mean=score.mean,
                se=score.se,
                df=score.df,
                scale=score.estimate().scale,
                ci_low=score.ci_low,
                ci_high=score.ci_high,
                restarts=score.restarts,
                detectable_loss=detectable_loss(difference(score.estimate(), score.estimate()), margin),
            )
            for score in comparison.scores
            if not _is_certain(score)
        ],
    )


def _is_certain(score: Score | BaselineScore) -> bool:
    """Whether its standard error is 0 though it lies within its range, not at an end, where every pair may score alike."""
    low, high = _range(score.metric)
    return score.se == 0 and low + ROUNDING < score.mean < high - ROUNDING


def _range(metric: str) -> tuple[float, float]:
    """Of a score; of one that is not known here, any. Functions that a baseline names are not imported."""
    if ":" in metric:
        return -math.inf, math.inf
    try:
        one = measure(metric)
    except UsageError:
        return -math.inf, math.inf
    return one.low, one.high


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline atomically.

    Raises:
        BadRun: where it cannot be written; the one before is as it was.
    """
    write_bytes(path, (baseline.model_dump_json(indent=2) + "\n").encode())


def read_baseline(path: Path) -> Baseline:
    """Read a baseline.

    Raises:
        UsageError: a missing, damaged or newer file: a gate without a baseline has nothing to say.
    """
    try:
        content = read_regular(path, BASELINE_BYTES)
        _require_known_version(content, path)
        baseline = Baseline.model_validate_json(content)
    except FileNotFoundError as error:
        raise UsageError(f"{missing(path)}; make the baseline from a good run with --update-baseline") from error
    except OSError as error:
        raise UsageError(f"cannot read {shown(path)}: {reason(error)}") from error
    except ValidationError as error:
        first = error.errors()[0]
        what = " ".join(f"{'.'.join(map(str, first['loc']))} {first['msg'].removeprefix('Value error, ')}".split())
        raise UsageError(f"{shown(path)} is not a baseline ({what}); make one from a good run with --update-baseline") from error
    return baseline


def require_replaceable(path: Path) -> None:
    """Refuse to write a baseline over a file that is none.

    Raises:
        UsageError: naming it.
    """
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return
    try:
        read_baseline(path)
    except UsageError as error:
        raise UsageError(f"{shown(path)} is there and is no baseline; name another file, or remove it first") from error


def _require_known_version(content: bytes, path: Path) -> None:
    """Tell a newer baseline, whatever its form is, from what is none."""
    try:
        version = json.loads(content)["schema_version"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise UsageError(
            f"{shown(path)} has schema version {version}, this stabaudit reads up to {SCHEMA_VERSION}; upgrade it, or make a new "
            "baseline with --update-baseline"
        )


def require_comparable(baseline: Baseline, new: Baseline, path: Path) -> None:
    """Refuse a baseline that was measured on something else.

    Raises:
        UsageError: naming what differs.
    """
    for name in ("fingerprint", "latent_dim", "grid", "k", "correlation"):
        old_value, new_value = getattr(baseline, name), getattr(new, name)
        if old_value != new_value:
            what = {"fingerprint": "dataset fingerprint", "latent_dim": "latent dimension", "grid": "grid of latents"}.get(
                name, name
            )
            raise UsageError(
                f"{shown(path)} cannot be held against {new.run}: its {what} is {old_value}, here {new_value}; "
                "make a new baseline with --update-baseline"
            )
