"""The README's table of reproductions is what the stored results give."""

import csv
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "fixtures" / "reproductions" / "willetts-mnist-50"
FAMILIES = ("vae", "vade", "ivae")


def table(family, name):
    with (RESULTS / family / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def score(family, metric, sample="out"):
    (found,) = [row for row in table(family, "scores") if (row["metric"], row["sample"], row["k"]) == (metric, sample, "")]
    return found


def row_of(family):
    """A line of the README's table, from the files."""
    about = json.loads((RESULTS / family / "about.json").read_text())
    strong, active = score(family, "strong_mcc"), score(family, "active_strong_mcc")
    mean, low, high, floor = (float(strong[name]) for name in ("mean", "ci_low", "ci_high", "rotation_floor"))
    with_themselves = (10 + 45 * float(score(family, "strong_mcc", "in")["mean"])) / 55
    (units,) = [float(row["mean"]) for row in table(family, "collapse") if row["score"] == "active_units"]
    axes = sum(row["verdict"] == "axis" for row in table(family, "anatomy"))
    cells = [
        f"`{family}`",
        f"{about['reported']['value']:.3f}",
        f"{mean:.3f} [{low:.3f}, {high:.3f}]",
        f"{floor:.2f}",
        f"{with_themselves:.3f}",
        f"{float(active['mean']):.3f} / {float(active['rotation_floor']):.2f}",
        f"{50 * units:.1f}",
        f"{axes}",
    ]
    return "| " + " | ".join(cells) + " |"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_readme_says_what_the_files_hold(family):
    assert row_of(family) in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_result_is_of_ten_restarts_that_ended_and_says_how_it_came_about(family):
    restarts = table(family, "restarts")
    assert [row["state"] for row in restarts] == ["done"] * 10
    assert len({row["seed"] for row in restarts}) == 10
    assert {row["steps"] for row in restarts} == {str(200 * (60_000 // 64))}
    about = json.loads((RESULTS / family / "about.json").read_text())
    assert about["environment"]["torch"]
    assert about["seconds_of_training"] == pytest.approx(sum(float(row["seconds"]) for row in restarts), abs=1)
    assert len(table(family, "anatomy")) == 50
