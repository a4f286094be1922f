"""What is no regular file is refused at once, wherever a file is read: a pipe would wait for ever, a device never end."""

import os
import socket
from pathlib import Path

import numpy as np
import pytest

from stabaudit.audit import plan_file
from stabaudit.cli.main import _run
from stabaudit.comparison.gating import baseline
from stabaudit.store.files.regular import open_regular, read_regular
from stabaudit.store.run import manifest

PLACES = {  # a command line by the file in it that is no regular one
    **{f"x{ending}": ["compare", f"x{ending}", "good.npy"] for ending in (".npy", ".npz", ".csv", ".tsv", ".parquet", ".h5ad")},
    "imported.npy": ["import", "imported.npy", "good.npy", "--ids-by-position", "--out", "new"],
    "sources.csv": ["import", "good.npy", "--ids-by-position", "--sources", "sources.csv", "--out", "new"],
    "baseline.json": ["check", "run", "--baseline", "baseline.json"],
    "plan.toml": ["audit", "plan.toml", "--dry-run"],
    "scores.csv": ["report", "scores.csv", "--wilcoxon"],
    "data.npz": ["train", "vae", "--data", "data.npz", "--dry-run"],
    "data.csv": ["train", "vae", "--data", "data.csv", "--dry-run"],
    "data.parquet": ["train", "vae", "--data", "data.parquet", "--dry-run"],
    "run/run.json": ["compare", "run"],
    "run/latents/restart-000.parquet": ["compare", "run"],
}


@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("place", PLACES)
def test_it_is_refused_in_every_place(place, kind, make_run, tmp_path, monkeypatch, capfd):  # noqa: PLR0917
    monkeypatch.chdir(tmp_path)
    make_run("run")
    np.save("good.npy", np.random.default_rng(0).normal(size=(50, 2)))
    Path(place).unlink(missing_ok=True)
    os.mkfifo("pipe")
    Path(place).symlink_to((tmp_path / "pipe") if kind == "pipe" else "/dev/zero")
    assert _run(PLACES[place]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "internal error" not in err
    assert not Path("new").exists()


def test_other_kinds_are_named(tmp_path):
    with pytest.raises(OSError, match="a device, expected a regular file"):
        open_regular(Path("/dev/null"))
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        with pytest.raises(OSError, match="a socket"):
            read_regular(tmp_path / "s")


def test_files_that_should_be_small_are_not_read_when_they_are_not(make_run, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    make_run("run")
    for module, name in ((manifest, "MANIFEST_BYTES"), (baseline, "BASELINE_BYTES"), (plan_file, "PLAN_BYTES")):
        monkeypatch.setattr(module, name, 10)
    Path("b.json").write_text("{}" + " " * 20)
    Path("p.toml").write_text("#" * 20)
    for words in (["show", "run"], ["audit", "p.toml", "--dry-run"]):
        assert _run(words) == 2
        assert "bytes, expected at most 10" in capfd.readouterr().err
    monkeypatch.setattr(manifest, "MANIFEST_BYTES", 16 << 20)
    assert _run(["check", "run", "--baseline", "b.json", "--floor-draws", "1"]) == 2
    assert "b.json: it has 22 bytes, expected at most 10" in capfd.readouterr().err
