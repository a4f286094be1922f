"""How many restarts a half-width asks for, and whether it is then kept; and what a run covers that is extended until it is.

    python tests/benchmarks/restarts.py [--repeats 4000]

Restart effects are normal, scores lie on the logit scale about 0.6. *Asked for*: a run of N restarts is extended to as many as
`Spread.needed` says. *Until*: a run is extended in batches until its half-width is reached (`stabaudit train --until`).
"""

import argparse

import numpy as np

from stabaudit.statistics.jackknife import within
from stabaudit.statistics.restarts_needed import spread_of
from stabaudit.statistics.stopping import next_count

MEAN, SD, PAIRS = 0.6, 0.05, 0.03
MOST = 1000  # restarts of a simulated run


class World:
    """A run that can be extended; its true mean is that of very many restarts."""

    def __init__(self, rng):
        self.rng, self.effects, self.noise = rng, np.empty(0), np.empty((0, 0))

    def scores(self, n):
        """Scores of the pairs of n restarts, at least as many as before."""
        known = len(self.effects)
        self.effects = np.append(self.effects, SD * self.rng.standard_normal(n - known))
        noise = np.triu(PAIRS * self.rng.standard_normal((n, n)), 1)
        noise += noise.T
        noise[:known, :known] = self.noise
        self.noise = noise
        self.last = (MEAN + self.effects[:, None] + self.effects + noise).clip(0.01, 0.99)
        return self.last


def half(estimate):
    low, high = estimate.interval()
    return (high - low) / 2


def asked_for(start, wanted, repeats, seed=0):
    rng = np.random.default_rng([seed, start])
    kept, counts = 0, []
    for _ in range(repeats):
        world = World(rng)
        needed = min(spread_of(world.scores(start), scale="logit").needed(wanted) or MOST, MOST)
        counts.append(needed)
        kept += half(within(world.scores(needed), scale="logit")) <= wanted
    return kept / repeats, np.median(counts)


def until(start, wanted, most, repeats, seed=1):
    rng = np.random.default_rng([seed, start])
    covered = reached = 0
    counts = []
    for _ in range(repeats):
        world, n = World(rng), start
        while n < most and (after := next_count(spread_of(world.scores(n), scale="logit"), wanted)) > n:
            n = min(after, most)
        scores = world.last
        estimate = within(scores, scale="logit")
        low, high = estimate.interval()
        covered += low <= MEAN <= high
        reached += half(estimate) <= wanted
        counts.append(n)
    return covered / repeats, reached / repeats, np.median(counts)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=4000)
    repeats = parser.parse_args().repeats
    print("asked for: start, wanted half-width -> kept in, median restarts")
    for start in (4, 5, 8, 10, 20, 40):
        for wanted in (0.08, 0.05, 0.03):
            kept, count = asked_for(start, wanted, repeats)
            print(f"{start:3d} {wanted:.2f} -> {kept:.3f} {count:.0f}", flush=True)
    print("until: start, wanted half-width -> covered, reached, median restarts")
    for start in (3, 4, 5, 10):
        for wanted in (0.08, 0.05, 0.03):
            covered, reached, count = until(start, wanted, 200, repeats)
            print(f"{start:3d} {wanted:.2f} -> {covered:.3f} {reached:.3f} {count:.0f}", flush=True)


if __name__ == "__main__":
    main()
