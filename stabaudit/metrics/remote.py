"""Pairs scored on the machines of an engine, a tile at a time: some restarts against some others.

A tile's task gets the rows of all latents (an engine brings them to each machine once) and the pairs that it is to score; back
come their scores and what these are means of. Floors, which are of few pairs, are drawn where the comparison is made.
"""

import io
import json
from collections.abc import Mapping, Sequence
from math import ceil, sqrt
from typing import Any

import numpy as np

from stabaudit.engines.base import Arrays, Engine, Event, Failed, Finished, Report, Task
from stabaudit.errors import BadRun, UsageError
from stabaudit.metrics.evidence import Evidence, Rows
from stabaudit.metrics.halves_by_rows import HalvesByRows
from stabaudit.metrics.pair_scores import Array, Pair
from stabaudit.metrics.scores import Parts, chosen
from stabaudit.metrics.scoring import Scoring
from stabaudit.steps import told
from stabaudit.store.run.parcel import pack, unpack

WORK = "stabaudit.metrics.remote:work"
_TILES_PER_SLOT = 4  # so that a slow machine delays the others by little
_LATENTS = "latents"


def scores_on(engine: Engine, scoring: Scoring, pairs: Sequence[Pair]) -> tuple[list[dict[str, Parts]], Array]:
    """What `Scoring.scores` gives, from an engine.

    Raises:
        UsageError: latents that are streamed.
        BadRun: a tile that cannot be scored; it says why.
    """
    rows = scoring.evidence.rows
    if rows is None:
        raise UsageError("--engine: the latents exceed --memory and are streamed, which is done on this machine; raise --memory")
    arrays = {"fit": rows.fit} | {str(position): np.asarray(z) for position, z in enumerate(rows.latents)}
    tiles = _tiles(pairs, len(rows.latents), engine.slots)
    asked = {"measures": [one.name for one in scoring.measures], "k": scoring.k}
    tasks = []
    for key, tile in enumerate(tiles):
        own = np.array([pairs[place] for place in tile])
        tasks.append(Task(key, WORK, pack({"asked.json": json.dumps(asked).encode(), "pairs.npy": _bytes(own)}), _LATENTS))
    values = np.empty((len(pairs), len(scoring.names)))
    parts: list[dict[str, Parts]] = [{} for _ in pairs]
    done = 0

    def on_event(event: Event) -> None:
        nonlocal done
        if isinstance(event, Failed):
            raise BadRun(f"--engine: some pairs could not be scored: {event.message}")
        if isinstance(event, Finished):
            found = unpack(event.result)
            values[tiles[event.key]] = _array(found["values.npy"])
            for place, own in zip(tiles[event.key], _parts_of(found), strict=True):
                parts[place] = own
            done += 1
            told("tiles of pairs scored", done, len(tiles))

    engine.run(tasks, {_LATENTS: arrays}, on_event, lambda: None)
    return parts, values


def work(parcel: bytes, arrays: Arrays, checkpoint: bytes | None, report: Report) -> bytes:  # noqa: ARG001 -- every task's
    """Score the pairs of a tile (see `stabaudit.engines.base.Task`).

    Returns:
        A parcel with the scores, shape (pairs, names), and the parts of those that have curves.
    """
    files = unpack(parcel)
    asked, pairs = json.loads(files["asked.json"]), _array(files["pairs.npy"])
    used, local = np.unique(pairs, return_inverse=True)
    latents, fit = [arrays[str(position)] for position in used], arrays["fit"]
    halves = HalvesByRows.of_latents(latents, fit)
    evidence = Evidence([str(position) for position in used], halves, Rows(fit, latents), [0] * len(used), ())
    scoring = Scoring(evidence, chosen(asked["measures"]), asked["k"])
    own: list[Pair] = [(int(a), int(b)) for a, b in local.reshape(pairs.shape)]
    parts, values = scoring.scores(own)
    return pack({"values.npy": _bytes(values)} | _packed(parts))


def _tiles(pairs: Sequence[Pair], restarts: int, slots: int) -> list[list[int]]:
    """Positions of pairs of some restarts with some others, a tile for each task."""
    side = max(1, ceil(restarts / sqrt(2 * _TILES_PER_SLOT * slots)))
    found: dict[Pair, list[int]] = {}
    for place, (a, b) in enumerate(pairs):
        found.setdefault((a // side, b // side), []).append(place)
    return list(found.values())


def _packed(parts: Sequence[Mapping[str, Parts]]) -> dict[str, bytes]:
    """Parts of pairs, by score; of different pairs there may be different numbers."""
    found: dict[str, bytes] = {}
    for name in parts[0] if parts else ():
        for field in Parts._fields:
            each = [getattr(own[name], field) for own in parts]
            if any(one is not None for one in each):
                found[f"{name}/{field}.lengths"] = _bytes(np.array([len(one) for one in each]))
                found[f"{name}/{field}"] = _bytes(np.concatenate(each))
    return found


def _parts_of(files: Mapping[str, bytes]) -> list[dict[str, Parts]]:
    """The parts of pairs that were packed."""
    count = len(_array(files["values.npy"]))
    found: list[dict[str, dict[str, Any]]] = [{} for _ in range(count)]
    for file in files:
        name, _, field = file.partition("/")
        if field in Parts._fields:
            ends = np.cumsum(_array(files[f"{file}.lengths"]))
            for own, piece in zip(found, np.split(_array(files[file]), ends[:-1]), strict=True):
                own.setdefault(name, {})[field] = piece
    return [{name: Parts(**fields) for name, fields in own.items()} for own in found]


def _bytes(array: Array) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


def _array(content: bytes) -> Array:
    array: Array = np.load(io.BytesIO(content), allow_pickle=False)
    return array
