"""What stands between stabaudit and one program of the user's: it ends the program when stabaudit is gone.

It is run as a program of its own, the first of a process group, and imports nothing but what every Python has. Its input is a
pipe that stabaudit holds open: the end of it says that stabaudit has ended, however it did, on every system of the POSIX kind.
Signals are for the program, which gets them too; here they wait. That the program ended well by itself is noted beside its
latents, so that the next call can take them in where this one no longer could.
"""

import os
import signal
import sys
import threading
import time
from contextlib import suppress

NOTE = "complete"  # an empty file in the folder of an attempt: its program ended well
_FOR_THE_PROGRAM = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_CANNOT_BE_CALLED = 126  # exit status, as of a shell


def watch(patience: float, note: str, arguments: list[str]) -> None:
    """Run a program to its end, and end as it did.

    Args:
        patience: seconds that the program has to end in once stabaudit is gone.
        note: path of the file that says that the program ended well.
        arguments: of the program.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_PROGRAM)
    try:
        process = os.posix_spawnp(
            arguments[0],
            arguments,
            os.environ,
            file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
            setsigmask=mask,
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # Python ignores them
        )
    except OSError as error:
        os.write(2, f"{arguments[0]} cannot be called: {error.strerror}\n".encode(errors="backslashreplace"))
        os._exit(_CANNOT_BE_CALLED)
    for number in signal.sigpending() & _FOR_THE_PROGRAM:  # came before there was one
        os.kill(process, number)
    alone = threading.Event()
    threading.Thread(target=_end_when_alone, args=(patience, alone), daemon=True).start()
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if alone.is_set():
        os.killpg(0, signal.SIGKILL)  # what the program has started too
    if status == 0:
        with suppress(OSError):  # without it the program is called again
            os.close(os.open(note, os.O_WRONLY | os.O_CREAT, 0o666))
    if status < 0:
        _end_by(-status)
    os._exit(status)


def _end_when_alone(patience: float, alone: threading.Event) -> None:
    while os.read(0, 1):
        pass
    alone.set()
    os.killpg(0, signal.SIGTERM)
    time.sleep(patience)
    os.killpg(0, signal.SIGKILL)


def _end_by(number: int) -> None:
    """End by the signal that ended the program, so that stabaudit sees it; without a core file of this process."""
    import resource  # noqa: PLC0415 -- rarely needed

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for waiting in _FOR_THE_PROGRAM:
        signal.signal(waiting, signal.SIG_IGN)  # forgotten
    if number not in {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.kill(os.getpid(), number)


if __name__ == "__main__":
    watch(float(sys.argv[1]), sys.argv[2], sys.argv[3:])
