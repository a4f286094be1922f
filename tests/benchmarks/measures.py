"""Every measure of pairs beside the package people use for it: seconds for one pair, ratio, and how far the values differ.

    python tests/benchmarks/measures.py [--rounds 3] [--rows 10000] [--dims 50] [--scores NAME,…] [--figures FILE]

Both sides get the same two latents in memory, all rows, in one interleaved run; figures are medians. Rivals are taken where they
are installed: scikit-learn and scipy always; `repsim` and `dcor` from the package index. A measure that
stabaudit computes of a fixed part of the rows (1,000 for matrices of distances) is held against its rival on that same part, so
that both do the same work. Floors are not part of it: no rival has them.
"""

import argparse
import importlib
import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy
import sklearn
from scipy.spatial import procrustes
from scipy.spatial.distance import pdist
from scipy.stats import pearsonr, spearmanr
from sklearn.decomposition import FastICA
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor, NearestNeighbors

from stabaudit import metrics
from stabaudit.metrics.distance_scores import MOST_ROWS
from stabaudit.metrics.sampled_rows import sampled


def there(package: str) -> bool:
    """Whether a package is installed, with all that it needs itself."""
    try:
        importlib.import_module(package)
    except Exception as error:  # noqa: BLE001 -- what others raise while they are imported
        print(f"{package} is left out: {type(error).__name__}: {error}")
        return False
    return True


RIVALS = {package: there(package) for package in ("repsim", "dcor")}


def neighbours(a, b, k=10):
    near = [NearestNeighbors(n_neighbors=k).fit(z).kneighbors(return_distance=False) for z in (a, b)]
    return np.mean([len(set(x) & set(y)) / k for x, y in zip(*near, strict=True)])


def by_neighbours(a, b):
    line = LinearRegression().fit(a, b)
    left = b - line.predict(a)
    near = KNeighborsRegressor(10).fit(a, left)  # itself among the neighbours: the work, not the value
    return 1 - ((left - near.predict(a)) ** 2).sum() / ((b - b.mean(axis=0)) ** 2).sum()


def after_ica(a, b):
    turned = [FastICA(whiten="unit-variance", max_iter=200, random_state=0).fit_transform(z) for z in (a, b)]
    strength = np.abs(np.corrcoef(*turned, rowvar=False)[: a.shape[1], a.shape[1] :])
    rows, columns = scipy.optimize.linear_sum_assignment(strength, maximize=True)
    return strength[rows, columns].mean()


def linear_cka(a, b):
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return np.linalg.norm(a.T @ b) ** 2 / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b))


def rival_of(name: str) -> tuple[str, Callable, bool, bool] | None:
    """What people run: its package, how it is called, whether on a part of the rows, and whether values should agree."""
    found: dict[str, tuple[str, Callable, bool, bool]] = {
        "cka_biased": ("numpy", linear_cka, False, True),
        "procrustes_similarity": ("scipy", lambda a, b: np.sqrt(max(0.0, 1 - procrustes(a, b)[2])), False, True),
        "knn_overlap": ("scikit-learn", neighbours, False, True),
        "nonlinear_r2": ("scikit-learn", by_neighbours, False, False),
        "ica_strong_mcc": ("scikit-learn", after_ica, False, False),
        "rsa_pearson": ("scipy", lambda a, b: pearsonr(pdist(a), pdist(b)).statistic, True, True),
        "rsa_spearman": ("scipy", lambda a, b: spearmanr(pdist(a), pdist(b)).statistic, True, True),
    }
    if RIVALS["repsim"]:
        import repsim

        found["pwcca"] = ("repsim", lambda a, b: repsim.pwcca([a, b])[0, 1], False, False)
        found["svcca"] = ("repsim", lambda a, b: repsim.svcca([a, b])[0, 1], False, False)
        found["cka_rbf"] = ("repsim", lambda a, b: repsim.cka([a, b], "rbf")[0, 1], True, False)
        found["cka"] = ("repsim", lambda a, b: repsim.cka([a, b], "linear")[0, 1], True, False)
    if RIVALS["dcor"]:
        import dcor

        found["distance_correlation"] = ("dcor", dcor.distance_correlation, True, True)
    return found.get(name)


def seconds(work: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--dims", type=int, default=50)
    parser.add_argument("--scores", default="")
    parser.add_argument("--figures", type=Path)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    s = rng.laplace(size=(options.rows, options.dims))
    a, b = (s + 0.5 * rng.standard_normal(s.shape) for _ in range(2))
    part = sampled(options.rows, MOST_ROWS)
    versions = f"numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}"
    print(
        f"{options.rows:,} × {options.dims}, {options.rounds} rounds; {versions}; {platform.processor() or platform.machine()}\n"
    )
    print("| score | ours, s | rival | its, s | ratio | difference |\n| :-- | --: | :-- | --: | --: | --: |")
    wanted = [name for name in options.scores.split(",") if name] or NAMES
    figures: dict[str, float] = {}
    for name in wanted:
        rival = rival_of(name)
        if rival is None:
            print(f"| {name} | | not installed | | | |")
            continue
        package, function, on_part, agree = rival
        x, y = (a[part], b[part]) if on_part else (a, b)
        ours, its = [], []
        for _ in range(options.rounds):
            taken, value = seconds(lambda x=x, y=y, name=name: getattr(metrics, name)(x, y))
            ours.append(taken)
            taken, other = seconds(lambda x=x, y=y, function=function: function(x, y))
            its.append(taken)
        ratio = statistics.median(its) / statistics.median(ours)
        figures[name] = ratio
        difference = f"{abs(float(value) - float(other)):.0e}" if agree else "other definition"
        mine, theirs = statistics.median(ours), statistics.median(its)
        print(f"| {name} | {mine:.3f} | {package} | {theirs:.3f} | {ratio:.1f}× | {difference} |", flush=True)
    if options.figures:
        options.figures.write_text(json.dumps(figures))


NAMES = [
    *("cka", "cka_biased", "procrustes_similarity", "svcca", "pwcca", "cka_rbf", "knn_overlap", "rsa_pearson", "rsa_spearman"),
    *("distance_correlation", "nonlinear_r2", "ica_strong_mcc"),
]

if __name__ == "__main__":
    warnings.simplefilter("ignore")  # of FastICA that has not converged
    main()
