"""Dictionaries of features at the size of sparse autoencoders: time, memory, distance from the best matching, planted overlap.

    python tests/benchmarks/features.py [--features 16384] [--rows 50000] [--active 64] [--dims 1024] [--exact 4096]

Each case is one call of the command line on files, in a process of its own:

- activations, sparse: about `--active` features fire in a row, with log-normal rates. b shares 60% of a's features: they fire
  in 90% of the rows in which a's do, with 10% noise on their values; the others fire by themselves. Feature numbers are
  shuffled;
- decoder weights: of b's directions 60% are a's turned to a cosine of 0.9, the others are random.

The largest `--exact` features of both are then matched by `scipy.optimize.linear_sum_assignment` on all of their similarities,
and the difference of the mean similarities on the rows matched on is printed beside the bound.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.optimize import linear_sum_assignment

from stabaudit.metrics.features.assignment import assign
from stabaudit.metrics.features.candidates import candidates
from stabaudit.metrics.features.columns import Columns, DenseColumns, SparseColumns, paired
from stabaudit.metrics.features.tiles import Tiles
from stabaudit.metrics.split import split_halves

MEMORY = 10**9
GIGABYTE = 10**9


def firing(rows: int, rates: np.ndarray, active: float, rng: np.random.Generator) -> sparse.csr_array:
    """Activations, shape (rows, len(rates)), about `active` a row: features drawn twice for a row fire once."""
    draws = rng.choice(len(rates), size=round(rows * active), p=rates / rates.sum())
    place = np.unique(rng.integers(0, rows, len(draws)) * len(rates) + draws)
    value = rng.exponential(1.0, len(place)).astype(np.float32) + np.float32(0.1)
    return sparse.csr_array(sparse.coo_array((value, np.divmod(place, len(rates))), shape=(rows, len(rates))))


def activations(features: int, rows: int, active: int, shared: float, seed: int = 0) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Activations of two dictionaries that share some of their features."""
    rng = np.random.default_rng(seed)
    common = round(shared * features)
    rates = rng.lognormal(0.0, 1.0, features)
    a = firing(rows, rates, active, rng)
    kept = a[:, :common].tocoo()
    stays = rng.random(kept.nnz) < 0.9
    noisy = kept.data[stays] * (1.0 + 0.1 * rng.standard_normal(int(stays.sum()))).astype(np.float32)
    ours = sparse.coo_array((noisy, (kept.row[stays], kept.col[stays])), shape=kept.shape)
    own = firing(rows, rates[common:], active * rates[common:].sum() / rates.sum(), rng)
    b = sparse.hstack([ours, own]).tocsr()[:, rng.permutation(features)]
    return a, sparse.csr_array(b)


def weights(features: int, dims: int, shared: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Decoder weights of two dictionaries, shape (features, dims) each."""
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, features, dims), dtype=np.float32)
    common = round(shared * features)
    b[:common] = 0.9 * a[:common] + np.sqrt(1 - 0.9**2) * b[:common]
    return a, b[rng.permutation(features)]


def command(*arguments: str) -> tuple[dict[str, list[dict[str, float]]], str]:
    """What `stabaudit compare --features` finds, and what it took."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        line = [sys.executable, "-m", "stabaudit", "compare", "--features", *arguments, "--format", "json"]
        process = subprocess.Popen(line, stdout=output, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        if process.returncode:
            raise SystemExit(f"{' '.join(line)} ended with {process.returncode}")
        output.seek(0)
        found = json.load(output)
    peak = used.ru_maxrss * 1024 / GIGABYTE
    return found, f"{wall:.1f} s wall, {used.ru_utime + used.ru_stime:.1f} s CPU, {peak:.2f} GB at most"


def reported(name: str, found: dict[str, list[dict[str, float]]], cost: str) -> None:
    scores = {one["measure"]: one for one in found["feature_scores"]}
    (matching,) = found["matchings"]
    matched, overlap = scores["matched"], scores["shared"]["mean"]
    print(f"{name}: {cost}")
    chance, gap = matched["floor"], matching["gap"]
    print(f"  matched {matched['mean']:.4f} (chance {chance:.4f}), shared {overlap:.4f}, gap at most {gap:.1e}")


def held_against_exact(name: str, a: Columns, b: Columns) -> None:
    tiles = Tiles(a, b, MEMORY)
    start = time.process_time()
    found = assign(tiles, candidates(tiles), lambda i, j: np.abs(paired(a, i, b, j)))
    ours = time.process_time() - start
    everything = np.concatenate([block for blocks in tiles.over_blocks(lambda _, strength: strength.copy()) for block in blocks])
    start = time.process_time()
    rows, columns = linear_sum_assignment(everything.astype(np.float64), maximize=True)
    theirs = time.process_time() - start
    best = float(everything[rows, columns].mean())
    own = float(everything[found.of_a, found.of_b].mean())
    print(
        f"{name}, {len(rows):,} features: best {best:.7f}, found {own:.7f}, difference {best - own:.1e}, bound {found.gap:.1e}; "
        f"{ours:.1f} s CPU with all candidates found, scipy {theirs:.1f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in (("features", 16_384), ("rows", 50_000), ("active", 64), ("dims", 1024), ("exact", 4096)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--shared", type=float, default=0.6)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, matrix in zip("ab", activations(asked.features, asked.rows, asked.active, asked.shared), strict=True):
            sparse.save_npz(Path(folder, f"{name}.npz"), matrix)
        reported("activations", *command(*(f"{folder}/{name}.npz" for name in "ab")))
        for name, matrix in zip("ab", weights(asked.features, asked.dims, asked.shared), strict=True):
            np.save(Path(folder, f"{name}.npy"), matrix)
        reported("weights", *command(*(f"{folder}/{name}.npy" for name in "ab"), "--of", "weights"))
    if asked.exact:
        held_against_exact(
            "weights", *(DenseColumns.of_directions(one, "w") for one in weights(asked.exact, asked.dims, asked.shared))
        )
        acts = activations(asked.exact, asked.rows, asked.active, asked.shared)
        fit = np.flatnonzero(split_halves(np.arange(asked.rows)))
        columns = [SparseColumns.of_activations(one, fit, "acts") for one in acts]
        alive = [one.of(one.varies) for one in columns]
        held_against_exact("activations", *alive)


if __name__ == "__main__":
    main()
