"""Which steps are recorded and replayed, with a recorder that needs no GPU."""

from contextlib import nullcontext

import torch

from stabaudit.training.step.cuda_graph import KERNEL_BY_KERNEL, RECORDINGS, Replayed
from stabaudit.training.step.trace import Inputs


class Graph:
    """Stands for a recording: counts its replays."""

    made = ()

    def __init__(self):
        self.replays = 0
        Graph.made += (self,)

    def replay(self):
        self.replays += 1


def test_two_kinds_of_steps_that_take_turns_are_recorded_once_each(monkeypatch):
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", lambda _: nullcontext())
    monkeypatch.setattr(Graph, "made", ())
    kinds = iter("aab" * 5 + "cc" + "a")
    given = Inputs(torch.zeros(2), torch.zeros(0), [], torch.zeros(()))
    step = Replayed(lambda inputs: inputs.x.sum(), lambda: next(kinds))
    for _ in range(KERNEL_BY_KERNEL):
        step(given)
    assert Graph.made == ()
    for _ in range(15):
        step(given)
    assert [graph.replays for graph in Graph.made] == [10, 5]
    assert RECORDINGS == 2
    for _ in range(3):  # a third kind takes the place of the oldest, which is then recorded anew
        step(given)
    assert [graph.replays for graph in Graph.made] == [10, 5, 2, 1]
