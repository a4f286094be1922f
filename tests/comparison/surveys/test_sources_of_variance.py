"""What each source of chance takes from a score."""

import numpy as np
import pytest

from stabaudit.comparison.settings import Settings
from stabaudit.comparison.surveys.sources_of_variance import sources_of_variance
from stabaudit.comparison.surveys.survey import survey
from stabaudit.reports.sections.sources_of_variance import sources_report

N, D = 200, 3


@pytest.fixture
def found(make_run, tmp_path):
    rng = np.random.default_rng(0)
    base = rng.laplace(size=(N, D))

    def run(name, noise, **config):
        latents = [base + noise * rng.normal(size=base.shape) for _ in range(3)]
        make_run(name, d=D, ids=np.arange(N), latents=latents, **config)

    run("all", 0.8, vary="all")
    run("init", 0.2, vary="init")
    run("order", 0.4, vary="order")
    run("vade", 0.2, family="vade", vary="init")  # nothing to hold it against
    return survey([tmp_path], Settings(floor_draws=2, rotations=9))


def test_shares_are_relative_to_what_is_lost_where_everything_varies(found):
    records = sources_of_variance(found.comparison, found.configs)
    strong = {one.vary: one for one in records if one.metric == "strong_mcc"}
    assert set(strong) == {"all", "init", "order"}
    for one in strong.values():
        (score,) = [s.mean for s in found.comparison.scores if (s.run_a, s.metric, s.sample) == (one.run, "strong_mcc", "out")]
        assert (one.mean, one.lost) == (score, 1 - score)
        assert one.share == pytest.approx((1 - score) / strong["all"].lost)
    assert strong["init"].lost < strong["order"].lost < strong["all"].lost
    section = next(s for s in sources_report(records).sections if "strong MCC" in s.title)
    assert [row[1] for row in section.rows] == ["all", "init", "order"]
    assert section.rows[0][-1] == "100%"


def test_runs_that_differ_in_more_are_not_held_against_each_other(found):
    lone = {name: config for name, config in found.configs.items() if name in {"vade", "init"}}
    assert sources_of_variance(found.comparison, lone) == []
