"""The loss that a gate finds, against scipy's noncentral t and against gates on simulated runs."""

import numpy as np
import pytest
from scipy import stats

from stabaudit.statistics.gate import judge_regression
from stabaudit.statistics.jackknife import Estimate, difference, within
from stabaudit.statistics.power import detectable_loss


@pytest.mark.parametrize("df", [2, 8, 18.3, 1_000])
@pytest.mark.parametrize("power", [0.6, 0.8, 0.95])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_exceeds_the_quantile_with_the_power_asked_for(df, power, level):
    loss = detectable_loss(Estimate(0.3, None, 0.02, df, 0), 0.05, power=power, level=level)
    assert stats.nct.sf(stats.t.ppf(0.5 + level / 2, df), df, (loss - 0.05) / 0.02) == pytest.approx(power, abs=1e-5)


def test_without_an_error_only_the_margin_is_needed_and_without_an_estimate_of_it_nothing_is_known():
    assert detectable_loss(Estimate(0.0, None, 0.0, 4, 0), 0.02) == 0.02
    assert detectable_loss(Estimate(0.0, None, None, 0, 1), 0.02) is None


def run(rng, n, mean):
    effect = rng.normal(0, 0.03, n)
    error = np.triu(rng.normal(0, 0.01, (n, n)), 1)
    return within(mean + effect[:, None] + effect + error + error.T)


@pytest.mark.slow
@pytest.mark.parametrize(("new", "old"), [(5, 5), (8, 8), (5, 10)])
def test_gates_on_simulated_runs_fail_as_often(new, old):
    """True standard errors: 2σ/√N from the effects and a little noise."""
    rng = np.random.default_rng([new, old])
    variances = [(4 * 0.03**2 / n + 2 * 0.01**2 / (n * (n - 1))) for n in (new, old)]
    loss = detectable_loss(
        difference(*(Estimate(0.0, None, np.sqrt(v), n - 1, 0) for v, n in zip(variances, (new, old), strict=True))), 0.02
    )
    verdicts = [
        judge_regression(difference(run(rng, new, 0.6 - loss), run(rng, old, 0.6)).interval(), 0.02) for _ in range(1_500)
    ]
    assert verdicts.count("fail") / 1_500 == pytest.approx(0.8, abs=0.04)
    assert verdicts.count("pass") == 0
