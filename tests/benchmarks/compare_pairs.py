"""All scores of all pairs of ten restarts, against the ways people compute them pair by pair; everything in one interleaved run.

    python tests/benchmarks/compare_pairs.py [--rounds 5] [--restarts 10] [--rows 10000] [--dims 50] [--figures FILE]

Contestants, on the same latents in memory, half of the rows to fit on and half to score on:

- stabaudit, `score_pairs(floor_draws=0)`: strong and weak MCC, affine R² both ways, in- and out-of-sample, all pairs;
- stabaudit, strong MCC alone, in- and out-of-sample, all pairs;
- `np.corrcoef` and the Hungarian algorithm for every pair: strong MCC alone, in- and out-of-sample;
- scikit-learn's `CCA(n_components=20)` fitted for every pair and its score rows transformed: weak MCC alone. One pair is timed
  per round, and the median scaled to all pairs;
- netrep's `LinearMetric(alpha=0)` fitted for every pair, and its distance on the score rows, where netrep is installed.

The canonical correlations of all pairs are then held against those of an independent QR implementation.
"""

import argparse
import importlib
import importlib.util
import json
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import scipy
import sklearn
from scipy.optimize import linear_sum_assignment
from sklearn.cross_decomposition import CCA
from threadpoolctl import threadpool_info

from stabaudit.metrics.halves import Halves
from stabaudit.metrics.mcc_strong import matched_by_variance as strong
from stabaudit.metrics.mcc_weak import canonical as weak
from stabaudit.metrics.score_pairs import score_pairs
from stabaudit.metrics.split import split_halves

COMPONENTS = 20


def seconds(contestant: Callable[[], object]) -> float:
    start = time.perf_counter()
    contestant()
    return time.perf_counter() - start


def noisy_restarts(restarts: int, rows: int, dims: int) -> list[np.ndarray]:
    """Restarts that share sources: half the dimensions axis by axis, the others up to a rotation; float32 as stored."""
    rng = np.random.default_rng(0)
    sources = rng.standard_normal((rows, dims))
    latents = []
    for _ in range(restarts):
        mixing = np.eye(dims)
        mixing[dims // 2 :, dims // 2 :], _ = np.linalg.qr(rng.standard_normal((dims - dims // 2, dims - dims // 2)))
        latents.append(((sources + 0.5 * rng.standard_normal(sources.shape)) @ mixing).astype(np.float32))
    return latents


def strong_alone(latents, fit, pairs):
    halves = Halves.of_rows(latents, fit)
    variance = [marginal.variance_on_score for marginal in halves.marginals]
    return [strong(halves.cross(a, b), variance[a], variance[b]) for a, b in pairs]


def strong_by_corrcoef(latents, fit, pairs):
    scores = []
    for a, b in pairs:
        d = latents[a].shape[1]
        inside, outside = (np.abs(np.corrcoef(latents[a][half].T, latents[b][half].T)[:d, d:]) for half in (fit, ~fit))
        matched = linear_sum_assignment(inside, maximize=True)
        scores.append((inside[matched].mean(), outside[matched].mean()))
    return scores


def weak_by_sklearn(a, b, fit):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it has not converged
        model = CCA(n_components=COMPONENTS).fit(a[fit], b[fit])
    u, v = model.transform(a[~fit], b[~fit])
    return np.mean([abs(np.corrcoef(u[:, i], v[:, i])[0, 1]) for i in range(COMPONENTS)])


def distance_by_netrep(latents, fit, pairs):
    metric = importlib.import_module("netrep.metrics").LinearMetric(alpha=0.0)
    return [metric.fit(latents[a][fit], latents[b][fit]).score(latents[a][~fit], latents[b][~fit]) for a, b in pairs]


def canonical_by_qr(a, b):
    q_a, _ = np.linalg.qr(a - a.mean(axis=0))
    q_b, _ = np.linalg.qr(b - b.mean(axis=0))
    return np.linalg.svd(q_a.T @ q_b, compute_uv=False)


def largest_difference_from_qr(latents, fit, pairs):
    halves = Halves.of_rows(latents, fit)
    rows = [z[fit].astype(np.float64) for z in latents]
    return max(
        np.abs(
            weak(halves.marginals[a], halves.marginals[b], halves.cross(a, b)).inside - canonical_by_qr(rows[a], rows[b])
        ).max()
        for a, b in pairs
    )


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("rounds", 5), ("restarts", 10), ("rows", 10_000), ("dims", 50)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--figures", type=Path, help="write the ratios to this JSON file too")
    options = parser.parse_args()

    latents = noisy_restarts(options.restarts, options.rows, options.dims)
    fit = split_halves(np.arange(options.rows))
    pairs = list(combinations(range(options.restarts), 2))
    rng = np.random.default_rng(0)
    every = "stabaudit, every score"
    alone = "stabaudit, strong MCC alone"
    by_corrcoef = "np.corrcoef + Hungarian per pair, strong MCC alone"
    by_sklearn = f"scikit-learn CCA({COMPONENTS}) per pair, weak MCC alone"
    by_netrep = "netrep LinearMetric(alpha=0) per pair, distance alone"
    times: dict[str, list[float]] = {every: [], alone: [], by_corrcoef: [], by_sklearn: []}
    if has_netrep := importlib.util.find_spec("netrep") is not None:
        times[by_netrep] = []
        distance_by_netrep(latents, fit, pairs[:1])  # imports it
    for contest in range(options.rounds):
        a, b = pairs[contest % len(pairs)]
        times[every].append(seconds(lambda: score_pairs(latents, fit, floor_draws=0, rng=rng)))
        times[alone].append(seconds(lambda: strong_alone(latents, fit, pairs)))
        times[by_corrcoef].append(seconds(lambda: strong_by_corrcoef(latents, fit, pairs)))
        times[by_sklearn].append(seconds(lambda a=a, b=b: weak_by_sklearn(latents[a], latents[b], fit)) * len(pairs))
        if has_netrep:
            times[by_netrep].append(seconds(lambda: distance_by_netrep(latents, fit, pairs)))
    median = {name: statistics.median(taken) for name, taken in times.items()}

    print(
        f"{len(pairs)} pairs of {options.restarts} restarts, {options.rows} x {options.dims} float32, half of the rows to fit on"
    )
    print(f"median of {options.rounds} interleaved rounds; scikit-learn: one pair a round, scaled to {len(pairs)}\n")
    for name, taken in median.items():
        print(f"{name:<52}{taken:>12.4f} s   (fastest {min(times[name]):.4f}, slowest {max(times[name]):.4f})")
    if not has_netrep:
        print("netrep: not installed here, left out")
    figures = {
        "every score over scikit-learn CCA": median[by_sklearn] / median[every],
        "strong MCC alone over np.corrcoef + Hungarian": median[by_corrcoef] / median[alone],
    }
    if has_netrep:
        figures["every score over netrep"] = median[by_netrep] / median[every]
    print()
    for name, ratio in figures.items():
        print(f"{name:<52}{ratio:>12.1f} x")
    print(f"{'largest difference from canonical correlations by QR':<52}{largest_difference_from_qr(latents, fit, pairs):>12.1e}")
    pools = ", ".join(f"{pool['internal_api']} {pool['version']} x {pool['num_threads']}" for pool in threadpool_info())
    print(f"\n{processor()}, {os.cpu_count()} cores; {platform.platform()}")
    print(
        f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}",
        f"scikit-learn {sklearn.__version__}",
        sep=", ",
    )
    print(f"thread pools: {pools}")
    if options.figures:
        options.figures.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
