"""The whole suite, one benchmark after another, and what was reached beside what was asked for.

    python tests/benchmarks/run.py [--data-dir DIR] [--pythae PYTHON] [--quick]

`train_speed.py`, `compare_pairs.py` and `compare_scale.py` each run stabaudit and its rivals interleaved in one process run, and
print medians and ratios with the machine, the versions and the threads. `--quick` tries the suite: short rounds of less work,
whose figures mean little.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
QUICK = {
    "train_speed.py": ["--rounds", "2", "--seconds", "0.5"],
    "compare_pairs.py": ["--rounds", "2"],
    "compare_scale.py": ["--restarts", "10,100", "--rows", "100000"],
}
# What is measured, the figure's name in its benchmark, at least (or at most), the aim, and how it is written.
ASKED = [
    ("W1 (mlp VAE on MNIST) float32, over the DataLoader loop", "W1 stabaudit float32", 2.0, 3.5, "{:.2f}×"),
    ("W1 bf16", "W1 stabaudit bf16", 3.0, 5.0, "{:.2f}×"),
    ("W2 (iVAE on tcl), over the DataLoader loop", "W2 stabaudit float32", 8.0, 30.0, "{:.1f}×"),
    ("W3 (conv VAE on MNIST) float32, over the DataLoader loop", "W3 stabaudit float32", 1.5, 3.5, "{:.2f}×"),
    ("W3 bf16", "W3 stabaudit bf16", 2.2, 4.0, "{:.2f}×"),
    ("every score of 45 pairs, over scikit-learn CCA per pair", "every score over scikit-learn CCA", 300, 1000, "{:.0f}×"),
    (
        "strong MCC of 45 pairs, over np.corrcoef + Hungarian",
        "strong MCC alone over np.corrcoef + Hungarian",
        3.0,
        7.0,
        "{:.1f}×",
    ),
    ("4,950 pairs, every score", "seconds of every score of 100", 10, 3, "{:.1f} s"),
    ("4,950 pairs, compare with floors", "seconds of compare of 100", 15, 8, "{:.1f} s"),
    ("45 pairs, compare with floors", "seconds of compare of 10", 0.5, 0.4, "{:.2f} s"),
    ("a million rows: peak memory over the imports", "megabytes of many rows", 500, 300, "{:.0f} MB"),
]


def measured(script: str, arguments: list[str]) -> dict[str, float]:
    """Run a benchmark, its output passed through; its figures by name."""
    print(f"\n## {script}\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        subprocess.run([sys.executable, HERE / script, *arguments, "--figures", figures], check=True)
        return json.loads(figures.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with mnist/ (also STABAUDIT_DATA)")
    parser.add_argument("--pythae", help="Python of an environment that has pythae")
    parser.add_argument("--quick", action="store_true", help="try the suite: short, and its figures mean little")
    options = parser.parse_args()
    training = [f"--{name}={value}" for name in ("data-dir", "pythae") if (value := getattr(options, name.replace("-", "_")))]
    figures = {}
    for script, quick in QUICK.items():
        figures |= measured(script, (training if script == "train_speed.py" else []) + (quick if options.quick else []))

    print(f"\n## {datetime.now(UTC):%Y-%m-%d}{', quick: not to be quoted' if options.quick else ''}\n")
    print("| | asked for | aim | reached |\n|---|---|---|---|")
    for what, name, least, aim, form in ASKED:
        print(f"| {what} | {form.format(least)} | {form.format(aim)} | {form.format(figures[name])} |")


if __name__ == "__main__":
    main()
