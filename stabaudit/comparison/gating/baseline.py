"""Baselines: the stability of an earlier run, kept in a JSON file to hold later ones against.

A baseline keeps every within-run score with its standard error, so that new − baseline has an interval. It can be held against
runs on the same dataset (fingerprint) with as many dimensions, scored in the same way; other differences of configuration are
what a regression test is there to judge.
"""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, ValidationError

from stabaudit.comparison.records import Comparison, Score
from stabaudit.comparison.settings import Settings
from stabaudit.config import Frozen, NonNegative, Positive, RunConfig
from stabaudit.errors import UsageError
from stabaudit.statistics.jackknife import Estimate, difference
from stabaudit.statistics.power import detectable_loss
from stabaudit.store.files.atomic import missing, reason, shown, write_bytes
from stabaudit.store.files.regular import read_regular

SCHEMA_VERSION = 2  # 2: standard errors with their degrees of freedom and scale, and the loss that can be detected
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
    scale: Literal["identity", "logit", "log1m", "log"] = "identity"
    ci_low: FiniteFloat | None
    ci_high: FiniteFloat | None
    restarts: Positive
    detectable_loss: Annotated[FiniteFloat, Field(ge=0)] | None = None

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
    restarts: NonNegative
    config: RunConfig | None
    scores: list[BaselineScore]

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
        margin: of the loss that can be detected.
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
        ],
    )


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
        what = " ".join(f"{'.'.join(map(str, first['loc']))} {first['msg']}".split())
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
