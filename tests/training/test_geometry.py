"""Distances by decoders whose geodesics are known, invariance to other coordinates, and what training keeps and refuses."""

import hashlib
import math
from itertools import combinations

import numpy as np
import pytest
import scipy.sparse
import torch
from safetensors.torch import load_file

from stabaudit.config import Choice, RunConfig, Training
from stabaudit.data.dataset import Dataset, Split
from stabaudit.engines.local import LocalEngine
from stabaudit.errors import UsageError
from stabaudit.families.base import Family
from stabaudit.registry import known, resolve
from stabaudit.store.run.manifest import read_manifest
from stabaudit.store.run.run_folder import Run
from stabaudit.store.run.verify import verify
from stabaudit.training import geometry
from stabaudit.training.build import OWN, builder, choose, own
from stabaudit.training.geometry import CUTS, PAIRS, POINTS, SINES, _curve, lengths, row_pairs, stored_distances
from stabaudit.training.prepare import job_of
from stabaudit.training.recipe import Recipe
from stabaudit.training.train import train

WITHOUT = {"ae", "rvqvae", "gmm-flow"}  # latents on a grid, or a flow that is only run one way


def ends(count=30, d=2, seed=0, spread=1.0):
    generator = torch.Generator().manual_seed(seed)
    return [spread * torch.randn(count, d, generator=generator) for _ in range(2)]


def linear(d=2, width=5):
    weight = torch.randn(d, width, generator=torch.Generator().manual_seed(7))
    return weight, lambda z: z @ weight + 3.0


def test_of_a_linear_decoder_both_lengths_are_those_of_the_mapped_difference():
    weight, decode = linear()
    a, b = ends()
    straight, geodesic = lengths(decode, a, b)
    expected = ((a - b) @ weight).norm(dim=1).double()
    torch.testing.assert_close(straight, expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(geodesic, expected, rtol=1e-5, atol=0)


def test_other_coordinates_of_a_flat_decoder_change_euclidean_distances_and_no_geodesic():
    weight, decode = linear()
    a, b = ends()
    expected = ((a - b) @ weight).norm(dim=1).double()
    straight, geodesic = lengths(lambda y: decode(y.asinh()), a.sinh(), b.sinh())
    torch.testing.assert_close(geodesic, expected, rtol=2e-3, atol=0)
    assert (straight / expected).max() > 1.05  # so that the descent has something to do
    euclidean = [(q - p).norm(dim=1) for p, q in ((a, b), (a.sinh(), b.sinh()))]
    assert np.corrcoef(*euclidean)[0, 1] < 0.95
    assert np.corrcoef(geodesic, expected)[0, 1] > 0.9999


def bent(z):
    """A surface without an isometry to the plane."""
    return torch.stack([z[:, 0], z[:, 1], 0.5 * z[:, 0] ** 2 - 0.3 * z[:, 1] ** 2, (z[:, 0] * z[:, 1]).sin()], 1)


@pytest.mark.slow
def test_other_coordinates_of_a_curved_decoder_change_no_geodesic():
    a, b = ends(seed=3)

    def to(z):
        return torch.stack([z[:, 0] + 0.4 * z[:, 1].sin(), 2 * z[:, 1].sinh()], 1)

    def back(y):
        second = (y[:, 1] / 2).asinh()
        return torch.stack([y[:, 0] - 0.4 * second.sin(), second], 1)

    straight, geodesic = lengths(bent, a, b)
    other_straight, other = lengths(lambda y: bent(back(y)), to(a), to(b))
    torch.testing.assert_close(other, geodesic, rtol=5e-3, atol=0)
    assert ((other_straight - straight).abs() / straight).max() > 0.1
    assert (geodesic <= straight).all()
    assert (geodesic >= (bent(a) - bent(b)).norm(dim=1) * (1 - 1e-6)).all()  # no curve is shorter than its chord


def test_on_half_a_circle_both_are_the_length_of_the_arc():
    def arc(z):
        return torch.cat([(math.pi * z).cos(), (math.pi * z).sin()], 1)

    chords = (POINTS - 1) * CUTS
    straight, geodesic = lengths(arc, torch.zeros(1, 1), torch.ones(1, 1))
    assert straight.item() == pytest.approx(chords * 2 * math.sin(math.pi / 2 / chords), rel=1e-5)
    assert geodesic.item() == pytest.approx(math.pi, rel=1e-3)


def test_on_a_sphere_the_curve_is_the_great_circle():
    def sphere(z):  # longitude and latitude
        return torch.stack([z[:, 0].cos() * z[:, 1].cos(), z[:, 0].sin() * z[:, 1].cos(), z[:, 1].sin()], 1)

    a, b = torch.tensor([[0.0, 0.8], [0.0, 0.3]]), torch.tensor([[1.5, 0.8], [1.0, -0.4]])
    great = (sphere(a) * sphere(b)).sum(1).acos().double()
    straight, geodesic = lengths(sphere, a, b)
    torch.testing.assert_close(geodesic, great, rtol=3e-3, atol=0)
    assert straight[0] > 1.05 * great[0]


@pytest.mark.slow
def test_round_a_hill_the_curve_is_as_short_as_the_shortest_way_over_a_fine_grid():
    def hill(z):
        return torch.cat([z, 3 * (-2 * z.square().sum(1, keepdim=True)).exp()], 1)

    side = 81
    axis = np.linspace(-2, 2, side)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    steps = [(i, j) for i in range(-4, 5) for j in range(-4, 5) if math.gcd(i, j) == 1 and (i, j) > (0, 0)]
    places = np.arange(side * side).reshape(side, side)
    edges = []
    for i, j in steps:
        start = places[: side - i, max(0, -j) : side - max(0, j)]
        edges.append(np.stack([start.ravel(), (start + i * side + j).ravel()]))
    first, second = np.concatenate(edges, 1)
    share = np.linspace(0, 1, 9)[:, None, None]
    image = hill(torch.from_numpy(grid[first] + share * (grid[second] - grid[first])).flatten(0, 1)).unflatten(0, (9, -1)).numpy()
    weight = np.linalg.norm(np.diff(image, axis=0), axis=2).sum(0)
    graph = scipy.sparse.coo_array((weight, (first, second)), shape=(side**2, side**2)).tocsr()
    ways = [((-1.5, 0.1), (1.5, -0.2)), ((-1.2, -0.7), (1.0, 1.3)), ((0.0, 0.3), (1.5, 1.5))]
    ends = np.array([[np.abs(grid - end).sum(1).argmin() for end in way] for way in ways])
    shortest = scipy.sparse.csgraph.dijkstra(graph, directed=False, indices=ends[:, 0])[np.arange(3), ends[:, 1]]
    straight, geodesic = lengths(hill, *torch.from_numpy(grid[ends]).float().unbind(1))
    np.testing.assert_allclose(geodesic, shortest, rtol=0.015)  # the grid's ways are up to 1% longer
    assert straight[0] > 1.5 * geodesic[0]


@pytest.mark.slow
def test_on_a_trained_decoder_more_steps_and_finer_curves_shorten_little(tmp_path, monkeypatch):
    recipe = Recipe(family="vae", data="digits", latent_dim=5, restarts=1, steps=1000)
    (run,) = train([job_of(recipe, tmp_path / "digits")], LocalEngine(1))
    family = builder(run.manifest.config, (1, 8, 8), 0, 1198)()
    family.load_state_dict(load_file(run.folder / "weights" / "restart-000.safetensors"))
    a, b = torch.from_numpy(run.latents(0).mean)[:12].unflatten(0, (6, 2)).unbind(1)
    straight, found = lengths(family.eval().decode, a, b)
    assert (1 - found / straight).mean() > 0.1
    monkeypatch.setattr(geometry, "STEPS", 3 * geometry.STEPS)
    monkeypatch.setattr(geometry, "SINES", 2 * geometry.SINES)
    finer = lengths(family.decode, a, b)[1]
    assert (found / finer - 1).mean() < 0.05
    assert np.corrcoef(found, finer)[0, 1] > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("size", [1e-4, 1.0, 1e4])
def test_lengths_go_with_the_unit_of_the_data_whatever_the_unit_of_z(size):
    a, b = ends(5)
    plain, scaled = lengths(bent, a, b)[1], lengths(lambda z: 1e3 * bent(z / size), size * a, size * b)[1]
    torch.testing.assert_close(scaled, 1e3 * plain, rtol=1e-3, atol=0)


@pytest.mark.slow
def test_rows_in_one_place_and_decoders_that_say_nothing_are_at_distance_zero():
    a, b = ends(3)
    assert lengths(bent, a, a)[1].tolist() == [0, 0, 0]
    assert lengths(lambda z: 0 * z, a, b)[1].tolist() == [0, 0, 0]


@pytest.mark.parametrize("count", [2, 3, 20, 21, 5000])
def test_pairs_of_rows_are_fixed_and_differ(count):
    pairs = row_pairs(count)
    assert len(pairs) == min(PAIRS, count * (count - 1) // 2)
    assert len({tuple(pair) for pair in pairs.tolist()}) == len(pairs)
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert pairs.max() < count
    assert np.array_equal(pairs, row_pairs(count))


class Flat(Family):
    """A decoder of two dimensions that is linear."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([[1.0, 2.0], [0.0, 1.0]]))

    def loss(self, batch):
        return {"loss": batch.x.sum()}

    def encode(self, x, u):
        raise NotImplementedError

    def decode(self, z):
        return z @ self.weight


@pytest.mark.slow
@pytest.mark.parametrize("named", [int, str], ids=["numbers", "text"])
def test_what_is_stored_belongs_to_ids_whatever_the_order_of_the_rows(named):
    rng = np.random.default_rng(0)
    ids, mean = np.array([named(i) for i in range(50)]), rng.normal(size=(50, 2)).astype(np.float32)
    order = rng.permutation(50)
    found = stored_distances(Flat(), torch.from_numpy(mean), ids)
    again = stored_distances(Flat(), torch.from_numpy(mean[order]), ids[order])
    for name in ("row_a", "row_b", "euclidean", "straight", "geodesic"):
        np.testing.assert_allclose(found[name], again[name], rtol=1e-6)
    z = mean[np.argsort(ids, kind="stable")].astype(float)
    difference = z[found["row_a"]] - z[found["row_b"]]
    np.testing.assert_allclose(found["euclidean"], np.linalg.norm(difference, axis=1), rtol=1e-5)
    np.testing.assert_allclose(found["geodesic"], np.linalg.norm(difference @ [[1, 2], [0, 1]], axis=1), rtol=1e-5)


def model_of(name, likelihood=None):
    family = resolve("family", name)
    networks = (OWN, own) if "architecture" in family.own else ("mlp", resolve("architecture", "mlp"))
    from stabaudit.nets.likelihoods import LIKELIHOODS

    chosen_likelihood = likelihood or next(iter(family.likelihoods or ("gaussian",)))
    of = (OWN, own) if "likelihood" in family.own else (chosen_likelihood, LIKELIHOODS[chosen_likelihood])
    options = {"rademacher-vae": {"bits": 2}, "rvqvae": {"codes": 8}, "lidmvae": {"components": 3}}.get(name, {})
    chosen = choose(options, family=(name, family), architecture=networks, likelihood=of)
    d = {"relu-gmm": 1, "gmm-flow": 64}.get(name, 4)
    config = RunConfig(**chosen, dataset=Choice(name="made"), latent_dim=d, restarts=1, training=Training(epochs=1))
    torch.manual_seed(0)
    return builder(config, (1, 8, 8), 3, 96)().eval(), d


@pytest.mark.parametrize("name", [name for name in known("family") if "categorical" not in resolve("family", name).likelihoods])
def test_decoders_give_one_mean_of_every_row_by_itself_or_there_is_none(name):
    family, d = model_of(name)
    z = torch.randn(6, d)
    with torch.no_grad():
        decoded = family.decode(z)
        assert (decoded is None) == (name in WITHOUT)
        if decoded is not None:
            assert decoded.flatten(1).shape == (6, 64)
            torch.testing.assert_close(family.decode(z[2:3]), decoded[2:3])
            assert not torch.equal(decoded[0], decoded[1])


def test_the_mean_of_bernoulli_elements_is_a_probability():
    family, d = model_of("vae", "bernoulli")
    z = torch.randn(6, d)
    torch.testing.assert_close(family.decode(z), family.decoder(z, None).sigmoid())


def dataset(rows=40):
    x = np.random.default_rng(0).normal(size=(rows, 3)).astype(np.float32)
    split = Split(x, np.arange(rows), None, None, None)
    return Dataset("digits", split, split, "gaussian")


def job(folder, rows=40, **wanted):
    recipe = Recipe(family=wanted.pop("family", "vae"), data="digits", **({"latent_dim": 2} | wanted))
    return job_of(recipe, folder, dataset=dataset(rows))


def test_a_family_without_a_decoder_and_too_few_rows_are_refused_in_one_line(tmp_path):
    with pytest.raises(UsageError, match=r"^--geometry: family 'gmm-flow' has no decoder of a vector z to measure distances by$"):
        job(tmp_path / "a", family="gmm-flow", latent_dim=3, geometry=True, batch_size=8, settings={"components": 2})
    with pytest.raises(UsageError, match=r"^--geometry: 2 evaluation rows, expected at least 3"):
        job(tmp_path / "a", rows=2, geometry=True, batch_size=2)


@pytest.mark.slow
def test_training_keeps_distances_where_they_were_asked_for(tmp_path):
    options = {"restarts": 2, "steps": 4, "batch_size": 8}
    kept, plain = train([job(tmp_path / "a", geometry=True, **options), job(tmp_path / "b", **options)], LocalEngine(1))
    assert [plain.geometry(i) for i in range(2)] == [None, None]
    assert [np.array_equal(kept.latents(i).mean, plain.latents(i).mean) for i in range(2)] == [True, True]
    a, b = (kept.geometry(i) for i in range(2))
    assert np.array_equal(a["row_a"], b["row_a"])
    assert len(a["geodesic"]) == PAIRS
    latents = kept.latents(0).mean.astype(float)
    np.testing.assert_allclose(a["euclidean"], np.linalg.norm(latents[a["row_a"]] - latents[a["row_b"]], axis=1), rtol=1e-5)
    assert (a["geodesic"] <= a["straight"]).all()
    assert verify(kept) == []
    path = kept.folder / "geometry" / "restart-001.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    assert [problem.file for problem in verify(Run.open(kept.folder))] == ["geometry/restart-001.parquet"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.pop("euclidean"), "has no column euclidean"),
        (lambda table: table["geodesic"].__setitem__(1, np.nan), "holds NaN or infinite values in geodesic"),
        (lambda table: table["geodesic"].__setitem__(1, 9.0), "holds geodesics longer than the straight lines"),
    ],
)
def test_verify_names_distances_that_cannot_be(make_run, change, message):
    folder = make_run("vae", restarts=2)
    a, b = np.array(list(combinations(range(3), 2))).T
    table = {"row_a": a, "row_b": b} | {name: np.array([1.0, 2.0, 3.0]) for name in ("euclidean", "straight", "geodesic")}
    change(table)
    with Run.prepare(folder, Run.open(folder).manifest) as run:
        run.save_geometry(0, table)
        run.record(run.restart(0))
    assert message in str(verify(Run.open(folder))[0])


def test_a_manifest_from_before_is_read_and_goes_on_as_one_without(make_run):
    folder = make_run("vae", restarts=2)
    path = folder / "run.json"
    content = path.read_text("utf-8").partition(',\n  "sha256"')[0]
    assert '    "geometry": false,\n' in content
    content = content.replace('    "geometry": false,\n', "") + "\n}"
    seal = hashlib.sha256(content.encode()).hexdigest()
    path.write_text(content.removesuffix("\n}") + f',\n  "sha256": "{seal}"\n}}\n', "utf-8")
    manifest = read_manifest(folder)
    assert manifest.config.geometry is False
    assert Run.open(folder).geometry(0) is None
    with Run.prepare(folder, manifest) as run:
        assert run.done == [0, 1]


def test_an_arc_is_as_long_as_it_is_and_not_as_its_chords_between_32_points(monkeypatch):
    monkeypatch.setattr(geometry, "STEPS", 1)

    def arc(z):
        return torch.cat([(math.pi * z).cos(), (math.pi * z).sin()], 1)

    straight, _ = lengths(arc, torch.zeros(1, 1), torch.ones(1, 1))
    assert straight.item() == pytest.approx(math.pi, rel=1e-4)


def test_all_curves_end_where_they_ought_to_whatever_bends_them():
    a, b = ends(5)
    bend = 1e6 * torch.randn(5, SINES, 2, generator=torch.Generator().manual_seed(1))
    for points in (POINTS, CUTS * (POINTS - 1) + 1):
        curve = _curve(a, b, bend, points)
        torch.testing.assert_close(curve[:, 0], a, rtol=0, atol=1e-6)
        torch.testing.assert_close(curve[:, -1], b, rtol=0, atol=1e-6)
        assert curve.shape == (5, points, 2)
        assert (curve[:, 1] - a).norm(dim=1).min() > 1e3


@pytest.mark.parametrize("rate", [1e3, 1e30])
def test_of_a_descent_that_goes_astray_the_straight_line_is_kept(rate, monkeypatch):
    monkeypatch.setattr(geometry, "RATE", rate)
    monkeypatch.setattr(geometry, "STEPS", 3)
    a, b = ends(5)
    straight, geodesic = lengths(bent, a, b)
    torch.testing.assert_close(geodesic, straight, rtol=0, atol=0)


@pytest.mark.slow
def test_half_or_twice_the_rate_finds_the_same_lengths(monkeypatch):
    a, b = ends(seed=3)
    found = lengths(bent, a, b)[1]
    for rate in (0.05, 0.2):
        monkeypatch.setattr(geometry, "RATE", rate)
        torch.testing.assert_close(lengths(bent, a, b)[1], found, rtol=5e-3, atol=0)
