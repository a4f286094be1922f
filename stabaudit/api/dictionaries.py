"""Hold dictionaries of features against each other."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from stabaudit.api.runs import AnyPath
from stabaudit.comparison.settings import DEFAULT_SETTINGS, Settings
from stabaudit.comparison.surveys.feature_records import USUAL, FeatureComparison, FeatureSettings
from stabaudit.comparison.surveys.features import features as features_of
from stabaudit.errors import BadData, Guessed, Noticed, UsageError, strictly
from stabaudit.store.imports.dictionary_files import Dictionary, Of, read_dictionaries, require_kind, tidy, usual_kind
from stabaudit.store.imports.foreign_files import AS_IS, Naming


def features(
    *dictionaries: AnyPath | Mapping[str, Any],
    of: Of | None = None,
    naming: Naming = AS_IS,
    scores: tuple[str, ...] = (),
    settings: FeatureSettings = USUAL,
    k: int = DEFAULT_SETTINGS.k,
    **changed: Any,  # noqa: ANN401 -- fields of FeatureSettings
) -> FeatureComparison:
    """Hold dictionaries of features, of sparse autoencoders say, against each other.

    Args:
        dictionaries: files; or one mapping from names to arrays, dense or of scipy.sparse: activations of shape (n, d), or
            decoder weights of shape (d, m).
        of: "weights" or "activations"; None: weights of `.safetensors` files, activations of all else.
        naming: which array of a file is meant (`key`), and whether it has a row for each feature (`dimensions_first`).
        scores: further scores of activations, by name: "weak_mcc", "affine_r2".
        settings: how they are matched.
        k: parts that counted scores average.
        changed: fields of `FeatureSettings` that are to differ: match, candidates, sampled, floor_draws, seed, memory,
            signed.

    Raises:
        BadData: a file that cannot be read, rows or dimensions that do not match, no feature that varies.
        UsageError: a single dictionary, an unknown setting, too little memory.

    Example:
        >>> import numpy as np
        >>> import stabaudit
        >>> rng = np.random.default_rng(0)
        >>> a = rng.standard_normal((64, 100))
        >>> found = stabaudit.features({"a": a, "b": -2.0 * a[::-1]}, of="weights")
        >>> {one.measure: round(one.mean, 3) for one in found.scores if one.measure in {"matched", "shared"}}
        {'matched': 1.0, 'shared': 1.0}
    """
    try:
        settings = replace(settings, **changed)
    except TypeError as error:
        raise UsageError(f"settings: {', '.join(changed)}: expected fields of {settings}") from error
    of = require_kind(of)
    asked = Settings(scores=scores, k=k, floor_draws=settings.floor_draws, seed=settings.seed) if scores else None
    measures = asked.measures if asked else ()
    if all(isinstance(one, (str, PathLike)) for one in dictionaries):
        paths = [Path(one) for one in dictionaries if not isinstance(one, Mapping)]
        with strictly(naming.strict):
            if of is None:
                of = usual_kind(paths)
                other = "activations" if of == "weights" else "weights"
                warnings.warn(Noticed("features", f"files are taken for {of}; write --of {other} if they are"), stacklevel=2)
            read = read_dictionaries(paths, of, naming, settings.memory)
            if of == "activations" and not naming.ids_by_position and any(one.ids is None for one in read):
                said = "rows have no names in all files and are joined by position"
                warnings.warn(Guessed("features", said, "if that is meant, write --ids-by-position"), stacklevel=2)
        return features_of(read, settings, measures=measures, k=k)
    if len(dictionaries) != 1 or not isinstance(dictionaries[0], Mapping):
        raise UsageError("features: give paths, or one mapping from names to arrays: features({'a': a, 'b': b})")
    held = [_in_memory(str(name), values, of or "activations") for name, values in dictionaries[0].items()]
    return features_of(held, settings, measures=measures, k=k)


def _in_memory(name: str, values: Any, of: Of) -> Dictionary:  # noqa: ANN401 -- an array, a tensor or a sparse matrix
    if sparse.issparse(values):
        if of == "weights":
            raise BadData(f"{name}: a sparse matrix; decoder weights are dense")
        held: Any = values
        matrix: Any = tidy(held.tocsr(copy=True))
    else:
        matrix = np.asarray(values)
    if matrix.ndim != 2 or 0 in matrix.shape or matrix.dtype.kind not in "fiub":
        raise BadData(f"{name}: an array of shape {matrix.shape} of {matrix.dtype}, expected a matrix of numbers")
    if matrix.dtype.kind != "f" or matrix.dtype.itemsize < 4:
        matrix = matrix.astype(np.float32)
    return Dictionary(name, of, matrix)
