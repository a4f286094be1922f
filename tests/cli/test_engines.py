"""Options that say where a run is trained, or which part of it: what is refused, and in which words."""

import pytest

from stabaudit.cli.main import _run

TRAIN = ("train", "vae", "--data", "digits", "--out", "r")
REFUSED = {
    "unknown engine": (("--engine", "dask"), "unknown engine 'dask'; known: local, ray, slurm"),
    "no engine": (
        ("--engine", "os:getcwd"),
        "engine 'os:getcwd' has no method 'run': expected a class as stabaudit.engines.base.Engine says",
    ),
    "setting of none": (("--engine-set", "x=1"), "--engine-set x: engine 'local' has no such setting; it has none"),
    "no setting": (("--engine-set", "x"), "--engine-set 'x': expected key=value"),
    "unknown setting": (
        ("--engine", "ray", "--engine-set", "adress=1"),
        "--engine-set adress: engine 'ray' has no such setting; it has address, gpus",
    ),
    "wrong amount": (("--engine", "ray", "--engine-set", "gpus=x"), "--engine-set gpus=x: expected a number of at least 0"),
    "one number": (("--shard", "3"), "--shard '3': expected I/N, such as 1/3, 2/3 and 3/3 for the three parts of a run"),
    "beyond": (("--shard", "3/2"), "--shard '3/2': expected I/N, such as 1/3, 2/3 and 3/3 for the three parts of a run"),
    "none": (("--shard", "0/2"), "--shard '0/2': expected I/N, such as 1/3, 2/3 and 3/3 for the three parts of a run"),
    "more parts than groups": (
        ("-n", "4", "--shard-size", "2", "--shard", "1/8"),
        "--shard 1/8: 4 restarts are trained in 2 groups; there cannot be 8 parts",
    ),
    "a part until": (
        ("--shard", "1/2", "--until", "strong_mcc+-0.1"),
        "--until looks at all restarts, --shard trains a part of them",
    ),
    "exact groups": (
        ("--exact", "--shard-size", "2"),
        "--exact trains each restart by itself, --shard-size 2 several together; drop one",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_before_anything_is_written(name, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options, message = REFUSED[name]
    assert _run([*TRAIN, *options]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("stabaudit: error: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("compare", "r", "--engine", "local", "--workers", "3"), "here pairs are scored on all cores of this machine"),
        (("compare", "r", "--engine", "dask"), "unknown engine 'dask'; known: local, ray, slurm"),
        (("compare", "r", "--pairs", "0"), "--pairs"),
        (("merge", "r", "--out", "m"), "merge needs at least two folders"),
        (("push", "r", "s3://bucket/r"), "r: no such file or folder; check the path"),
    ],
)
def test_other_commands_refuse_in_one_line(words, message, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert _run([*words]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert message in line
