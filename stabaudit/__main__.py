"""The console script, and `python -m stabaudit`."""

import sys


def main() -> None:
    """Run the command line of this process, and exit with its status.

    While modules are imported Ctrl-C ends the process at once, as SIGTERM does, without a traceback.
    """
    import signal  # noqa: PLC0415 -- where modules are found is settled now

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # and not ignored, as in the background
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from stabaudit.cli.main import main as run  # noqa: PLC0415 -- Ctrl-C is settled first

    run()


if __name__ == "__main__":
    # The working directory, which `python -m` puts first, is for modules that a user names, and comes last. Where stabaudit
    # itself lies in it, uninstalled, worker processes need it.
    if not sys.flags.safe_path and sys.path:
        here = sys.path.pop(0)  # before anything is imported from there
        from pathlib import Path

        if Path(here).resolve() == Path(__file__).resolve().parents[1]:
            sys.path.append(here)
    main()
