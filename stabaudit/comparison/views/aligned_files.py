"""An aligned run as files: latents that can be imported again, the consensus, and how each restart was aligned."""

import json
import os
import secrets
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stabaudit.comparison.views.aligned_run import AlignedRestart, AlignedRun
from stabaudit.errors import BadRun, UsageError
from stabaudit.store.files import columns
from stabaudit.store.files.atomic import TEMPORARY, reason, shown, write_bytes
from stabaudit.store.files.parquet import write_table

SCHEMA_VERSION = 1
LATENTS, ALIGNMENT = "latents", "alignment.json"


def require_new(folder: Path) -> None:
    """Refuse a folder that could not be made, before any work is done for it.

    Raises:
        UsageError: where something is there already, or the folder above is missing.
    """
    if os.path.lexists(folder):
        raise UsageError(f"--out {shown(folder)}: is there already; name a folder that is not")
    if not folder.absolute().parent.is_dir():
        raise UsageError(f"--out {shown(folder)}: no folder {shown(folder.parent)}; make it first")


def write_aligned(aligned: AlignedRun, folder: Path) -> None:
    """Write all files of an aligned run into a new folder, which appears when they are whole.

    `latents/restart-003.parquet` holds sample_id, label, z0, …; `consensus.parquet` (`consensus-group-1.parquet` where there are
    several groups) holds sample_id, label, z0, …, spread0, …, displacement, cluster; `alignment.json` says how each restart was
    aligned.

    Raises:
        UsageError: where something is there already.
        BadRun: where it cannot be written; nothing is left then.
    """
    require_new(folder)
    place = folder.with_name(TEMPORARY.replace("*", secrets.token_hex(8)))
    try:
        for number, one in enumerate(aligned.restarts):
            file = place / LATENTS / f"restart-{_index(one.restart, number):03d}.parquet"
            write_table(file, _table(aligned, columns.numbered("z", one.latents.astype(np.float32))))
        for found in aligned.consensus:
            name = "consensus.parquet" if len(aligned.groups) == 1 else f"consensus-group-{found.group}.parquet"
            more = columns.numbered("z", found.mean) | columns.numbered("spread", found.spread)
            more["displacement"] = found.displacement
            if found.cluster is not None:
                more["cluster"] = found.cluster
            write_table(place / name, _table(aligned, more))
        write_bytes(place / ALIGNMENT, (json.dumps(_document(aligned), indent=2) + "\n").encode())
        place.rename(folder)
    except (OSError, BadRun) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        why = reason(cause) if isinstance(cause, OSError) else str(error)
        raise BadRun(f"cannot write {shown(folder)}: {why}") from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _index(restart: str, position: int) -> int:
    number = restart.rpartition("#")[2]
    return int(number) if number.isdecimal() else position


def _table(aligned: AlignedRun, more: dict[str, NDArray[Any]]) -> pa.Table:
    label = {} if aligned.label is None else {"label": aligned.label}
    return pa.table({"sample_id": aligned.sample_id} | label | more)


def _document(aligned: AlignedRun) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "run": aligned.run,
        "to": aligned.to,
        "by": aligned.by,
        "central": aligned.central,
        "groups": [list(group) for group in aligned.groups],
        "restarts": [_restart(one) for one in aligned.restarts],
    }


def _restart(one: AlignedRestart) -> dict[str, Any]:
    found = one.by
    return {
        "restart": one.restart,
        "group": one.group,
        "reference": one.reference,
        "r2": found.r2,
        "agreement": found.agreement.tolist(),
        "floors": None if one.floor is None else asdict(one.floor) | {"agreement": one.floor.agreement.tolist()},
        "matching": None if found.source is None else found.source.tolist(),
        "scale": None if found.source is None else found.matrix[found.source, np.arange(len(found.source))].tolist(),
        "matrix": found.matrix.tolist(),
        "offset": found.offset.tolist(),
    }
