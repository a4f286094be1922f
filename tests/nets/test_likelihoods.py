"""The discretised logistic likelihood against sums and differences of the logistic distribution in double precision."""

import numpy as np
import pytest
import torch
from scipy import stats

from stabaudit.nets.likelihoods import DiscretisedLogistic

LEVELS = torch.arange(256.0) / 255


@pytest.mark.parametrize("location", [-3.0, 0.0, 0.3, 0.5017, 1.0, 4.0])
@pytest.mark.parametrize("scale", [1e-4, 1e-2, 0.3, 20.0])
def test_the_masses_of_all_levels_sum_to_one(location, scale):
    masses = DiscretisedLogistic(scale=scale).double().log_prob(LEVELS.double()[:, None], torch.full((256, 1), location)).exp()
    assert masses.sum().item() == pytest.approx(1, abs=1e-5)


def test_a_level_has_the_mass_of_its_cell():
    edges = (np.arange(257) - 0.5) / 255
    edges[0], edges[-1] = -np.inf, np.inf
    cdf = stats.logistic.cdf(edges, loc=0.4, scale=0.1)
    mine = DiscretisedLogistic(scale=0.1).log_prob(LEVELS[:, None], torch.full((256, 1), 0.4)).exp()
    np.testing.assert_allclose(mine.detach(), np.diff(cdf), rtol=1e-4)


@pytest.mark.parametrize("scale", [1e-9, 1e-4, 0.05, 1e9])
def test_values_and_gradients_are_finite_for_any_pixel(scale):
    likelihood = DiscretisedLogistic(scale=scale)
    location = torch.tensor([-1e6, -1.0, 0.0, 0.1, 0.5, 1.0, 2.0, 1e6], requires_grad=True)
    x = LEVELS[:, None, None].expand(256, 1, 8)
    value = likelihood.log_prob(x, location.expand(256, 1, 8))
    value.sum().backward()
    assert value.isfinite().all()
    assert location.grad.isfinite().all()
    assert likelihood.log_scale.grad.isfinite()
    assert (location.grad[[0, -1]] * torch.tensor([1.0, -1.0]) > 0).all()  # far off it still points home


def test_fewer_levels_have_wider_cells():
    levels = torch.arange(17.0)[:, None] / 16
    masses = DiscretisedLogistic(levels=17, learned=False).log_prob(levels, torch.full((17, 1), 0.6)).exp()
    assert masses.sum().item() == pytest.approx(1, abs=1e-5)
    assert masses.argmax() == 10  # 0.625 is nearest
