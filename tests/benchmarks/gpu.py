"""How long ten restarts take on a GPU beside one, and both beside an ordinary PyTorch loop; everything in one interleaved run.

    python tests/benchmarks/gpu.py [--rounds 5] [--seconds 1.5]

Batches of 64 of random pixels (what a step costs does not depend on them):

- W1: the `mlp` VAE, d = 50, on 28×28×1
- W2: an iVAE with two hidden layers of 50 on 5 columns and 40 segments
- W3: the `conv` VAE, d = 50, on 28×28×1
- W4: the `conv` VaDE, d = 50, on 32×32×3

The rival is one restart in a loop as people write it, with its rows already on the GPU. Ours runs recorded (as `stabaudit train`
does), and for comparison kernel by kernel. "ten over one" is the time of a step of ten restarts in units of that of one.
"""

import argparse
import statistics
import time

import numpy as np
import torch
from rivals import BATCH, IVAE, conv_vade, conv_vae, mlp_vae

from stabaudit.data.dataset import Dataset, Split
from stabaudit.training.build import builder
from stabaudit.training.prepare import prepare
from stabaudit.training.recipe import Recipe
from stabaudit.training.shards.dataset_arrays import rows_of
from stabaudit.training.step import cuda_graph
from stabaudit.training.step.restarts import Restarts

ROWS = 6_400


def dataset(shape, segments=None):
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(ROWS, *shape)).astype(np.float32)
    u = None if segments is None else np.eye(segments, dtype=np.float32)[rng.integers(segments, size=ROWS)]
    split = Split(x, np.arange(ROWS), u=u)
    return Dataset("mnist" if segments is None else "tcl", split, split, "bernoulli" if segments is None else "gaussian")


class Ours:
    def __init__(self, recipe, data, count):
        self.count = count
        common = {"restarts": count, "steps": 10**9, "schedule": "constant", "device": "cuda"}
        config = prepare(Recipe(**recipe, **common), dataset=data).config
        rows = rows_of(data.train)
        build = builder(config, tuple(data.train.x.shape[1:]), rows.u.shape[1], len(rows))
        self.restarts = Restarts(build, list(range(count)), rows, config.training, "cuda")
        self.restarts.train_epoch()

    def steps_per_second(self, seconds):
        torch.cuda.synchronize()
        steps, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            self.restarts.train_epoch()  # ends with a copy to the host
            steps += self.restarts.steps_per_epoch
        return steps / (time.perf_counter() - start)


class ByKernel(Ours):
    def __init__(self, *of):
        before, cuda_graph.KERNEL_BY_KERNEL = cuda_graph.KERNEL_BY_KERNEL, 10**9
        super().__init__(*of)
        cuda_graph.KERNEL_BY_KERNEL = before


class Loop:
    count = 1

    def __init__(self, model, data):
        self.model = model.cuda().train()
        self.tensors = [torch.from_numpy(a).cuda() for a in (data.train.x, data.train.u) if a is not None]
        self.optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def steps_per_second(self, seconds):
        torch.cuda.synchronize()
        steps, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            for rows in torch.randperm(ROWS, device="cuda").split(BATCH):
                loss = self.model.loss(*(tensor[rows] for tensor in self.tensors))
                self.optimiser.zero_grad()
                loss.backward()
                self.optimiser.step()
                steps += 1
            loss.item()
        return steps / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5)
    options = parser.parse_args()
    grey, coloured, table = dataset((1, 28, 28)), dataset((3, 32, 32)), dataset((5,), 40)
    image = {"data": "mnist", "latent_dim": 50}
    workloads = {
        "W1": ({"family": "vae", **image}, grey, mlp_vae),
        "W2": (
            {"family": "ivae", "data": "tcl", "latent_dim": 5, "settings": {"widths": [50, 50]}},
            table,
            lambda: IVAE(5, 5, 40, 50),
        ),
        "W3": ({"family": "vae", "arch": "conv", **image}, grey, conv_vae),
        "W4": ({"family": "vade", "arch": "conv", **image}, coloured, conv_vade),
    }
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}; batches of {BATCH}, medians of {options.rounds} rounds")
    for name, (recipe, data, rival) in workloads.items():
        everyone = {"one, recorded": Ours(recipe, data, 1), "ten, recorded": Ours(recipe, data, 10)}
        everyone |= {"one, by kernel": ByKernel(recipe, data, 1), "ten, by kernel": ByKernel(recipe, data, 10)}
        everyone["plain loop"] = Loop(rival(), data)
        rates = {who: [] for who in everyone}
        for one in everyone.values():
            one.steps_per_second(0.3)
        for _ in range(options.rounds):
            for who, one in everyone.items():
                rates[who].append(one.steps_per_second(options.seconds))
        middle = {who: statistics.median(of) for who, of in rates.items()}
        for who, rate in middle.items():
            over = f", {rate * everyone[who].count / middle['plain loop']:6.1f}x the loop"
            print(f"{name} {who:16}{rate:9.0f} steps/s,{rate * everyone[who].count:9.0f} restart-steps/s{over}", flush=True)
        for how in ("recorded", "by kernel"):
            print(f"{name} ten over one, {how}: {middle[f'one, {how}'] / middle[f'ten, {how}']:.2f}", flush=True)


if __name__ == "__main__":
    main()
