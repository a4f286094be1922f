"""The scripts behind `fixtures/reproductions`: what they train and what they keep is what they say."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

from stabaudit.cli.main import _run
from stabaudit.data.tcl import load
from stabaudit.published import reproductions
from stabaudit.store.run.run_folder import Run

pytestmark = pytest.mark.slow
PIXELS, D = 28 * 28, 4


@pytest.fixture(autouse=True)
def _scripts(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent / "benchmarks")


@pytest.fixture
def images(monkeypatch):
    """Two hundred images of which every second column varies."""
    import willetts_networks

    x = np.random.default_rng(0).random((200, 1, 28, 28), dtype=np.float32)
    x[..., ::2] = 0.25
    monkeypatch.setattr(willetts_networks.DataFolder, "locate", lambda: None)
    monkeypatch.setattr(willetts_networks, "load_mnist", lambda _: SimpleNamespace(train=SimpleNamespace(x=x)))
    torch.manual_seed(0)
    return torch.as_tensor(x)


def networks(**options):
    from willetts_networks import build

    torch.manual_seed(1)
    pair = build((1, 28, 28), D, 0, **options)
    for network in pair:
        network.eval()
    return pair


def test_each_difference_of_the_published_networks_is_what_its_name_says(images):
    with torch.no_grad():
        plain, centred, positive = (
            networks(**options)[0](images, None, None) for options in ({}, {"centred": True}, {"softplus": True})
        )
        shifted = networks()[0](images - 0.5, None, None)
        torch.testing.assert_close(centred.mean, shifted.mean)
        assert (centred.mean - plain.mean).abs().max() > 1e-3
        second = networks()[0].body(images.flatten(1), None).chunk(2, 1)[1]
        torch.testing.assert_close(positive.log_var.exp(), softplus(second))
        logits = networks(varied_pixels=True)[1](torch.randn(3, D), None)
        assert torch.equal(logits[..., ::2], torch.zeros_like(logits[..., ::2]))
        assert (logits[..., 1::2] != 0).all()


def test_first_weights_scaled_by_a_batch_give_outputs_of_mean_0_and_deviation_a_tenth(images):
    encoder, _ = networks(start_from_data=True)
    with torch.no_grad():
        out = encoder.body(images[:64].flatten(1), None)
        torch.testing.assert_close(out.mean(0), torch.zeros(2 * D), rtol=0, atol=1e-4)
        torch.testing.assert_close(out.std(0, correction=0), torch.full((2 * D,), 0.1), rtol=0.02, atol=0)
        assert networks()[0].body(images[:64].flatten(1), None).std(0).max() < 0.05


def test_a_start_at_the_truth_encodes_the_true_sources(monkeypatch):
    import oracle_start

    monkeypatch.setattr(oracle_start, "STEPS", 600)
    torch.manual_seed(0)
    encoder, decoder = oracle_start.build((5,), 5, 40)
    rows = load().train
    with torch.no_grad():
        mean, _ = encoder(torch.as_tensor(rows.x[:4000]), torch.as_tensor(rows.u[:4000]), None)
        x = decoder(torch.as_tensor(rows.sources[:4000]), None)
    correlations = [np.corrcoef(mean[:, k], rows.sources[:4000, k])[0, 1] for k in range(5)]
    assert min(correlations) > 0.7
    assert np.mean((x.numpy() - rows.x[:4000]) ** 2) < 0.1 * rows.x.var()


def test_informative_dimensions_and_the_others_make_up_the_score(make_run):
    from weak_dimensions import NATS, divergences, rows_of

    rng = np.random.default_rng(3)
    base = rng.normal(size=(600, 2))
    noise = [0.05 * rng.normal(size=(600, 1)) * np.ones(3) + 0.001 * rng.normal(size=(600, 3)) for _ in range(2)]
    latents = [np.hstack([base[:, order], weak]) for order, weak in zip(([0, 1], [1, 0]), noise, strict=True)]
    run = Run.open(make_run("run", latents=latents, d=5, log_var=0.0))
    found = divergences(run.latents(0))
    np.testing.assert_allclose(found, (np.float32(latents[0]) ** 2).mean(0) / 2, rtol=1e-5)  # of variance 1: half a mean square
    assert ((found >= NATS) == [True, True, False, False, False]).all()
    (row,) = rows_of(run)
    assert row["informative"] == 2
    assert row["strong_mcc_informative"] == pytest.approx(1.0)
    assert row["strong_mcc_others"] < 0.2
    assert row["strong_mcc"] == pytest.approx((2 * row["strong_mcc_informative"] + 3 * row["strong_mcc_others"]) / 5)
    assert row["in_common_a"] > 0.95  # three dimensions that follow one


def test_what_is_kept_of_an_audit_is_read_back_as_it_was(tmp_path, monkeypatch, capsys):
    import keep_reproduction

    plan = tmp_path / "plan.toml"
    plan.write_text(
        'summary = "two small runs"\ndeviations = ["tiny"]\n[defaults]\ndata = "tcl"\nlatent_dim = 5\nrestarts = 2\nsteps = 5\n'
        'settings.samples = 20\n[grid]\nfamily = ["vae", "ivae"]\n'
    )
    audit, document, out = tmp_path / "audit", tmp_path / "audit.json", tmp_path / "kept"
    assert (
        _run(["audit", str(plan), "--out", str(audit), "--format", "json", "--output", str(document), "--floor-draws", "1"]) == 0
    )
    arguments = ["keep", str(audit), str(document), str(out), "--data", "few rows", "--deviation", "more"]
    monkeypatch.setattr(sys, "argv", arguments)
    keep_reproduction.main()
    about = json.loads((out / "about.json").read_text())
    assert about["deviations"] == ["tiny", "more"]
    assert about["data"] == "few rows"
    restarts, scores = (reproductions.table(out, name) for name in ("restarts", "scores"))
    assert [(row["run"], row["index"], row["steps"]) for row in restarts] == [
        (f"family={family}", str(index), "5") for family in ("ivae", "vae") for index in range(2)
    ]
    for run in ("family=vae", "family=ivae"):  # restart by restart, and their mean
        (mean,) = [
            float(row["mean"])
            for row in scores
            if (row["run_a"], row["metric"], row["sample"], row["k"]) == (run, "source_strong_mcc", "out", "")
        ]
        assert np.mean([float(row["source_strong_mcc"]) for row in restarts if row["run"] == run]) == pytest.approx(mean)
        (within,) = [
            float(row["mean"])
            for row in scores
            if (row["run_a"], row["metric"], row["sample"], row["k"]) == (run, "strong_mcc", "out", "")
        ]
        (pair,) = [row for row in reproductions.table(out, "pairs") if row["run"] == run]
        assert (pair["restart_a"], pair["restart_b"]) == ("0", "1")
        assert float(pair["strong_mcc"]) == pytest.approx(within)
    capsys.readouterr()
