"""How often intervals hold the true mean, gates give each verdict, and the test of equal stability rejects; all by simulation.

    python tests/benchmarks/coverage.py [--runs 20000] [--tests 4000] [--format markdown|json]

The score of restarts i and j is M_ij = f(μ + a_i + a_j + e_ij), or depends on which of two solutions they found. True means are
those of 40,000 new restarts. A coverage of 95% over 20,000 runs has a standard error of 0.15 points, 90% one of 0.2. It takes
ten minutes, most of them for gates and tests.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from scipy.special import expit, stdtrit

from stabaudit.statistics.equal_stability import DRAWS, EXACT_LIMIT, permutation_p, smallest_p
from stabaudit.statistics.gate import judge_regression
from stabaudit.statistics.jackknife import Scale, difference, leave_one_out, within
from stabaudit.statistics.power import detectable_loss

SPREAD, NOISE = 0.05, 0.02  # standard deviations of a_i and e_ij
MARGINS, GATE_SPREAD = (0.02, 0.1), 0.03  # of the gate; its restarts have pairs with a standard deviation of 0.047

NEW_RESTARTS, NEW_RUNS = 200, 200  # over which a true mean is taken

Rng = np.random.Generator
Draw = Callable[[Rng, int], np.ndarray]


@dataclass(frozen=True)
class World:
    """A population of restarts.

    Args:
        name: as printed.
        scale: of its scores.
        draw: the scores of N new restarts, symmetric, shape (N, N).
    """

    name: str
    scale: Scale
    draw: Draw


def symmetric_noise(rng: Rng, n: int, spread: float) -> np.ndarray:
    noise = np.triu(rng.normal(0, spread, (n, n)), 1)
    return noise + noise.T


def sums(rng: Rng, effects: np.ndarray, noise: float) -> np.ndarray:
    """a_i + a_j + e_ij, shape (N, N)."""
    return effects[:, None] + effects + symmetric_noise(rng, len(effects), noise)


def normal(rng: Rng, n: int) -> np.ndarray:
    return np.clip(0.6 + sums(rng, rng.normal(0, SPREAD, n), NOISE), 0, 1)


def exponential(rng: Rng, n: int) -> np.ndarray:
    return np.clip(0.6 + sums(rng, SPREAD * (1 - rng.exponential(size=n)), NOISE), 0, 1)


def ceiling(rng: Rng, n: int) -> np.ndarray:
    return expit(3.5 + sums(rng, rng.normal(0, 0.4, n), 0.2))


def skewed_ceiling(rng: Rng, n: int) -> np.ndarray:
    return np.clip(0.99 + sums(rng, -0.02 * rng.exponential(size=n), 0.003), 0, 1)


def solutions(share: float) -> Draw:
    def draw(rng: Rng, n: int) -> np.ndarray:
        first = rng.random(n) < share
        return np.clip(np.where(first[:, None] == first, 0.95, 0.4) + symmetric_noise(rng, n, 0.01), 0, 1)

    return draw


def one_bad(rng: Rng, n: int) -> np.ndarray:
    """One restart in ten went wrong: all its pairs are 0.3 lower."""
    return np.clip(0.6 + sums(rng, rng.normal(0, 0.02, n) - 0.3 * (rng.random(n) < 0.1), NOISE), 0, 1)


def r_squared(rng: Rng, n: int) -> np.ndarray:
    return 1 - np.exp(-1.5 + sums(rng, rng.normal(0, 0.3, n), 0.1))


def distance(rng: Rng, n: int) -> np.ndarray:
    return np.exp(-2 + sums(rng, rng.normal(0, 0.5, n), 0.2))


WORLDS = (
    World("normal effects, mean 0.60", "logit", normal),
    World("exponential effects, mean 0.60", "logit", exponential),
    World("near the ceiling, mean 0.96", "logit", ceiling),
    World("near the ceiling, skewed, mean 0.95", "logit", skewed_ceiling),
    World("two solutions, 50/50", "logit", solutions(0.5)),
    World("two solutions, 70/30", "logit", solutions(0.7)),
    World("two solutions, 90/10", "logit", solutions(0.9)),
    World("one restart in ten goes wrong", "logit", one_bad),
    World("R², mean 0.75", "log1m", r_squared),
    World("distance, mean 0.18", "log", distance),
)


@dataclass(frozen=True)
class Coverage:
    """Shares of runs, in [0, 1], of the interval by the plain jackknife (old) and by `within` (new)."""

    world: str
    restarts: int
    old: float
    new: float
    old_outside: float
    new_outside: float


def true_mean(world: World, rng: Rng) -> float:
    pairs = np.triu_indices(NEW_RESTARTS, 1)
    return float(np.mean([world.draw(rng, NEW_RESTARTS)[pairs].mean() for _ in range(NEW_RUNS)]))


def plain_interval(scores: np.ndarray) -> tuple[float, float]:
    """U ± t·se with the jackknife's standard error alone."""
    n = len(scores)
    without = leave_one_out(scores)
    half = stdtrit(n - 1, 0.975) * np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    return without.mean() - half, without.mean() + half


def coverage(world: World, restarts: int, runs: int, rng: Rng) -> Coverage:
    truth = true_mean(world, rng)
    lowest, highest = {"logit": (0, 1), "log1m": (-np.inf, 1), "log": (0, np.inf)}[world.scale]
    old, new = [], []
    for _ in range(runs):
        scores = world.draw(rng, restarts)
        old.append(plain_interval(scores))
        new.append(within(scores, scale=world.scale).interval())
    shares = []
    for limits in (np.array(old), np.array(new)):
        low, high = limits.T
        shares += [np.mean((low <= truth) & (truth <= high)), np.mean((low < lowest) | (high > highest))]
    return Coverage(world.name, restarts, shares[0], shares[2], shares[1], shares[3])


@dataclass(frozen=True)
class GateRates:
    """How a regression gate judges two runs of N restarts.

    Args:
        restarts: N.
        margin: of the gate.
        se: standard error of the mean of one run, on average.
        loss: the true one.
        shares: of pass, fail and inconclusive, in [0, 1].
        detectable: the loss that is found in 80% of repetitions, median over the runs' own standard errors.
    """

    restarts: int
    margin: float
    se: float
    loss: float
    shares: tuple[float, float, float]
    detectable: float


def gate_rates(restarts: int, margin: float, loss: float, runs: int, rng: Rng) -> GateRates:
    """New − baseline at a true loss; scores of about 0.7 − loss and 0.7."""
    verdicts: Counter[str] = Counter()
    errors, detectable = [], []
    for _ in range(runs):
        new, old = (
            within(mean + sums(rng, rng.normal(0, GATE_SPREAD, restarts), NOISE), scale="logit") for mean in (0.7 - loss, 0.7)
        )
        change = difference(new, old)
        verdicts[judge_regression(change.interval(), margin)] += 1
        errors.append(new.se)
        detectable.append(detectable_loss(change, margin))
    share = {verdict: count / runs for verdict, count in verdicts.items()}
    return GateRates(
        restarts,
        margin,
        float(np.mean(errors)),
        loss,
        (share.get("pass", 0.0), share.get("fail", 0.0), share.get("inconclusive", 0.0)),
        float(np.median(detectable)),
    )


@dataclass(frozen=True)
class Rejections:
    """Shares of p ≤ 0.05 of two runs: of dealing their restarts anew, and of `permutation_p`."""

    case: str
    restarts: str
    dealt: float | None
    pseudo_values: float
    smallest_p: float


def two_runs(rng: Rng, n_a: int, n_b: int, *, cross: float | None = None, gap: float = 0.0, spread: float = 1.0) -> np.ndarray:
    """Scores of the restarts of two runs, shape (N_a + N_b, N_a + N_b).

    Args:
        rng: draws them.
        n_a, n_b: restarts of either.
        cross: mean of the pairs between the runs, which then have noise only; None where the runs are one population.
        gap: how much lower the second run's scores are.
        spread: the second run's restart effects, in units of the first's.
    """
    n = n_a + n_b
    effects = rng.normal(0, SPREAD, n) * np.where(np.arange(n) < n_a, 1, spread)
    scores = 0.6 + sums(rng, effects, NOISE)
    scores[n_a:, n_a:] -= gap
    if cross is not None:
        scores[:n_a, n_a:] = cross + rng.normal(0, NOISE, (n_a, n_b))
        scores[n_a:, :n_a] = scores[:n_a, n_a:].T
    return scores


def dealt_anew_p(scores: np.ndarray, n_a: int) -> float:
    """Deals the restarts of two runs anew, and takes the difference of the means over the pairs within the groups."""
    n = len(scores)
    groups = np.array(list(combinations(range(n), n_a)))
    member = np.zeros((len(groups), n))
    np.put_along_axis(member, groups, 1.0, axis=1)
    pairs = scores * (1 - np.eye(n))
    a, b = (((m @ pairs) * m).sum(axis=1) / (size * (size - 1)) for m, size in ((member, n_a), (1 - member, n - n_a)))
    return float((np.abs(a - b) >= np.abs(a - b)[0] - 1e-12).mean())


CASES: tuple[tuple[str, dict[str, float]], ...] = (
    ("one population", {}),
    ("as stable, another solution", {"cross": 0.3}),
    ("as stable, another solution, spread ×3", {"cross": 0.3, "spread": 3.0}),
    ("less stable by 0.1", {"cross": 0.3, "gap": 0.1}),
    ("less stable by 0.2", {"cross": 0.3, "gap": 0.2}),
)
SIZES = ((4, 4), (5, 5), (10, 10), (5, 10), (10, 5))


def rejections(case: str, options: dict[str, float], sizes: tuple[int, int], runs: int, rng: Rng) -> Rejections:
    n_a, n_b = sizes
    enumerable = n_a == n_b and comb(n_a + n_b, n_a) <= EXACT_LIMIT  # the old test was for runs of one size
    dealt, studentised = [], []
    for _ in range(runs):
        scores = two_runs(rng, n_a, n_b, **options)
        if enumerable:
            dealt.append(dealt_anew_p(scores, n_a) <= 0.05)
        studentised.append(permutation_p(scores[:n_a, :n_a], scores[n_a:, n_a:], rng=rng) <= 0.05)
    return Rejections(
        case, f"{n_a}, {n_b}", float(np.mean(dealt)) if dealt else None, float(np.mean(studentised)), smallest_p(n_a, n_b)
    )


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}%"


def markdown(title: str, header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return f"### {title}\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20_000, help="simulated for every interval")
    parser.add_argument("--tests", type=int, default=4_000, help="simulated for every gate and test")
    parser.add_argument("--format", choices=["markdown", "json"], default="markdown")
    chosen = parser.parse_args()
    runs = chosen.tests
    covered = [coverage(world, n, chosen.runs, np.random.default_rng([1, n])) for world in WORLDS for n in (3, 5, 10, 20)]
    gates = [
        gate_rates(n, margin, loss, runs, np.random.default_rng([2, n]))
        for margin in MARGINS
        for n in (5, 8, 10)
        for loss in (0.0, margin, 2 * margin, margin + 0.12)
    ]
    rejected = [
        rejections(case, options, sizes, runs, np.random.default_rng([3, *sizes])) for case, options in CASES for sizes in SIZES
    ]
    if chosen.format == "json":
        tables = {"coverage": covered, "gate": gates, "equal_stability": rejected}
        print(
            json.dumps(
                {"runs": chosen.runs, "tests": runs, **{name: [vars(row) for row in rows] for name, rows in tables.items()}},
                indent=2,
            )
        )
        return
    print(
        markdown(
            f"Coverage of 95% intervals, {chosen.runs:,} runs a row",
            ["scores", "N", "plain jackknife", "here", "outside the range: plain", "here"],
            [[r.world, str(r.restarts), *map(percent, (r.old, r.new, r.old_outside, r.new_outside))] for r in covered],
        )
    )
    print(
        markdown(
            f"Regression gate, {runs:,} runs a row",
            ["margin", "N", "se of a run", "true loss", "pass", "fail", "inconclusive", "loss found in 80%"],
            [
                [f"{r.margin:g}", str(r.restarts), f"{r.se:.3f}", f"{r.loss:.2f}", *map(percent, r.shares), f"{r.detectable:.3f}"]
                for r in gates
            ],
        )
    )
    print(
        markdown(
            f"Test of equal stability at 5%, {runs:,} runs a row (above {EXACT_LIMIT:,} deals: {DRAWS:,} random ones)",
            ["two runs", "N_a, N_b", "rejects, restarts dealt anew", "rejects, pseudo-values", "smallest p"],
            [[r.case, r.restarts, percent(r.dealt), percent(r.pseudo_values), f"{r.smallest_p:.4f}"] for r in rejected],
        )
    )


if __name__ == "__main__":
    main()
