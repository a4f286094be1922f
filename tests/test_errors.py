"""What is counted agrees with its count: of one there is no plural, and the verb that follows is that of one."""

import re
import warnings

import numpy as np
import pyarrow as pa
import pytest

from stabaudit.data.dataset import Split
from stabaudit.data.own_files import load
from stabaudit.errors import Noticed, StabauditError
from stabaudit.metrics.alignment import align
from stabaudit.metrics.checks import require_scorable, warn_of_few_rows
from stabaudit.metrics.cluster_agreement import Clustering
from stabaudit.metrics.factors import halved
from stabaudit.metrics.mixtures import fit_mixture
from stabaudit.metrics.split import split_halves
from stabaudit.store.files import columns
from stabaudit.store.run.latents import Latents
from stabaudit.training import machine_check

IDS = np.arange(3)
Z = np.random.default_rng(0).standard_normal((3, 2))
HOLED = np.where(np.arange(6).reshape(3, 2) == 2, np.nan, Z)


def with_labels(*labels):
    return lambda: columns.labels(pa.table({"label": labels}), "a.csv")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda: require_scorable([Z[:1], Z], ["a", "b"], None), "b has 3 rows, a has 1"),
        (lambda: require_scorable([Z, Z[:1]], ["a", "b"], None), "b has 1 row, a has 3"),
        (lambda: require_scorable([HOLED], ["a"], None), "a: dimension 0 holds 1 NaN or infinite value"),
        (lambda: warn_of_few_rows(3, 1, 1), "1 of 4 rows is left to score on"),
        (lambda: warn_of_few_rows(1, 2, 1), "1 row to fit on for 1 dimension: more rows"),
        (lambda: split_halves(np.array([4, 4, 5])), "1 of 3 sample ids is repeated"),
        (lambda: halved(Z, Z, np.array([True, True, False]), 9, "dci"), "dci: 1 row in a half"),
        (lambda: fit_mixture(Z[:1], 1, seed=0), "1 row is too few to fit 1 Gaussian of 2 dimensions"),
        (lambda: align(Z[:, :1], Z, IDS < 2), "1 dimension cannot be aligned to 2"),
        (lambda: Clustering.of(np.array(["a", "", "b"]), "a"), "1 row has no cluster"),
        (lambda: Split(HOLED, IDS).checked("a"), "x holds 1 NaN or infinite value"),
        (lambda: Split(Z, np.array([7, 7, 8])).checked("a"), "1 sample id is repeated, the first is 7"),
        (lambda: Split(Z, IDS[:1]).checked("a"), "sample_id has 1 row, x has 3"),
        (lambda: Latents(sample_id=IDS, mean=Z[:1]).validate("a"), "1 row of means for 3 sample ids"),
        (lambda: columns.run_of("z", ["z1"], "a.csv"), "column z0 is missing among 1 column z0"),
        (with_labels("x", None), "label is absent in 1 row, which has no class"),
        (with_labels("x", None, None), "label is absent in 2 rows, which have no class"),
    ],
)
def test_one_is_not_said_as_if_it_were_several(given, said):
    with warnings.catch_warnings():
        warnings.simplefilter("error", Noticed)
        with pytest.raises((StabauditError, Noticed)) as refused:
            given()
    assert said in str(refused.value)
    assert not re.search(r"\b1 (sample )?(rows|ids|dimensions|columns|values)\b", str(refused.value))


@pytest.mark.parametrize(("rows", "said"), [(1, "1 row is too few to hold out"), (2, "2 rows are too few to hold out")])
def test_a_file_of_too_few_rows(tmp_path, rows, said):
    np.save(tmp_path / "own.npy", Z[:rows])
    with pytest.raises(StabauditError, match=said):
        load(tmp_path / "own.npy")


@pytest.mark.parametrize(("workers", "said"), [(1, "so 1 restart trains at a time"), (2, "so 2 restarts train at a time")])
def test_a_machine_of_one_core(monkeypatch, workers, said):
    monkeypatch.setattr(machine_check, "default_workers", lambda: workers)
    assert said in machine_check._cores().fact
