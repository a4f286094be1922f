"""Train a run until the interval of a score is narrow enough: restarts are added in batches (`stabaudit.statistics.stopping`)."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from stabaudit.comparison.compare import compare
from stabaudit.comparison.reading.selectors import read_run
from stabaudit.comparison.scoring.spread import require_of_pairs, settings_for_spread, spread_of_score
from stabaudit.errors import UsageError
from stabaudit.metrics.mcc_strong import SCORE as STRONG
from stabaudit.metrics.scores import measure
from stabaudit.statistics.gate import ScoreKey, parse_score
from stabaudit.statistics.restarts_needed import FEWEST
from stabaudit.statistics.stopping import FIRST, next_count
from stabaudit.store.run.run_folder import Run

_UNTIL = re.compile(r"(?P<score>.+?)\s*(?:±|\+/?-)\s*(?P<half>\d*\.?\d+(?:e-?\d+)?)")


@dataclass(frozen=True)
class Until:
    """When a run has enough restarts.

    Args:
        key: a score of pairs.
        half_width: of its 95% interval, wanted.
        most: restarts that there may be.
    """

    key: ScoreKey
    half_width: float
    most: int

    def first(self, restarts: int | None) -> int:
        """How many restarts to begin with, where so many or None were asked for; no look is taken at fewer than eight.

        Raises:
            UsageError: more than there may be.
        """
        if (restarts or 0) > self.most:
            raise UsageError(f"--restarts {restarts} are more than --max-restarts {self.most}; raise that")
        return max(restarts or 0, FIRST)

    def __str__(self) -> str:
        """As it can be typed."""
        return f"{self.key}±{self.half_width:g}"


def parse_until(text: str, most: int, asked: frozenset[str] = frozenset()) -> Until:
    """Read "strong_mcc±0.03", "weak_mcc@20 +- 0.01".

    Args:
        text: what was typed.
        most: restarts that there may be.
        asked: options of `train` that were given, such as "train --geometry", which some scores come with.

    Raises:
        UsageError: anything else, a score that no such run has, or fewer restarts than the first look takes.

    >>> parse_until("strong_mcc±0.03", 40).half_width
    0.03
    """
    found = _UNTIL.fullmatch(text.strip())
    if found is None or not 0 < float(found["half"]) < math.inf:
        raise UsageError(
            f"--until {text!r}: expected a score and a half-width, such as {STRONG.name}±0.03 or {STRONG.name}+-0.03"
        )
    key = parse_score(found["score"])
    require_of_pairs(key)
    option = measure(key.metric).option
    if option is not None and option not in asked:
        raise UsageError(f"--until {key}: this score comes with {option}, without which the run has none")
    if most < FIRST:
        raise UsageError(f"--max-restarts {most}: expected at least {FIRST}, after which the spread is first looked at")
    return Until(key, float(found["half"]), most)


def train_until(train: Callable[[int], Run], until: Until, count: int, say: Callable[[str], None]) -> Run:
    """Add restarts until the half-width is reached or there are as many as there may be.

    Args:
        train: trains a run with so many restarts in all, or as many as it was to have before; leaves alone those that are done.
        until: when there are enough.
        count: of restarts to begin with, as `Until.first` gives it.
        say: is told what each look finds.
    """
    before = 0
    while True:
        run = train(count)
        count, done = len(run.manifest.restarts), len(run.done)
        half_width, wanted = _look(run, until) if done >= FEWEST else (math.inf, FIRST)
        if wanted <= done or (half_width <= until.half_width and count >= until.most):
            say(f"{until.key}: ±{until.half_width:g} is reached with {done} restarts (±{half_width:.2g})")
            return run
        if count >= until.most or done <= before:
            left = f"±{until.half_width:g} is not reached with {done} restarts (±{half_width:.2g})"
            say(f"{until.key}: {left}; {'raise --max-restarts' if count >= until.most else 'restarts fail or diverge'}")
            return run
        added = min(until.most - count, wanted - done)
        say(f"{until.key}: ±{half_width:.2g} with {done} restarts; {added} more are trained")
        count, before = count + added, done


def _look(run: Run, until: Until) -> tuple[float, int]:
    """The half-width that the run has, and how many restarts it should have."""
    found = compare([read_run(run, name=run.name)], settings_for_spread(until.key))
    spread = spread_of_score(found, run.name, until.key)
    return spread.half_width(spread.restarts), next_count(spread, until.half_width)
