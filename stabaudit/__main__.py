"""`python -m stabaudit`: the console script without the script."""

from stabaudit.cli.main import main

main()
