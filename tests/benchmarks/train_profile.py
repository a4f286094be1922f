"""Where a step of training spends its time, on one core, and how near its products are to the fastest that this core has.

    python tests/benchmarks/train_profile.py [--rounds 5] [--steps 6] [--data-dir DIR]

The `mlp` and the `conv` VAE of W1 and W3 (see `train_speed.py`), in float32 and, where the processor has instructions for it, in
bf16: one restart, batches of 64, on one thread as in a worker process. Shares are torch's profiler's, of the time that operations
take by themselves; the profiler itself is left out of the milliseconds of a step, which are the median over the rounds.
"""

import argparse
import os
import statistics
import time
from collections import defaultdict
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile
from train_speed import MLP_OPERATIONS, fastest_product, processor

from stabaudit.data.published_files import DataFolder
from stabaudit.training.build import builder
from stabaudit.training.prepare import prepare
from stabaudit.training.prepared_run import environment
from stabaudit.training.recipe import Recipe
from stabaudit.training.shards.dataset_arrays import rows_of
from stabaudit.training.shards.shard import settle
from stabaudit.training.step import bf16
from stabaudit.training.step.matmul import Products
from stabaudit.training.step.restarts import Restarts

KINDS = {
    "products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm"),
    "convolutions": ("aten::convolution_backward", "aten::mkldnn_convolution", "aten::_convolution"),
    "batch norm": ("aten::native_batch_norm", "aten::native_batch_norm_backward"),
    "ELU": ("aten::elu", "aten::elu_", "aten::elu_backward"),
    "Adam": ("aten::_fused_adam_",),
    "copies": ("aten::copy_", "aten::_to_copy", "aten::empty_strided"),
}
MOST = 0.03  # of a step: what takes less is no kind of its own


def trained(arch: str, precision: str, data: DataFolder) -> Restarts:
    """One restart that is ready to be trained."""
    asked = Recipe(
        family="vae",
        dataset="mnist",
        architecture=arch,
        latent_dim=50,
        restarts=1,
        steps=10**9,
        schedule="constant",
        precision=precision,
    )
    prepared = prepare(asked, data_folder=data)
    config, rows = prepared.config, rows_of(prepared.dataset.train)
    build = builder(config, tuple(prepared.dataset.train.x.shape[1:]), rows.u.shape[1], len(rows))
    return Restarts(build, [config.seed], rows, config.training, "cpu", Products(environment("cpu").products, precision))


def shares(restarts: Restarts) -> dict[str, float]:
    """The share of each kind of operation in a step."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        restarts.train_epoch()
    kind_of = {name: kind for kind, names in KINDS.items() for name in names}
    found: dict[str, float] = defaultdict(float)
    for event in seen.key_averages():
        found[kind_of.get(event.key, "the rest")] += event.self_cpu_time_total
    return {kind: value / sum(found.values()) for kind, value in sorted(found.items(), key=lambda pair: -pair[1])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6, help="in a round")
    parser.add_argument("--data-dir", type=Path, help="folder with mnist/ (also STABAUDIT_DATA)")
    options = parser.parse_args()
    settle()  # one thread
    data = DataFolder.locate(options.data_dir)
    print(f"{processor()}, load average {os.getloadavg()[0]:.1f}; torch {torch.__version__}, {torch.get_num_threads()} thread")
    for arch in ("mlp", "conv"):
        for precision in ("float32", "bf16") if bf16.in_hardware() is not False else ("float32",):
            restarts = trained(arch, precision, data)
            restarts.steps_per_epoch = options.steps
            restarts.train_epoch()
            times, parts, peaks = [], [], []
            for _ in range(options.rounds):
                peaks.append(fastest_product(torch.float32 if precision == "float32" else torch.bfloat16, seconds=0.4)[0])
                start = time.perf_counter()
                restarts.train_epoch()
                times.append((time.perf_counter() - start) / options.steps)
                parts.append(shares(restarts))
            step = statistics.median(times)
            share = {kind: statistics.median(part.get(kind, 0.0) for part in parts) for kind in parts[0]}
            said = ", ".join(f"{kind} {value:.0%}" for kind, value in share.items() if value >= MOST)
            print(f"{arch} {precision}: {1e3 * step:.1f} ms a step; {said}")
            if arch == "mlp":
                reached = MLP_OPERATIONS / (share["products"] * step)
                print(f"  products at {reached / 1e9:.0f} GFLOP/s, {reached / max(peaks):.0%} of the fastest of one core")


if __name__ == "__main__":
    main()
