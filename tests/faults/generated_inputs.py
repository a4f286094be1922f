"""Generated inputs: good files of every format, damaged at random, handed to the command line.

    python tests/faults/generated_inputs.py 1000 [--first 0]

Each case is decided by its number alone. It runs in a forked child, so that a crash, memory and time are those of one case. What
must hold: exit 0 or 2 (1 or 3 where a gate fails or is inconclusive), at most eight lines of errors, no traceback or "internal
error", no Python notation, under 20 s and 600 MB more than the parent.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import feather, parquet

sys.path.insert(0, str(Path(__file__).parent))
import generated_embeddings

Case = Callable[[random.Random], list[str]]
QUICK = ["--floor-draws", "2", "--rotations", "9"]
SECONDS, MEMORY, LINES = 20, 600 << 20, 8
NOTATION = re.compile(r"np\.|Traceback|internal error|<class|\bNoneType\b|\.py:\d+|Warning:")


@dataclass(frozen=True)
class Outcome:
    """What a case gave: the words of the command, its exit status, what it printed to stderr, seconds, bytes above the parent."""

    words: list[str]
    status: int
    err: str
    seconds: float
    memory: int

    @property
    def faults(self) -> list[str]:
        """What must not be, empty where all is well."""
        found = []
        if self.status not in {0, 1, 2, 3}:  # a gate may fail, or be inconclusive
            found.append(f"exit {self.status}")
        if len(self.err.splitlines()) > LINES:
            found.append(f"{len(self.err.splitlines())} lines")
        if NOTATION.search(self.err):
            found.append(f"says {NOTATION.search(self.err)[0]!r}")
        if self.status == 2 and not self.err.strip():
            found.append("exit 2 without a word")
        if self.seconds > SECONDS:
            found.append(f"{self.seconds:.0f} s")
        if self.memory > MEMORY:
            found.append(f"{self.memory >> 20} MB")
        return found


# Good files ------------------------------------------------------------------------------------------------------------------


def table_of(rng: random.Random, seed: int) -> pd.DataFrame:
    """Latents of 40 rows, with an id column of some kind."""
    draws = np.random.default_rng(seed)
    frame = pd.DataFrame(draws.normal(size=(40, 3)), columns=["z0", "z1", "z2"])
    ids = {
        "none": None,
        "whole": np.arange(40),
        "text": [f"cell {i}" for i in range(40)],
        "float": np.arange(40.0),
        "dates": pd.date_range("2026-01-01", periods=40),
    }[rng.choice(["none", "whole", "text", "float", "dates"])]
    if ids is not None:
        frame.insert(0, rng.choice(["sample_id", "id", "cell_id"]), ids)
    if rng.random() < 0.3:
        frame["label"] = draws.integers(0, 3, 40)
    return frame


def arrays_of(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    arrays = {"z": frame[["z0", "z1", "z2"]].to_numpy()}
    return arrays | {name: frame[name].to_numpy() for name in frame.columns if name in {"sample_id", "label"}}


def as_h5ad(frame: pd.DataFrame) -> bytes:
    h5py = __import__("h5py")
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["obsm/X_latent"] = frame[["z0", "z1", "z2"]].to_numpy()
        file["obs/_index"] = np.array([f"cell {i}".encode() for i in range(len(frame))])
        file["obs"].attrs["_index"] = "_index"
    return buffer.getvalue()


def saved(write: Callable[[io.BytesIO], object]) -> bytes:
    write(buffer := io.BytesIO())
    return buffer.getvalue()


def text_table(frame: pd.DataFrame, separator: str) -> bytes:
    return frame.to_csv(index=False, sep=separator).encode()


LATENTS: dict[str, Callable[[pd.DataFrame], bytes]] = {
    ".npy": lambda frame: saved(lambda file: np.save(file, arrays_of(frame)["z"])),
    ".npz": lambda frame: saved(lambda file: np.savez(file, **{k: v for k, v in arrays_of(frame).items() if v.dtype != object})),
    ".csv": lambda frame: text_table(frame, ","),
    ".tsv": lambda frame: text_table(frame, "\t"),
    ".csv.gz": lambda frame: gzip.compress(text_table(frame, ",")),
    ".parquet": lambda frame: saved(lambda file: parquet.write_table(pa.Table.from_pandas(frame), file)),
    ".feather": lambda frame: saved(lambda file: feather.write_feather(frame, file)),
    ".h5ad": as_h5ad,
}
SCORES = "model,dataset,seed,mcc\n" + "".join(
    f"{model},{data},{seed},{0.5 + 0.01 * seed}\n" for model in "ab" for data in "pqrst" for seed in range(2)
)
PLAN = """
summary = "Which of two?"
[defaults]
data = "data.npz"
restarts = 2
steps = 4
batch_size = 8
settings.widths = [4]
[grid]
family = ["vae", "vade"]
latent_dim = [2, 3]
"""


# Damage ----------------------------------------------------------------------------------------------------------------------


CHARACTERS = [b"\0", b"\xff", b"\xef\xbb\xbf", b"\n", b'"', b"'", b",", b";", b"\r\n", b"\xe2\x80\xa8"]
NUMBERS = [b"nan", b"inf", b"-1e308", b"1e400", b"9" * 400, b"-", b"1,5", b"50%", b"None", b""]


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The same, or with a part lost, repeated, overwritten, inserted or exchanged."""
    data = bytearray(content)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 4])):
        at = rng.randrange(len(data) + 1)
        length = rng.choice([1, 1, 2, 4, 8, 100, len(data)])
        match rng.randrange(7):
            case 0:
                del data[at:]
            case 1:
                del data[at : at + length]
            case 2:
                data[at : at + length] = rng.randbytes(min(length, 64))
            case 3:
                data[at:at] = data[at : at + length]
            case 4:
                data[at : at + 1] = rng.choice(CHARACTERS)
            case 5:
                data[at : at + 1] = rng.choice(NUMBERS)
            case 6:
                number = rng.choice([0, 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1])
                data[at : at + 8] = number.to_bytes(8, rng.choice(["little", "big"]))
    return bytes(data)


ODD = [None, True, -1, 0, 1, 2**70, 1e308, "", "\0", "\u2028", "nan", [], {}, [[]], "x" * 5000, "../../etc", "os:abort", 0.5]


def damaged_json(document: object, rng: random.Random) -> object:
    """A document with one value exchanged, taken away or added."""
    found: list[tuple[object, object]] = []

    def walk(value: object) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in items:
            found.append((value, key))
            walk(inner)

    walk(document)
    holder, key = rng.choice(found)
    match rng.randrange(4):
        case 0 if isinstance(holder, dict):
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[rng.choice(["extra", "", "\n"])] = rng.choice(ODD)
        case _:
            holder[key] = rng.choice(ODD)
    return document


# Cases -----------------------------------------------------------------------------------------------------------------------


def latents_case(rng: random.Random) -> list[str]:
    suffix = rng.choice(list(LATENTS))
    spoil = rng.randrange(3)
    for restart in range(3):
        content = LATENTS[suffix](table_of(random.Random(spoil), restart))
        Path(f"z{restart}{suffix}").write_bytes(damaged(content, rng) if restart == spoil else content)
    files = [f"z{restart}{suffix}" for restart in range(3)]
    more = rng.choice([[], ["--ids-by-position"], ["--strict"], ["--id-column", "sample_id"]])
    if rng.random() < 0.5:
        return ["import", *files, "--out", "run", *more]
    return ["compare", *files, *QUICK, "--memory", "100MB", *more]


def data_case(rng: random.Random) -> list[str]:
    suffix = rng.choice([".npy", ".npz", ".csv", ".tsv", ".parquet"])
    frame = table_of(rng, 0)
    content = LATENTS[suffix](frame)
    if suffix == ".npz":
        content = saved(lambda file: np.savez(file, x=frame[["z0", "z1", "z2"]].to_numpy(), u=np.arange(40) % 3))
    Path(f"data{suffix}").write_bytes(damaged(content, rng))
    return ["train", rng.choice(["vae", "ivae"]), "--data", f"data{suffix}", "--dry-run", "--batch-size", "8"]


def archive_case(rng: random.Random) -> list[str]:
    """Members that promise more than they hold, lie over each other, or are no arrays."""
    with zipfile.ZipFile("z.npz", "w", zipfile.ZIP_DEFLATED) as file:
        header, kind = io.BytesIO(), rng.choice(["<f8", "|O", "<U9", "<c16"])
        shape = rng.choice([(10**9, 4), (40, 10**8), (0, 3), (40, 0), (2**62, 2**62), (40, 3), (-1, 3)])
        np.lib.format.write_array_header_1_0(header, {"descr": kind, "fortran_order": False, "shape": shape})
        content = header.getvalue() + bytes(rng.choice([0, 100, 960, 1 << 24]))
        file.writestr(rng.choice(["z.npy", "z", "../z.npy", "a/z.npy"]), content)
        if rng.random() < 0.3:
            file.writestr("sample_id.npy", header.getvalue())
    return ["compare", "z.npz", "z.npz", "--memory", "100MB", "--ids-by-position"]


def scores_case(rng: random.Random) -> list[str]:
    separator = rng.choice([",", ";", "\t"])
    Path("scores.csv").write_bytes(damaged(SCORES.replace(",", separator).encode(), rng))
    return ["report", "--wilcoxon", "scores.csv"]


def plan_case(rng: random.Random) -> list[str]:
    np.savez("data.npz", x=np.zeros((40, 3)))
    Path("plan.toml").write_bytes(damaged(PLAN.encode(), rng))
    return ["audit", "plan.toml", "--dry-run"]


def baseline_case(rng: random.Random) -> list[str]:
    shutil.copytree(os.environ["GENERATED_RUN"], "run")
    document = json.loads(Path(os.environ["GENERATED_BASELINE"]).read_text())
    text = json.dumps(damaged_json(document, rng)).encode()
    Path("baseline.json").write_bytes(damaged(text, rng) if rng.random() < 0.3 else text)
    return ["check", "run", "--baseline", "baseline.json", *QUICK]


def manifest_case(rng: random.Random) -> list[str]:
    shutil.copytree(os.environ["GENERATED_RUN"], "run")
    path = Path("run/run.json")
    document = json.loads(path.read_text())
    del document["sha256"]
    content = json.dumps(damaged_json(document, rng), indent=2).encode()
    seal = f',\n  "sha256": "{hashlib.sha256(content).hexdigest()}"\n}}\n'.encode()
    path.write_bytes(content.removesuffix(b"\n}") + seal)
    return rng.choice([["compare", "run", *QUICK], ["verify", "run"], ["show", "run"], ["report", "run"]])


def run_file_case(rng: random.Random) -> list[str]:
    shutil.copytree(os.environ["GENERATED_RUN"], "run")
    path = rng.choice(sorted(one for one in Path("run").rglob("*") if one.is_file()))
    path.write_bytes(damaged(path.read_bytes(), rng))
    return rng.choice([["compare", "run", *QUICK], ["verify", "run"], ["dimensions", "run"]])


def embedding_case(case: Callable[[random.Random, Callable[[bytes, random.Random], bytes]], list[str]]) -> Case:
    return lambda rng: case(rng, damaged)


CASES: list[Case] = [
    *map(embedding_case, generated_embeddings.CASES),
    *(latents_case, latents_case, latents_case, data_case, archive_case, scores_case),
    *(plan_case, baseline_case, manifest_case, run_file_case),
]


# Running ---------------------------------------------------------------------------------------------------------------------


def prepare(folder: Path) -> None:
    """Load what commands need, and make the run and the baseline that cases damage."""
    import stabaudit.training.prepare  # noqa: F401 -- loaded once, for all children
    from stabaudit.cli.main import _run

    for restart in range(3):
        np.save(folder / f"made-{restart}.npy", arrays_of(table_of(random.Random(0), restart))["z"])
    files = [str(folder / f"made-{restart}.npy") for restart in range(3)]
    os.environ["GENERATED_RUN"], os.environ["GENERATED_BASELINE"] = str(folder / "run"), str(folder / "baseline.json")
    with Path(os.devnull).open("w") as nothing:
        sys.stdout, sys.stderr, kept = nothing, nothing, (sys.stdout, sys.stderr)
        try:
            assert _run(["import", *files, "--ids-by-position", "--out", os.environ["GENERATED_RUN"]]) == 0
            baseline = ["--baseline", os.environ["GENERATED_BASELINE"], "--update-baseline"]
            assert _run(["check", os.environ["GENERATED_RUN"], *baseline, *QUICK]) == 0
        finally:
            sys.stdout, sys.stderr = kept


def run_case(number: int, folder: Path) -> Outcome:
    """One case in a child of its own."""
    place = folder / f"case-{number}"
    place.mkdir()
    words_file, err_file = place.with_suffix(".words"), place.with_suffix(".err")
    began = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = os.fork()
    if child == 0:
        status = 70
        try:
            os.chdir(place)
            signal.alarm(3 * SECONDS)
            rng = random.Random(number)
            words = CASES[number % len(CASES)](rng)
            words_file.write_text(json.dumps(words))
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(os.open(err_file, os.O_WRONLY | os.O_CREAT), 2)
            from stabaudit.cli.main import main

            sys.argv = ["stabaudit", *words]
            try:
                main(words)
                status = 0
            except SystemExit as stop:
                status = stop.code if isinstance(stop.code, int) else 70
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)
    _, waited, usage = os.wait4(child, 0)
    words = json.loads(words_file.read_text()) if words_file.exists() else ["the case itself failed"]
    err = err_file.read_text(errors="replace") if err_file.exists() else ""
    seconds = time.monotonic() - began
    shutil.rmtree(place)
    status = os.waitstatus_to_exitcode(waited)
    return Outcome(words, status, err, seconds, max(0, (usage.ru_maxrss - before) * 1024))


def main() -> NoReturn:
    """Run cases and print those that go wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    wrong, statuses = 0, {}
    with tempfile.TemporaryDirectory() as scratch:
        prepare(Path(scratch))
        for number in range(options.first, options.first + options.count):
            outcome = run_case(number, Path(scratch))
            statuses[outcome.status] = statuses.get(outcome.status, 0) + 1
            if outcome.faults:
                wrong += 1
                said = f"case {number}: {', '.join(outcome.faults)}: {' '.join(outcome.words)}\n{outcome.err[-1500:]}\n"
                sys.stdout.write(said)
    sys.stdout.write(f"{options.count} cases, {wrong} wrong, by exit status {statuses}\n")
    sys.exit(min(wrong, 1))


if __name__ == "__main__":
    main()
