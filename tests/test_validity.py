"""The table of validity: it is what the simulation gives, and what README and `explain validity` say of it."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from stabaudit.metrics.scores import of_pairs
from stabaudit.published.validity import Cell, cells, sentence, sentences

ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location("simulated_validity", ROOT / "tests" / "benchmarks" / "validity.py")
simulated = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(simulated)
SHOWN = {  # in the README, by their column heads
    "axes": "reproducible_axes.fraction",
    "strong MCC": "strong_mcc",
    "axis score": "strong_mcc.axis_alignment",
    "after ICA": "ica_strong_mcc",
    "weak MCC": "weak_mcc",
    "affine R²": "affine_r2",
    "nonlinear R²": "nonlinear_r2",
    "CKA": "cka",
    "Procrustes": "procrustes_similarity",
    "neighbours": "knn_overlap",
    "RSA": "rsa_spearman",
    "dCor": "distance_correlation",
}


def test_every_score_that_asks_something_is_in_every_world():
    asked = {one.name for one in of_pairs() if one.question is not None}
    worlds = {(process.name, encoder.name) for process in simulated.PROCESSES for encoder in simulated.ENCODERS}
    for score in asked:
        assert {(cell.process, cell.encoder) for cell in cells() if cell.score == score} == worlds, score


def test_truths_are_those_of_the_simulation():
    truth = {encoder.name: encoder.truth for encoder in simulated.ENCODERS}
    measures = {one.name: one for one in of_pairs()}
    for cell in cells():
        one = measures.get(cell.score.removesuffix(simulated.AXIS_SCORE))
        if one is not None:
            known = truth[cell.encoder][one.question]
            assert cell.right == (None if known is None else pytest.approx(known[one.by_variance], abs=1e-3))


@pytest.mark.slow
@pytest.mark.parametrize(("process", "encoder"), [("independent", "half shared"), ("correlated", "one direction repeated")])
def test_cells_are_what_the_simulation_gives(process, encoder):
    chosen = [[one for one in every if one.name == name] for every, name in
              ((simulated.PROCESSES, process), (simulated.ENCODERS, encoder))]  # fmt: skip
    again = simulated.cells(1, 77, *chosen) + simulated.cells_of_anatomy(1, 77, *chosen)
    kept = {cell.score: cell for cell in cells() if (cell.process, cell.encoder) == (process, encoder)}
    assert {cell.score for cell in again} == set(kept)
    for cell in again:
        assert abs(cell.said - kept[cell.score].said) < 0.05 + 5 * kept[cell.score].sd, cell.score


def test_sentences_say_where_and_by_how_much():
    own = [
        Cell("a", "bent", "s", 1.0, 0.7, 0.0),
        Cell("b", "bent", "s", 1.0, 0.95, 0.0),
        Cell("a", "turned", "s", 0.0, 0.5, 0.0),
        Cell("b", "turned", "s", 0.0, 0.7, 0.0),
        Cell("a", "mapped", "s", None, 0.7, 0.0),
    ]
    assert sentence("s", own) == 's: right in 1 of 4 worlds; too high in "turned" (+0.60); too low in "bent" (-0.30, a).'
    assert len(sentences()) == len({cell.score for cell in cells()})


def readme_table():
    """Rows are encoders, columns scores: the mean error over the data processes in which a score lies, or a tick."""
    lines = ["| restarts show | " + " | ".join(SHOWN) + " |", "| :-- | " + " | ".join("--:" for _ in SHOWN) + " |"]
    for encoder in simulated.ENCODERS:
        entries = []
        for score in SHOWN.values():
            here = [cell for cell in cells() if (cell.encoder, cell.score) == (encoder.name, score)]
            wrong = [cell for cell in here if cell.lies]
            some = "" if len(wrong) == len(here) else "*"
            mean = f"{np.mean([cell.error for cell in wrong]):+.2f}{some}".replace("-", "−") if wrong else "✓"
            entries.append("" if here[0].right is None else mean)
        lines.append(f"| {encoder.name} | " + " | ".join(entries) + " |")
    return lines


def test_the_readme_shows_the_table():
    assert "\n".join(readme_table()) in (ROOT / "README.md").read_text(encoding="utf-8")
