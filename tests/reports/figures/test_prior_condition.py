"""The condition number of the prior's matrix L while restarts train."""

import json
import shutil

import numpy as np
import pytest

from stabaudit.cli.main import _run
from stabaudit.comparison.views.prior_history import PriorHistories, PriorHistory, read_prior_histories
from stabaudit.errors import UsageError
from stabaudit.reports.figures.elements import Line, Points
from stabaudit.reports.figures.prior_condition import prior_condition_figure

pytestmark = pytest.mark.slow
TRAIN = "train {} --data digits -d {} -n 2 --epochs 3 --set widths=8 --quiet --out {}"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """An iVAE whose L can be inverted, one with more dimensions than ten classes allow, and a VAE, which has no L."""
    folder = tmp_path_factory.mktemp("runs")
    for name, family, d in (("good", "ivae", 2), ("poor", "ivae", 12), ("plain", "vae", 2)):
        assert _run(TRAIN.format(family, d, folder / name).split()) == 0
    return folder


def test_the_line_is_what_training_kept_and_what_it_ends_with_is_the_restarts_score(runs):
    found = read_prior_histories(str(runs / "good"))
    (panel,) = prior_condition_figure([found]).panels
    lines = [mark for mark in panel.marks if isinstance(mark, Line)]
    record = json.loads((runs / "good" / "run.json").read_text())
    assert len(lines) == len(record["restarts"]) == 2
    for line, one, restart in zip(lines, found.restarts, record["restarts"], strict=True):
        assert line.x.tolist() == one.step.tolist()
        np.testing.assert_allclose(10**line.y, one.condition)
        assert 10 ** line.y[-1] == pytest.approx(restart["scores"]["prior_condition"], rel=1e-3)  # of the weights that were kept
        assert panel.y.low <= line.y.min() <= line.y.max() <= panel.y.high
        assert panel.title == "good"
        assert f"{one.name}: from {one.condition.min():.3g} to {one.condition.max():.3g}" in panel.description


def test_too_few_classes_are_crosses_on_the_upper_edge(runs):
    (panel,) = prior_condition_figure([read_prior_histories(str(runs / "poor"))]).panels
    assert all(isinstance(mark, Points) and mark.shape == "cross" for mark in panel.marks)
    assert all((mark.y == panel.y.high).all() for mark in panel.marks)
    assert panel.description.startswith("poor#0: not of full rank in any of 3 epochs.")
    assert panel.title == "poor: L not of full rank in 2 of 2 restarts, 6 of 6 epochs in all"


def test_a_line_stops_where_the_rank_is_lost():
    values = np.array([2.0, 4.0, np.inf, 8.0, np.inf])
    one = PriorHistory("ivae#0", np.arange(5), values)
    whole = PriorHistory("ivae#1", np.arange(5), np.ones(5))
    (panel,) = prior_condition_figure([PriorHistories("ivae", (one, whole))]).panels
    assert panel.title == "ivae: L not of full rank in 1 of 2 restarts, 2 of 10 epochs in all"
    (panel,) = prior_condition_figure([PriorHistories("ivae", (one,))]).panels
    line, alone, lost = panel.marks
    assert line.x.tolist() == [0, 1]
    assert alone.x.tolist() == [3]
    assert lost.x.tolist() == [2, 4]
    assert panel.description == "ivae#0: from 2 to 8, in the last epoch no full rank; not of full rank in 2 of 5 epochs."


def test_the_command_draws_it_and_refuses_what_has_none(runs, tmp_path, capfd):
    out = tmp_path / "l.svg"
    assert _run(["plot", "prior-condition", str(runs / "good"), f"{runs / 'poor'}#1", "--output", str(out)]) == 0
    assert "condition number of L" in out.read_text()
    capfd.readouterr()
    for selector, words in (
        (runs / "plain", "plain#0: the prior of 'vae' has no matrix L"),
        (runs / "good" / "latents" / "restart-000.parquet", "is a file of latents, which tells nothing of training"),
        (runs / "none", "none"),
    ):
        assert _run(["plot", "prior-condition", str(selector), "--output", str(tmp_path / "x.svg")]) == 2
        err = capfd.readouterr().err
        assert words in err
        assert err.count("\n") == 1
    assert not (tmp_path / "x.svg").exists()


def test_a_history_that_is_missing_is_one_line(runs, tmp_path, capfd):
    copy = tmp_path / "good"
    shutil.copytree(runs / "good", copy)
    (copy / "history" / "restart-001.parquet").unlink()
    assert _run(["plot", "prior-condition", str(copy), "--output", str(tmp_path / "x.svg")]) == 2
    err = capfd.readouterr().err
    assert "restart-001.parquet: no such file" in err
    assert err.count("\n") == 1


def test_what_was_not_trained_here_has_no_history(runs, tmp_path):
    files = [str(runs / "good" / "latents" / f"restart-00{number}.parquet") for number in (0, 1)]
    assert _run(["import", *files, "--out", str(tmp_path / "other")]) == 0
    with pytest.raises(UsageError, match="was not trained by stabaudit, so how its prior changed is not known"):
        read_prior_histories(str(tmp_path / "other"))
