"""Clusters of restarts in a comparison: where they come from, what they score, and what is said of them."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, normalized_mutual_info_score

import stabaudit
from stabaudit.errors import BadData, UsageError
from stabaudit.reports.sections.comparison import comparison_report

FEW = {"scores": ("cka",), "floor_draws": 10}
NAMES = ("clusters_ari", "clusters_ami", "clusters_nmi")
ROWS = 400


def blobs(seed=0, k=4, d=3, n=ROWS):
    rng = np.random.default_rng(seed)
    of = rng.integers(0, k, n)
    return 6.0 * np.eye(k, d)[of] + 0.0 * of[:, None], of


def restarts(count=4, noise=0.5, **options):
    base, of = blobs(**options)
    rng = np.random.default_rng(1)
    return [base + noise * rng.normal(size=base.shape) for _ in range(count)], of


def frames(assigned, seed=2, **more):
    rng = np.random.default_rng(seed)
    return [
        pd.DataFrame(rng.normal(size=(len(of), 2)), columns=["z0", "z1"]).assign(leiden=of, **more)
        for of in map(np.array, assigned)
    ]


def compare_frames(groups, **options):
    return stabaudit.compare(groups, naming=stabaudit.Naming(cluster_column="leiden"), **(FEW | options))


def own(found, name, run="mine"):
    return found.out_of_sample(run)[name]


def of_pairs(found):
    """Adjusted Rand indices of the pairs of the first run."""
    return next(vars(one)["values"] for one in found.pairs if one.metric == "clusters_ari")


def noisy(count, share, seed=0, k=4, n=ROWS):
    rng = np.random.default_rng(seed)
    of = rng.integers(0, k, n)
    return of, [np.where(rng.random(n) < share, rng.integers(0, k, n), of) for _ in range(count)]


def test_a_plain_comparison_has_none():
    found = stabaudit.compare({"mine": restarts(3)[0]}, **FEW)
    assert not found.clusterings + found.clusters + found.cluster_changes
    assert {score.metric for score in found.scores} == {"cka"}


def test_scores_of_given_clusters_are_those_of_scikit_learn_over_all_pairs_and_rows():
    _, assigned = noisy(4, 0.3)
    text = [np.array(list("abcd"))[of] for of in assigned]
    found = compare_frames({"mine": frames(text)})
    for name, function in zip(
        NAMES, (adjusted_rand_score, adjusted_mutual_info_score, normalized_mutual_info_score), strict=True
    ):
        score = own(found, name)
        assert score.mean == pytest.approx(np.mean([function(a, b) for a, b in combinations(assigned, 2)]), abs=1e-12)
        assert (score.pairs, score.restarts, score.sample) == (6, 4, "out")
        assert score.ci_low < score.mean < score.ci_high < 1.0
    assert found.clusterings[0].by == "column"
    assert found.clusterings[0].repeated is None
    assert of_pairs(found)[0, 2] == pytest.approx(adjusted_rand_score(assigned[0], assigned[2]), abs=1e-12)


@pytest.mark.slow
def test_floors_are_those_of_shuffles():
    _, assigned = noisy(3, 0.3)
    found = compare_frames({"mine": frames(assigned)}, floor_draws=60)
    rng = np.random.default_rng(8)
    pairs = list(combinations(assigned, 2))
    for name, function in zip(
        NAMES, (adjusted_rand_score, adjusted_mutual_info_score, normalized_mutual_info_score), strict=True
    ):
        draws = [np.mean([function(a, rng.permutation(b)) for a, b in pairs]) for _ in range(60)]
        error = np.std(draws) * np.sqrt(2 / 60)
        assert abs(own(found, name).independence_floor - np.mean(draws)) < 3 * error
    unrelated = compare_frames({"mine": frames([np.random.default_rng(s).integers(0, 4, ROWS) for s in range(3)])})
    assert abs(own(unrelated, "clusters_ari").adjusted) < 0.02
    assert {one.reading for one in unrelated.clusters} <= {"chance", "unstable"}


def test_a_clusters_own_reproducibility_is_the_mean_best_jaccard_index_over_the_other_restarts():
    _, assigned = noisy(5, 0.3)
    found = compare_frames({"mine": frames(assigned)})
    pairs = {(i, j): adjusted_rand_score(assigned[i], assigned[j]) for i in range(5) for j in range(5) if i != j}
    central = max(range(5), key=lambda i: sum(value for pair, value in pairs.items() if pair[0] == i))
    assert found.clusterings[0].central == f"mine#{central}"
    assert [one.rows for one in found.clusters] == sorted((one.rows for one in found.clusters), reverse=True)
    for one in found.clusters:
        rows = set(np.flatnonzero(assigned[central] == int(one.cluster)))
        best = []
        for other in (of for position, of in enumerate(assigned) if position != central):
            sets = [set(np.flatnonzero(other == cluster)) for cluster in np.unique(other)]
            best.append(max(len(rows & those) / len(rows | those) for those in sets))
        assert one.rows == len(rows)
        assert one.jaccard == pytest.approx(np.mean(best), abs=1e-12)
        assert (one.recovered, one.restarts) == (sum(value >= 0.75 for value in best), 4)
        assert one.jaccard_low < one.jaccard < one.jaccard_high
        assert one.jaccard_floor < 0.25
        assert one.adjusted == pytest.approx((one.jaccard - one.jaccard_floor) / (1 - one.jaccard_floor))


def test_the_floor_of_a_jaccard_index_is_that_of_shuffled_rows():
    _, assigned = noisy(4, 0.3)
    found = compare_frames({"mine": frames(assigned)}, floor_draws=60)
    central = int(found.clusterings[0].central[-1])
    rng = np.random.default_rng(9)
    others = [of for position, of in enumerate(assigned) if position != central]
    for one in found.clusters:
        rows = assigned[central] == int(one.cluster)
        draws = []
        for _ in range(60):
            moved = rng.permutation(rows)
            draws.append(np.mean([max((moved & (o == c)).sum() / (moved | (o == c)).sum() for c in range(4)) for o in others]))
        assert abs(one.jaccard_floor - np.mean(draws)) < 3 * np.std(draws) * np.sqrt(2 / 60)


def test_rows_are_joined_by_their_names_before_clusters_are_compared():
    of, _ = noisy(1, 0.0)
    rng = np.random.default_rng(3)
    shuffled = []
    for frame in frames([of] * 3, kind=np.array(["cat", "dog", "cow", "ape"])[of]):
        frame.index = [f"row{i}" for i in range(ROWS)]
        shuffled.append(frame.rename(columns={"kind": "label"}).sample(frac=1, random_state=int(rng.integers(99))))
    found = compare_frames({"mine": shuffled})
    assert own(found, "clusters_ari").mean == 1.0
    assert {(one.label, one.label_share, one.jaccard, one.reading) for one in found.clusters} == {
        (name, 1.0, 1.0, "highly stable") for name in ("cat", "dog", "cow", "ape")
    }


def test_clusters_that_a_restart_splits_or_merges_are_named():
    _, assigned = noisy(4, 0.02, k=5, n=1000)
    assigned[2] = np.where((assigned[2] == 1) & (np.arange(1000) % 2 == 0), 9, assigned[2])
    assigned[3] = np.where(assigned[3] == 4, 3, assigned[3])
    found = compare_frames({"mine": frames(assigned)})
    assert found.clusterings[0].central in {"mine#0", "mine#1"}
    changes = [(one.restart, one.kind, one.clusters, one.into) for one in found.cluster_changes]
    assert changes == [("mine#2", "split", ("1",), ("1", "9")), ("mine#3", "merged", ("3", "4"), ("3",))]
    words = " ".join(word for section in comparison_report(found).sections for word in section.words)
    assert "Cluster 1 is split in 1 of 3 other restarts (mine#2 into 1 and 9)." in words
    assert "Clusters 3 and 4 are merged in 1 of 3 other restarts (mine#3 into 3)." in words
    assert "Restarts have 4 to 6 clusters." in words


@pytest.mark.parametrize("by", ["k-means", "gmm"])
def test_clusters_that_are_asked_for_are_found(by):
    latents, _ = restarts(4)
    turned = [3.0 * z[:, [2, 0, 1]] + 5.0 for z in latents]
    found = stabaudit.compare({"mine": turned}, clusters=4, cluster_by=by, **FEW)
    (how,) = found.clusterings
    assert (how.by, how.asked, how.rows, how.repeated) == (by, 4, ROWS, pytest.approx(1.0, abs=0.02))
    assert own(found, "clusters_ari").mean > 0.98
    assert [one.reading for one in found.clusters] == ["highly stable"] * 4
    assert not found.cluster_changes


def test_restarts_start_from_seeds_of_their_own_that_follow_from_their_latents():
    rng = np.random.default_rng(0)
    z, others = rng.normal(size=(300, 2)), [rng.normal(size=(300, 2)) for _ in range(2)]
    same = stabaudit.compare({"mine": [z, z.copy(), others[0]]}, clusters=6, **FEW)
    table = of_pairs(same)
    assert table[0, 1] == 1.0
    more = stabaudit.compare({"mine": [others[1], z, others[0]]}, clusters=6, **FEW)
    assert of_pairs(more)[1, 2] == table[0, 2]
    assert same.clusterings[0].repeated < 0.9  # no clusters are there to be found


def test_structureless_latents_say_that_the_method_does_not_repeat():
    rng = np.random.default_rng(0)
    found = stabaudit.compare({"mine": [rng.normal(size=(500, 8)) for _ in range(3)]}, clusters=8, **FEW)
    words = [word for section in comparison_report(found).sections for word in section.words]
    assert any("the method hardly repeats itself" in word for word in words)


def test_between_runs_and_their_difference():
    _, first = noisy(3, 0.1)
    _, second = noisy(3, 0.5)
    found = compare_frames({"a": frames(first), "b": frames(second)})
    between = next(one for one in found.scores if (one.run_a, one.run_b, one.metric) == ("a", "b", "clusters_ari"))
    assert between.mean == pytest.approx(np.mean([adjusted_rand_score(i, j) for i in first for j in second]), abs=1e-12)
    difference = next(one for one in found.differences if one.metric == "clusters_ari")
    assert difference.difference == pytest.approx(own(found, "clusters_ari", "a").mean - own(found, "clusters_ari", "b").mean)
    assert [one.run for one in found.clusterings] == ["a", "b"]


def test_other_scores_do_not_depend_on_clusters():
    latents, _ = restarts(3)
    plain, clustered = (stabaudit.compare({"mine": latents}, clusters=clusters, floor_draws=3) for clusters in (None, 4))
    assert plain.scores == tuple(one for one in clustered.scores if not one.metric.startswith("clusters_"))


def test_one_cluster_and_noise_are_said():
    _, assigned = noisy(3, 0.1)
    found = compare_frames({"mine": frames([np.zeros(ROWS, dtype=int), *assigned[1:]])})
    assert any("all rows of mine#0 are in one cluster" in warning for warning in found.warnings)
    assert of_pairs(found)[0, 1] == 0.0
    for options in ({}, {"clusters": 3}):
        alone = compare_frames({"mine": [frame * 0 for frame in frames([assigned[0]] * 3)]}, **options)
        assert any("each restart has all rows in one, so there is nothing to agree on" in warning for warning in alone.warnings)
        assert not alone.clusterings + alone.clusters
        assert {score.metric for score in alone.scores} == {"cka"}
    noise = compare_frames({"mine": frames([of - 1 for of in assigned])})
    assert any("cluster −1 of mine#0, mine#1, mine#2 counts as a cluster" in warning for warning in noise.warnings)


def test_a_cluster_of_most_rows_has_no_reading_but_an_adjusted_index():
    rng = np.random.default_rng(0)
    of = (rng.random(1000) < 0.05).astype(int)
    found = compare_frames({"mine": frames([np.where(rng.random(1000) < 0.02, 1 - of, of) for _ in range(4)])})
    large, small = found.clusters
    assert large.reading is None
    assert large.jaccard_floor > 0.85 > small.jaccard_floor
    words = [word for section in comparison_report(found).sections for word in section.words]
    assert any(f"{large.cluster}: shuffled rows reach 0.6" in word for word in words)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"clusters": 1}, UsageError, "expected a number of clusters from 2"),
        ({"clusters": "ten"}, UsageError, "expected a number of clusters from 2"),
        ({"clusters": True}, UsageError, "expected a number of clusters from 2"),
        ({"clusters": ROWS}, UsageError, "has 400 rows; expected a number of clusters from 2 to 399"),
        ({"clusters": "prior"}, UsageError, "no learned mixture prior"),
        ({"clusters": 3, "cluster_by": "leiden"}, UsageError, "unknown way to find clusters 'leiden'"),
        ({"clusters": 200, "cluster_by": "gmm"}, BadData, "too few to fit 200 Gaussians"),
    ],
)
def test_what_cannot_be_had_is_refused(options, error, said):
    with pytest.raises(error, match=said):
        stabaudit.compare({"mine": restarts(3)[0]}, **options, **FEW)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.assign(leiden=[None, *frame.leiden.astype(str)[1:]]), "leiden is absent in 1 row"),
        (lambda frame: frame.assign(leiden=["", *frame.leiden.astype(str)[1:]]), r"1 row has no cluster \(''\)"),
        (lambda frame: frame.assign(leiden=frame.leiden + 0.5), "with fractions, expected integers or text"),
        (lambda frame: frame.drop(columns="leiden"), "unknown column of mine#0 'leiden'"),
        (lambda frame: frame.to_numpy(), "an array has no column 'leiden'; give pandas frames"),
    ],
)
def test_clusters_that_are_missing_are_refused(change, said):
    _, assigned = noisy(2, 0.1)
    first, second = frames(assigned)
    with pytest.raises((BadData, UsageError), match=said):
        compare_frames({"mine": [change(first), second]})


def test_a_reading_is_that_of_the_whole_interval():
    _, assigned = noisy(4, 0.02, k=5, n=1000)
    assigned[2] = np.where(assigned[2] == 1, np.arange(1000) % 2 * 8 + 1, assigned[2])
    found = compare_frames({"mine": frames(assigned)})
    (section,) = [one for one in comparison_report(found).sections if one.header[0] == "cluster"]
    read = {row[0]: row[-1] for row in section.rows}
    (split,) = [one for one in found.clusters if one.cluster == "1"]
    assert (split.reading, split.jaccard_low < 0.6, split.jaccard_high > 0.85) == ("stable", True, True)
    assert read == {"0": "highly stable", "1": "unstable to highly stable"} | dict.fromkeys("234", "highly stable")
    assert any("4 highly stable, 1 not settled" in word for word in section.words)
