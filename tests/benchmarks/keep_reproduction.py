"""Keep the small files of an audit that ran at full scale, as `fixtures/reproductions/NAME`.

stabaudit audit PLAN --out FOLDER --format json --output AUDIT.json
python tests/benchmarks/keep_reproduction.py FOLDER AUDIT.json fixtures/reproductions/NAME --data "MNIST, the published files"
"""

import argparse
import csv
import json
import re
from itertools import combinations
from pathlib import Path

import stabaudit

KEPT = ("scores", "collapse", "anatomy", "references", "sources_of_variance")
ENVIRONMENT = ("stabaudit", "python", "torch", "numpy", "processor", "cores", "threads_per_worker", "products")


def write(path: Path, rows: list[dict]) -> None:
    """A CSV file of records; lists between spaces, no file of none."""
    if not rows:
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({key: " ".join(map(str, cell)) if isinstance(cell, list) else cell for key, cell in row.items()})


def _trained(manifest: dict) -> list[dict]:
    """The restarts that were trained, of a run that was stopped before its last."""
    return [one for one in manifest["restarts"] if one["state"] != "pending"]


def _of_pairs(run: Path) -> tuple[list[dict], dict[str, float]]:
    """Strong MCC, out-of-sample: a record for each pair, and by restart that with the true sources where a run has some."""
    found = stabaudit.compare(run, floor_draws=1, rotations=1)
    tables = {table.metric: table for table in found.pairs if table.k is None}
    within, sources = tables["strong_mcc"], tables.get("source_strong_mcc")
    pairs = [
        {"run": run.name, "restart_a": a, "restart_b": b, "strong_mcc": float(within.values[a, b])}
        for a, b in combinations(range(len(within.restarts_a)), 2)
    ]
    return pairs, {} if sources is None else dict(zip(sources.restarts_a, sources.values[:, 0].tolist(), strict=True))


def _command(ran: str, only: str | None) -> str:
    """The command that gave a run, without where it read and wrote; `only` is added where the run's own command names more."""
    kept = re.sub(r" --(quiet|workers \d+|data-dir \S+)(?= |$)", "", ran.partition(" --out ")[0])
    return kept if only is None or f"--only {only}" in kept else f"{kept} --only {only}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audit", type=Path, help="folder of the runs")
    parser.add_argument("document", type=Path, help="what the audit wrote as JSON")
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", required=True, help="the dataset in words")
    parser.add_argument("--only", help="of the audit, where not all of it was run")
    parser.add_argument("--deviation", action="append", default=[], help="from the paper, that no plan says; repeat it")
    options = parser.parse_args()
    document = json.loads(options.document.read_text(encoding="utf-8"))
    wanted = {run["name"] for run in document["runs"]}
    folders = [path.parent for path in sorted(options.audit.glob("*/run.json")) if path.parent.name in wanted]
    manifests = [json.loads((folder / "run.json").read_text(encoding="utf-8")) for folder in folders]
    of_pairs = [_of_pairs(folder) for folder in folders]
    found = {restart: value for _, of_sources in of_pairs for restart, value in of_sources.items()}
    options.out.mkdir(parents=True)
    for name in KEPT:
        rows = document.get(name, [])  # only audits that vary one source at a time have the last
        if name == "scores":  # pairs of runs tell nothing of how stable one is
            rows = [row for row in rows if row["relation"] == "within"]
        write(options.out / f"{name}.csv", rows)
    write(options.out / "pairs.csv", [row for pairs, _ in of_pairs for row in pairs])
    restarts = [
        {key: one[key] for key in ("index", "seed", "state", "steps", "seconds")}
        | {key: one["scores"].get(key) for key in ("evaluation_loss", "log_likelihood", "rows_first_log_likelihood")}
        | ({"source_strong_mcc": found[f"{manifest['name']}#{one['index']}"]} if found else {})
        for manifest in manifests
        for one in _trained(manifest)
    ]
    runs = [manifest["name"] for manifest in manifests for _ in _trained(manifest)]
    # Restarts that were stacked into one step have the same seconds, the whole step's.
    together = {(run, row["seconds"]) for run, row in zip(runs, restarts, strict=True)}
    write(options.out / "restarts.csv", [{"run": run} | row for run, row in zip(runs, restarts, strict=True)])
    about = {
        "command": _command(manifests[0]["command"], options.only),
        "created": manifests[0]["created"],
        "environment": {key: manifests[0]["environment"][key] for key in ENVIRONMENT},
        "seconds_of_training": round(sum(seconds for _, seconds in together)),
        "data": options.data,
        "deviations": [row["deviation"] for row in document.get("deviations", [])] + options.deviation,
    }
    (options.out / "about.json").write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
