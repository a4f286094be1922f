"""Signs that the restarts of a run were not trained to the end: what is compared then is how far they came."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stabaudit.errors import StabauditError
from stabaudit.store.run.run_folder import Run

LOSS, KL = "evaluation_loss", "evaluation_kl"  # of a restart's scores in the manifest, nats per row
STILL_FALLS = 0.05  # of the loss, from the last tenth but one of the training to the last; a finished one falls by 1%
FEWEST_ROWS = 20  # of a history, so that a tenth of it is a mean
APART = 10  # times the median loss between the lowest and the highest
LARGE_KL = 1_000  # nats per row, and
LARGE_KL_PER_DIMENSION = 50  # nats: more than a posterior can be narrower than a prior of its scale
_NAMED = 4  # restarts that are named


def unfinished_training(run: Run) -> str | None:
    """What speaks against the restarts having converged, in one line; None where nothing does, or nothing is known."""
    done = [restart for restart in run.manifest.restarts if restart.state == "done"]
    losses = np.array([restart.scores[LOSS] for restart in done if LOSS in restart.scores])
    signs = []
    if are_apart(losses):
        signs.append(f"the losses of its restarts lie between {losses.min():,.0f} and {losses.max():,.0f}")
    divergence = [restart.scores[KL] for restart in done if KL in restart.scores]
    limit = max(LARGE_KL, LARGE_KL_PER_DIMENSION * (run.manifest.config.latent_dim if run.manifest.config else 0))
    if divergence and max(divergence) > limit:
        signs.append(f"the KL is up to {max(divergence):,.0f} nats per row")
    falls = {restart.index: fall for restart in done if (fall := _fall_of(run, restart.index)) > STILL_FALLS}
    if falls:
        named = ", ".join(map(str, list(falls)[:_NAMED])) + (f" and {len(falls) - _NAMED} more" if len(falls) > _NAMED else "")
        which = f"restart {named}" if len(falls) == 1 else f"restarts {named}"
        signs.append(f"the loss of {which} still fell by up to {max(falls.values()):.0%} over the last tenth of the training")
    return f"not converged: {'; '.join(signs)}. Train longer, or standardise the data" if signs else None


def are_apart(losses: Sequence[float] | NDArray[np.float64]) -> bool:
    """Whether losses of restarts differ by more than ten times their median.

    >>> are_apart([678.0, 700.0, 836_548.0]), are_apart([-110.0, -104.0, -98.0])
    (True, False)
    """
    values = np.asarray(losses, dtype=np.float64)
    return len(values) > 1 and bool(np.ptp(values) > APART * max(abs(float(np.median(values))), 1.0))


def fall(loss: NDArray[np.float64]) -> float:
    """By which share of itself, or of a nat, the mean loss fell from the last tenth but one of a history to the last.

    Args:
        loss: shape (rows,); histories of fewer than 20 rows say nothing.

    >>> round(fall(np.linspace(200.0, 100.0, 100)), 2), fall(np.full(100, 7.0))
    (0.09, 0.0)
    """
    if len(loss) < FEWEST_ROWS or not np.isfinite(loss).all():
        return 0.0
    tenth = len(loss) // 10
    before, last = float(loss[-2 * tenth : -tenth].mean()), float(loss[-tenth:].mean())
    return (before - last) / max(abs(before), 1.0)


def _fall_of(run: Run, index: int) -> float:
    try:
        return fall(np.asarray(run.history(index)["loss"], dtype=np.float64))
    except (KeyError, StabauditError):  # imported latents have no history, and to find damage is for `verify`
        return 0.0
