"""If I train this model again, do I get the same representation?

`train`, `compare`, `report`, `check` and `load_run` do what the commands of these names do, and return typed results; see
`stabaudit.api`. Nothing is loaded before one of them is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stabaudit.api import (
        align,
        check,
        compare,
        compare_families,
        diagnose,
        dimensions,
        drift,
        features,
        frame,
        load_run,
        report,
        spread,
        train,
    )
    from stabaudit.comparison.settings import Settings
    from stabaudit.errors import StabauditError
    from stabaudit.store.imports.foreign_files import Naming

__version__ = "0.1.0"
__all__ = [
    "Naming",
    "Settings",
    "StabauditError",
    "align",
    "check",
    "compare",
    "compare_families",
    "diagnose",
    "dimensions",
    "drift",
    "features",
    "frame",
    "load_run",
    "report",
    "spread",
    "train",
]

_ELSEWHERE = {
    "Naming": "stabaudit.store.imports.foreign_files",
    "Settings": "stabaudit.comparison.settings",
    "StabauditError": "stabaudit.errors",
}


def __getattr__(name: str) -> object:
    """Load what is asked for."""
    if name not in __all__:
        message = f"module 'stabaudit' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_ELSEWHERE.get(name, "stabaudit.api")), name)


def __dir__() -> list[str]:
    """Names that can be asked for."""
    return sorted([*__all__, "__version__"])
