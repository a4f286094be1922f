"""Comparisons at scale: many restarts, many rows, many dimensions. Data are made anew, the same each time, in a temporary folder.

    python tests/benchmarks/compare_scale.py [--restarts 10,100,200] [--rows 1000000] [--memory 1GB] [--figures FILE]

- so many restarts of 10,000 x 50: every score of all pairs in- and out-of-sample, without floors; then as `compare` makes them,
  with floors, intervals and curves; the ratio of both, and how time grows from one number of restarts to the next (400 restarts
  take 9 GB);
- a million rows (10 restarts x 50 dimensions) streamed from Parquet by `stabaudit compare`: the peak of its resident memory over
  that of a process which only imports what `compare` imports;
- 16,384 x 200, ten restarts: every score without floors.

Seconds are of the wall; beside them those of all processors together, which other programs disturb less.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import scipy
from compare_pairs import noisy_restarts, processor
from threadpoolctl import threadpool_info

from stabaudit.comparison.compare import compare
from stabaudit.comparison.reading.join_rows import Group
from stabaudit.comparison.records import RunSummary
from stabaudit.comparison.settings import Settings
from stabaudit.metrics.score_pairs import score_pairs
from stabaudit.metrics.split import split_halves
from stabaudit.store.run.latents import Latents, write_latents

# Linux counts what the process that started this one held into `getrusage`, but not into VmHWM.
PEAK = """
import resource, sys
from pathlib import Path
def peak():
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
"""
IMPORTS = f"""{PEAK}
import stabaudit.cli.main, stabaudit.comparison.compare, stabaudit.reports.sections.comparison, stabaudit.reports.formats.terminal
print(peak(), file=sys.stderr)
"""
COMMAND = f"""{PEAK}
from stabaudit.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print(peak(), file=sys.stderr)
"""


def timed(what: str, work: Callable[[], object]) -> float:
    """Seconds, shown too."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    wall = time.perf_counter() - wall
    show(what, f"{wall:8.2f} s", f"{time.process_time() - cpu:.2f} s of processors")
    return wall


def show(what: str, value: str, beside: str) -> None:
    print(f"{what:<58}{value:>12}   {beside}, load {os.getloadavg()[0]:.1f}", flush=True)


def in_memory(latents: list[np.ndarray]) -> Group:
    """Latents as the restarts of a run that has been read."""
    n, d = latents[0].shape
    unknown = dict.fromkeys(field.name for field in fields(RunSummary) if field.default is MISSING)
    counts = {"latent_dim": d, "rows": n, "restarts": len(latents), "trained": len(latents)}
    summary = RunSummary(**unknown | counts | {"name": "run", "path": "run", "lost": ()})
    return Group(
        summary,
        tuple(f"run#{i}" for i in range(len(latents))),
        tuple(range(len(latents))),
        tuple(latents),
        np.arange(n),
        None,
        (),
    )


def write_restarts(folder: Path, restarts: int, rows: int, dims: int) -> list[str]:
    paths = []
    sources = np.random.default_rng(0).standard_normal((rows, dims), dtype=np.float32)
    for i in range(restarts):
        rng = np.random.default_rng(i + 1)
        z = sources + 0.5 * rng.standard_normal((rows, dims), dtype=np.float32)
        paths.append(folder / f"restart-{i:03d}.parquet")
        write_latents(paths[-1], Latents(np.arange(rows), z))
    return list(map(str, paths))


def peak(code: str, *arguments: str) -> int:
    """Peak of a Python process that runs `code` and prints it last to stderr, bytes."""
    found = subprocess.run(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True
    )
    return int(found.stderr.split()[-1])


def of_one_size(restarts: int) -> tuple[float, float]:
    """Seconds of every score, and of a comparison with floors."""
    latents, fit = noisy_restarts(restarts, 10_000, 50), split_halves(np.arange(10_000))
    pairs = f"{restarts} restarts, {restarts * (restarts - 1) // 2:,} pairs"
    rounds = range(3 if restarts <= 100 else 1)
    rng = np.random.default_rng(0)
    scores = [timed(f"{pairs}: every score", lambda: score_pairs(latents, fit, floor_draws=0, rng=rng)) for _ in rounds]
    whole = [timed(f"{pairs}: compare, with floors", lambda: compare([in_memory(latents)], Settings())) for _ in rounds]
    return statistics.median(scores), statistics.median(whole)


def many_restarts(counts: list[int]) -> dict[str, float]:
    """Seconds of every score and of comparisons with floors, and their ratios, medians of three up to 100 restarts."""
    figures: dict[str, float] = {}
    compared: list[tuple[int, float]] = []
    compare([in_memory(noisy_restarts(3, 100, 2))], Settings())  # starts threads, imports
    for restarts in counts:
        scores, seconds = of_one_size(restarts)
        show(f"{restarts} restarts: compare over scores", f"{seconds / scores:8.2f}", "without floors")
        if compared:
            before, earlier = compared[-1]
            ratio = restarts * (restarts - 1) / (before * (before - 1))
            show(f"{restarts} restarts over {before}", f"{seconds / earlier:8.2f}", f"for {ratio:.1f} times the pairs")
        compared.append((restarts, seconds))
        figures |= {
            f"seconds of every score of {restarts}": scores,
            f"seconds of compare of {restarts}": seconds,
            f"compare over scores of {restarts}": seconds / scores,
        }
    return figures


def many_dimensions() -> None:
    latents, fit = noisy_restarts(10, 16_384, 200), split_halves(np.arange(16_384))
    pairs = "45 pairs, 16,384 x 200"
    timed(f"{pairs}: every score", lambda: score_pairs(latents, fit, floor_draws=0, rng=np.random.default_rng(0)))


def streaming(rows: int, memory: str) -> float:
    """Peak megabytes over those of the imports."""
    with tempfile.TemporaryDirectory() as folder:
        paths = write_restarts(Path(folder), 10, rows, 50)
        size = sum(Path(path).stat().st_size for path in paths)
        own = peak(IMPORTS)
        before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        used = peak(COMMAND, "compare", *paths, "--memory", memory, "--output", str(Path(folder) / "report.txt"))
        wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    what = f"{rows:,} rows x 10 restarts x 50, {size / 1e9:.1f} GB, --memory {memory}"
    show(what, f"{(used - own) / 1e6:8.0f} MB", f"over the {own / 1e6:.0f} MB of imports")
    show("  the whole command, with floors", f"{wall:8.2f} s", f"{cpu:.2f} s of processors")
    return (used - own) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--restarts", type=lambda given: [int(count) for count in given.split(",")], default=[10, 100, 200])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--memory", default="1GB")
    parser.add_argument("--figures", type=Path, help="write seconds and megabytes to this JSON file too")
    options = parser.parse_args()
    figures = many_restarts(options.restarts)
    many_dimensions()
    megabytes = streaming(options.rows, options.memory)

    pools = ", ".join(
        f"{p['internal_api']} {p['version']} ({p.get('architecture')}) x {p['num_threads']}" for p in threadpool_info()
    )
    print(f"\n{processor()}, {os.cpu_count()} cores; {platform.platform()}")
    versions = f"numpy {np.__version__}, scipy {scipy.__version__}, pyarrow {pa.__version__}"
    print(f"Python {platform.python_version()}, {versions}\nthread pools: {pools}")
    if options.figures:
        options.figures.write_text(json.dumps(figures | {"megabytes of many rows": megabytes}))


if __name__ == "__main__":
    main()
