"""What an audit reports beside its runs."""

import numpy as np
import pytest

from stabaudit.audit.plan_file import load_plan
from stabaudit.audit.reports import reports_beside
from stabaudit.comparison.settings import Settings
from stabaudit.comparison.surveys.survey import survey
from stabaudit.reports.page_contents import survey_page

pytestmark = pytest.mark.slow


def test_runs_along_one_setting_are_a_table_and_a_figure_of_the_page(make_run, tmp_path):
    rng = np.random.default_rng(0)
    for d in (2, 3, 4):
        latents = [rng.laplace(size=(200, d)) for _ in range(3)]
        make_run(f"d{d}", d=d, ids=np.arange(200), latents=latents, losses=[1.0, 2.0, 3.0])
    (tmp_path / "plan.toml").write_text(
        'summary = "s"\n[defaults]\ndata = "digits"\nfamily = "vae"\n[grid]\nlatent_dim = [2, 3, 4]\n'
    )
    found = survey([tmp_path], Settings(floor_draws=1, rotations=9))
    beside = reports_beside(load_plan(str(tmp_path / "plan.toml")), found)
    page = survey_page(found, None, "stabaudit audit", beside)
    assert page.figures[-1].name == "fit"
    assert page.sections[-1].title == "vae by latent_dim: fit against stability"
