"""`python -m stabaudit`: the console script without the script."""

import sys
from pathlib import Path

# The working directory, which `python -m` puts first, is for modules that a user names, and comes last. Where stabaudit itself
# lies in it, uninstalled, worker processes need it.
if not sys.flags.safe_path and sys.path:
    here = sys.path.pop(0)
    if Path(here).resolve() == Path(__file__).resolve().parents[1]:
        sys.path.append(here)

from stabaudit.cli.main import main

main()
