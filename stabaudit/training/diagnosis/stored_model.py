"""A restart of a stored run as the model that it was: built from the run's configuration, with the weights of its file."""

import torch

from stabaudit.config import parse_vary
from stabaudit.data.dataset import is_one_hot
from stabaudit.errors import BadRun, UsageError
from stabaudit.families.base import Family
from stabaudit.store.files.atomic import shown
from stabaudit.store.run.run_folder import Run
from stabaudit.training.build import builder
from stabaudit.training.step.streams import rows_seen


def require_weights(run: Run) -> None:
    """Refuse a run that another program made, or in which nothing is trained.

    Raises:
        UsageError: it has latents and no weights.
        BadRun: none of its restarts is done.
    """
    if run.manifest.config is None:
        raise UsageError(f"{shown(run.folder)} has latents and no weights; expected a run that 'stabaudit train FAMILY' made")
    run.trained()


def stored_model(run: Run, index: int) -> Family:
    """The trained model of a restart, in evaluation mode, on the CPU.

    Raises:
        UsageError: the run has no configuration, or its family cannot be found.
        BadRun: the restart is not done, or its weights are not those of the family as it is now.
        BadData: a damaged file.
    """
    require_weights(run)
    config, dataset = run.manifest.config, run.manifest.dataset
    assert config is not None  # noqa: S101 -- `require_weights`
    evaluation = run.evaluation()
    u = None if evaluation is None else evaluation.u
    rows = dataset.train_rows if config.vary is None else rows_seen(dataset.train_rows, parse_vary(config.vary)[1])
    build = builder(
        config, tuple(dataset.shape), 0 if u is None else u.shape[1], rows, categories=True if u is None else is_one_hot(u)
    )
    weights = {name: torch.from_numpy(values.copy()) for name, values in run.weights(index).items()}
    with torch.random.fork_rng(devices=[]):
        family = build()
    try:
        family.load_state_dict(weights)
    except RuntimeError as error:
        said = f"the weights of restart {index} of {shown(run.folder)} do not fit family {config.family.name!r}"
        raise BadRun(f"{said}; restore its source, or train the run again") from error
    return family.eval()
