"""What falls out of the papers' own numbers."""

import csv
import math
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from stabaudit.audit.plan_file import load_plan
from stabaudit.comparison.surveys.score_table import read_score_table
from stabaudit.metrics.mcc_strong import strong_mcc
from stabaudit.metrics.mcc_weak import weak_mcc
from stabaudit.statistics.families import compare_families

FIXTURES = Path(__file__).parents[1] / "fixtures"


def table(name):
    with (FIXTURES / name).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def willetts():
    scores, _, _ = read_score_table(FIXTURES / "willetts2021-mcc.csv")
    return scores


def test_ten_restarts_make_45_pairs_and_not_55():
    """Willetts & Paige 2021, App. D counts 55: 45, and each restart with itself, which agrees perfectly."""
    assert math.comb(10, 2) == 45
    assert math.comb(10, 2) + 10 == 55


def test_the_table_needs_720_models_and_not_480(willetts):
    """Willetts & Paige 2021, §4.1 names 480 models; 24 configurations of three families, ten restarts each, are more."""
    assert len(willetts) == 24
    assert sum(len(families) for families in willetts.values()) * 10 == 720
    assert sum(recipe.restarts for recipe in load_plan("willetts-images").recipes.values()) == 720


def test_the_published_p_values_and_what_is_left_of_them(willetts):
    tests = compare_families(willetts, score="mcc")
    found = {(c.family_a, c.family_b): (round(c.p, 3), round(c.p_holm, 3)) for c in tests.comparisons}
    assert found == {("ivae", "vade"): (0.422, 0.422), ("ivae", "vae"): (0.029, 0.087), ("vae", "vade"): (0.039, 0.087)}


def test_the_plan_holds_the_published_values(willetts):
    plan = load_plan("willetts-images")
    published = {
        (recipe.architecture, recipe.dataset, recipe.latent_dim, recipe.family): reference.value
        for reference in plan.references
        for recipe in [plan.recipes[reference.run]]
    }
    assert published == {
        (key.architecture, key.dataset, key.latent_dim, family): value
        for key, families in willetts.items()
        for family, value in families.items()
    }


def test_the_plan_of_text_holds_the_published_values():
    """Wang et al. 2021, Table 1: every value of its three texts stands beside the run of its family."""
    plan = load_plan("wang-text")
    names = {"VAE": "svae", "SA-VAE": "savae", "Lagging VAE": "lagging", "beta-VAE": "beta-vae", "LIDVAE": "lidsvae"}
    data = {"synthetic": "text-synthetic", "yahoo": "text:yahoo.txt", "yelp": "text:yelp.txt"}
    scores = {"au": "active_units", "kl": "kl", "mi": "mutual_information", "ll": "log_likelihood"}
    published = {
        (data[row["dataset"]], names[row["model"]], scores[column]): float(row[column])
        for row in table("wang2021-collapse.csv")
        if row["dataset"] in data
        for column in scores
    }
    assert len(published) == 60
    assert published == {
        (recipe.dataset, recipe.family, reference.score.removesuffix(".out")): reference.value
        for reference in plan.references
        for recipe in [plan.recipes[reference.run]]
    }


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(0, 10_000))
def test_strong_one_implies_weak_one(d, seed):
    rng = np.random.default_rng(seed)
    a = rng.laplace(size=(60, d)) @ rng.normal(size=(d, d))
    b = a[:, rng.permutation(d)] * rng.uniform(0.1, 3, d) * rng.choice([-1, 1], d) + rng.normal(size=d)
    assert strong_mcc(a, b) == pytest.approx(1)
    assert weak_mcc(a, b, k=None) == pytest.approx(1)


def test_the_labels_of_the_pinwheel_are_swapped():
    """Kivva et al. 2022, §4 prints strong 1.0 and weak 0.87, which no pair has; its other rows are possible as they stand."""
    impossible = [
        row["dataset"]
        for row in table("kivva2022-mcc.csv")
        if row["printed_strong_mcc"] == "1.0" and row["printed_weak_mcc"] != "1.0"
    ]
    assert impossible == ["pinwheel"]


def test_the_identifiable_models_lead_in_active_units_everywhere():
    for dataset, rows in groupby(table("wang2021-collapse.csv"), lambda row: row["dataset"]):
        units = {row["model"]: float(row["au"]) for row in rows}
        best = next(value for model, value in units.items() if model.startswith("LID"))
        assert best == max(units.values()), dataset


def test_the_divergences_of_the_image_datasets_cannot_be_means_over_rows():
    """KL(q(z|x) ‖ p(z)), averaged over rows, is the mutual information and KL(q(z) ‖ p(z)), which is not negative."""
    rows = [row for row in table("wang2021-collapse.csv") if row["dataset"] in {"fashion-mnist", "omniglot"}]
    assert len(rows) == 10
    assert all(float(row["kl"]) < float(row["mi"]) for row in rows)


def test_a_mixtures_kl_with_the_samples_of_every_cluster_can_lie_below_the_mutual_information():
    """As the code of Wang et al. 2021 has it: log q(z|x, i) − log p(z|i) at samples of all clusters, not of cluster i alone.

    Rows of two clusters at ∓2, prior N(∓2, 1) and posterior N(its own place, 0.3²) within each.
    """
    rng = np.random.default_rng(0)
    n, s, centers = 4000, 0.3, np.array([-2.0, 2.0])
    of = rng.integers(0, 2, n)
    places = rng.normal(scale=np.sqrt(1 - s**2), size=n)  # all posteriors of a cluster together are its prior
    means = centers + places[:, None]  # of q(z|x, i), shape (n, 2)
    z = means + s * rng.standard_normal((n, 2))  # a sample of every cluster for each row

    def ratio(values):  # log q(z|x, i) − log p(z|i) of the row's own cluster i
        own = means[np.arange(n), of]
        return norm.logpdf(values, own, s) - norm.logpdf(values, centers[of], 1.0)

    own = z[np.arange(n), of]
    assert ratio(own).mean() == pytest.approx(-np.log(s), abs=0.05)  # in closed form, as all posteriors together are the prior
    aggregate = np.logaddexp(*(norm.logpdf(own, center, 1.0) for center in centers)) - np.log(2)
    information = (norm.logpdf(own, means[np.arange(n), of], s) - aggregate).mean()
    theirs = np.mean([ratio(z[:, j]).mean() for j in range(2)])
    assert theirs < 0 < information
