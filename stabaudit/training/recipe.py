"""A run as a user asks for it, on the command line, in a plan or from Python."""

from typing import Annotated, Literal

from pydantic import AliasChoices, Field

from stabaudit.config import Frozen, Option, Positive, PositiveFloat, Vary
from stabaudit.defaults import BATCH_SIZE, LEARNING_RATE, MOST_RESTARTS, RESTARTS, SCHEDULE, Schedule
from stabaudit.training.step.streams import SEEDS

# Short names that users may type, by the names in here.
SHORT = {"dataset": "data", "architecture": "arch", "learning_rate": "lr"}


class Recipe(Frozen):
    """One run as a user asks for it; what is None gets a value that suits the data.

    Args:
        family: registered name or `package.module:Class`.
        dataset: registered name or the path of a file; may be written `data`.
        architecture: registered name; None: "mlp", or the family's own where it brings one; may be written `arch`.
        likelihood: "bernoulli", "gaussian", "logistic" or, of text, "categorical"; None: what the dataset suggests, or else what
            the family can use.
        latent_dim: d; None: 10, or the only one that the family can have.
        restarts: N.
        seed: of restart 0; restart i has seed + i.
        epochs: passes over the training rows; at most one of `epochs` and `steps`.
        steps: training steps of each restart.
        batch_size: rows in a step.
        learning_rate: at the start; may be written `lr`.
        schedule: "plateau", "cosine" or "constant".
        device: "auto" takes CUDA where there is one.
        exact: train each restart by itself.
        precision: "bf16" rounds what enters matrix products and convolutions to bfloat16.
        force: take bf16 also where the processor has no instructions for it.
        compile: run training steps through `torch.compile`.
        geometry: measure distances between evaluation rows by each trained decoder.
        binarise: draw x as Bernoulli(x) anew at every training step; what is evaluated is drawn once, the same for all restarts.
        encode_binarised: keep latents of rows that each restart draws so for itself.
        encode_dropout: leave dropout on while encoding.
        shard_size: restarts that are trained together; None: half of the run's where the networks are small, else one.
        vary: what makes restarts differ, the rest held at the first seed: some of init, order, noise and data between commas,
            "all" or "none"; None: init, order and noise from one seed.
        settings: options of family, architecture, dataset and likelihood.
    """

    family: str
    dataset: Annotated[str, Field(validation_alias=AliasChoices("data", "dataset"))]
    architecture: Annotated[str | None, Field(validation_alias=AliasChoices("arch", "architecture"))] = None
    likelihood: str | None = None
    latent_dim: Positive | None = None
    restarts: Annotated[Positive, Field(le=MOST_RESTARTS)] = RESTARTS
    seed: Annotated[int, Field(ge=0, lt=SEEDS)] = 0
    epochs: Positive | None = None
    steps: Positive | None = None
    batch_size: Positive = BATCH_SIZE
    learning_rate: Annotated[PositiveFloat, Field(validation_alias=AliasChoices("lr", "learning_rate"))] = LEARNING_RATE
    schedule: Schedule = SCHEDULE
    device: Literal["auto", "cpu", "cuda"] = "auto"
    exact: bool = False
    precision: Literal["float32", "bf16"] = "float32"
    force: bool = False
    compile: bool = False
    geometry: bool = False
    binarise: bool = False
    encode_binarised: bool = False
    encode_dropout: bool = False
    shard_size: Positive | None = None
    vary: Vary | None = None
    settings: dict[str, Option] = {}
