"""What every score promises, found in the table by itself; and that nothing else names a score."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import stabaudit
from stabaudit import metrics
from stabaudit.errors import BadData, UsageError
from stabaudit.metrics.pair_scores import ScoreName
from stabaudit.metrics.score_pairs import score_pairs
from stabaudit.metrics.scores import (
    Measure,
    chosen,
    default_scores,
    every_name,
    headlines,
    measure,
    of_factors,
    of_pairs,
    registered,
)
from stabaudit.metrics.split import split_halves
from stabaudit.registry import known

N, D = 600, 4
FIT = split_halves(np.arange(N))
PAIRS = of_pairs()
by_name = pytest.mark.parametrize("one", PAIRS, ids=lambda one: one.name)


def latents(seed=0, noise=0.4):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(N, D)) * [1.0, 2.0, 0.5, 1.5]
    return a, a + noise * rng.normal(size=a.shape)


def out_of_sample(one, a, b, **options):
    scored = score_pairs([a, b], FIT, scores=[one.name], rng=np.random.default_rng(0), **options)
    name = ScoreName(one.name, None, "out")
    return scored.pairs[0].values[name], scored.pairs[0].independence.get(name), scored.pairs[0].rotation.get(name)


@by_name
def test_the_function_of_two_arrays_gives_what_the_pairs_get(one):
    a, b = latents()
    options = {"k": None} if one.counted else {}
    alone = one.function(a, b, FIT, **options) if one.from_moments else one.of_rows(a, b, FIT)[1]
    assert out_of_sample(one, a, b)[0] == pytest.approx(alone, abs=1e-12)
    assert getattr(metrics, one.name) is one.function


@by_name
def test_a_permuted_copy_is_at_the_top(one):
    a, _ = latents()
    copy = a[:, [2, 0, 3, 1]] + 7.0 if {"permutation", "translation"} <= set(one.invariances) else a
    short_of = 0.15 if one.name == "udr" else 1e-9  # of which dimensions that correlate by chance take a little
    assert out_of_sample(one, a, copy)[0] == pytest.approx(one.best, abs=short_of)


MAPS = {
    "translation": lambda z, _: z + np.array([7.0, -3.0, 0.5, 100.0]),
    "scaling": lambda z, _: 1e-3 * z,
    "permutation": lambda z, _: z[:, [2, 0, 3, 1]],
    "axis scaling": lambda z, _: z * [2.0, -0.01, 30.0, 1.0],
    "rotation": lambda z, rng: z @ np.linalg.qr(rng.normal(size=(D, D)))[0],
    "linear": lambda z, rng: z @ rng.normal(size=(D, D)),
}


@pytest.mark.parametrize("name", MAPS)
@by_name
def test_maps_of_one_side_change_a_score_unless_it_says_that_they_do_not(one, name):
    a, b = latents(noise=1.0)
    b = b @ np.random.default_rng(3).normal(size=(D, D))  # correlated, of unequal variances
    there = one.function(a, b)
    mapped = [one.function(MAPS[name](a, np.random.default_rng(6)), b), one.function(a, MAPS[name](b, np.random.default_rng(7)))]
    if name in one.invariances:
        assert mapped == pytest.approx([there, there], abs=2e-6)
    else:
        assert max(abs(there - score) for score in mapped) > 1e-4


@by_name
def test_both_ways_agree_unless_the_score_is_directed(one):
    a, b = latents()
    b = b @ np.random.default_rng(5).normal(size=(D, D)) * [1, 5, 1, 1]
    there, back = out_of_sample(one, a, b)[0], out_of_sample(one, b, a)[0]
    assert one.directed or there == pytest.approx(back, abs=1e-9)
    if one.directed:
        scored = score_pairs([a, b], FIT, scores=[one.name], rng=np.random.default_rng(0)).pairs[0].values
        assert scored[ScoreName(one.reverse, None, "out")] == pytest.approx(back, abs=1e-9)
        assert there != pytest.approx(back, abs=1e-6)


@by_name
def test_unrelated_latents_score_as_the_independence_floor(one):
    a, _ = latents()
    b = np.random.default_rng(9).normal(size=(N, D))
    value, floor, _ = out_of_sample(one, a, b, floor_draws=40)
    assert "independence" in one.floors
    assert abs(value - floor.mean()) < 4 * floor.std()
    assert one.low <= value <= one.high


@by_name
def test_a_rotation_floor_lies_below_aligned_axes_and_at_rotated_ones(one):
    a, b = latents(noise=0.1)
    _, _, rotation = out_of_sample(one, a, b, floor_draws=40, rotations=199)
    assert (rotation is not None) == ("rotation" in one.floors)
    if rotation is not None:
        turn = np.linalg.qr(np.random.default_rng(3).normal(size=(D, D)))[0]
        white = (a - a.mean(axis=0)) / a.std(axis=0)
        assert out_of_sample(one, a, b)[0] > rotation.max()
        assert abs(out_of_sample(one, white, white @ turn)[0] - rotation.mean()) < 5 * rotation.std()


@pytest.mark.parametrize("one", registered(), ids=lambda one: one.name)
def test_an_entry_says_everything(one):
    assert known("score")[one.name].target.startswith("stabaudit.metrics.")
    assert one.meaning
    assert one.label
    assert one.low < one.high
    assert re.search(r"doi:10\.|arXiv:\d|JMLR|our definition|least squares", one.reference), one.reference
    module = known("score")[one.name].target.partition(":")[0].rpartition(".")[2]
    assert one.function is None or module != one.name, "a module of this name would hide the function in stabaudit.metrics"


def test_names_are_found_with_their_near_ones_or_refused():
    assert [one.name for one in chosen(["all"])] == [one.name for one in [*PAIRS, *of_factors()]]
    assert [one.name for one in chosen(["weak_mcc", "strong_mcc", "weak_mcc"])] == ["strong_mcc", "weak_mcc"]  # order of tables
    assert set(default_scores()) <= set(every_name())
    assert headlines()[0].name in default_scores()
    for wrong, message in (
        ("strong_mc", "did you mean 'strong_mcc'"),
        ("kl", "is not computed from pairs"),
        ("source_weak_mcc", "is not computed from pairs"),
        ("nothing.there:f", "cannot import"),
    ):
        with pytest.raises(UsageError, match=message):
            chosen([wrong])
    with pytest.raises(UsageError, match="name at least one"):
        chosen([])


def test_a_function_that_fails_or_returns_nonsense_is_named():
    a, b = latents()
    for function, said in ((lambda *_: 1 / 0, "ZeroDivisionError"), (lambda *_: float("nan"), "is nan")):
        with pytest.raises(BadData, match=said):
            Measure("mine", "mine", "", 0, 1, "", function=function).of_rows(a, b, FIT)


def test_a_function_that_takes_fit_is_scored_on_the_other_rows():
    seen = []

    def of_all(a, b, fit=None):
        seen.append((len(a), None if fit is None else int(fit.sum())))
        return 0.5

    a, b = latents()
    Measure("mine", "mine", "", 0, 1, "", function=of_all).of_rows(a, b, FIT)
    assert seen == [(N // 2, None), (N, N // 2)]


def test_scores_above_their_floor():
    distance = measure("density_distance")
    assert not distance.higher_is_better
    assert distance.above_floor(0.25, 0.5) == 0.5
    assert measure("strong_mcc").above_floor(0.5, 1.0) is None
    assert measure("log_likelihood").above_floor(0.5, 0.2) is None


PACKAGE = Path(stabaudit.__file__).parent
NAMED_ELSEWHERE = {  # words that are names of scores and of other things: terms of a loss, keys of what training stores
    "kl": {"families", "training", "store", "comparison/reading", "comparison/scoring/collapse.py", "json_schema", "reports"},
    "log_likelihood": {"training", "families"},
    "word_log_likelihood": {"training"},
    "perplexity": {"training"},
    "mutual_information": {"families"},
    "cluster_accuracy": {"training"},
    "cluster_nmi": {"training"},
    "prior_rank": {"training", "families"},
}


@pytest.mark.slow
def test_no_name_of_a_score_stands_outside_its_entry():
    """String constants of the package, docstrings apart: a score is named in its own file and in the registry."""
    names = {name for name in every_name() if ":" not in name}
    pattern = re.compile(rf"(?<![\w])(?:{'|'.join(sorted(names, key=len, reverse=True))})(?![\w])")
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        where = path.relative_to(PACKAGE).as_posix()
        own = {name for name, entry in known("score").items() if entry.target.partition(":")[0].endswith(path.stem)}
        if where == "registry.py":
            continue
        for text, line in string_constants(path):
            for name in pattern.findall(text):
                allowed = NAMED_ELSEWHERE.get(name, set())
                if name not in own and not any(where.startswith(place) for place in allowed):
                    wrong.append(f"{where}:{line}: {name}")
    assert not wrong, "\n".join(wrong)


def string_constants(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, documented)]
    docstrings = {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value, node.lineno


def test_the_search_would_notice(tmp_path):
    (tmp_path / "bad.py").write_text('"""strong_mcc in a docstring."""\nx = {"a": "strong_mcc"}\n')
    assert [text for text, _ in string_constants(tmp_path / "bad.py")] == ["a", "strong_mcc"]


def test_a_function_that_leaves_the_range_of_its_entry_is_named():
    a, b = latents()
    for value, fits in ((1.5, False), (-0.1, False), (1.0 + 1e-9, True), (0.0, True)):
        one = Measure("mine", "mine", "mine", 0.0, 1.0, "", function=lambda *_, value=value: value)
        if fits:
            assert one.of_rows(a, b, FIT) == (value, value)
        else:
            with pytest.raises(BadData, match=f"score mine is {value:g}, expected 0 to 1, the range of its entry"):
                one.of_rows(a, b, FIT)
