"""A program of the user's at work on a machine of an engine: its latents and its log come back as bytes.

It is called in the folder in which stabaudit was, where that is there with the same scripts; else in an empty folder with the
scripts that its command names and what these import beside them. Whatever else it reads must be there under the same path.
"""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from stabaudit.config import Frozen, NonNegative
from stabaudit.engines.base import Arrays, Report, Task
from stabaudit.engines.shared_arrays import PREFIX, claim
from stabaudit.external.process import Attempt, Ended, running, stop
from stabaudit.store.files.atomic import sha256
from stabaudit.store.run.external_labels import Program
from stabaudit.store.run.parcel import pack, unpack

WORK = "stabaudit.external.remote:work"
TICK = 0.1  # seconds between looks at the program
_ORDER, _ENDED, _LOG, _LATENTS, _SCRIPT = "order.json", "ended.json", "log.txt", "latents", "script/"


class Order(Frozen):
    """A restart that a program is to make.

    Args:
        program: the user's.
        index: of the restart.
        threads: of its numerical libraries, where the environment does not say.
        timeout: seconds that it may take; None: any.
        folder: in which stabaudit was called.
        source: scripts that the command names to SHA-256.
    """

    program: Program
    index: NonNegative
    threads: NonNegative
    timeout: float | None
    folder: str
    source: dict[str, str]


def task_of(key: int, order: Order) -> Task:
    """The task of an order."""
    files = {f"{_SCRIPT}{name}": Path(name).read_bytes() for name in order.source if Path(name).is_file()}
    return Task(key, WORK, pack({_ORDER: order.model_dump_json().encode()} | files), "")


def result_of(parcel: bytes) -> tuple[Ended, bytes, bytes | None]:
    """How a program ended, what it printed, and its latents, where it wrote any."""
    files = unpack(parcel)
    return Ended.model_validate_json(files[_ENDED]), files[_LOG], files.get(_LATENTS)


def work(parcel: bytes, arrays: Arrays, checkpoint: bytes | None, report: Report) -> bytes:  # noqa: ARG001 -- every task's
    """Call a program for one restart and wait for it (see `stabaudit.engines.base.Task`).

    Returns:
        A parcel for `result_of`.
    """
    files = unpack(parcel)
    order = Order.model_validate_json(files[_ORDER])
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory(prefix=PREFIX)))
        claim(scratch, stack)
        attempts = stack.enter_context(running())
        attempt = Attempt(scratch, order.program, order.index)
        attempts.append(attempt)
        attempt.start(order.threads, _place(order, files, scratch))
        while not attempt.has_ended(order.timeout):
            time.sleep(TICK)
        stop([attempt])
        ended = attempt.ended()
        found = {_ENDED: ended.model_dump_json().encode(), _LOG: attempt.log.read_bytes()}
        if attempt.latents.exists():
            found[_LATENTS] = attempt.latents.read_bytes()
        return pack(found)


def _place(order: Order, files: Mapping[str, bytes], scratch: Path) -> Path:
    """The folder in which the program is called."""
    there = Path(order.folder)
    if all((there / name).is_file() and sha256(there / name) == digest for name, digest in order.source.items()):
        return there if there.is_dir() else scratch
    for name in order.source:
        if not Path(name).is_absolute() and ".." not in Path(name).parts and f"{_SCRIPT}{name}" in files:
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / name).write_bytes(files[f"{_SCRIPT}{name}"])
    return scratch
