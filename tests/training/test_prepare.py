"""From what a user asks for to a checked run: what is refused and how, what is filled in, what is said before training."""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from stabaudit.config import checked
from stabaudit.data.dataset import Dataset, Split, one_hot
from stabaudit.defaults import STEPS as DEFAULT_STEPS
from stabaudit.errors import UsageError
from stabaudit.training.build import builder
from stabaudit.training.prepare import dataset_options, prepare
from stabaudit.training.prepared_run import GROUP
from stabaudit.training.recipe import Recipe

ROWS = 96


def dataset_of(*, columns=6, classes=None, sources=None, likelihood="gaussian", scale=1.0):
    """Rows with columns of unit variance, uncorrelated: the eigenvalues of their covariance are `scale`²."""
    x = np.linalg.qr(np.random.default_rng(0).normal(size=(ROWS, columns)))[0]
    x = (x - x.mean(0)) @ np.diag(np.broadcast_to(scale, columns) / (x - x.mean(0)).std(0, ddof=1))
    if likelihood == "bernoulli":
        x = (x - x.min()) / (x.max() - x.min())
    u = None if classes is None else one_hot(np.arange(ROWS) % classes)
    split = Split(x.astype(np.float32), np.arange(ROWS), u, None, sources)
    return Dataset("digits", split, split, likelihood)


def ask(dataset=None, **wanted):
    recipe = checked(Recipe, {"family": "vae", "data": "digits", "latent_dim": 2} | wanted, "train")
    return prepare(recipe, dataset=dataset_of() if dataset is None else dataset)


def refused(message, dataset=None, **wanted):
    with pytest.raises(UsageError, match=message) as error:
        ask(dataset, **wanted)
    assert "\n" not in str(error.value)


# ------------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"family": "ivea"}, r"^unknown family 'ivea'; did you mean 'ivae'"),
        ({"data": "digit"}, r"^unknown dataset 'digit'; did you mean 'digits'\?$"),
        ({"arch": "mpl"}, r"^unknown architecture 'mpl'; did you mean 'mlp'\?$"),
        ({"likelihood": "bernouli"}, r"^unknown likelihood 'bernouli'; did you mean 'bernoulli'\?$"),
        (
            {"family": "os:getcwd"},
            r"^family 'os:getcwd' is not a subclass of stabaudit\.families\.base\.Family; 'stabaudit explain",
        ),
        ({"family": "collections:Counter"}, r"^family 'collections:Counter' is not a subclass of"),
        ({"epochs": 2, "steps": 2}, r"^--epochs and --steps: give one of them$"),
        (
            {"batch_size": ROWS + 1},
            rf"^a batch of {ROWS + 1} is more than the {ROWS} training rows of digits: lower --batch-size$",
        ),
        (
            {"likelihood": "bernoulli"},
            r"^the Bernoulli likelihood needs values in \[0, 1\], and digits has others: --likelihood gau",
        ),
        ({"family": "ivae"}, r"^family 'ivae' needs an auxiliary variable u, and digits has none; try 'vade'$"),
        ({"arch": "os:getcwd"}, r"^family 'vae' on architecture 'os:getcwd' cannot be built: TypeError: .*no arguments"),
    ],
)
def test_what_cannot_be_trained_is_refused(wanted, message):
    refused(message, **wanted)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prioor": "laplace"}, r"^unknown option 'prioor'; did you mean 'prior'"),
        ({"family.prioor": "laplace"}, r"^unknown option of family vae 'prioor'; did you mean 'prior'"),
        ({"familly.prior": "laplace"}, r"^unknown prefix of an option 'familly'; did you mean 'family'\?$"),
        ({"components": 3}, r"^unknown option 'components'; known: "),
        ({"prior": "lapl"}, r"^option 'prior' of family vae: 'lapl' — Input should be 'gaussian' or 'laplace'$"),
        ({"widths": "8,0"}, r"^option 'widths' of architecture mlp: \['8', '0'\] — Input should be greater than 0$"),
        ({"variance": "-1"}, r"^option 'variance' of likelihood gaussian: '-1' — Input should be greater than 0$"),
        ({"dropout": "1"}, r"^option 'dropout' of architecture mlp: '1' — Input should be less than 1$"),
        ({"prior": "laplace", "family.prior": "gaussian"}, r"^option 'prior' of family is given twice"),
    ],
)
def test_settings_that_nobody_can_use_are_refused(settings, message):
    refused(message, settings=settings)


@pytest.mark.parametrize("key", ["latent_dim", "restarts", "epochs", "steps", "batch_size", "lr"])
@pytest.mark.parametrize("value", [0, -1])
def test_numbers_must_be_positive(key, value):
    refused(rf"^train: {key} {value}(\.0)? — Input should be greater than 0$", **{key: value})


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"seed": -1}, "train: seed -1 — Input should be greater than or equal to 0"),
        ({"seed": 2**30}, f"train: seed {2**30} — Input should be less than {2**30}"),
        ({"lr": float("nan")}, "train: lr nan — Input should be a finite number"),
        ({"schedule": "step"}, "train: schedule 'step' — Input should be 'plateau', 'cosine' or 'constant'"),
        ({"device": "tpu"}, "train: device 'tpu' — Input should be 'auto', 'cpu' or 'cuda'"),
        ({"latent_dims": 3}, r"unknown key of train 'latent_dims'; did you mean 'latent_dim'\?"),
    ],
)
def test_values_out_of_range_are_refused(wanted, message):
    refused(f"^{message}$", **wanted)


def test_the_largest_seed_can_be_trained():
    torch.Generator().manual_seed(ask(seed=2**30 - 1).manifest("run").restarts[-1].seed)


def test_an_option_of_two_needs_a_prefix():
    """Both `tcl` and `mlp` have an activation, and not of the same kinds."""
    asked = {"family": "vae", "data": "tcl", "latent_dim": 2}
    settings = {"segments": 2, "samples": 50}
    with pytest.raises(
        UsageError, match=r"option 'activation' belongs to architecture and dataset: write architecture\.activation"
    ):
        prepare(Recipe(**asked, settings=settings | {"activation": "elu"}))
    prepared = prepare(
        Recipe(**asked, settings=settings | {"architecture.activation": "elu", "dataset.activation": "leaky-relu"})
    )
    assert prepared.config.architecture.options["activation"] == "elu"
    assert prepared.config.dataset.options["activation"] == "leaky-relu"
    assert len(prepared.dataset.train) == 100


@pytest.mark.parametrize("cuda", [False, True])
def test_cuda_is_taken_where_it_is(monkeypatch, cuda):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    assert ask(device="cpu").config.device == "cpu"
    assert ask(device="auto").config.device == ("cuda" if cuda else "cpu")
    if cuda:
        assert ask(device="cuda").config.device == "cuda"
    else:
        refused("--device cuda: torch finds no CUDA device here; use --device cpu", device="cuda")


# ------------------------------------------------------------------------------------------------------------ what is completed


def test_defaults_are_completed():
    config = ask().config
    assert config.family.options["prior"] == "gaussian"
    assert config.architecture.options.items() >= {"widths": None, "activation": "leaky-relu", "dropout": None}.items()
    assert config.likelihood.name == "gaussian"
    assert config.likelihood.options.items() >= {"variance": 0.01, "learned": False}.items()
    assert (config.restarts, config.seed, config.exact) == (10, 0, False)
    training = config.training
    assert (training.steps, training.epochs) == (DEFAULT_STEPS, None)
    assert (training.batch_size, training.learning_rate, training.schedule) == (64, 1e-3, "plateau")


def test_the_likelihood_is_what_suits_the_data_unless_said():
    images = dataset_of(likelihood="bernoulli")
    assert ask(images).config.likelihood.name == "bernoulli"
    assert ask(images, likelihood="gaussian").config.likelihood.name == "gaussian"


@pytest.mark.parametrize(("asked", "expected"), [({"epochs": 3}, (3, None)), ({"steps": 7}, (None, 7))])
def test_one_budget_is_kept(asked, expected):
    training = ask(**asked).config.training
    assert (training.epochs, training.steps) == expected


def test_settings_reach_who_knows_them():
    config = ask(settings={"prior": "laplace", "widths": "8,4", "likelihood.variance": 0.5}).config
    assert config.family.options["prior"] == "laplace"
    assert config.architecture.options["widths"] == [8, 4]
    assert config.likelihood.options["variance"] == 0.5


def test_weights_are_counted():
    widths, d, columns = (8, 4), 3, 6
    encoder = [columns, *widths, 2 * d]
    decoder = [d, *reversed(widths), columns]
    expected = sum((a + 1) * b for sizes in (encoder, decoder) for a, b in pairwise(sizes))
    assert ask(latent_dim=d, settings={"widths": widths}).parameters == expected


def test_what_the_latents_are_means_of():
    data = dataset_of(classes=9)
    assert ask(data).posterior == "q(z|x)"
    assert ask(data, family="ivae").posterior == "q(z|x,u)"
    assert ask(data, family="ivae", settings={"encoder_u": "no"}).posterior == "q(z|x)"


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    ask()
    assert torch.equal(torch.get_rng_state(), before)


def test_dataset_options_are_those_of_the_dataset():
    settings = {"segments": 3, "dataset.samples": 40, "widths": "8", "family.segments": 9}
    recipe = Recipe(family="vae", data="tcl", latent_dim=2, settings=settings)
    assert dataset_options(recipe) == {"segments": 3, "samples": 40}


# -------------------------------------------------------------------------------------------------------------- names and shards


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "data", "name"),
    [
        ("vae", "digits", "vae-mlp-digits-d2"),
        ("vae", "some/where/my.cells.csv", "vae-mlp-my.cells-d2"),
        ("stabaudit.families.vade:VaDE", "digits", "stabaudit.families.vade.VaDE-mlp-digits-d2"),
        ("vae", "stabaudit.data.digits:load", "vae-mlp-stabaudit.data.digits.load-d2"),
    ],
)
def test_a_run_has_a_name_that_is_a_folder_name(family, data, name):
    assert ask(family=family, data=data).name == name
    assert Path(name).name == name


SMALL, LARGE = {"widths": [8]}, {"widths": [512, 384]}


@pytest.mark.parametrize(
    ("settings", "restarts", "asked", "sizes"),
    [
        (SMALL, 10, {}, [5, 5]),
        (SMALL, 3, {}, [2, 1]),
        (SMALL, 1, {}, [1]),
        (SMALL, 2, {}, [1, 1]),
        (SMALL, 40, {}, [GROUP, GROUP, 40 - 2 * GROUP]),
        (SMALL, 3, {"exact": True}, [1, 1, 1]),
        (LARGE, 3, {}, [1, 1, 1]),
        (SMALL, 10, {"shard_size": 4}, [4, 4, 2]),
        (LARGE, 3, {"shard_size": 3}, [3]),
    ],
)
def test_restarts_are_cut_into_shards(settings, restarts, asked, sizes):
    shards = ask(restarts=restarts, settings=settings, **asked).shards()
    assert [len(shard) for shard in shards] == sizes
    assert [index for shard in shards for index in shard] == list(range(restarts))


def test_the_manifest_of_a_new_run(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/some/bin/stabaudit", "train", "vae", "-n", "3"])
    prepared = ask(restarts=3, seed=7)
    manifest = prepared.manifest("mine")
    assert manifest.name == "mine"
    assert manifest.command == "stabaudit train vae -n 3"
    assert [(r.index, r.seed, r.state) for r in manifest.restarts] == [(0, 7, "pending"), (1, 8, "pending"), (2, 9, "pending")]
    assert manifest.shards == prepared.shards()
    assert manifest.config == prepared.config
    record = manifest.dataset
    assert (record.fingerprint, record.train_rows, record.shape) == (prepared.dataset.fingerprint, ROWS, [6])
    assert manifest.environment.torch == torch.__version__


def test_a_description_says_what_would_be_trained():
    text = ask(restarts=3, seed=4, epochs=5, batch_size=32, settings=SMALL).describe(Path("runs/x"), 2)
    lines = {line[:13].strip(): line[13:] for line in text.splitlines()}
    assert lines["folder"] == "runs/x"
    assert lines["family"].startswith("vae prior=gaussian")
    assert lines["architecture"].startswith("mlp widths=[8]")
    assert lines["rows"] == f"{ROWS} to train on, {ROWS} to evaluate on"
    assert lines["restarts"] == "3, seeds 4 to 6"
    assert lines["steps"] == "15 of 32 rows, 3 an epoch"
    assert lines["shards"].startswith("[[0, 1], [2]] on 2 workers, cpu")


# ------------------------------------------------------------------------------------------------------------------------ notes


@pytest.mark.parametrize(
    ("classes", "d", "mean", "needed"),
    [(3, 2, "zero", None), (3, 3, "zero", 4), (5, 2, "learned", None), (4, 2, "learned", 5)],
)
def test_too_few_values_of_u_are_said(classes, d, mean, needed):
    """k·d + 1 distinct values (Khemakhem et al. 2019, Theorem 1), k = 1 for a prior of zero mean and 2 for a learned one."""
    notes = ask(dataset_of(classes=classes), family="ivae", latent_dim=d, settings={"prior_mean": mean}).notes
    said = [f"u takes {classes} values; identifiability of {d} dimensions needs {needed} (k·d + 1)"] if needed else []
    assert notes == said


@pytest.mark.parametrize(("smallest", "advice"), [(0.5, None), (0.2, "try --set variance=0.004")])
def test_a_direction_below_the_noise_is_said_where_sources_are_known(smallest, advice):
    sources = np.zeros((ROWS, 2), np.float32)
    (note,) = ask(dataset_of(columns=3, sources=sources, scale=[2.0, 1.0, smallest])).notes
    assert note.startswith(f"variances of the data along its principal axes: 4, 1, {smallest**2:.3g}")
    assert ("hardly above the decoder's noise variance of 0.01" in note) == (advice is not None)
    assert advice is None or note.endswith(advice)
    assert ask(dataset_of(columns=3, scale=[2.0, 1.0, smallest])).notes == []


# ------------------------------------------------------------------------------------------------------- families of the user's

OWN = """
import torch
from stabaudit.families.vae import VAE

class Tall(VAE):
    '''Shares an option's name with the Gaussian likelihood, and looks at a value while it is built.'''

    def __init__(self, problem, *, variance: float = 1.0):
        super().__init__(problem)
        assert torch.ones(3).sum().item() == 3

class Broken(VAE):
    def __init__(self, problem):
        raise ValueError("two\\nlines")

def load():
    return [1, 2]
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_models.py").write_text(OWN)
    info = tmp_path / "own_models-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-models\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[stabaudit.families]\ntall = own_models:Tall\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("own_models", None)


@pytest.mark.slow
@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("name", ["tall", "own_models:Tall"])
def test_a_family_of_the_user_is_prepared(name):
    prepared = ask(family=name, settings={"family.variance": "2"})
    assert (prepared.config.family.name, prepared.config.family.options) == (name, {"variance": 2.0})
    refused(
        r"option 'variance' belongs to family and likelihood: write family\.variance=… or", family=name, settings={"variance": 2}
    )


@pytest.mark.usefixtures("own")
def test_what_a_user_wrote_can_be_wrong():
    with pytest.raises(UsageError, match=r"family 'own_models:Broken' on architecture 'mlp' cannot be built: ValueError: two"):
        ask(family="own_models:Broken")
    with pytest.raises(UsageError, match=r"dataset 'own_models:load' gave a list, not a stabaudit\.data\.dataset\.Dataset"):
        prepare(Recipe(family="vae", data="own_models:load", latent_dim=2))


# ------------------------------------------------------------------------------------------------------------------ u and range


def with_u(u, x_scale=1.0):
    made = dataset_of(scale=x_scale).train
    split = Split(made.x, made.sample_id, np.float32(u))
    return Dataset("digits", split, split, "gaussian")


def test_a_u_of_numbers_feeds_a_network_and_one_of_categories_a_table():
    numbers = with_u(np.random.default_rng(0).random((ROWS, 3)))
    assert ask(numbers, family="ivae").config.family.options["prior_network"] == "mlp"
    assert ask(numbers, family="ivae", settings={"prior_network": "table"}).config.family.options["prior_network"] == "table"
    assert ask(dataset_of(classes=5), family="ivae").config.family.options["prior_network"] == "table"
    assert ask(numbers, family="vae").config.family.options.get("prior_network") is None
    build = builder(ask(numbers, family="ivae").config, (6,), 3, ROWS, categories=False)
    assert build().conditional_priors() is None  # of numbers there is no list, and no rank of L
    assert builder(ask(numbers, family="ivae").config, (6,), 3, ROWS)().conditional_priors() is not None


def test_a_u_of_one_value_is_refused():
    refused("needs a u that differs between rows; that of digits has one value", with_u(np.ones((ROWS, 2))), family="ivae")


def test_data_that_no_decoder_of_fixed_noise_can_fit_are_said():
    (note,) = ask(dataset_of(scale=1e3)).notes
    assert note.startswith("x has a standard deviation of 995, and the Gaussian likelihood's noise is fixed at 0.1: standardise")
    assert ask(dataset_of(scale=1.0)).notes == []
    assert ask(dataset_of(scale=1e3), settings={"learned": "true"}).notes == []
    refused("the logistic likelihood needs values in", dataset_of(), likelihood="logistic")
