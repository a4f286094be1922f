"""From what a user asked for to a checked configuration: what can be refused is refused here, before anything is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn

from stabaudit import defaults
from stabaudit.config import Option, RunConfig, Training, options_of, parse_vary
from stabaudit.data.dataset import Dataset, is_one_hot
from stabaudit.data.load import load_dataset, loader_of
from stabaudit.data.published_files import DataFolder
from stabaudit.data.spectrum import spectrum
from stabaudit.errors import StabauditError, UsageError, counted
from stabaudit.families.base import Family
from stabaudit.nets.likelihoods import LIKELIHOODS
from stabaudit.registry import NO_FAMILY, Kind, contested, resolve, unknown
from stabaudit.store.run.own_source import source_of_modules
from stabaudit.training.build import OWN, builder, choose, own
from stabaudit.training.encoding_noise import dropping
from stabaudit.training.prepared_run import Job, Prepared
from stabaudit.training.recipe import Recipe
from stabaudit.training.shards.dataset_arrays import rows_of
from stabaudit.training.step.bf16 import require_hardware
from stabaudit.training.step.execution_mode import manner_of
from stabaudit.training.step.streams import rows_seen
from stabaudit.training.step.torch_compile import require_compiler

RUNS = Path("runs")  # where runs go
NOISE_MARGIN = 10  # a direction of the data is seen when its variance is so many times the decoder's
_AXES_SHOWN = 10
MOST_SPREAD = 10_000  # variance of the data in units of the decoder's: data with standard deviation 1 have 100
WITHIN_UNIT = {"bernoulli": "Bernoulli", "logistic": "logistic"}  # likelihoods of values in [0, 1]
GROUPED_PARAMETERS = 100_000  # larger networks fill a core alone; stacking them gains nothing
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
FEWEST_ROWS = 3  # that have distances which can be correlated
OF_TEXT, OF_WORDS = "lstm", "categorical"  # architecture and likelihood of text
KINDS: tuple[Kind, ...] = ("family", "dataset", "architecture")


def job_of(
    recipe: Recipe,
    folder: Path | None = None,
    *,
    data_folder: DataFolder | None = None,
    dataset: Dataset | None = None,
    accept_change: bool = False,
) -> Job:
    """Check a recipe: the one way from what was asked for to what `train` takes.

    Args:
        recipe: what the user asked for.
        folder: where the run goes; None: runs/FAMILY-ARCH-DATA-dD.
        data_folder: as in `prepare`.
        dataset: likewise.
        accept_change: whether a run in the folder goes on although the user's own model has changed since.

    Raises:
        StabauditError: as `prepare`.
    """
    prepared = prepare(recipe, data_folder=data_folder, dataset=dataset)
    return Job(prepared, RUNS / prepared.name if folder is None else folder, accept_change)


def prepare(recipe: Recipe, *, data_folder: DataFolder | None = None, dataset: Dataset | None = None) -> Prepared:
    """Check a recipe against its dataset and complete it.

    Args:
        recipe: what the user asked for.
        data_folder: where published files lie; by default as `DataFolder.locate` says.
        dataset: the recipe's dataset, when it was loaded before.

    Raises:
        UsageError: names, options or combinations that cannot be used.
        BadData: the dataset cannot be loaded.
    """
    if recipe.epochs and recipe.steps:
        raise UsageError("--epochs and --steps: give one of them")
    device = _device(recipe.device)
    if recipe.compile:
        require_compiler(device)
    if recipe.force and recipe.precision != "bf16":
        raise UsageError("--force insists on --precision bf16, which is not asked for")
    if recipe.shard_size is not None and recipe.exact and recipe.shard_size > 1:
        raise UsageError(f"--exact trains each restart by itself, --shard-size {recipe.shard_size} several together; drop one")
    if recipe.precision == "bf16" and not recipe.force:
        require_hardware(device)
    family, loader = _family(recipe), loader_of(recipe.dataset)
    _architecture(recipe, family)  # an unknown one is refused before data are loaded
    if dataset is None:
        dataset = load_dataset(recipe.dataset, dataset_options(recipe), data_folder)
    if not isinstance(dataset, Dataset):
        raise UsageError(f"dataset {recipe.dataset!r} gave a {type(dataset).__name__}, not a stabaudit.data.dataset.Dataset")
    chosen = choose(
        _suited(recipe, family, dataset),
        family=(recipe.family, family),
        architecture=_architecture(recipe, family, text=bool(dataset.vocabulary)),
        dataset=(recipe.dataset, loader),
        likelihood=_likelihood(recipe, family, dataset),
    )
    config = RunConfig(
        **chosen,
        latent_dim=recipe.latent_dim or family.only_latent_dim(dataset.train.x.shape[1:]) or defaults.LATENT_DIM,
        restarts=recipe.restarts,
        seed=recipe.seed,
        training=Training(
            epochs=recipe.epochs,
            steps=recipe.steps or (None if recipe.epochs else defaults.STEPS),
            batch_size=recipe.batch_size,
            learning_rate=recipe.learning_rate,
            schedule=recipe.schedule,
        ),
        exact=recipe.exact or recipe.vary == "none",  # restarts trained together need not have the same bits
        geometry=recipe.geometry,
        binarise=recipe.binarise,
        encode_binarised=recipe.encode_binarised,
        encode_dropout=recipe.encode_dropout,
        vary=recipe.vary,
        precision=recipe.precision,
        compile=recipe.compile,
        device=device,
    )
    return _checked(config, dataset, family).model_copy(update={"shard_size": recipe.shard_size})


def dataset_options(recipe: Recipe) -> dict[str, Option]:
    """Those of a recipe's settings that are options of its dataset; of an option that others have too, only `dataset.option`.

    Raises:
        UsageError: an unknown dataset, family or architecture.
    """
    family = _family(recipe)
    others = options_of(family).keys() | options_of(_architecture(recipe, family)[1]).keys()
    return {
        option: recipe.settings[key]
        for option in options_of(loader_of(recipe.dataset))
        for key in (option, f"dataset.{option}")
        if key in recipe.settings and key not in others
    }


def _family(recipe: Recipe) -> type[Family]:
    family = resolve("family", recipe.family)
    if not (isinstance(family, type) and issubclass(family, Family)):
        raise UsageError(NO_FAMILY.format(recipe.family))
    return family


def _architecture(recipe: Recipe, family: type[Family], *, text: bool = False) -> tuple[str, Callable[..., object]]:
    """Name and builder of the networks.

    Raises:
        UsageError: an unknown one, or one that the family or the data cannot use.
    """
    if "architecture" not in family.own:
        usual = OF_TEXT if text else defaults.ARCHITECTURE
        name = recipe.architecture or (usual if usual in (family.architectures or {usual}) else family.architectures[0])
        if family.architectures and name not in family.architectures:
            raise UsageError(f"family {recipe.family!r} needs --arch {' or '.join(family.architectures)}, not {name!r}")
        found = resolve("architecture", name)
        if text and name != OF_TEXT and found.__module__.startswith("stabaudit."):
            raise UsageError(f"architecture {name!r} reads no text, as {recipe.dataset} is: --arch {OF_TEXT}")
        return name, found
    if recipe.architecture not in {None, OWN}:
        raise UsageError(f"family {recipe.family!r} brings its own networks, not {recipe.architecture!r}: leave --arch out")
    return OWN, own


def _suited(recipe: Recipe, family: type[Family], dataset: Dataset) -> dict[str, Option]:
    """The recipe's settings, what suits a u of numbers where they say nothing of it, and of text the size of its vocabulary."""
    u = dataset.train.u
    if dataset.vocabulary:
        return recipe.settings | {"likelihood.outcomes": len(dataset.vocabulary)}
    if u is None or is_one_hot(u):
        return recipe.settings
    suited = {name: value for name, value in family.options_for_numbers().items() if name not in recipe.settings}
    return recipe.settings | {
        f"family.{name}": value for name, value in suited.items() if f"family.{name}" not in recipe.settings
    }


def _likelihood(recipe: Recipe, family: type[Family], dataset: Dataset) -> tuple[str, Callable[..., object]]:
    """Name and class of the likelihood."""
    if "likelihood" in family.own:
        if recipe.likelihood not in {None, OWN}:
            raise UsageError(
                f"family {recipe.family!r} brings its own likelihood, not {recipe.likelihood!r}: leave --likelihood out"
            )
        return OWN, own
    usable = family.likelihoods or tuple(LIKELIHOODS)
    if dataset.vocabulary and OF_WORDS not in usable:
        raise UsageError(f"family {recipe.family!r} has no likelihood of words, and {dataset.name} is text; try 'svae' or 'vae'")
    if not dataset.vocabulary and usable == (OF_WORDS,):
        raise UsageError(f"family {recipe.family!r} is for text, and {dataset.name} is none; try 'vae'")
    if recipe.likelihood is not None and dataset.vocabulary and recipe.likelihood != OF_WORDS:
        raise UsageError(
            f"{dataset.name} is text, whose likelihood is {OF_WORDS!r}, not {recipe.likelihood!r}: leave --likelihood out"
        )
    if recipe.likelihood == OF_WORDS and not dataset.vocabulary:
        raise UsageError(f"the likelihood {OF_WORDS!r} is for text, and {dataset.name} is none: leave --likelihood out")
    suited = dataset.likelihood if dataset.likelihood in usable else family.likelihoods[0]
    name = recipe.likelihood or suited
    if name not in LIKELIHOODS:
        raise unknown("likelihood", name, LIKELIHOODS)
    return name, LIKELIHOODS[name]


def _checked(config: RunConfig, dataset: Dataset, family: type[Family]) -> Prepared:
    """Refuse combinations that cannot be trained, and learn the size of the model."""
    rows, u = len(dataset.train), dataset.train.u
    if config.vary is not None:
        rows = rows_seen(rows, parse_vary(config.vary)[1])
    if family.needs_u and u is None:
        raise UsageError(f"family {config.family.name!r} needs an auxiliary variable u, and {dataset.name} has none; try 'vade'")
    if family.needs_u and u is not None and (u == u[0]).all():
        raise UsageError(
            f"family {config.family.name!r} needs a u that differs between rows; that of {dataset.name} has one value"
        )
    if config.training.batch_size > rows:
        there = f"the {counted(rows, 'training row')} of {dataset.name}"
        raise UsageError(f"a batch of {config.training.batch_size} is more than {there}: lower --batch-size")
    if config.likelihood.name in WITHIN_UNIT and not _within_unit(dataset):
        called = WITHIN_UNIT[config.likelihood.name]
        raise UsageError(f"the {called} likelihood needs values in [0, 1], and {dataset.name} has others: --likelihood gaussian")
    drawn = "--binarise" if config.binarise else "--encode-binarised"
    if (config.binarise or config.encode_binarised) and not _within_unit(dataset):
        raise UsageError(f"{drawn} reads x as probabilities, which lie in [0, 1], and {dataset.name} has others")
    model = _built(config, dataset)
    if config.encode_dropout and not dropping(model):
        raise UsageError(
            f"--encode-dropout: the encoder of family {config.family.name!r} has no dropout here; --set dropout=0.1 gives it some"
        )
    if config.geometry:
        _require_decoder(model, config, len(dataset.evaluation))
    parameters = sum(p.numel() for p in model.parameters())
    convolutional = any(isinstance(module, CONVOLUTIONS) for module in model.modules())
    stacked = config.device == "cuda" or (parameters <= GROUPED_PARAMETERS and not convolutional)
    named = {part.name for part in (config.family, config.architecture) if ":" in part.name}
    manner = manner_of(_builder_for(config, dataset), rows_of(dataset.train), config, stacked=stacked)
    return Prepared(
        config=config.model_copy(update={"eager": manner.eager}),
        dataset=dataset,
        parameters=parameters,
        stacked=manner.stacked,
        posterior="q(z|x,u)" if model.sees_u else "q(z|x)",
        grid=model.grid,
        source=source_of_modules(named),
        weights={name: list(weight.shape) for name, weight in model.state_dict().items()} if named else {},
        notes=[
            *(line for kind in KINDS for line in contested(kind, getattr(config, kind).name)),
            *manner.notes,
            *model.warnings(0 if u is None else len(np.unique(u, axis=0))),
            *_spectrum(config, dataset),
            *_misfit(config, dataset),
        ],
    )


def _require_decoder(model: Family, config: RunConfig, rows: int) -> None:
    """Refuse to measure distances by a decoder where there is none, or between too few rows.

    Raises:
        UsageError: saying which.
    """
    if rows < FEWEST_ROWS:
        raise UsageError(
            f"--geometry: {counted(rows, 'evaluation row')}, expected at least {FEWEST_ROWS} to measure distances between"
        )
    with torch.inference_mode():
        found = model.eval().decode(torch.zeros(2, config.latent_dim))
    model.train()
    if found is None:
        raise UsageError(f"--geometry: family {config.family.name!r} has no decoder of a vector z to measure distances by")


def _within_unit(dataset: Dataset) -> bool:
    return all(split.x.min() >= 0 and split.x.max() <= 1 for split in (dataset.train, dataset.evaluation))


def _misfit(config: RunConfig, dataset: Dataset) -> list[str]:
    """Whether the data spread so much wider than the decoder's fixed noise that no decoder can fit them."""
    options = config.likelihood.options
    variance = options.get("variance")
    if config.likelihood.name != "gaussian" or options.get("learned") or not isinstance(variance, float):
        return []
    spread = float(dataset.train.x.std(dtype=np.float64))
    if spread * spread <= MOST_SPREAD * variance:
        return []
    noise = f"{spread:.3g}, and the Gaussian likelihood's noise is fixed at {variance**0.5:.3g}"
    return [f"x has a standard deviation of {noise}: standardise x (--scale standardise for a file), or --set learned=true"]


def _built(config: RunConfig, dataset: Dataset) -> Family:
    """One restart's model, as a worker will build it."""
    build = _builder_for(config, dataset)
    try:
        with torch.random.fork_rng(devices=[]):
            return build()
    except StabauditError:
        raise
    except Exception as error:  # a user's family or architecture can raise anything
        what = f"family {config.family.name!r} on architecture {config.architecture.name!r}"
        said = str(error).partition("Exception raised from")[0].partition("frame #0")[0]  # not torch's own stack
        raise UsageError(f"{what} cannot be built: {type(error).__name__}: {said}") from error


def _builder_for(config: RunConfig, dataset: Dataset) -> Callable[[], Family]:
    """A function that builds one restart's model for the training rows."""
    u = dataset.train.u
    u_dim, categories = (0, True) if u is None else (u.shape[1], is_one_hot(u))
    return builder(config, dataset.train.x.shape[1:], u_dim, len(dataset.train), categories=categories)


def _spectrum(config: RunConfig, dataset: Dataset) -> list[str]:
    """For data with true sources: whether the decoder's noise hides a direction of them."""
    if dataset.train.sources is None or dataset.vocabulary:
        return []
    values = spectrum(dataset.train.x)
    first = values if len(values) <= _AXES_SHOWN else values[: _AXES_SHOWN - 1]
    rest = "" if len(first) == len(values) else f" … {values[-1]:.3g} ({len(values)} axes)"
    said = f"variances of the data along its principal axes: {', '.join(f'{value:.3g}' for value in first)}{rest}"
    noise = config.likelihood.options.get("variance")
    if isinstance(noise, float) and values[-1] < NOISE_MARGIN * noise:
        smaller = f"--set variance={values[-1] / NOISE_MARGIN:.1g}"
        said += f"; the last is hardly above the decoder's noise variance of {noise:g}: try {smaller}"
    return [said]


def _device(asked: Literal["auto", "cpu", "cuda"]) -> Literal["cpu", "cuda"]:
    if asked == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch finds no CUDA device here; use --device cpu")
    return "cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu"
