"""What this machine offers to trainings, found by looking and, for files and for training itself, by trying."""

import locale
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from stabaudit import __version__
from stabaudit.defaults import DATASET
from stabaudit.engines.local import LocalEngine, default_workers
from stabaudit.errors import BadRun, StabauditError, UsageError, counted
from stabaudit.store.files.atomic import reason, shown
from stabaudit.store.run.lock import WriteLock
from stabaudit.store.run.verify import verify
from stabaudit.training.prepare import job_of
from stabaudit.training.recipe import Recipe
from stabaudit.training.step import bf16
from stabaudit.training.step.matmul import fastest_library
from stabaudit.training.step.torch_compile import require_compiler
from stabaudit.training.train import train

PACKAGES = ("scipy", "scikit-learn", "pandas", "pyarrow", "pydantic", "safetensors", "filelock", "zuko")
INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16")  # as Linux names what speeds up products
GIGABYTE = 1e9
LITTLE = 1.0  # gigabytes of memory or disk, below which a training may come to its end
TRIAL = Recipe(family="vae", dataset=DATASET, latent_dim=2, restarts=2, steps=20, settings={"widths": [16]})

State = Literal["ok", "note", "fails"]


@dataclass(frozen=True)
class Finding:
    """One thing about the machine.

    Args:
        topic: what it is about.
        fact: what was found.
        state: "note" is worth knowing, "fails" keeps trainings from working.
        advice: what to do about it, or "".
    """

    topic: str
    fact: str
    state: State = "ok"
    advice: str = ""


def examine(folder: Path) -> Iterator[Finding]:
    """Look at the machine, then try what a training needs of it; ends with a small training, through the same path as any other.

    Args:
        folder: where runs would go; what is tried there is deleted again.
    """
    own = {"stabaudit": __version__, "Python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    yield Finding("versions", ", ".join(f"{name} {number}" for name, number in own.items()))
    yield Finding("packages", ", ".join(_packages()))
    yield _cores()
    yield _memory()
    yield Finding("device", _device())
    yield Finding("instructions", _instructions())
    yield Finding("matrix products", f"by {fastest_library()}, torch uses {torch.backends.cpu.get_cpu_capability()}")
    yield _compiler()
    yield _encoding()
    yield from (_room("disk", folder), _room("temporary files", Path(tempfile.gettempdir())))
    files = _files(folder)
    yield files
    if files.state == "ok":
        yield _training(folder)


def _packages() -> Iterator[str]:
    for package in PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            yield f"{package} missing"


def _cores() -> Finding:
    usable, there = default_workers(), os.cpu_count() or 1
    train = "trains" if usable == 1 else "train"
    return Finding("cores", f"{usable} of {there}, so {counted(usable, 'restart')} {train} at a time by default")


def _memory() -> Finding:
    try:
        free, total = (
            os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE") / GIGABYTE for pages in ("SC_AVPHYS_PAGES", "SC_PHYS_PAGES")
        )
    except (AttributeError, OSError, ValueError):
        return Finding("memory", "unknown: this system does not say", "note")
    return Finding("memory", f"{total:.1f} GB, {free:.1f} GB of it free") if total > LITTLE else _too_little("memory", total)


def _too_little(topic: str, gigabytes: float) -> Finding:
    return Finding(topic, f"{gigabytes:.1f} GB", "note", "large trainings will not fit")


def _device() -> str:
    if torch.cuda.is_available():
        return f"CUDA: {torch.cuda.get_device_name()}"
    return "CPU; torch finds no CUDA device"


def _instructions() -> str:
    told = bf16.instructions()
    found = [name for name in INSTRUCTIONS if name in told]
    rough = {True: "products of bf16 in hardware", None: "whether products of bf16 are is not told"}
    without = "no products of bf16 in hardware, so that --precision bf16 is refused"
    return f"{', '.join(found) or 'none known'}; {rough.get(bf16.in_hardware(), without)}"


def _compiler() -> Finding:
    try:
        require_compiler("cuda" if torch.cuda.is_available() else "cpu")
    except UsageError as error:
        return Finding("compiler", "none", "note", str(error))
    return Finding("compiler", "found, --compile can be used")


def _encoding() -> Finding:
    output = sys.stdout.encoding or "unknown"
    fact = f"{output} for output, {sys.getfilesystemencoding()} for names, locale {locale.getlocale()[0] or 'C'}"
    try:
        "─ × −".encode(output)
    except (UnicodeEncodeError, LookupError):
        return Finding("encoding", fact, "note", "tables are drawn with hyphens; set PYTHONUTF8=1 for lines")
    return Finding("encoding", fact)


def _room(topic: str, folder: Path) -> Finding:
    try:
        free = shutil.disk_usage(folder).free / GIGABYTE
    except OSError as error:
        return Finding(topic, f"cannot look at {shown(folder)}: {reason(error)}", "fails", "make it, or name another folder")
    return Finding(topic, f"{free:.1f} GB free at {shown(folder)}") if free > LITTLE else _too_little(topic, free)


def _files(folder: Path) -> Finding:
    """Whether files can be written there, and a lock keeps a second writer out."""
    try:
        with tempfile.TemporaryDirectory(prefix=".stabaudit-doctor-", dir=folder) as trial:
            lock = WriteLock(Path(trial))
            try:
                WriteLock(Path(trial)).release()
            except BadRun:
                return Finding("files and locks", f"files can be written in {shown(folder)}, and locks hold")
            finally:
                lock.release()
    except (OSError, BadRun) as error:
        what = reason(error) if isinstance(error, OSError) else str(error)
        return Finding("files and locks", f"cannot write in {shown(folder)}: {what}", "fails", "name another folder")
    return Finding("files and locks", f"locks do not hold in {shown(folder)}", "fails", "use a folder on a local disk")


def _training(folder: Path) -> Finding:
    start = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix=".stabaudit-doctor-", dir=folder) as trial:
            (run,) = train([job_of(TRIAL, Path(trial) / "run")], LocalEngine())
            said = [restart.detail for restart in run.manifest.restarts if restart.state != "done"]
            said += [problem.what for problem in verify(run)]
    except (OSError, StabauditError) as error:
        said = [str(error)]
    if said:
        advice = "fix what is listed above, or train elsewhere; 'stabaudit --debug doctor' shows more"
        return Finding("training", f"does not work: {said[0]}", "fails", advice)
    return Finding("training", f"works: two restarts of twenty steps in {time.monotonic() - start:.1f} s")
