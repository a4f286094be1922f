"""`python -m stabaudit`: the console script without the script."""

import sys

if not sys.flags.safe_path and sys.path:
    sys.path.pop(0)  # the working directory, which `python -m` puts first: modules there are for what a user names, and come last

from stabaudit.cli.main import main

main()
