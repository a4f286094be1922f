"""bfloat16 is refused where the processor has no instructions for it, with what it costs, and can be insisted on."""

import numpy as np
import pytest

from stabaudit.data.dataset import Dataset, Split
from stabaudit.errors import UsageError
from stabaudit.training.machine_check import _instructions
from stabaudit.training.prepare import prepare
from stabaudit.training.recipe import Recipe
from stabaudit.training.step import bf16


def prepared(**options):
    split = Split(np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32), np.arange(40))
    recipe = Recipe(family="vae", data="digits", latent_dim=2, restarts=2, steps=2, batch_size=8, device="cpu", **options)
    return prepare(recipe, dataset=Dataset("digits", split, split, "gaussian"))


@pytest.mark.parametrize(
    ("text", "hardware", "said"),
    [
        (
            "processor : 0\nflags\t\t: fpu avx2\n",
            False,
            "avx2; no products of bf16 in hardware, so that --precision bf16 is refused",
        ),
        ("flags\t\t: fpu avx2 avx512f avx512_bf16\n", True, "avx2, avx512f, avx512_bf16; products of bf16 in hardware"),
        ("Features\t: fp asimd bf16\n", True, "asimd, bf16; products of bf16 in hardware"),
        ("Features\t: fp asimd\n", False, "asimd; no products of bf16 in hardware, so that --precision bf16 is refused"),
        (None, None, "none known; whether products of bf16 are is not told"),
    ],
)
def test_processors_that_can_and_that_cannot(text, hardware, said, tmp_path, monkeypatch):
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(bf16, "_CPUINFO", tmp_path / "cpuinfo")
    assert bf16.in_hardware() is hardware
    assert _instructions() == said
    if hardware is False:
        with pytest.raises(
            UsageError, match=r"^--precision bf16: this .* no instructions .* took \d+\.\d times as long .* --force$"
        ):
            prepared(precision="bf16")
        assert prepared(precision="bf16", force=True).config.precision == "bf16"
    else:
        assert prepared(precision="bf16").config.precision == "bf16"
    assert prepared().config.precision == "float32"


def test_insisting_on_nothing_is_refused():
    with pytest.raises(UsageError, match="--force insists on --precision bf16"):
        prepared(force=True)


def test_the_ratio_is_a_positive_number():
    assert 0 < bf16.ratio() < 1000
