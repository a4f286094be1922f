"""The 1,797 handwritten digits, 8×8 pixels in 17 grey levels, that ship inside scikit-learn.

They are the test set of the UCI data "Optical Recognition of Handwritten Digits" (Alpaydın and Kaynak 1998). scikit-learn gives
no split, so a third of each class is held out for evaluation by a fixed seed.
"""

import numpy as np
from sklearn.datasets import load_digits

from stabaudit.config import NonNegative
from stabaudit.data.dataset import Dataset, Split, one_hot
from stabaudit.data.splitting import hold_out, take

GREY_LEVELS = 16  # pixels are 0..16


def load(*, split_seed: NonNegative = 0) -> Dataset:
    """Load the digits: x in [0, 1] of shape (1, 8, 8), u the one-hot class, sample_id the row in scikit-learn.

    Args:
        split_seed: decides which third is held out.
    """
    digits = load_digits()
    labels = digits.target.astype(np.int64)
    everything = Split(
        x=(digits.images[:, None] / GREY_LEVELS).astype(np.float32),
        sample_id=np.arange(len(labels)),
        u=one_hot(labels, 10),
        labels=labels,
    )
    train, evaluation = hold_out(labels, 1 / 3, seed=split_seed)
    return Dataset("digits", take(everything, train), take(everything, evaluation), "bernoulli")
