"""What restarts share beyond linear maps, as records (see `stabaudit.metrics.nonlinear_blocks`)."""

import numpy as np

from stabaudit.comparison.records import NonlinearRecord, limits
from stabaudit.comparison.scoring.pairs import FloatArray, Member
from stabaudit.comparison.settings import Settings
from stabaudit.metrics.anatomy import Anatomy
from stabaudit.metrics.evidence import Evidence
from stabaudit.metrics.nonlinear_blocks import NonlinearBlock, nonlinear_blocks
from stabaudit.statistics import jackknife
from stabaudit.statistics.jackknife import Estimate


def nonlinear_records(member: Member, found: Anatomy, evidence: Evidence, settings: Settings) -> list[NonlinearRecord]:
    """A record for every block of a run and for every active dimension outside them; none where latents are streamed."""
    if evidence.rows is None:
        return []
    blocks = nonlinear_blocks(
        [evidence.rows.latents[at] for at in member.positions],
        evidence.rows.fit,
        found,
        draws=settings.floor_draws,
        rng=np.random.default_rng(settings.seed),
    )
    return [_record(member.run, one) for one in blocks]


def _record(run: str, one: NonlinearBlock) -> NonlinearRecord:
    members, everything = _over(one.members), _over(one.everything)
    gain = jackknife.over_restarts(one.members - one.linear)
    (low, high), (low_of_all, high_of_all), (least, most) = limits(members), limits(everything), limits(gain)
    return NonlinearRecord(
        run=run,
        dimensions=one.dimensions,
        block=one.block,
        linear=float(one.linear.mean()),
        members=members.mean,
        members_low=low,
        members_high=high,
        members_floor=float(one.floor.mean()),
        gain=gain.mean,
        gain_low=least,
        gain_high=most,
        elsewhere=None if one.elsewhere is None else float(one.elsewhere.mean()),
        everything=everything.mean,
        everything_low=low_of_all,
        everything_high=high_of_all,
        everything_floor=float(one.floor_of_everything.mean()),
        restarts=len(one.members),
    )


def _over(values: FloatArray) -> Estimate:
    return jackknife.over_restarts(values, scale="log1m")


STREAMED = (
    "what restarts share beyond linear maps is left out, since the latents are streamed and it needs all rows; raise --memory"
)
ALONE = "--nonlinear follows the dimensions of a run through its restarts: it needs a run of two restarts or more, of vectors"
