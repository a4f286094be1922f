"""The sentences that a run gets, held against worlds with known truth."""

import importlib.util
import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

import stabaudit
from stabaudit.comparison.compare import compare
from stabaudit.comparison.reading.join_rows import Group
from stabaudit.comparison.records import AnatomyRecord, RunSummary
from stabaudit.comparison.scoring.collapse import Facts
from stabaudit.comparison.settings import Settings
from stabaudit.reports.sections.comparison import comparison_report, summary_report
from stabaudit.reports.sections.lead import lead
from stabaudit.reports.verdict import axes_in_short, dimensions_sentence, verdict

pytestmark = pytest.mark.slow

_path = Path(__file__).parents[1] / "benchmarks" / "worlds.py"
_spec = importlib.util.spec_from_file_location("worlds_of_sentences", _path)
worlds = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(worlds)

QUICK = Settings(floor_draws=1, rotations=19)
RUNS = 10  # a world; 95% of the sentences over all of them must be right, and nine of ten in each


def compared(run):
    """The run as `compare` sees it, with its collapse known where the world says so."""
    n, d = run.latents[0].shape
    unknown = dict.fromkeys(field.name for field in fields(RunSummary))
    counts = {"latent_dim": d, "rows": n, "restarts": len(run.latents), "trained": len(run.latents)}
    summary = RunSummary(**unknown | counts | {"name": "run", "path": "run", "lost": (), "changes": ()})
    masks = run.active or [None] * len(run.latents)
    facts = tuple(
        Facts({}, np.ones(d) if mask is None else mask.astype(float), None, None, 0, posterior=mask is not None) for mask in masks
    )
    labels = tuple(f"run#{i}" for i in range(len(run.latents)))
    return compare([Group(summary, labels, (None,) * len(labels), tuple(run.latents), np.arange(n), None, (), facts)], QUICK)


def numbers(sentence, d):
    """Axes, dimensions of subspaces, and others, as a sentence has them."""
    if sentence.lower().startswith(("all 10 dimensions are the same", "the only dimension")):
        return d, 0, 0

    def count(pattern):
        return sum(int(number) for number in re.findall(pattern, sentence))

    axes = count(rf"(\d+) of {d} dimensions (?:is|are) the same ax[ei]s")
    subspaces = (
        count(r"(\d+) span ")
        + count(r"(\d+) (?:is|are) shared, but")
        + count(r"for (\d+) it is not settled")
        + count(r"(\d+) may be ax[ei]s")
    )
    return axes, subspaces, count(r"(\d+) (?:is|are) not shared") + count(r"(\d+) (?:is|are) inactive")


SAID = (
    "all axes",
    "all axes, noise 0.1",
    "all axes, Laplace",
    "axes correlated 0.5",
    "noise 0.1 to 1",
    "3 axes + 7 rotated",
    "4 axes + 6 noise",
    "4 axes + 6 collapsed",
    "4 axes, 6 echo the first",
    "all rotated",
    "4 rotated + 6 noise",
    "4 rotated + 6 collapsed",
    "halves rotated apart",
    "planes rotated",
    "two groups of restarts",
    "unrelated",
)


@pytest.fixture(scope="module")
def said():
    """Of every world the truth and what five restarts of it get."""
    found = {}
    for position, name in enumerate(SAID):
        rng = np.random.default_rng([position, 5])
        drawn = [worlds.WORLDS[name](5, rng) for _ in range(RUNS)]
        found[name] = [(run, verdict(compared(run), "run")) for run in drawn]
    return found


def test_sentences_on_dimensions_are_right_in_every_world(said):
    right = {
        name: [numbers(sentences[0], run.latents[0].shape[1]) == run.counts for run, sentences in runs]
        for name, runs in said.items()
    }
    assert all(sum(found) >= RUNS - 1 for found in right.values()), {name: sum(found) for name, found in right.items()}
    assert np.mean([one for found in right.values() for one in found]) >= 0.95


def test_sentences_on_the_space_are_right_in_every_world(said):
    """With noise of standard deviation σ, R² is 1/(1 + σ²)²: 0.98 for 0.1, 0.84 for 0.3."""
    wanted = dict.fromkeys(SAID, "The space is shared in part up to a linear map") | {
        "all axes, noise 0.1": "The space is the same up to a linear map",
        "all axes, Laplace": "The space is the same up to a linear map",  # whose variance is 2: 0.92
        "unrelated": "The space is not shared",
    }
    for name, runs in said.items():
        assert sum(sentences[1].startswith(wanted[name]) for _, sentences in runs) >= RUNS - 1, name


def test_sentences_on_solutions_are_right_in_every_world(said):
    for name, runs in said.items():
        groups = [next((text for text in sentences if "agree with each other" in text), None) for _, sentences in runs]
        if name == "two groups of restarts":
            assert sum(text is not None and "estarts 0, 1, 2" in text and "restarts 3, 4" in text for text in groups) >= RUNS - 1
        else:
            assert sum(text is None for text in groups) >= RUNS - 1, (name, groups)
        one = sum(any("at most 45% of further trainings" in text for text in sentences) for _, sentences in runs)
        if name == "unrelated":
            assert one <= 1
        elif name != "two groups of restarts":
            assert one >= RUNS - 1, name


def record(verdict="axis", *, block=None, may_be_axis=None, dimension=0, active_restarts=4):
    unknown = dict.fromkeys(field.name for field in fields(AnatomyRecord))
    known = {
        "run": "run",
        "dimension": dimension,
        "verdict": verdict,
        "restarts": 4,
        "active_restarts": active_restarts,
        "block": block,
    }
    known["shared_information_low"] = 0.2
    return AnatomyRecord(**unknown | known | {"may_be_axis": verdict == "axis" if may_be_axis is None else may_be_axis})


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ([record()], "the only dimension is the same in every restart"),
        ([record()] * 3, "all 3 dimensions are the same axes in every restart"),
        ([record("inactive", active_restarts=0)] * 3, "all 3 dimensions are inactive and carry no information about x"),
        (
            [record("inactive", active_restarts=1), *[record("inactive", active_restarts=0)] * 2],
            "no dimension is active in half of the restarts; 1 of 3 is active in fewer",
        ),
        (
            [record(), *[record("subspace", block=1)] * 2, record("inactive", active_restarts=0)],
            "1 of 4 dimensions is the same axis in every restart; 2 span a plane that turns; 1 is inactive",
        ),
        (
            [
                *[record()] * 2,
                *[record("subspace", block=1)] * 3,
                *[record("subspace", block=2)] * 2,
                *[record("not_shared")] * 2,
            ],
            "2 of 9 dimensions are the same axes in every restart; 5 span 2 subspaces that turn; 2 are not shared",
        ),
        (
            [record("subspace", block=0), record("subspace", block=1, may_be_axis=True), record("not_shared")],
            (
                "none of the 3 dimensions is shown to be the same axis in every restart; 1 is shared, but not as one axis; "
                "1 may be an axis, which 4 restarts cannot show; 1 is not shared"
            ),
        ),
    ],
)
def test_every_form_of_the_sentence(own, sentence):
    assert dimensions_sentence(own) == sentence


def test_what_only_some_restarts_share_is_not_called_shared_by_all():
    every = record("subspace", block=0)
    unsettled = replace(every, shared_information_low=-0.05)
    partly = replace(every, active_restarts=2)
    assert dimensions_sentence([unsettled, every, every]).endswith(
        "; 2 span a plane that turns; for 1 it is not settled whether every restart shares it"
    )
    assert dimensions_sentence([partly, every, every]).endswith("; 2 span a plane that turns; 1 is active in some restarts only")


def test_what_only_some_restarts_use_is_no_axis():
    """Two of five restarts collapse the third dimension, the others share it as an axis."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((2000, 3))
    latents = [z + 0.1 * rng.standard_normal(z.shape) for _ in range(5)]
    for rows in latents[:2]:
        rows[:, 2] = 0.0
    sentence = verdict(stabaudit.compare({"a": latents}, floor_draws=1, rotations=19), "a")[0]
    assert sentence == "2 of 3 dimensions are the same axes in every restart; 1 is active in some restarts only."


def test_four_turned_dimensions_beside_six_collapsed_ones_are_no_axes_anywhere():
    """What was called reproducible once: the rotation floor of all ten dimensions lies below strong MCC."""
    comparison = compared(worlds.WORLDS["4 rotated + 6 collapsed"](6, np.random.default_rng(0)))
    everywhere = [
        *verdict(comparison, "run"),
        *comparison_report(comparison).sections[0].words,
        *summary_report(comparison).sections[0].words,
        *lead(comparison),
    ]
    assert not [
        text for text in everywhere if "reproducible" in text or re.search(r"\d+ of 10 dimensions (is|are) the same", text)
    ]
    assert axes_in_short(comparison, "run") == "0 of 10"
    own = [s for s in comparison.scores if s.sample == "out"]
    of_all, of_active = (next(s for s in own if s.metric == name) for name in ("strong_mcc", "active_strong_mcc"))
    assert of_all.mean > of_all.rotation_floor
    assert of_active.p_rotation > 0.05


def test_groups_are_named_and_a_lone_restart_stands_apart():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((1000, 4))
    turned = z @ worlds.haar(4, rng)
    alike = [z + 0.1 * rng.standard_normal(z.shape) for _ in range(4)]
    found = stabaudit.compare({"a": [*alike, turned]}, floor_draws=1, rotations=1)
    assert any(
        "Restarts 0, 1, 2, 3 agree with each other" in text and "restart 4 stands apart" in text for text in verdict(found, "a")
    )


def test_two_restarts_have_no_interval_and_nothing_is_said_of_further_trainings():
    z = np.random.default_rng(0).standard_normal((1000, 3))
    sentences = verdict(stabaudit.compare({"a": [z, z + 0.1]}, floor_draws=1, rotations=1), "a")
    assert "One pair of restarts gives no interval for the space" in sentences[1]
    assert not any("further trainings" in text for text in sentences)


def test_a_run_without_affine_r2_still_gets_its_dimensions():
    z = np.random.default_rng(0).standard_normal((1000, 3))
    found = stabaudit.compare({"a": [z, z, z]}, scores=("strong_mcc",), floor_draws=1, rotations=1)
    assert verdict(found, "a")[0] == "All 3 dimensions are the same axes in every restart."
    assert verdict(replace(found, anatomy=()), "a") == []
