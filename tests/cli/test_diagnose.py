"""`stabaudit diagnose` on models with known truth: ten classes, what is measured of them, and whether that agrees.

Runs are written by hand: a model with weights that are known, latents of restarts whose relation is known.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator

from stabaudit.api import diagnose
from stabaudit.cli.main import main
from stabaudit.json_schema.schema import json_schema
from stabaudit.store.run.evaluation import Evaluation
from stabaudit.store.run.latents import Latents
from stabaudit.store.run.manifest import Restart
from stabaudit.store.run.run_folder import Run
from stabaudit.training.build import builder
from stabaudit.training.prepare import prepare
from stabaudit.training.recipe import Recipe

pytestmark = pytest.mark.slow

HERE = Path(__file__).parents[1] / "theory"
N, D = 600, 3


def turn(seed, d=D):
    found, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))
    return torch.from_numpy(found).float()


def reordered(seed, d=D):
    rng = np.random.default_rng(seed)
    found = np.eye(d)[rng.permutation(d)] * rng.choice([-1.0, 1.0], d)
    return torch.from_numpy(found).float()


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes a run of restarts whose latents are base @ map and whose models `weigh` completes."""
    monkeypatch.chdir(HERE)

    def write(family, maps, weigh, *, d=D, base=None, data="ppca", inactive=(), name="run", **settings):
        rng = np.random.default_rng(7)
        options = {"samples": N, "observed": 6, "sources": min(d, 3)} if data == "ppca" else {}
        recipe = Recipe(
            family=family,
            data=data,
            latent_dim=d,
            restarts=len(maps),
            steps=1,
            settings={f"dataset.{k}": v for k, v in options.items()} | settings,
        )
        prepared = prepare(recipe)
        dataset, config = prepared.dataset, prepared.config
        rows = dataset.evaluation
        build = builder(config, rows.x.shape[1:], 0 if rows.u is None else rows.u.shape[1], len(dataset.train))
        base = rng.laplace(size=(len(rows.x), d)) if base is None else base(len(rows.x), rng)
        folder = tmp_path / name
        with Run.prepare(folder, prepared.manifest(name)) as run:
            run.save_evaluation(Evaluation(rows.sample_id, rows.labels, rows.u, rows.sources))
            for index, by in enumerate(maps):
                torch.manual_seed(0)  # one decoder, seen through other coordinates
                model = build()
                with torch.no_grad():
                    weigh(model, by)
                mean = base @ by.numpy() + 0.02 * rng.standard_normal(base.shape)
                log_var = np.full(base.shape, -4.0)
                mean[:, list(inactive)], log_var[:, list(inactive)] = 0.0, 0.0
                run.save_latents(index, Latents(rows.sample_id, mean.astype(np.float32), log_var.astype(np.float32), None))
                run.save_weights(index, {key: value.numpy() for key, value in model.state_dict().items()})
                run.record(Restart(index=index, seed=index, state="done"))
        return folder

    return write


def seen_through(layer, by):
    """Let a first layer take latents z @ by as it took z: x stays the same."""
    layer.weight.copy_(layer.weight @ by)  # by is orthogonal


@pytest.fixture
def run(capsys, monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))

    def invoke(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return stop.value.code, out, err

    return invoke


def promised(found):
    (one,) = {(p.identified, p.theorem, p.state) for p in found.promises.values()}
    return one


TURNS, ORDERS = [turn(seed) for seed in range(5)], [reordered(seed) for seed in range(5)]


def test_1_linear_gaussian_rotation(written):
    def weigh(model, by):
        model.loadings.copy_(model.loadings @ by)

    def normal(n, rng):
        return rng.standard_normal((n, D))

    found = diagnose(written("ppca", TURNS, weigh, base=normal))
    assert promised(found) == ("orthogonal", "Tipping & Bishop 1999, §3.2", "holds")
    assert (found.measured, found.agreement) == ("affine", "kept")
    more = diagnose(written("ppca", ORDERS, weigh, name="axes"))
    assert (more.measured, more.agreement) == ("permutation", "more")


def test_2_linear_ica_permutation(written):
    def weigh(model, by):
        seen_through(model.decoder, by)

    kept = diagnose(written("known_models:Known", ORDERS, weigh, prior="laplace"))
    assert promised(kept) == ("permutation", "Comon 1994, Theorem 11", "holds")
    assert (kept.measured, kept.agreement) == ("permutation", "kept")
    broken = diagnose(written("known_models:Known", TURNS, weigh, prior="laplace", name="turned"))
    assert promised(broken)[0] == "permutation"
    assert (broken.measured, broken.agreement) == ("affine", "not kept")
    unrelated = [torch.eye(D)] * 5

    def noise(n, rng):
        return 0.0 * rng.standard_normal((n, D))

    nothing = diagnose(written("known_models:Known", unrelated, weigh, base=noise, prior="laplace", name="noise"))
    assert nothing.agreement in {"not kept", "undecided"}


def table(model, by, log_var):
    """The table of p(z|u), and the decoder, in the coordinates of a restart; `by` reorders and flips."""
    model.prior.out.weight.copy_((log_var @ by.abs()).T)
    model.prior.out.bias.zero_()
    seen_through(model.decoder.body.hidden[0], by)


IVAE = {
    "data": "tcl",
    "d": D,
    "dataset.segments": 8,
    "dataset.samples": 40,
    "dataset.sources": D,
    "dataset.observed": 12,
    "widths": (8,),
    "architecture.activation": "leaky-tanh",
    "encoder_u": False,
}


def test_3_ivae_with_rank_deficient_matrix(written):
    log_var = torch.randn(8, D, generator=torch.Generator().manual_seed(1))
    log_var[:, 1] = log_var[:, 0]  # two rows of the matrix are the same

    def weigh(model, by):
        table(model, by, log_var)

    found = diagnose(written("ivae", ORDERS, weigh, **IVAE))
    assert promised(found)[0] == "none"
    missing = next(iter(found.promises.values())).missing
    assert [(c.name, c.evidence, c.amount) for c in missing] == [("L", "rank 2 of 3", 1.0)]
    assert (found.measured, found.agreement) == ("permutation", "more")
    turned = diagnose(
        written("ivae", [torch.eye(D)] * 5, weigh, base=lambda n, rng: 0 * rng.standard_normal((n, D)), name="n", **IVAE)
    )
    assert turned.agreement in {"nothing promised", "undecided"}


def test_4_ivae_with_enough_segments(written):
    log_var = torch.randn(8, D, generator=torch.Generator().manual_seed(3))

    def weigh(model, by):
        table(model, by, log_var)

    found = diagnose(written("ivae", ORDERS, weigh, **IVAE))
    assert promised(found) == ("permutation", "Khemakhem 2019, Theorem 2", "holds")
    assert (found.measured, found.agreement) == ("permutation", "kept")
    few = diagnose(written("ivae", ORDERS, weigh_few, name="few", **(IVAE | {"dataset.segments": 3})))
    assert promised(few)[0] == "none"
    assert next(iter(few.promises.values())).missing[0].evidence == "u takes 3 values, 4 are needed (k·d + 1)"


def weigh_few(model, by):
    table(model, by, torch.randn(3, D, generator=torch.Generator().manual_seed(3)))


def mixture(model, by, log_var):
    model.mean.copy_(4 * torch.randn(3, D, generator=torch.Generator().manual_seed(5)) @ by)
    model.log_var.copy_(log_var)


ALIKE = torch.tensor([[0.0], [1.0], [-1.0]]).expand(3, D)
DIFFERENT = torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [0.5, -1.0, -2.0]])


def test_5_vade_affine_on_a_decoder_that_does_not_fold(written):
    def weigh(model, by):
        mixture(model, by, ALIKE)
        seen_through(model.decoder[0], by)

    found = diagnose(written("known_models:Known", TURNS, weigh, prior="mixture", decoder="leaky"))
    assert promised(found)[0] == "affine"
    assert "Theorem 3.9 (a), (c)" in promised(found)[1]
    assert (found.measured, found.agreement) == ("affine", "kept")

    def distinct(model, by):
        weigh(model, by)
        model.log_var.copy_(DIFFERENT)

    found = diagnose(written("known_models:Known", TURNS, distinct, prior="mixture", decoder="leaky", name="p2"))
    assert promised(found)[0] == "permutation"
    assert found.agreement == "not kept"


def test_5_trained_vade_on_pinwheel_p_z_at_least_affine(run, tmp_path):
    folder = tmp_path / "pinwheel"
    options = (
        "--latent-dim",
        2,
        "-n",
        2,
        "--steps",
        300,
        "--set",
        "components=3",
        "--workers",
        1,
        "--quiet",
    )
    assert run("train", "vade", "--data", "pinwheel", *options, "--out", folder)[0] == 0
    found = diagnose(folder)
    for one in found.promises.values():
        states = {c.name: c.state for c in one.conditions}
        assert (states["P1"], states["F1"]) == ("holds", "holds")
        assert one.prior in {"affine", "permutation"}
        assert one.identified == "none" if states["F4"] == "fails" else one.identified in {"affine", "permutation"}


def test_6_one_component(written):
    def weigh(model, by):
        seen_through(model.decoder[0], by)

    smooth = diagnose(written("known_models:Known", TURNS, weigh, decoder="tanh"))
    assert promised(smooth)[0] == "none"
    assert (smooth.measured, smooth.agreement) == ("affine", "more")
    kinked = diagnose(written("known_models:Known", TURNS, weigh, decoder="leaky", name="kinked"))
    assert promised(kinked)[0] == "orthogonal"  # Kivva allows J = 1


def test_7_absolute_value_is_not_even_weakly_injective(written):
    def weigh(model, by):
        model.weight.copy_(torch.tensor([1.0, -1.0]))
        model.bias.zero_()
        model.out.copy_(torch.ones_like(model.out))
        model.mixture_mean.copy_(torch.tensor([-2.0, -1.0, 3.0]))
        model.mixture_log_var.zero_()

    maps = [torch.eye(1), torch.eye(1), torch.eye(1)]
    found = diagnose(written("relu-gmm", maps, weigh, d=1, hidden=2, data="ppca"))
    (one, *_) = found.promises.values()
    assert (one.identified, one.prior) == ("none", "none")
    states = {c.name: (c.state, c.amount) for c in one.conditions}
    assert states["F2"] == ("fails", 1.0)
    decoder = next(iter(found.facts.values())).decoder
    np.testing.assert_allclose(decoder.example[0], -decoder.example[1], atol=1e-5)
    assert decoder.weighty > decoder.targets / 4


def test_8_collapsed_dimension(written):
    def weigh(model, by):
        model.loadings.copy_(model.loadings @ by)
        model.loadings[:, 1] = 0

    planes = [torch.block_diag(turn(s, 1), torch.eye(2)) for s in range(5)]
    for seed, plane in enumerate(planes):
        rotation = turn(seed + 30, 2)
        plane.zero_()
        plane[np.ix_([0, 2], [0, 2])] = rotation
        plane[1, 1] = 1
    found = diagnose(written("ppca", planes, weigh, inactive=(1,), base=lambda n, rng: rng.standard_normal((n, D))))
    assert promised(found)[0] == "orthogonal"
    assert {p.collapsed for p in found.promises.values()} == {(1,)}
    assert (found.measured, found.agreement) == ("affine", "kept")


def test_9_relu_decoder_of_full_width(written):
    def pairs(model, by):
        """Rows in opposite pairs, one of which is active, and a last layer of full column rank if x is wide enough."""
        mixture(model, by, ALIKE)
        half = torch.randn(2 * D, D, generator=torch.Generator().manual_seed(8))
        model.decoder[0].weight.copy_(torch.cat([half, -half]) @ by)
        model.decoder[0].bias.fill_(0.3)

    options = {"prior": "mixture", "decoder": "relu"}
    proved = diagnose(written("known_models:Known", TURNS, pairs, **options, **{"dataset.observed": 14}))
    assert promised(proved)[::2] == ("affine", "holds")
    assert proved.agreement == "kept"
    narrow = diagnose(written("known_models:Known", TURNS[:1], pairs, name="narrow", **options))  # 12 to 6: not by its layers
    (one,) = narrow.promises.values()
    assert one.prior == "affine"
    assert {c.name: c.state for c in one.conditions}["F2"] == "not refuted"


def test_10_skip_connected(written):
    def weigh(model, by):
        mixture(model, by, ALIKE)
        model.decoder.straight.weight.copy_(3 * torch.randn(6, D, generator=torch.Generator().manual_seed(4)) @ by)
        seen_through(model.decoder.bent[0], by)

    found = diagnose(written("known_models:Known", TURNS, weigh, prior="mixture", decoder="skip"))
    assert promised(found)[::2] == ("affine", "not refuted")
    assert (found.measured, found.agreement) == ("affine", "kept")


def test_the_command_in_every_format(run, written, tmp_path):
    def weigh(model, by):
        model.loadings.copy_(model.loadings @ by)

    folder = written("ppca", TURNS, weigh, base=lambda n, rng: rng.standard_normal((n, D)))
    code, out, _ = run("diagnose", folder)
    assert code == 0
    assert "The latents are promised up to a rotation or reflection (Tipping & Bishop 1999, §3.2)." in out
    assert "The run keeps it: its restarts agree up to a linear map." in out
    code, out, _ = run("diagnose", folder, "--format", "json")
    document = json.loads(out)
    Draft202012Validator(json_schema()).validate(document)
    assert document["agreement"][0]["agreement"] == "kept"
    assert len(document["promises"]) == 5
    assert len(document["decoders"]) == 5
    code, out, _ = run("diagnose", f"{folder}#2", "--format", "csv")
    assert code == 0
    assert out.splitlines()[0].startswith("run,restart,condition,")
    code, out, _ = run("diagnose", f"{folder}#2")
    assert "one restart has nothing to be held against" in out
    assert "Whether the run keeps it is not decided." in out


def test_what_has_no_weights_is_refused_in_one_line(run, tmp_path, make_run):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(50, 2)))
    np.save(tmp_path / "b.npy", np.random.default_rng(1).normal(size=(50, 2)))
    assert run("import", tmp_path / "a.npy", tmp_path / "b.npy", "--ids-by-position", "--out", tmp_path / "imported")[0] == 0
    for what in ("imported", "a.npy"):
        code, out, err = run("diagnose", tmp_path / what)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "has latents and no weights" in err.replace("holds", "has")
    code, _, err = run("diagnose", tmp_path / "nowhere")
    assert (code, err.count("\n")) == (2, 1)


def test_weights_of_another_model_are_refused(run, written):
    folder = written("ppca", TURNS[:2], lambda *_: None)
    with Run.prepare(folder, Run.open(folder).manifest) as opened:
        opened.save_weights(0, {"loadings": np.zeros((2, 2), dtype=np.float32)})
        opened.record(Restart(index=0, seed=0, state="done"))
    code, _, err = run("diagnose", folder)
    assert (code, err.count("\n")) == (2, 1)
    assert "do not fit family 'ppca'" in err
