"""`stabaudit train` on data, networks and sizes that do not go together: one line that says what to do, and nothing written."""

from pathlib import Path

import numpy as np
import pytest

from stabaudit.cli.main import _run
from stabaudit.errors import UsageError, counted
from stabaudit.store.imports.import_run import import_run
from stabaudit.store.run.external_labels import External


@pytest.fixture(autouse=True)
def _workplace(tmp_path, monkeypatch):
    """An empty working directory beside the data."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr("stabaudit.engines.local.warm_up", lambda: None)  # no process is needed
    rng = np.random.default_rng(0)
    for name, shape in {
        "vectors": (5,),
        "odd": (1, 30, 30),
        "tiny": (1, 2, 2),
        "flat": (8, 8),
        "image": (1, 8, 8),
        "plane": (2,),
    }.items():
        np.savez(tmp_path / f"{name}.npz", x=rng.uniform(size=(160, *shape)))


@pytest.mark.parametrize(
    ("arguments", "said", "do"),
    [
        # images of a wrong size, or none at all
        ("vae --data odd --arch conv", "multiples of 4; these data have the shape 1×30×30", "use --arch mlp"),
        ("vae --data vectors --arch conv", "multiples of 4; these data have the shape 5", "use --arch mlp"),
        ("vae --data flat --arch conv", "multiples of 4; these data have the shape 8×8", "use --arch mlp"),
        ("vae --data vectors --arch resnet", "'resnet' needs images, these data have the shape 5", "use --arch mlp"),
        ("ae --data vectors", "needs images of 4×4 pixels or more", "the shape 5"),
        ("rvqvae --data tiny", "needs images of 4×4 pixels or more", "the shape 1×2×2"),
        ("mfcvae --data image --arch conv", "architecture 'mlp'", "use --arch mlp"),
        # no u
        ("ivae --data vectors", "'ivae' needs an auxiliary variable u, and ../vectors.npz has none", "try 'vade'"),
        # more latent dimensions than there can be
        ("ppca --data vectors -d 6", "'ppca' has at most as many latent dimensions as x", "--latent-dim 5"),
        ("gmm --data vectors -d 6", "'gmm' has at most as many latent dimensions as x", "--latent-dim 5"),
        ("gmm-flow --data vectors -d 6", "'gmm-flow' keeps all 5 dimensions of x", "--latent-dim 5"),
        ("gmm-flow --data vectors -d 4", "'gmm-flow' keeps all 5 dimensions of x", "--latent-dim 5"),
        ("relu-gmm --data plane -d 2", "'relu-gmm' has one latent dimension", "--latent-dim 1"),
        ("lidvae --data vectors -d 6", "these have 5", "lower --latent-dim"),
        ("lidmvae --data vectors -d 6 --set components=2", "these have 5", "lower --latent-dim"),
        ("lidmvae --data image -d 4", "embedded means of 10 components need as many latent dimensions", "--set means=learned"),
        ("mfcvae --data vectors -d 2 --set facets=3", "3 facets need at least 3 latent dimensions", "not 2"),
        ("vae --data vectors -d 1 --set posterior=realnvp", "'realnvp' needs at least 2 latent dimensions", "posterior=gaussian"),
        # more components than rows
        *(
            (
                f"{family} --data {data} --set components=129",
                "129 mixture components are more than the 128 training rows",
                "lower",
            )
            for family, data in {
                "vade": "vectors",
                "mfcvae": "vectors",
                "gmvae": "vectors",
                "lidmvae": "image -d 64 --set means=learned",
                "gmm": "vectors -d 2",
                "gmm-flow": "vectors",
                "relu-gmm": "plane",
            }.items()
        ),
        (
            "rvqvae --data image --set codes=513",
            "513 codes are more than the 512 vectors of all training rows",
            "lower --set codes=",
        ),
        ("rademacher-vae --data vectors --set bits=8", "256 orthants, more than the 128 training rows", "lower --set bits="),
        # networks and likelihoods that a family brings itself
        ("ae --data image --arch conv", "'ae' brings its own networks, not 'conv'", "leave --arch out"),
        ("ppca --data vectors -d 2 --likelihood bernoulli", "'ppca' has Gaussian noise and no other", "--likelihood gaussian"),
        ("gmm-flow --data vectors --likelihood gaussian", "brings its own likelihood", "leave --likelihood out"),
    ],
)
def test_what_does_not_go_together_is_one_line_and_nothing_is_written(arguments, said, do, capfd):
    family, _, data, *more = arguments.split()
    words = [family, "--data", f"../{data}.npz", *more]
    assert _run(["train", *words, "-n", "2", "--steps", "2", "--scale", "none"]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("stabaudit: error: ")
    assert said in err
    assert do in err
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(("family", "data", "d"), [("gmm-flow", "vectors", 5), ("relu-gmm", "plane", 1), ("vae", "vectors", 10)])
def test_a_latent_dimension_that_is_left_out_is_one_that_the_family_can_have(family, data, d, capfd):
    assert _run(["train", family, "--data", f"../{data}.npz", "--dry-run"]) == 0
    assert f" {counted(d, 'latent dimension')}, means" in capfd.readouterr().out


@pytest.mark.parametrize("words", ["train vae", "train --command", "train --until", "audit", "import"])
@pytest.mark.parametrize("dry", [["--dry-run"], []])
def test_more_restarts_than_a_run_can_hold_are_refused_at_once(words, dry, capfd, monkeypatch):
    """Before data are read, programs called or files opened: a manifest could not list them."""
    monkeypatch.setattr("stabaudit.training.prepare.prepare", lambda *_, **__: pytest.fail("prepared"))
    monkeypatch.setattr("stabaudit.external.programs.run_program", lambda *_, **__: pytest.fail("called"))
    monkeypatch.setattr("stabaudit.store.imports.import_run.named_rows", lambda *_: pytest.fail("read"))
    Path("plan.toml").write_text('[defaults]\ndata = "digits"\nfamily = "vae"\nrestarts = 200_000\n[grid]\nlatent_dim = [2, 3]\n')
    if words == "import":
        with pytest.raises(UsageError, match=r"200,000 files, and a run can hold 8,000 restarts"):
            import_run([Path("a.npy")] * 200_000, Path("run"), External(), command="")
        return
    arguments = {
        "train vae": ["train", "vae", "-n", "200000"],
        "train --command": ["train", "--command", "true {seed} {latents}", "-n", "200000", "--ids-by-position", "--out", "run"],
        "train --until": ["train", "vae", "--until", "strong_mcc±0.01", "--max-restarts", "200000"],
        "audit": ["audit", "plan.toml"],
    }[words]
    assert _run([*arguments, *dry]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "8000" in err
    assert [path.name for path in Path().iterdir()] == ["plan.toml"]


@pytest.mark.parametrize(("option", "setting", "status"), [("none", "minmax", 2), ("none", "none", 0), ("minmax", None, 0)])
def test_scale_said_twice_must_be_the_same(option, setting, status, capfd):
    words = ["train", "vae", "--data", "../vectors.npz", "--arch", "mlp", "--dry-run", "--scale", option]
    assert _run([*words, *([] if setting is None else ["--set", f"dataset.scale={setting}"])]) == status
    if status:
        assert capfd.readouterr().err == (
            "stabaudit: error: --scale none and --set dataset.scale=minmax differ; give one of them\n"
        )


def test_strict_guesses_nothing_of_the_data_of_a_plan(capfd):
    Path("own.csv").write_text("a;b\n" + "".join(f"{i % 7}.5;{i % 5}.25\n" for i in range(200)))
    Path("plan.toml").write_text('[defaults]\nfamily = "vae"\n[grid]\ndata = ["own.csv"]\nlatent_dim = [1, 2]\n')
    assert _run(["audit", "plan.toml", "--dry-run"]) == 0
    assert _run(["audit", "plan.toml", "--dry-run", "--strict"]) == 2
    assert "which --strict does not guess" in capfd.readouterr().err
