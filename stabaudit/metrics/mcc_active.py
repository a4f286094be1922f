"""Strong MCC of the active dimensions alone, with a rotation floor within the subspace that they span.

Collapsed dimensions lower strong MCC, and they make its rotation floor easy to pass: a rotation of all dimensions mixes active
with collapsed ones, so restarts whose active dimensions turn at random among themselves lie above it. It is strong MCC, computed
from the moments of the active dimensions (`stabaudit.metrics.halves.Halves.of_dimensions`). Where one restart has more of them
than the other, those without a partner count as 0.
"""

from stabaudit.metrics.scores import Measure

SCORE = Measure(
    name="active_strong_mcc",
    label="strong MCC, active",
    meaning="strong MCC of the active dimensions, its rotation floor drawn within the subspace that they span",
    low=0.0,
    high=1.0,
    reference="our definition; active units: Burda, Grosse and Salakhutdinov 2016, arXiv:1509.00519",
    floors=("independence", "rotation"),
    needs="model",
    of_sources=False,
    cost="n d² + d³",
)
