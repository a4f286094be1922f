"""How a family that is not ours can be trained: stacked with its like, by itself, or operation by operation.

Ours are known to be traceable, alone and stacked. Another's loss is tried on one batch before anything is written, so that what
cannot be trained is refused here and what trains more slowly is said.
"""

from collections.abc import Callable
from typing import NamedTuple

from stabaudit.config import RunConfig, Training
from stabaudit.errors import StabauditError, UsageError
from stabaudit.families.base import Family
from stabaudit.registry import resolve
from stabaudit.training.build import OWN
from stabaudit.training.step.restarts import Restarts, Rows


class Manner(NamedTuple):
    """Whether restarts are worth stacking and can be, whether steps run operation by operation, and what to tell of it."""

    stacked: bool
    eager: bool = False
    notes: tuple[str, ...] = ()


def manner_of(build: Callable[[], Family], rows: Rows, config: RunConfig, *, stacked: bool) -> Manner:
    """How a configured family can be trained.

    Args:
        build: makes one.
        rows: the training rows.
        config: its configuration.
        stacked: whether it would be worth stacking.

    Raises:
        UsageError: a loss that fails on a batch, or options that need one that can be traced.
    """
    if _is_ours(config):
        return Manner(stacked)
    name, size = config.family.name, config.training.batch_size
    first = Rows(rows.x[:size], rows.u[:size])

    def reason_against(*seeds: int) -> str | None:
        return Restarts(build, seeds, first, Training(steps=1, batch_size=size)).why_untraceable()

    try:
        against_stack = reason_against(0, 1) if stacked and not config.exact else None
        if stacked and against_stack is None and not config.exact:
            return Manner(stacked=True)
        reason = reason_against(0)
    except StabauditError:
        raise
    except Exception as error:  # a user's family can raise anything
        raise UsageError(f"family {name!r} fails on a batch of training rows: {type(error).__name__}: {error}") from error
    if reason is None:
        alone = () if against_stack is None else (f"{name} trains one restart at a time: it cannot be stacked ({against_stack})",)
        return Manner(stacked=False, notes=alone)
    if config.compile or config.precision != "float32":
        option = "--compile" if config.compile else f"--precision {config.precision}"
        raise UsageError(f"{option} needs a loss that can be traced, and that of {name} cannot ({reason}); leave the option out")
    told = (
        f"{name} trains one restart at a time and operation by operation, which is slower: it cannot be traced ({reason}); "
        "restarts still depend on their seed alone"
    )
    return Manner(stacked=False, eager=True, notes=(told,))


def _is_ours(config: RunConfig) -> bool:
    """Whether family and networks are built in."""
    parts = [resolve("family", config.family.name)]
    if config.architecture.name != OWN:
        parts.append(resolve("architecture", config.architecture.name))
    return all(part.__module__.startswith("stabaudit.") for part in parts)
