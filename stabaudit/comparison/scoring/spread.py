"""From a comparison to how the scores of a run's pairs vary, which says how many restarts a wanted half-width asks for."""

from stabaudit.comparison.gating.find_score import find_score
from stabaudit.comparison.records import Comparison
from stabaudit.comparison.settings import Settings
from stabaudit.defaults import MEMORY
from stabaudit.errors import UsageError
from stabaudit.metrics.mcc_strong import SCORE as STRONG
from stabaudit.metrics.pair_scores import DEFAULT_K
from stabaudit.metrics.scores import measure
from stabaudit.statistics.gate import ScoreKey
from stabaudit.statistics.restarts_needed import FEWEST, Spread, spread_of

STEPS = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)  # half-widths that are asked for


def require_of_pairs(key: ScoreKey) -> None:
    """Refuse what has no spread over pairs.

    Raises:
        UsageError: anything but an out-of-sample score of pairs.
    """
    if key.sample != "out" or key.reading != "mean" or measure(key.metric).unit != "pair":
        raise UsageError(f"{key}: expected an out-of-sample score of pairs, such as {STRONG.name}")


def settings_for_spread(key: ScoreKey, memory: int = MEMORY) -> Settings:
    """Settings that score pairs by one score and spend nothing on its floors, which no spread asks for.

    Args:
        key: the score.
        memory: bytes that latents may take.
    """
    k = key.k if isinstance(key.k, int) else DEFAULT_K
    return Settings(k=k, scores=(key.metric,), floor_draws=1, rotations=1, memory=memory)


def spread_of_score(comparison: Comparison, run: str, key: ScoreKey) -> Spread:
    """How a score varies over the pairs of a run.

    Args:
        comparison: that holds the run.
        run: its name.
        key: an out-of-sample score of pairs.

    Raises:
        UsageError: another kind of score, one that was not computed, or fewer than three restarts.
    """
    require_of_pairs(key)
    score = find_score(comparison.scores, run, key)
    table = next(
        (one for one in comparison.pairs if one.run_a == one.run_b == run and (one.metric, one.k) == (score.metric, score.k)),
        None,
    )
    if table is None:
        raise UsageError(f"{key}: its pairs are not kept; choose a score that 'stabaudit list scores' computes of pairs")
    found = spread_of(table.values, scale=measure(score.metric).scale)
    if found is None:
        raise UsageError(f"{run} has {len(table.values)} restarts, which have no interval; train {FEWEST} or more")
    return found


def next_step(spread: Spread) -> tuple[float, float, int] | None:
    """The half-width now, the next smaller round one, and the restarts that it needs; None where there is nothing to ask for."""
    found = spread.estimate.interval()
    if found is None or found[0] == found[1]:
        return None
    present = (found[1] - found[0]) / 2
    wanted = next((step for step in STEPS if step < present), None)
    needed = None if wanted is None else spread.needed(wanted)
    return None if wanted is None or needed is None else (present, wanted, needed)
