"""Restart-steps per second of stabaudit against an ordinary PyTorch loop; everything in one interleaved run.

    python tests/benchmarks/train_speed.py [--only W1 W2 W3 W4] [--rounds 7] [--seconds 2.5] [--data-dir DIR] [--pythae PYTHON]

Workloads, batches of 64, 10 restarts:

- W1: the `mlp` VAE, d = 50, on the 60,000 × 784 pixels of MNIST
- W2: an iVAE with two hidden layers of 50 on `tcl`, 40,000 × 5
- W3: the `conv` VAE, d = 50, on MNIST
- W4: the `conv` VaDE, d = 50, 40 components, on 6,400 images 32×32×3 of random pixels (a step costs the same on any)

Contestants take turns, `--seconds` each, `--rounds` times; the others wait. stabaudit runs as it does in `stabaudit train`: the
shards of the run on one worker process per core, each of one thread, on data mapped into memory. Steps are counted once the step
is compiled; what that takes is told apart. The rival is one restart in a DataLoader loop on all of torch's default threads: ten
restarts one after another have its speed. With `--pythae PYTHON`, the interpreter of an environment that has pythae, its trainer
takes part in W1.

What needs instructions for bfloat16 is left out where the processor has none.

The floor is the fastest square matrix product of this machine, by any path that torch has, on all cores.

Medians over the rounds. A rival on several threads comes to a halt when anything else runs: ratios mean something on an idle
machine only, and a load average above that of nobody is pointed out.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from rivals import IVAE, Loop, conv_vade, conv_vae, mlp_vae

from stabaudit.data.dataset import Dataset, Split
from stabaudit.data.published_files import DataFolder
from stabaudit.engines import local as workers
from stabaudit.engines.shared_arrays import share, shared
from stabaudit.training.build import builder
from stabaudit.training.prepare import prepare
from stabaudit.training.prepared_run import environment
from stabaudit.training.recipe import Recipe
from stabaudit.training.shards.dataset_arrays import arrays_of, rows_of, splits_of
from stabaudit.training.shards.shard import settle
from stabaudit.training.step import bf16
from stabaudit.training.step.matmul import Products
from stabaudit.training.step.restarts import Restarts

RESTARTS = 10
CHUNK_SECONDS = 0.2  # a worker looks at the clock about so often
BUSY = 0.5  # load average
WARM_UP = 0.5  # seconds
MLP_PRODUCTS = [
    (784, 512),
    (512, 384),
    (384, 256),
    (256, 256),
    (256, 100),
    (50, 256),
    (256, 256),
    (256, 384),
    (384, 512),
    (512, 784),
]
# Floating-point operations of a W1 step: three products of two operations a weight and row, two in the first layer.
MLP_OPERATIONS = 2 * 64 * (3 * sum(a * b for a, b in MLP_PRODUCTS) - 784 * 512)


@dataclass
class Contestant:
    """Somebody whose restart-steps per second are measured again and again."""

    name: str
    workload: str
    rates: list[float] = field(default_factory=list)

    def measure(self, seconds: float) -> None:
        self.rates.append(self.rate(seconds))

    def rate(self, seconds: float) -> float:
        raise NotImplementedError

    @property
    def median(self) -> float:
        return statistics.median(self.rates)


@dataclass
class Rival(Contestant):
    loop: Loop | None = None

    def rate(self, seconds: float) -> float:
        return self.loop.steps_per_second(seconds)


@dataclass
class Pythae(Contestant):
    process: subprocess.Popen | None = None

    def rate(self, seconds: float) -> float:  # noqa: ARG002 -- it does a fixed number of steps
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


@dataclass
class Stabaudit(Contestant):
    """A run's first shards, one in each of the worker processes that training would use."""

    started: float = 0.0
    connections: list = field(default_factory=list)

    def start(self, prepared, arrays: Path) -> None:
        count = workers.default_workers()
        context = workers._context()  # the very processes that `stabaudit train` uses
        products = Products(environment("cpu").products, prepared.config.precision)
        for shard in prepared.shards()[:count]:
            ours, theirs = context.Pipe()
            context.Process(target=train_on_request, args=(theirs, prepared.config, arrays, shard, products), daemon=True).start()
            self.connections.append(ours)
        self.started = max(connection.recv() for connection in self.connections)

    def rate(self, seconds: float) -> float:
        for connection in self.connections:
            connection.send(seconds)
        return sum(connection.recv() for connection in self.connections)


def train_on_request(connection, config, arrays, shard, products) -> None:
    """What a worker does: compile, then train for as long as asked and tell the restart-steps per second."""
    settle()
    start = time.perf_counter()
    train, _ = splits_of(shared(arrays))
    rows = rows_of(train)
    build = builder(config, tuple(train.x.shape[1:]), rows.u.shape[1], len(rows))
    restarts = Restarts(build, [config.seed + index for index in shard], rows, config.training, "cpu", products)
    epoch = restarts.steps_per_epoch
    chunk = restarts.steps_per_epoch = 2
    restarts.train_epoch()
    connection.send(time.perf_counter() - start)
    while True:
        try:
            seconds = connection.recv()
        except EOFError:
            return
        steps, start = 0, time.perf_counter()
        while (passed := time.perf_counter() - start) < seconds:
            restarts.train_epoch()
            steps += chunk
            rate = steps / (time.perf_counter() - start)
            chunk = restarts.steps_per_epoch = min(epoch, max(2, int(rate * CHUNK_SECONDS)))
        connection.send(steps * len(shard) / passed)


def contestants(only, data_dir, pythae, scratch) -> list[Contestant]:
    everyone: list[Contestant] = []
    common = {"restarts": RESTARTS, "steps": 10**9, "schedule": "constant"}
    mnist = {"family": "vae", "data": "mnist", "latent_dim": 50, **common}
    tcl = {"family": "ivae", "data": "tcl", "latent_dim": 5, "settings": {"widths": [50, 50]}, **common}
    coloured = {"family": "vade", "data": "cifar10", "arch": "conv", "latent_dim": 50, **common}
    variants = {
        "W1": {"float32": mnist, "bf16": mnist | {"precision": "bf16"}},
        "W2": {"float32": tcl, "--exact": tcl | {"exact": True}},
        "W3": {"float32": mnist | {"arch": "conv"}, "bf16": mnist | {"arch": "conv", "precision": "bf16"}},
        "W4": {"float32": coloured, "bf16": coloured | {"precision": "bf16"}},
    }
    models = {"W1": mlp_vae, "W2": lambda: IVAE(5, 5, 40, 50), "W3": conv_vae, "W4": conv_vade}
    loaded = {"cifar10": random_images()} if "W4" in only else {}
    for workload in only:
        for variant, recipe in variants[workload].items():
            if variant == "bf16" and bf16.in_hardware() is False:
                print(f"{workload} bf16: this processor has no instructions for it")
                continue
            asked = Recipe(**recipe)
            prepared = prepare(asked, data_folder=DataFolder.locate(data_dir), dataset=loaded.get(asked.dataset))
            loaded[asked.dataset] = prepared.dataset
            arrays = scratch / asked.dataset
            if not arrays.exists():
                share(arrays_of(prepared.dataset), arrays)
            if variant == "float32":
                tensors = [torch.from_numpy(a) for a in (prepared.dataset.train.x, prepared.dataset.train.u) if a is not None]
                loop = Loop(models[workload](), *tensors[: 2 if workload == "W2" else 1])
                everyone.append(Rival("DataLoader loop", workload, loop=loop))
                if workload == "W1" and pythae:
                    everyone.append(Pythae("pythae", workload, process=pythae_process(pythae, arrays / "train.x.npy")))
            contestant = Stabaudit(f"stabaudit {variant}", workload)
            contestant.start(prepared, arrays)
            everyone.append(contestant)
    return everyone


def random_images(rows=6_400) -> Dataset:
    """Rows in the shape of CIFAR-10."""
    x = np.random.default_rng(0).uniform(size=(rows, 3, 32, 32)).astype(np.float32)
    split = Split(x, np.arange(rows))
    return Dataset("cifar10", split, split, "bernoulli")


def pythae_process(python, images) -> subprocess.Popen:
    script = Path(__file__).with_name("pythae_rival.py")
    return subprocess.Popen(
        [python, script, images], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def has_pythae(python: str) -> bool:
    return subprocess.run([python, "-c", "import pythae"], capture_output=True, check=False).returncode == 0


def fastest_product(dtype, size=1536, seconds=2.0) -> tuple[float, str]:
    """Floating-point operations per second of the fastest path on all of torch's threads, and its name."""
    a, b = torch.randn(size, size, dtype=dtype), torch.randn(size, size, dtype=dtype)
    linear = torch.ops.mkldnn._linear_pointwise  # the path that training takes
    paths = {"torch.mm": lambda: torch.mm(a, b), "oneDNN linear": lambda: linear(a, b, None, "none", [], "")}
    fastest = dict.fromkeys(paths, float("inf"))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, path in paths.items():
            start = time.perf_counter()
            path()
            fastest[name] = min(fastest[name], time.perf_counter() - start)
    name = min(fastest, key=fastest.__getitem__)
    return 2 * size**3 / fastest[name], name


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def show_conditions(load: float) -> None:
    """Print what the figures depend on; `load` is the load average before the start."""
    if load > BUSY:
        print(
            f"\nload average {load:.1f} before the start: somebody else is using this machine, and the ratios flatter stabaudit"
        )
    print(f"\n{processor()}, {os.cpu_count()} cores, load average {load:.1f} before; {platform.platform()}")
    print(f"Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}")
    ours = f"{workers.default_workers()} processes of 1, products by {environment('cpu').products}"
    print(f"rival: {torch.get_num_threads()} threads; stabaudit: {ours}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=["W1", "W2", "W3", "W4"], default=["W1", "W2", "W3", "W4"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.5)
    parser.add_argument("--data-dir", type=Path, help="folder with mnist/ (also STABAUDIT_DATA)")
    parser.add_argument("--rival-threads", type=int, default=torch.get_num_threads(), help="of the DataLoader loop")
    parser.add_argument("--pythae", default=sys.executable, help="Python of an environment that has pythae")
    parser.add_argument("--figures", type=Path, help="write the ratios over the loop to this JSON file too")
    options = parser.parse_args()

    load = os.getloadavg()[0]
    torch.set_num_threads(options.rival_threads)
    pythae = options.pythae if has_pythae(options.pythae) else None
    with tempfile.TemporaryDirectory() as scratch:
        everyone = contestants(options.only, options.data_dir, pythae, Path(scratch))
        for contestant in everyone:
            contestant.rate(WARM_UP)
        peaks = []
        for _ in range(options.rounds):
            peaks.append([fastest_product(dtype, seconds=0.4) for dtype in (torch.float32, torch.bfloat16)])
            for contestant in everyone:
                contestant.measure(options.seconds)
    peak = {name: max(round_[i] for round_ in peaks) for i, name in enumerate(("float32", "bf16"))}

    print(f"restart-steps per second, batches of 64; median of {options.rounds} interleaved rounds of {options.seconds:g} s\n")
    print(f"{'':26}{'median':>10}{'slowest':>10}{'fastest':>10}{'over the loop':>16}{'compiled in':>13}")
    figures = {}
    for c in everyone:
        loop = next(rival for rival in everyone if isinstance(rival, Rival) and rival.workload == c.workload)
        line = f"{c.workload:4}{c.name:22}{c.median:10.1f}{min(c.rates):10.1f}{max(c.rates):10.1f}{c.median / loop.median:15.2f}x"
        print(line + (f"{c.started:11.1f} s" if isinstance(c, Stabaudit) else ""))
        figures[f"{c.workload} {c.name}"] = c.median / loop.median
    if "W1" in options.only and pythae is None:
        print("W1  pythae: not installed here; --pythae PYTHON names an environment that has it")
    print()
    for precision, (rate, path) in peak.items():
        line = f"fastest matrix product, {precision}: {rate / 1e9:.0f} GFLOP/s by {path}"
        for c in everyone:
            if c.workload == "W1" and c.name.endswith(precision):
                line += f"; W1 reaches {c.median * MLP_OPERATIONS / rate:.0%} of it"
        print(line)
    show_conditions(load)
    if options.figures:
        options.figures.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
