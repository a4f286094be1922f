"""The one way to a dataset: by a registered name, or by the path of the user's own file."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path

from stabaudit.config import parse_options
from stabaudit.data import own_files as files
from stabaudit.data import text
from stabaudit.data.dataset import Dataset
from stabaudit.data.published_files import DataFolder
from stabaudit.errors import BadData, StabauditError
from stabaudit.registry import known, resolve
from stabaudit.store.imports.foreign_files import kind


def load_dataset(name: str, options: Mapping[str, object], folder: DataFolder | None = None) -> Dataset:
    """Load a dataset.

    Args:
        name: a registered dataset, `package.module:attribute`, the path of a file (`data.own_files` says of which
            kinds), or "text:" and the path of a text. A registered name wins over a path.
        options: the dataset's options, as text or typed; defaults are filled in.
        folder: where published files lie; by default as `DataFolder.locate` says.

    Raises:
        UsageError: an unknown name, or options that do not fit.
        BadData: files that are missing or do not hold what they should, or whatever a user's loader raises.
    """
    loader = loader_of(name)
    values = parse_options(loader, options, f"dataset {name}")
    if loader is files.load or loader is text.load:
        return loader(Path(name.removeprefix(text.PREFIX) if loader is text.load else name), **values)
    place = [folder or DataFolder.locate()] if _reads_published_files(loader) else []
    if name in known("dataset"):
        return loader(*place, **values)
    try:
        return loader(*place, **values)
    except StabauditError:
        raise
    except Exception as error:  # a user's function can raise anything
        raise BadData(f"dataset {name!r} cannot be loaded: {type(error).__name__}: {error}") from error


def loader_of(name: str) -> Callable[..., Dataset]:
    """The loader of a registered dataset, or of the user's own file; its keyword-only parameters are the options.

    Raises:
        UsageError: an unknown name.
    """
    if is_file(name):
        return text.load if name.startswith(text.PREFIX) else files.load
    loader: Callable[..., Dataset] = resolve("dataset", name)
    return loader


def is_file(name: str) -> bool:
    """Whether a dataset's name is the path of a file, or that of a text."""
    if name.startswith(text.PREFIX):
        return True
    return name not in known("dataset") and (kind(Path(name)) in files.SUFFIXES or Path(name).is_file())


def _reads_published_files(loader: Callable[..., Dataset]) -> bool:
    """Whether a loader has a positional parameter: the data folder."""
    parameters = inspect.signature(loader).parameters.values()
    return any(p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD} for p in parameters)
