"""The gate against a baseline in twenty simulated projects: new seeds of the same model, and a model that was made worse.

A restart sees the true sources under noise, in an order and with signs of its own: z = ±s_π + σε, and nothing is trained. The
strong MCC of two restarts is 1/(1 + σ²) on average, 0.80 at σ = 0.5 and 0.74 at σ = 0.6, so the loss is 0.06 against a margin of
0.02. How noisy a restart is varies from seed to seed, by 3% of σ.
"""

from collections import Counter

import numpy as np
import pytest
from scipy.stats import binom

from stabaudit.comparison.compare import compare
from stabaudit.comparison.gating.baseline import as_baseline
from stabaudit.comparison.gating.gates import judge_against
from stabaudit.comparison.reading.join_rows import Group
from stabaudit.comparison.records import RunSummary
from stabaudit.comparison.settings import Settings
from stabaudit.statistics.gate import worst

pytestmark = pytest.mark.slow

REPETITIONS, RESTARTS, ROWS, DIMENSIONS = 20, 8, 600, 4
MARGIN = 0.02
SETTINGS = Settings(floor_draws=1)
SURE = 1e-3  # how often these bounds would be crossed by chance


def trained(rng, noise):
    """A run of restarts, scored."""
    sources = np.random.default_rng(9).laplace(size=(ROWS, DIMENSIONS))
    sources /= sources.std(axis=0)
    latents = tuple(
        sources[:, rng.permutation(DIMENSIONS)] * rng.choice([-1, 1], DIMENSIONS)
        + noise * rng.lognormal(sigma=0.03) * rng.normal(size=sources.shape)
        for _ in range(RESTARTS)
    )
    summary = RunSummary(
        name="run",
        path="run",
        family=None,
        architecture=None,
        dataset=None,
        fingerprint=None,
        precision=None,
        latent_dim=DIMENSIONS,
        sources=None,
        rows=ROWS,
        restarts=RESTARTS,
        trained=RESTARTS,
        lost=(),
    )
    labels = tuple(f"run#{i}" for i in range(RESTARTS))
    return compare([Group(summary, labels, (None,) * RESTARTS, latents, np.arange(ROWS), None, ())], SETTINGS)


def verdicts(noise):
    """How often each verdict is given on runs with this noise, against baselines at 0.5."""
    counts = Counter()
    for seed in range(REPETITIONS):
        rng = np.random.default_rng([seed, 6])
        baseline = as_baseline(trained(rng, 0.5), SETTINGS, None, MARGIN)
        counts[worst([gate.verdict for gate in judge_against(trained(rng, noise), baseline, MARGIN)])] += 1
    return counts


@pytest.fixture(scope="module")
def same():
    return verdicts(0.5)


def test_new_seeds_of_the_same_model_do_not_fail(same):
    """Without any margin an interval would lie below 0 in 2.5% of repetitions for either score, so at most 5% fail."""
    assert same["fail"] <= binom.isf(SURE, REPETITIONS, 0.05)
    assert same["pass"] > same["inconclusive"]


def test_a_model_that_was_made_worse_fails(same):
    """A loss of three margins is found in nine of ten repetitions at least, and never passes."""
    worse = verdicts(0.6)
    assert worse["fail"] >= binom.ppf(SURE, REPETITIONS, 0.9)
    assert worse["pass"] == 0
