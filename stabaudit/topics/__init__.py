"""Reference texts that `stabaudit explain TOPIC` prints: a topic is one file `TOPIC.txt` in this folder and one line here."""

from importlib.resources import files

from stabaudit.registry import unknown

TOPICS = {
    "scores": "what each score of a pair of restarts asks, and when it is 1",
    "validity": "when each score lies: simulated worlds in which it is too high or too low",
    "floors": "what chance and a rotation leave of a score; adj. and axis",
    "columns": "every column head of every table",
    "verdicts": "what is said of each dimension: axis, subspace, not shared, inactive",
    "diagnose": "what theorems promise of a model, and which conditions they ask for",
    "intervals": "why the restart is the unit, and how often an interval holds the truth",
    "drift": "two versions of one embedding: what is compared, and what the interval is over",
    "gates": "pass, fail, inconclusive; what --require takes",
    "engines": "where restarts are trained: this machine, Ray, SLURM, or parts of a run that are merged",
    "run-folder": "which files a run has, and what they hold",
    "families": "the contract of a family: what a class must have to be trained",
    "exit-codes": "what the exit status says",
}


_WORDS = {
    word: topic
    for topic, words in {
        "floors": ["floor", "chance", "rotation", "adj.", "adjusted", "axis score", "axis alignment"],
        "verdicts": [
            "verdict",
            "axis",
            "axes",
            "subspace",
            "not shared",
            "inactive",
            "partly active",
            "may be an axis",
            "purity",
        ],
        "diagnose": ["theorem", "theorems", "identifiability", "injective", "promise", "p1", "p2", "p3", "f1", "f2", "f3", "f4"],
        "intervals": ["interval", "jackknife", "sd", "se", "restarts"],
        "drift": ["moved", "drift-from", "half-samples", "version"],
        "gates": ["gate", "check", "require", "baseline", "margin", "inconclusive"],
        "scores": ["score", "mcc", "out-of-sample"],
        "engines": ["engine", "ray", "slurm", "shard", "shard-size", "merge", "workers"],
        "run-folder": ["run", "run.json"],
        "families": ["family", "model"],
        "exit-codes": ["exit", "status", "exit status", "exit codes"],
    }.items()
    for word in words
}


def text_of(topic: str) -> str:
    """The text of a topic, without the line end.

    Raises:
        UsageError: an unknown topic, with the nearest known ones.
    """
    topic = _WORDS.get(topic.replace("_", " ").lower(), topic)
    if topic not in TOPICS:
        raise unknown("topic", topic, TOPICS)
    return files(__package__).joinpath(f"{topic}.txt").read_text("utf-8").rstrip()
