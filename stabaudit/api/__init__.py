"""The library: what the commands do, as functions that return typed results.

    import stabaudit

    run = stabaudit.train("vade", data="digits", latent_dim=4, restarts=5, out="runs/vade")
    found = stabaudit.compare(run.folder)
    print(stabaudit.frame(found.scores))

The commands that compare parse their options, call these functions and render what comes back; `train` shows
its progress besides. As on the command line, a score comes with its floors and a mean over pairs with its interval; what a user
did wrong is a `StabauditError` that says so in one line.
"""

from stabaudit.api.comparing import align, compare, dimensions, drift, spread
from stabaudit.api.diagnosing import diagnose
from stabaudit.api.dictionaries import features
from stabaudit.api.frames import frame
from stabaudit.api.judging import Checked, DriftChecked, Reported, check, check_drift, compare_families, report
from stabaudit.api.runs import load_run, train

__all__ = [
    "Checked",
    "DriftChecked",
    "Reported",
    "align",
    "check",
    "check_drift",
    "compare",
    "compare_families",
    "diagnose",
    "dimensions",
    "drift",
    "features",
    "frame",
    "load_run",
    "report",
    "spread",
    "train",
]
