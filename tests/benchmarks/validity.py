"""When does a score lie? Every score of pairs in worlds whose truth is known.

    python tests/benchmarks/validity.py [--runs 10] [--output fixtures/validity.csv]

A world is a data process, which draws sources, and an encoder, which shows them to each restart. An encoder says what its
restarts share: the axes, the space up to a linear map, its shape up to a rotation and one scale, a function, or the numbers
themselves; as a part of the dimensions and as a part of the variance. A score answers one of these questions and counts either.
Its right value is that part; what it says is its mean over pairs, adjusted to 0 at chance and 1 at the best. It lies where these
differ by more than a tenth. Where a question has no right value, as the shape after a linear map, none is given. The part of the
dimensions that the anatomy calls axes, of five restarts, stands beside.

The separation of data processes from encoders is that of Joshi et al. 2026, arXiv:2602.24278; the worlds are ours.
"""

import argparse
import csv
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from stabaudit.metrics.anatomy import anatomy
from stabaudit.metrics.halves import Halves
from stabaudit.metrics.score_pairs import score_pairs
from stabaudit.metrics.scores import of_pairs
from stabaudit.metrics.split import split_halves

DIMENSIONS, ROWS, FEW_ROWS = 6, 2000, 48  # few: eight a dimension, of which half are fitted to
RESTARTS, DRAWS, ROTATIONS, NOISE = 3, 20, 99, 0.1
AXES = "reproducible_axes.fraction"
AXIS_SCORE = ".axis_alignment"  # as gates name it


def independent(n, rng):
    """Gaussian sources that know nothing of each other."""
    return rng.standard_normal((n, DIMENSIONS))


def correlated(n, rng):
    """Gaussian sources of which each two are correlated 0.6."""
    return np.sqrt(0.6) * rng.standard_normal((n, 1)) + np.sqrt(0.4) * rng.standard_normal((n, DIMENSIONS))


def heavy_tails(n, rng):
    """Student's t with 2.5 degrees of freedom: a few rows hold most of the variance."""
    return rng.standard_t(2.5, size=(n, DIMENSIONS)) / np.sqrt(5)


def volatility(n, rng):
    """A factor of each row, log-normal, by which all its values in all restarts are multiplied."""
    return np.exp(0.8 * rng.standard_normal((n, 1)) - 0.64)


@dataclass(frozen=True)
class Process:
    """A data process: sources, and what multiplies each row in every restart."""

    name: str
    sources: Callable
    rows: int = ROWS
    volatile: bool = False


PROCESSES = (
    Process("independent", independent),
    Process("correlated", correlated),
    Process("heavy tails", heavy_tails),
    Process("shared volatility", independent, volatile=True),
    Process("few rows", independent, rows=FEW_ROWS),
)


def haar(d, rng):
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    return q * np.sign(np.diag(r))


def reordered(z, rng):
    return z[:, rng.permutation(z.shape[1])] * rng.choice([-1.0, 1.0], z.shape[1])


def as_they_are(s, _rng, _restart):
    return s


def same_axes(s, rng, _):
    return reordered(s, rng)


def rescaled(s, rng, _):
    return reordered(s, rng) * np.exp(rng.uniform(-1.2, 1.2, s.shape[1]))


def bent_axes(s, rng, restart):
    """Each axis by a monotone map of its own: powers 0.4 to 2.5 of the absolute value, the sign kept."""
    power = np.exp(rng.uniform(0.4, 0.9, s.shape[1]) * (-1) ** restart)
    bent = np.sign(s) * np.abs(s) ** power
    return reordered(bent / bent.std(axis=0), rng)


def rotated(s, rng, _):
    return s @ haar(s.shape[1], rng)


def mixed(s, rng, _):
    """A linear map with singular values from 0.3 to 3."""
    d = s.shape[1]
    return s @ haar(d, rng) @ np.diag(np.geomspace(0.3, 3.0, d)) @ haar(d, rng)


def bent_planes(s, rng, restart):
    """Each of three planes turned by an angle that grows with the distance from its middle."""
    planes = []
    for k in range(0, s.shape[1], 2):
        x, y = s[:, k], s[:, k + 1]
        angle = rng.uniform(-np.pi, np.pi) + (restart - 1) * 3.0 * np.tanh(np.hypot(x, y))
        planes += [np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y]
    return np.column_stack(planes)


def half_shared(s, rng, _):
    half = s.shape[1] // 2
    return reordered(np.column_stack([s[:, :half], rng.standard_normal((len(s), half)) * s.std(axis=0)[half:]]), rng)


def repeated(s, rng, _):
    """Half of the dimensions repeat one source; the others are the restart's own."""
    half = s.shape[1] // 2
    own = rng.standard_normal((len(s), half)) * s.std(axis=0)[half:]
    return reordered(np.column_stack([np.tile(s[:, :1], (1, half)), own]), rng)


def collapsed(s, rng, _):
    """Half of the dimensions span a subspace that every restart turns; the others are tiny noise."""
    half = s.shape[1] // 2
    return reordered(np.column_stack([s[:, :half] @ haar(half, rng), 1e-3 * rng.standard_normal((len(s), half))]), rng)


def one_large(s, rng, _):
    """One dimension has ten times the spread of the others and is the same axis; the others are the restart's own."""
    return np.column_stack([10.0 * s[:, :1], rng.standard_normal((len(s), s.shape[1] - 1))])


def unrelated(s, rng, _):
    return rng.standard_normal(s.shape)


Truth = dict[str, tuple[float, float] | None]
ALL, NOTHING = (1.0, 1.0), (0.0, 0.0)


def shares(axes, space, shape, function, identity=None):
    return {"axes": axes, "space": space, "shape": shape, "function": function, "identity": identity}


@dataclass(frozen=True)
class Encoder:
    """How restarts show the sources, and what they then share: parts of the dimensions and of the variance."""

    name: str
    view: Callable
    truth: Truth
    noise: float = NOISE


HALF, ONE_OF_SIX, REPEATED = (0.5, 0.5), (1 / 6, 100 / 105), (0.25, 0.5)
ENCODERS = (
    Encoder("nothing moved", as_they_are, shares(ALL, ALL, ALL, ALL, ALL)),
    Encoder("same axes", same_axes, shares(ALL, ALL, ALL, ALL)),
    Encoder("axes rescaled", rescaled, shares(ALL, ALL, None, ALL)),
    Encoder("axes bent", bent_axes, shares(ALL, None, None, ALL)),
    Encoder("rotated", rotated, shares(NOTHING, ALL, ALL, ALL)),
    Encoder("mixed linearly", mixed, shares(NOTHING, ALL, None, ALL)),
    Encoder("planes bent", bent_planes, shares(NOTHING, None, None, ALL)),
    Encoder("half shared", half_shared, shares(HALF, HALF, HALF, HALF)),
    Encoder("one direction repeated", repeated, shares(REPEATED, REPEATED, REPEATED, REPEATED)),
    Encoder("half collapsed", collapsed, shares(NOTHING, (0.5, 1.0), (0.5, 1.0), (0.5, 1.0))),
    Encoder("one large dimension", one_large, shares(ONE_OF_SIX, ONE_OF_SIX, ONE_OF_SIX, ONE_OF_SIX), 0.0),
    Encoder("unrelated", unrelated, shares(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING), 0.0),
)


def latents_of(process: Process, encoder: Encoder, rng: np.random.Generator, restarts: int = RESTARTS) -> list[np.ndarray]:
    """Restarts of one world, arrays of shape (n, d)."""
    s = process.sources(process.rows, rng)
    row = volatility(process.rows, rng) if process.volatile else 1.0
    views = [encoder.view(s, rng, restart) for restart in range(restarts)]
    return [row * (view + encoder.noise * view.std(axis=0) * rng.standard_normal(view.shape)) for view in views]


@dataclass(frozen=True)
class Cell:
    """A score in a world.

    Args:
        process, encoder, score: which.
        right: what it ought to say, adjusted for chance, in [0, 1]; None where nothing is right.
        said: what it says, adjusted for chance, mean over runs.
        sd: standard deviation over runs.
        floor: mean of its chance floor.
    """

    process: str
    encoder: str
    score: str
    right: float | None
    said: float
    sd: float
    floor: float


def cells(runs: int, seed: int = 0, processes=PROCESSES, encoders=ENCODERS) -> list[Cell]:
    """All scores in all worlds; of scores with a rotation floor the axis score too, 0 at that floor."""
    measures = [one for one in of_pairs() if one.question is not None]
    found = []
    for process in processes:
        for encoder in encoders:
            said: dict[tuple[str, str], list[tuple[float, float]]] = {}
            for run in range(runs):
                rng = np.random.default_rng([seed, run])
                latents = latents_of(process, encoder, rng)
                fit = split_halves(np.arange(process.rows))
                scored = score_pairs(
                    latents, fit, scores=[one.name for one in measures], floor_draws=DRAWS, rotations=ROTATIONS, rng=rng
                )
                for one in measures:
                    names = [name for name in scored.pairs[0].values if name.metric == one.name and name.sample == "out"]
                    name = next((each for each in names if each.k is None), None)
                    if name is None:
                        continue  # too few rows for it
                    mean = float(np.mean([pair.values[name] for pair in scored.pairs]))
                    floor = float(np.mean([pair.independence[name].mean() for pair in scored.pairs]))
                    said.setdefault((one.name, one.name), []).append((one.above_floor(mean, floor), floor))
                    if "rotation" in one.floors:
                        floor = float(np.mean([pair.rotation[name].mean() for pair in scored.pairs]))
                        said.setdefault((one.name, f"{one.name}{AXIS_SCORE}"), []).append((one.above_floor(mean, floor), floor))
            for (name, called), values in said.items():
                one = next(one for one in measures if one.name == name)
                truth = encoder.truth[one.question]
                adjusted, floors = np.array(values).T
                found.append(
                    Cell(
                        process.name,
                        encoder.name,
                        called,
                        None if truth is None else truth[one.by_variance],
                        float(adjusted.mean()),
                        float(adjusted.std()),
                        float(floors.mean()),
                    )
                )
    return found


def cells_of_anatomy(runs: int, seed: int = 0, processes=PROCESSES, encoders=ENCODERS) -> list[Cell]:
    """The part of the dimensions that the anatomy of five restarts calls axes."""
    found = []
    for process in processes:
        for encoder in encoders:
            parts = []
            for run in range(runs):
                latents = latents_of(process, encoder, np.random.default_rng([seed, run]), restarts=5)
                halves = Halves.of_rows(latents, split_halves(np.arange(process.rows)))
                parts.append(anatomy(halves, range(5)).count("axis") / DIMENSIONS)
            truth = encoder.truth["axes"]
            right = None if truth is None else truth[0]
            found.append(Cell(process.name, encoder.name, AXES, right, float(np.mean(parts)), float(np.std(parts)), 0.0))
    return found


def written(found: list[Cell], output: Path) -> None:
    """Write the table."""
    with output.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Cell)])
        for cell in found:
            right = "" if cell.right is None else f"{cell.right:.3f}"
            writer.writerow(
                [cell.process, cell.encoder, cell.score, right, f"{cell.said:.3f}", f"{cell.sd:.3f}", f"{cell.floor:.3f}"]
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[2] / "fixtures" / "validity.csv")
    options = parser.parse_args()
    found = cells_of_anatomy(options.runs)
    for process in PROCESSES:
        found += cells(options.runs, processes=[process])
        print(process.name, flush=True)
    written(found, options.output)
