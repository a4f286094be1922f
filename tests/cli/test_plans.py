"""Every built-in plan, in its quick form, from end to end."""

import struct

import numpy as np
import pytest

from stabaudit.audit.plan_file import built_in, load_plan
from stabaudit.cli.main import _run

pytestmark = pytest.mark.slow

TRAIN, TEST = 512, 256


def write_idx(path, values):
    """The format of MNIST's files: a magic number that ends in the number of axes, their lengths, the values."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(struct.pack(f">I{values.ndim}I", 0x800 + values.ndim, *values.shape) + values.tobytes())


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """MNIST's files, with noise in place of most of its images."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for part, count in (("train", TRAIN), ("t10k", TEST)):
        write_idx(folder / "mnist" / f"{part}-images-idx3-ubyte", rng.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        write_idx(folder / "mnist" / f"{part}-labels-idx1-ubyte", rng.integers(0, 10, count, dtype=np.uint8))
    return folder


@pytest.mark.parametrize("name", built_in())
def test_the_quick_form_of_every_built_in_plan_runs(name, data_dir, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    few = ["--floor-draws", "2", "--rotations", "9", "--workers", "1", "--set", "shard_size=3"]  # a run in one shard, traced once
    status = _run(["audit", name, "--quick", "--quiet", *few, "--data-dir", str(data_dir), "--unchecked-data"])
    out, err = capfd.readouterr()
    assert status == 0, err
    assert "deviation: quick: too little training for its numbers to mean anything" in out
    assert all(f"deviation: {deviation}" in out for deviation in load_plan(name).deviations)
    folder = tmp_path / "audits" / f"{name}-quick"
    done = [path for run in folder.iterdir() if run.is_dir() for path in (run / "latents").iterdir()]
    assert len(done) == sum(recipe.restarts for recipe in load_plan(name).quickly().recipes.values())
    references = load_plan(name).quickly().references
    assert out.count("\n") > 5
    assert all(f"{reference.value:.3f}" in out for reference in references)
