"""Whose agreement a strong MCC over all dimensions is: of those that carry information about x, or of the others.

    python tests/benchmarks/weak_dimensions.py AUDIT_FOLDER OUT.csv

For every pair of restarts of every run with a standard normal prior: the matched |correlations| on *score* of dimensions that
both restarts give 0.1 nats of divergence or more, and of all others. And how much the others of a restart have in common: the
share of the largest eigenvalue of their correlation matrix, 1/number where they are uncorrelated, 1 where all follow one.
"""

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np
from keep_reproduction import write
from numpy.typing import NDArray

from stabaudit.metrics.halves import Halves
from stabaudit.metrics.mcc_strong import matched
from stabaudit.metrics.split import split_halves
from stabaudit.store.run.latents import Latents
from stabaudit.store.run.run_folder import Run

NATS = 0.1


def divergences(latents: Latents) -> NDArray[np.float64]:
    """Mean KL(q(z_k|x)‖N(0, 1)) of every dimension over rows, nats, shape (d,)."""
    mean, log_var = latents.mean.astype(float), latents.log_var.astype(float)
    return (0.5 * (mean**2 + np.exp(log_var) - 1 - log_var)).mean(axis=0)


def in_common(z: NDArray[np.floating]) -> float:
    """Share of the largest eigenvalue of the correlation matrix of columns, in [1/k, 1]."""
    return float(np.linalg.eigvalsh(np.corrcoef(z.astype(float).T))[-1] / z.shape[1])


def rows_of(run: Run) -> list[dict[str, object]]:
    """A record for each pair of restarts."""
    latents = [run.latents(index) for index in run.done]
    orders = [np.argsort(one.sample_id, kind="stable") for one in latents]
    fit = split_halves(np.sort(latents[0].sample_id))
    strong = [divergences(one) >= NATS for one in latents]
    common = [in_common(one.mean[:, ~some]) for one, some in zip(latents, strong, strict=True)]
    found: list[dict[str, object]] = []
    for a, b in combinations(range(len(latents)), 2):
        halves = Halves.of_rows([latents[a].mean[orders[a]], latents[b].mean[orders[b]]], fit)
        parts = matched(*halves.pair(0, 1))
        both = np.array([strong[a][k] and strong[b][m] for k, m in parts.matching])
        found.append(
            {
                "run": run.name,
                "restart_a": run.done[a],
                "restart_b": run.done[b],
                "strong_mcc": float(parts.outside.mean()),
                "informative": int(both.sum()),
                "strong_mcc_informative": float(parts.outside[both].mean()),
                "strong_mcc_others": float(parts.outside[~both].mean()),
                "in_common_a": common[a],
                "in_common_b": common[b],
            }
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audit", type=Path, help="folder of the runs")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    runs = [Run.open(path.parent) for path in sorted(options.audit.glob("*/run.json"))]
    write(options.out, [row for run in runs for row in rows_of(run)])


if __name__ == "__main__":
    main()
