"""Pairs scored by an engine: the scores, curves and floors of a comparison in one process."""

import numpy as np
import pytest

import stabaudit
from stabaudit.engines.base import Failed, perform
from stabaudit.errors import BadRun, UsageError
from stabaudit.metrics.evidence import Evidence
from stabaudit.metrics.halves import Halves
from stabaudit.metrics.score_pairs import score


class HereAndNow:
    """An engine that does tasks in this process, the last first; arrays may not be written to."""

    def __init__(self, slots=2, broken=False):
        self.slots, self._broken, self.tasks = slots, broken, []

    def run(self, tasks, arrays, on_event, on_tick):
        self.tasks = list(tasks)
        for name in arrays.values():
            for array in name.values():
                array.flags.writeable = False
        for task in reversed(tasks):
            on_event(Failed(task.key, "no numpy there") if self._broken else perform(task, arrays[task.arrays], self))
            on_tick()


def restarts(sizes=(4,) * 6):
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(300, 4))
    return [shared @ rng.normal(size=(4, d)) + 0.7 * rng.normal(size=(300, d)) for d in sizes]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"scores": "strong_mcc,affine_r2,knn_overlap,mean_cosine"},
        {"correlation": "spearman"},
        {"pairs": 9},
    ],
)
def test_a_comparison_is_the_same(changed):
    engine = HereAndNow()
    asked = {"floor_draws": 3, "rotations": 5} | changed
    found = stabaudit.compare({"a": restarts()}, engine=engine, **asked)
    alone = stabaudit.compare({"a": restarts()}, **asked)
    assert len(engine.tasks) > 3
    for mine, theirs in zip(found.scores, alone.scores, strict=True):
        assert (mine.metric, mine.pairs) == (theirs.metric, theirs.pairs)
        for field in ("mean", "ci_low", "ci_high", "independence_floor", "rotation_floor"):
            assert getattr(mine, field) == pytest.approx(getattr(theirs, field), abs=1e-10)
    for mine, theirs in zip(found.curves, alone.curves, strict=True):
        assert mine.values == pytest.approx(theirs.values, abs=1e-10)
    assert found.warnings == alone.warnings


def test_ranks_may_differ_between_pairs():
    latents = restarts()
    latents[2][:, 3] = latents[2][:, 0]  # rank 3: a canonical pair less
    found = stabaudit.compare({"a": latents}, engine=HereAndNow(), floor_draws=1, rotations=1)
    alone = stabaudit.compare({"a": latents}, floor_draws=1, rotations=1)
    for mine, theirs in zip(found.curves, alone.curves, strict=True):
        assert mine.values == pytest.approx(theirs.values, abs=1e-10)


def test_what_fails_there_is_one_line():
    with pytest.raises(BadRun, match="some pairs could not be scored: no numpy there"):
        stabaudit.compare({"a": restarts()}, engine=HereAndNow(broken=True), floor_draws=1)


def test_streamed_latents_stay_here():
    latents, fit = restarts((2, 2)), np.arange(300) % 2 == 0
    evidence = Evidence.of_moments(Halves.of_rows(latents, fit), ["a", "b"], [0, 1])
    with pytest.raises(UsageError, match="are streamed, which is done on this machine; raise --memory"):
        score(evidence, rng=np.random.default_rng(0), engine=HereAndNow())
