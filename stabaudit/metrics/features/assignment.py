"""One-to-one matching of features on a sparse graph of candidates, and how far from the best matching it can be.

    π = argmax_π Σ_i w_iπ(i),      w = |similarity|, of d_a ≤ d_b features all of a matched,

or (1 + similarity)/2 where signs count.

- *exact*: an assignment on the candidates (LAPJVsp: Jonker and Volgenant 1987, doi:10.1007/BF02278710), priced against all
  other pairs. With prices v ≥ 0 of b, Σ_i max_j (w_ij − v_j) + Σ_j v_j bounds every matching from above (linear programming
  duality). The prices come from the matching: the least with w_iπ(i) − v_π(i) ≥ w_ij − v_j on all candidates, by Bellman and
  Ford's relaxation. Outside the candidates w_ij ≤ min(limit_i, limit_j); features of a for which that leaves room are looked
  at in full, pairs that would gain are added, and the assignment is solved anew. So it is exact to `TOLERANCE` or the bound
  says otherwise.
- *greedy*: the most similar pair first. At least half of the best sum.
- *sinkhorn*: entropic prices (Cuturi 2013, arXiv:1306.0895), then greedily by w_ij − u_i − v_j.

Without a full matching among the candidates, features that are left are paired with each other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import maximum_bipartite_matching, min_weight_full_bipartite_matching

from stabaudit.metrics.features.candidates import Candidates
from stabaudit.metrics.features.columns import Array
from stabaudit.metrics.features.tiles import Tiles
from stabaudit.registry import unknown

How = Literal["exact", "greedy", "sinkhorn"]
TOLERANCE = 1e-7  # of the mean similarity
MOST_ROUNDS = 8  # of pricing
MOST_RELAXATIONS = 5_000
ADDED = 8  # pairs of a feature that are added at a time
ENTROPY = (0.1, 0.001)  # temperatures from and to, halved in between
SWEEPS = 10  # at each temperature


@dataclass(frozen=True)
class Assignment:
    """Features matched one to one.

    Args:
        of_a, of_b: both features of each match, shape (min(d_a, d_b),), in the order of those of a.
        mean: of their strengths w.
        bound: what no matching exceeds.
    """

    of_a: Array
    of_b: Array
    mean: float
    bound: float

    @property
    def gap(self) -> float:
        """How far below the best mean it can be at most."""
        return max(self.bound - self.mean, 0.0)


def assign(tiles: Tiles, known: Candidates, similar: Callable[[Array, Array], Array], how: How = "exact") -> Assignment:
    """Match the features of two dictionaries.

    Args:
        tiles: all of their similarities.
        known: candidates.
        similar: strengths w of pairs (i, j), for those that are no candidates.
        how: "exact", "greedy" or "sinkhorn".

    Raises:
        UsageError: another way.
    """
    if how not in get_args(How):
        raise unknown("way to match features", str(how), get_args(How))
    if known.shape[0] > known.shape[1]:
        flipped = Tiles(tiles.b, tiles.a, tiles.memory, tiles.signed)
        found = assign(flipped, known.flipped(), lambda i, j: similar(j, i), how)
        order = np.argsort(found.of_b)
        return Assignment(found.of_b[order], found.of_a[order], found.mean, found.bound)
    if how == "exact":
        return _exact(tiles, known, similar)
    if how == "greedy":
        partner = _greedy(known, known.strength)
        none = np.zeros(known.shape[1])
        top = np.sort(np.maximum(known.best_of_b()[1], known.limit_b))[::-1][: known.shape[0]]
        bound = min(_bound(known, none), float(top.mean()))
    else:
        partner, bound = _sinkhorn(_feasible(known, similar))
    return _result(partner, similar, bound)


def _exact(tiles: Tiles, known: Candidates, similar: Callable[[Array, Array], Array]) -> Assignment:
    known = _feasible(known, similar)
    bound = np.inf
    for _ in range(MOST_ROUNDS):
        partner = _solve(known)
        strength, own = _strength_of(known, partner)
        price = _prices(known, partner, own)
        slack = _best_above(known, strength, price)
        rest = _outside(known, price)
        doubtful = np.flatnonzero(rest > slack + TOLERANCE)
        gain, more = _priced(tiles, price, doubtful, slack[doubtful])
        slack[doubtful] = np.maximum(slack[doubtful], gain)
        reached = float(slack.mean() + price.sum() / len(slack))
        bound = min(bound, reached)
        if bound - own.mean() <= TOLERANCE or not len(more[0]):
            break
        known = known.also(*more)
    return Assignment(np.arange(len(partner)), partner, float(own.mean()), max(bound, float(own.mean())))


def _result(partner: Array, similar: Callable[[Array, Array], Array], bound: float) -> Assignment:
    every = np.arange(len(partner))
    mean = float(similar(every, partner).mean())
    return Assignment(every, partner, mean, max(bound, mean))


def _graph(known: Candidates, strength: Array) -> sparse.csr_array:
    starts = np.searchsorted(known.of_a, np.arange(known.shape[0] + 1))
    return sparse.csr_array((strength, known.of_b.astype(np.int32), starts.astype(np.int32)), shape=known.shape)


def _feasible(known: Candidates, similar: Callable[[Array, Array], Array]) -> Candidates:
    """With pairs of features that a largest matching of candidates leaves over, so that all of a can be matched."""
    partner = maximum_bipartite_matching(_graph(known, np.ones(len(known.of_a))), perm_type="column")
    left = np.flatnonzero(partner < 0)
    if not len(left):
        return known
    free = np.setdiff1d(np.arange(known.shape[1]), partner)[: len(left)]
    return known.also(left, free, similar(left, free))


def _solve(known: Candidates) -> Array:
    """The feature of b for each of a, shape (d_a,)."""
    # All weights grow by 1, which changes no matching: scipy takes a weight of 0 for no edge.
    rows, columns = min_weight_full_bipartite_matching(_graph(known, known.strength + 1.0), maximize=True)
    partner = np.empty(known.shape[0], dtype=np.int64)
    partner[rows] = columns
    return partner


def _strength_of(known: Candidates, partner: Array) -> tuple[Array, Array]:
    """All similarities, and those of the matched pairs, shape (d_a,)."""
    place = np.searchsorted(known.of_a * known.shape[1] + known.of_b, np.arange(len(partner)) * known.shape[1] + partner)
    return known.strength, known.strength[place]


def _prices(known: Candidates, partner: Array, own: Array) -> Array:
    """The least prices v ≥ 0 of b at which no feature of a would gain by another of its candidates, shape (d_b,)."""
    order = np.lexsort((known.of_a, known.of_b))
    of_a, of_b, strength = known.of_a[order], known.of_b[order], known.strength[order]
    begins = np.flatnonzero(np.diff(of_b, prepend=-1))
    columns = of_b[begins]
    price = np.zeros(known.shape[1])
    for _ in range(MOST_RELAXATIONS):
        worth = own - price[partner]
        least = np.maximum.reduceat(strength - worth[of_a], begins)
        raised = least > price[columns] + 1e-12
        if not raised.any():
            break
        price[columns[raised]] = least[raised]
    return price


def _best_above(known: Candidates, strength: Array, price: Array) -> Array:
    """For each feature of a the most that a candidate is worth above its price, shape (d_a,)."""
    found = np.full(known.shape[0], -np.inf)
    np.maximum.at(found, known.of_a, strength - price[known.of_b])
    return found


def _outside(known: Candidates, price: Array) -> Array:
    """For each feature of a the most that any pair outside the candidates can be worth: max_j min(limit_i, limit_j) − v_j."""
    order = np.argsort(known.limit_b)
    limit = known.limit_b[order]
    below = np.maximum.accumulate(np.concatenate([[-np.inf], limit - price[order]]))  # of b with lower limits
    above = np.minimum.accumulate(np.concatenate([price[order], [np.inf]])[::-1])[::-1]  # of the others
    place = np.searchsorted(limit, known.limit_a)
    found: Array = np.maximum(below[place], known.limit_a - above[place])
    return np.where(known.limit_a > 0, found, -np.inf)


def _bound(known: Candidates, price: Array) -> float:
    """What no matching's mean exceeds."""
    best = np.maximum(_best_above(known, known.strength, price), _outside(known, price))
    return float(best.mean() + price.sum() / len(best))


def _priced(tiles: Tiles, price: Array, of_a: Array, slack: Array) -> tuple[Array, tuple[Array, Array, Array]]:
    """What the features `of_a` could gain at most at these prices among all of b, and the pairs that gain."""
    room = np.full(tiles.shape[0], np.inf)
    room[of_a] = slack
    charge = price.astype(np.float32)

    def look(block: Array, strength: Array) -> tuple[Array, Array, Array, Array]:
        worth = strength - charge
        best = worth.max(axis=1).astype(np.float64)
        gaining = np.flatnonzero(best > room[block] + TOLERANCE)
        count = min(ADDED, worth.shape[1])
        picked = np.argpartition(worth[gaining], worth.shape[1] - count, axis=1)[:, -count:]
        rows = np.repeat(gaining, count)
        return best, block[rows], picked.ravel(), strength[rows, picked.ravel()].astype(np.float64)

    found = [one for results in tiles.over_blocks(look, of_a) for one in results]
    if not found:
        return np.empty(0), (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0))
    best, i, j, strength = (np.concatenate(part) for part in zip(*found, strict=True))
    return best, (i, j, strength)


def _greedy(known: Candidates, value: Array) -> Array:
    """Pairs in the order of their value, each unless one of its features is taken; the rest with each other."""
    partner = np.full(known.shape[0], -1)
    taken = np.zeros(known.shape[1], dtype=bool)
    order = np.lexsort((known.of_b, known.of_a, -value))
    of_a, of_b = known.of_a[order], known.of_b[order]
    while len(of_a):
        # A pair that comes first for both of its features is taken whatever else there is.
        rank = np.arange(len(of_a))
        first_a, first_b = (np.full(size, len(of_a)) for size in known.shape)
        np.minimum.at(first_a, of_a, rank)
        np.minimum.at(first_b, of_b, rank)
        mutual = (first_a[of_a] == rank) & (first_b[of_b] == rank)
        partner[of_a[mutual]] = of_b[mutual]
        taken[of_b[mutual]] = True
        left = (partner[of_a] < 0) & ~taken[of_b]
        of_a, of_b = of_a[left], of_b[left]
    rest = np.flatnonzero(partner < 0)
    partner[rest] = np.flatnonzero(~taken)[: len(rest)]
    return partner


def _sinkhorn(known: Candidates) -> tuple[Array, float]:
    """A matching by entropic prices, and the bound that these prices give."""
    order = np.lexsort((known.of_a, known.of_b))
    rows, columns = (np.flatnonzero(np.diff(line, prepend=-1)) for line in (known.of_a, known.of_b[order]))
    present = known.of_b[order][columns]
    price, worth = np.zeros(known.shape[1]), np.zeros(known.shape[0])
    temperature, last = ENTROPY
    while temperature >= last:
        for _ in range(SWEEPS):
            worth = _soft_maximum(known.strength - price[known.of_b], rows, temperature)
            above = _soft_maximum((known.strength - worth[known.of_a])[order], columns, temperature)
            price[present] = np.maximum(above, 0.0)
        temperature /= 2
    return _greedy(known, known.strength - worth[known.of_a] - price[known.of_b]), _bound(known, price)


def _soft_maximum(value: Array, begins: Array, temperature: float) -> Array:
    """T log Σ exp(value/t) of each run of values that starts at `begins`."""
    top = np.maximum.reduceat(value, begins)
    lengths = np.diff(begins, append=len(value))
    found: Array = top + temperature * np.log(np.add.reduceat(np.exp((value - np.repeat(top, lengths)) / temperature), begins))
    return found
