"""The machines that the restarts of a run were trained on, where they differ in what decides bits."""

from collections.abc import Callable, Mapping
from typing import Any

from stabaudit.errors import counted
from stabaudit.store.run.manifest import Machine, Manifest

_SHOWN: Mapping[str, Callable[[Any], str]] = {
    "processor": str,
    "capability": str,
    "threads": lambda threads: counted(threads, "thread"),
    "torch": "torch {}".format,
    "stabaudit": "stabaudit {}".format,
}


def mixed_machines(manifest: Manifest) -> str | None:
    """What differs between the machines of a run's restarts, in one line; None where nothing does, or nothing is known.

    Instructions of another width add up in another order: the same seed gives other bits, which differ by 1e-7 after a hundred
    steps and by more later.
    """
    machines: dict[Machine, list[int]] = {}
    for restart in manifest.restarts:
        if restart.trained_on is not None:
            machines.setdefault(restart.trained_on, []).append(restart.index)
    differing = [name for name in _SHOWN if len({getattr(machine, name) for machine in machines}) > 1]
    if not differing:
        return None
    groups: dict[str, list[int]] = {}
    for machine, restarts in machines.items():
        groups.setdefault(", ".join(_SHOWN[name](getattr(machine, name)) for name in differing), []).extend(restarts)
    listed = "; ".join(
        f"{what} (restart{'s' if len(restarts) > 1 else ''} {', '.join(map(str, sorted(restarts)))})"
        for what, restarts in groups.items()
    )
    return f"its restarts were trained on different machines: {listed}. A seed gives other bits on each of them"
