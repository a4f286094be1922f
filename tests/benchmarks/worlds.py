"""Runs with known truth: how often `anatomy` says what is so.

    python tests/benchmarks/worlds.py [--runs 200] [--restarts 3 5 10] [--only NAME] [--solutions]

Every world draws sources, and restarts that show them with noise, in an order and with signs and scales of their own. The table
says how many axes were found (mean), in what share of runs a dimension was called an axis that is none, how many of the true axes
were found, and in what share of runs the numbers of axes, of subspace dimensions and of all others were right.

With --solutions it says how often restarts that are alike are split into groups, and how often groups are found.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stabaudit.metrics.anatomy import Anatomy, anatomy
from stabaudit.metrics.halves import Halves
from stabaudit.statistics.solutions import solutions

ROWS = 2000
NOISE = 0.3


@dataclass(frozen=True)
class Run:
    """Latents of a run, and the truth.

    Args:
        latents: one array per restart, shape (n, d).
        labels: of every dimension of every restart: the number of a true axis, or −1; shape (N, d).
        counts: true numbers of axes, subspace dimensions, and others; None where noise makes the verdict a matter of degree.
        active: True for active dimensions, shape (d,), one per restart, or None where not known.
    """

    latents: list[np.ndarray]
    labels: np.ndarray
    counts: tuple[int, int, int] | None
    active: list[np.ndarray] | None = None


def haar(d, rng):
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    return q * np.sign(np.diag(r))


def plane(angle):
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def block_diagonal(blocks):
    d = sum(map(len, blocks))
    turned, start = np.zeros((d, d)), 0
    for block in blocks:
        turned[start : start + len(block), start : start + len(block)] = block
        start += len(block)
    return turned


def shuffled(views, labels, counts, rng, active=None):
    """Give every restart an order, signs and scales of its own."""
    latents, names, masks = [], [], []
    for i, view in enumerate(views):
        d = view.shape[1]
        order = rng.permutation(d)
        latents.append(view[:, order] * rng.choice([-1, 1], d) * rng.uniform(0.5, 2.0, d))
        names.append(np.asarray(labels[i] if np.ndim(labels[0]) else labels)[order])
        if active is not None:
            masks.append(np.asarray(active[i])[order])
    return Run(latents, np.array(names), counts, masks or None)


def mixed(n, d, rng, turnings, axes, *, noise=NOISE, sources=None, silent=0, collapsed=False):
    """Restarts that turn shared sources, beside `silent` dimensions of their own noise (collapsed: tiny, and known to be)."""
    shared = d - silent
    s = rng.standard_normal((ROWS, shared)) if sources is None else sources
    views = []
    for _ in range(n):
        view = s @ block_diagonal(turnings()) + noise * rng.standard_normal((ROWS, shared))
        views.append(np.column_stack([view, (1e-3 if collapsed else 1.0) * rng.standard_normal((ROWS, silent))]))
    labels = np.full(d, -1)
    labels[:axes] = np.arange(axes)
    active = [np.arange(d) < shared] * n if collapsed else None
    return shuffled(views, labels, (axes, shared - axes, silent), rng, active)


def axes(n, d, rng, **options):
    return mixed(n, d, rng, lambda: [np.eye(d)], d, **options)


def rotated(n, d, rng, **options):
    return mixed(n, d, rng, lambda: [haar(d, rng)], 0, **options)


def planes(n, d, rng, widest=np.pi):
    return mixed(n, d, rng, lambda: [plane(rng.uniform(-widest, widest)) for _ in range(d // 2)], 0)


def correlated(n, d, rng, rho):
    common = rng.standard_normal((ROWS, 1))
    return axes(n, d, rng, sources=np.sqrt(rho) * common + np.sqrt(1 - rho) * rng.standard_normal((ROWS, d)))


def correlated_and_rotated(n, d, rng, rho=0.9):
    common = rng.standard_normal((ROWS, 1))
    s = np.sqrt(rho) * common + np.sqrt(1 - rho) * rng.standard_normal((ROWS, d))
    return rotated(n, d, rng, sources=s)


def unequal(n, d, rng):
    return axes(n, d, rng, noise=np.linspace(0.1, 1.0, d))


def echo(n, d, rng):
    """All dimensions repeat one direction, each with noise of its own."""
    s = rng.standard_normal((ROWS, 1))
    views = [s * rng.uniform(0.5, 1.0, d) + 0.5 * rng.standard_normal((ROWS, d)) for _ in range(n)]
    return shuffled(views, np.full(d, -1), None, rng)


def plane_with_echo(n, d, rng):
    """A plane that turns; the collapsed dimensions, known as such, repeat one direction of it without noise."""
    s = rng.standard_normal((ROWS, 2))
    views = [
        np.column_stack(
            [
                s @ plane(rng.uniform(-np.pi, np.pi)) + NOISE * rng.standard_normal((ROWS, 2)),
                1e-3 * (s[:, :1] * rng.uniform(0.5, 1.0, d - 2) + 0.1 * rng.standard_normal((ROWS, d - 2))),
            ]
        )
        for _ in range(n)
    ]
    return shuffled(views, np.full(d, -1), (0, 2, d - 2), rng, [np.arange(d) < 2] * n)


def axes_with_echo(n, d, rng):
    """Four axes; the collapsed dimensions, known as such, repeat the first one."""
    s = rng.standard_normal((ROWS, 4))
    views = [
        np.column_stack(
            [
                s + NOISE * rng.standard_normal((ROWS, 4)),
                1e-3 * (s[:, :1] * rng.uniform(0.5, 1.0, d - 4) + 0.1 * rng.standard_normal((ROWS, d - 4))),
            ]
        )
        for _ in range(n)
    ]
    return shuffled(views, [*range(4), *[-1] * (d - 4)], (4, 0, d - 4), rng, [np.arange(d) < 4] * n)


def two_groups(n, d, rng):
    """The second half of the restarts agrees on axes of its own."""
    s, turning = rng.standard_normal((ROWS, d)), haar(d, rng)
    views = [(s if i < (n + 1) // 2 else s @ turning) + NOISE * rng.standard_normal((ROWS, d)) for i in range(n)]
    return shuffled(views, np.full(d, -1), (0, d, 0), rng)


def unrelated(n, d, rng):
    return shuffled([rng.standard_normal((ROWS, d)) for _ in range(n)], np.full(d, -1), (0, 0, d), rng)


def laplace(rng, d):
    return rng.laplace(size=(ROWS, d))


World = Callable[[int, np.random.Generator], Run]
WORLDS: dict[str, World] = {
    "all axes": lambda n, rng: axes(n, 10, rng),
    "all axes, noise 0.1": lambda n, rng: axes(n, 10, rng, noise=0.1),
    "all axes, noise 1": lambda n, rng: axes(n, 10, rng, noise=1.0),
    "all axes, d = 1": lambda n, rng: axes(n, 1, rng),
    "all axes, d = 2": lambda n, rng: axes(n, 2, rng),
    "all axes, d = 50": lambda n, rng: axes(n, 50, rng),
    "all axes, Laplace": lambda n, rng: axes(n, 10, rng, sources=laplace(rng, 10)),
    "axes correlated 0.5": lambda n, rng: correlated(n, 10, rng, 0.5),
    "axes correlated 0.9": lambda n, rng: correlated(n, 10, rng, 0.9),
    "noise 0.1 to 1": lambda n, rng: unequal(n, 10, rng),
    "3 axes + 7 rotated": lambda n, rng: mixed(n, 10, rng, lambda: [np.eye(3), haar(7, rng)], 3),
    "8 axes + a plane": lambda n, rng: mixed(n, 10, rng, lambda: [np.eye(8), haar(2, rng)], 8),
    "4 axes + 6 noise": lambda n, rng: mixed(n, 10, rng, lambda: [np.eye(4)], 4, silent=6),
    "4 axes + 6 collapsed": lambda n, rng: mixed(n, 10, rng, lambda: [np.eye(4)], 4, silent=6, collapsed=True),
    "1 axis + 9 noise": lambda n, rng: mixed(n, 10, rng, lambda: [np.eye(1)], 1, silent=9),
    "4 axes, 6 echo the first": lambda n, rng: axes_with_echo(n, 10, rng),
    "all rotated": lambda n, rng: rotated(n, 10, rng),
    "all rotated, d = 2": lambda n, rng: rotated(n, 2, rng),
    "all rotated, d = 2, noise 1": lambda n, rng: rotated(n, 2, rng, noise=1.0),
    "all rotated, d = 50": lambda n, rng: rotated(n, 50, rng),
    "all rotated, Laplace": lambda n, rng: rotated(n, 10, rng, sources=laplace(rng, 10)),
    "all rotated, Laplace, d = 2": lambda n, rng: rotated(n, 2, rng, sources=laplace(rng, 2)),
    "all rotated, correlated 0.9": lambda n, rng: correlated_and_rotated(n, 10, rng),
    "4 rotated + 6 noise": lambda n, rng: mixed(n, 10, rng, lambda: [haar(4, rng)], 0, silent=6),
    "4 rotated + 6 collapsed": lambda n, rng: mixed(n, 10, rng, lambda: [haar(4, rng)], 0, silent=6, collapsed=True),
    "halves rotated apart": lambda n, rng: mixed(n, 10, rng, lambda: [haar(5, rng), haar(5, rng)], 0),
    "planes rotated": lambda n, rng: planes(n, 10, rng),
    "planes rotated, d = 50": lambda n, rng: planes(n, 50, rng),
    "planes turned by up to 15° (nearly axes)": lambda n, rng: planes(n, 10, rng, np.radians(15)),
    "echo of one direction": lambda n, rng: echo(n, 10, rng),
    "plane, 8 echo a direction": lambda n, rng: plane_with_echo(n, 10, rng),
    "two groups of restarts": lambda n, rng: two_groups(n, 10, rng),
    "unrelated": lambda n, rng: unrelated(n, 10, rng),
    "unrelated, d = 50": lambda n, rng: unrelated(n, 50, rng),
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What was found in one run; `right` is None where the truth has no counts."""

    axes: int
    false: bool
    found: float
    right: bool | None


def judged(run: Run) -> tuple[Anatomy, Outcome]:
    halves = Halves.of_rows(run.latents, np.arange(ROWS) % 2 == 0)
    found = anatomy(halves, range(len(run.latents)), run.active)
    labels = np.take_along_axis(run.labels, found.matching, axis=1)
    true = (labels == labels[0]).all(axis=0) & (labels[0] >= 0)
    named = np.array([dimension.verdict == "axis" for dimension in found.dimensions])
    truth = int((run.labels[0] >= 0).sum())
    counts = (found.count("axis"), found.count("subspace"), found.count("not_shared") + found.count("inactive"))
    return found, Outcome(
        axes=int(named.sum()),
        false=bool((named & ~true).any()),
        found=float((named & true).sum() / truth) if truth else float("nan"),
        right=None if run.counts is None else counts == run.counts,
    )


def pair_scores(sizes, rng, *, within=0.95, across=0.4, restart=0.02, noise=0.01, mediocre=0.0):
    """Scores of restarts in groups, with effects of restarts (the first one lower by `mediocre`) and of pairs; shape (N, N)."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    effects = rng.normal(0.0, restart, len(group))
    effects[0] -= mediocre
    of_pairs = np.triu(rng.normal(0.0, noise, (len(group), len(group))), 1)
    mean = np.where(group[:, None] == group, within, across)
    return (mean + effects[:, None] + effects + of_pairs + of_pairs.T).clip(0.0, 1.0)


ALIKE = {
    "scores 0.9, restarts ± 0.02, pairs ± 0.01": {"within": 0.9},
    "scores 0.6, restarts ± 0.1, pairs ± 0.05": {"within": 0.6, "restart": 0.1, "noise": 0.05},
    "scores 0.5, restarts ± 0, pairs ± 0.1": {"within": 0.5, "restart": 0.0, "noise": 0.1},
    "one restart lower by 0.1": {"within": 0.9, "mediocre": 0.1},
    "one restart lower by 0.2": {"within": 0.9, "mediocre": 0.2},
}
GROUPS = ((2, 1), (2, 2), (3, 1), (4, 1), (3, 2), (3, 3), (2, 2, 2), (9, 1), (5, 5), (6, 2, 1, 1))


def print_solutions(runs: int) -> None:
    """Shares of runs in which restarts that are alike are split, and in which groups are found as they are."""
    print("| restarts that are alike | " + " | ".join(f"N = {n}" for n in (4, 5, 6, 10, 20)) + " |")
    print("|---|" + 5 * "---|")
    for name, options in ALIKE.items():
        rng = np.random.default_rng(0)
        split = [
            np.mean([len(solutions(pair_scores([n], rng, **options)).groups) > 1 for _ in range(runs)]) for n in (4, 5, 6, 10, 20)
        ]
        print(f"| {name} | " + " | ".join(f"{share:.1%}" for share in split) + " |")
    print("\n| groups found as they are | 0.95 within, 0.4 across | 0.9 within, 0.7 across |\n|---|---|---|")
    for sizes in GROUPS:
        rng = np.random.default_rng(0)
        found = [
            np.mean([tuple(map(len, solutions(pair_scores(sizes, rng, **means)).groups)) == sizes for _ in range(runs)])
            for means in ({}, {"within": 0.9, "across": 0.7})
        ]
        print(f"| {' + '.join(map(str, sizes))} | " + " | ".join(f"{share:.1%}" for share in found) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--restarts", type=int, nargs="+", default=[3, 5, 10])
    parser.add_argument("--only", default="")
    parser.add_argument("--solutions", action="store_true", help="groups of restarts instead of dimensions")
    options = parser.parse_args()
    if options.solutions:
        print_solutions(options.runs)
        return
    print("| world | N | axes found | runs with a false axis | true axes found | counts right |")
    print("|---|---|---|---|---|---|")
    for position, (name, world) in enumerate(WORLDS.items()):
        if options.only not in name:
            continue
        for n in options.restarts:
            rng = np.random.default_rng([position, n])
            outcomes = [judged(world(n, rng))[1] for _ in range(options.runs)]
            false = np.mean([outcome.false for outcome in outcomes])
            found = np.mean([outcome.found for outcome in outcomes])
            right = [outcome.right for outcome in outcomes if outcome.right is not None]
            cells = [
                name,
                str(n),
                f"{np.mean([outcome.axes for outcome in outcomes]):.2f}",
                f"{100 * false:.1f}%",
                "–" if np.isnan(found) else f"{100 * found:.1f}%",
                f"{100 * np.mean(right):.1f}%" if right else "–",
            ]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
