"""Text from a file to a compared run, as users see it, and what cannot read it."""

import json

import pytest

from stabaudit.cli.main import _run

pytestmark = pytest.mark.slow
LINES = "".join(f"{row % 2}\t{' '.join(f'w{(row * place) % 13}' for place in range(1, 6))}\n" for row in range(300))
SMALL = ["--latent-dim", "2", "-n", "2", "--steps", "4", "--set", "hidden=4", "--quiet"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "reviews.txt").write_text(LINES)
    return tmp_path


def test_a_file_is_trained_on_and_compared(here, capfd):
    assert _run(["train", "svae", "--data", "text:texts/reviews.txt", *SMALL]) == 0
    run = here / "runs" / "svae-lstm-reviews-d2"
    scores = json.loads((run / "run.json").read_text())["restarts"][0]["scores"]
    assert scores["perplexity"] > 1
    capfd.readouterr()
    assert _run(["compare", str(run), "--floor-draws", "2", "--format", "json"]) == 0
    document = json.loads(capfd.readouterr().out)
    remarks = {row["score"]: row["note"] for row in document["collapse"]}
    assert remarks["perplexity"] == remarks["word_log_likelihood"] == "360 symbols"  # 60 documents of five words and an end
    assert _run(["train", "svae", "--data", "text:texts/reviews.txt", *SMALL]) == 0  # nothing is left to do


REFUSED = {
    "arch": (
        ["vae", "--data", "text:texts/reviews.txt", "--arch", "mlp"],
        "architecture 'mlp' reads no text, as text:texts/reviews.txt is: --arch lstm",
    ),
    "family": (
        ["lidvae", "--data", "text:texts/reviews.txt"],
        "family 'lidvae' has no likelihood of words, and text:texts/reviews.txt is text; try 'svae' or 'vae'",
    ),
    "likelihood": (
        ["vae", "--data", "text:texts/reviews.txt", "--likelihood", "gaussian"],
        "text:texts/reviews.txt is text, whose likelihood is 'categorical', not 'gaussian': leave --likelihood out",
    ),
    "numbers": (
        ["vae", "--data", "digits", "--likelihood", "categorical"],
        "the likelihood 'categorical' is for text, and digits is none: leave --likelihood out",
    ),
    "svae of images": (
        ["svae", "--data", "digits"],
        "family 'svae' is for text, and digits is none; try 'vae'",
    ),
    "svae on mlp": (
        ["svae", "--data", "text:texts/reviews.txt", "--arch", "mlp"],
        "family 'svae' needs --arch lstm, not 'mlp'",
    ),
    "lstm of images": (
        ["vae", "--data", "digits", "--arch", "lstm"],
        "architecture 'lstm' needs documents, these data have the shape 1×8×8; use --arch mlp",
    ),
    "geometry": (
        ["svae", "--data", "text:texts/reviews.txt", "--geometry"],
        "--geometry: family 'svae' has no decoder of a vector z to measure distances by",
    ),
    "missing": (["svae", "--data", "text:none.txt"], "none.txt: no such file"),
}


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_one_line(words, said, here, capfd):
    assert _run(["train", *words]) == 2
    assert capfd.readouterr().err == f"stabaudit: error: {said}\n"
    assert not (here / "runs").exists()
