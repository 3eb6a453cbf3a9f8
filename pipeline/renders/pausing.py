"""Holding back, during a pause, what was begun and not yet submitted; and having it go on."""

from uuid import UUID

from generations.kinds import GENERATION
from pipeline.kinds import SOUND
from pipeline.models import Render, SegmentState, SoundState
from workers import jobs

# The stages before which nothing has been asked of a vendor.
SUBMIT, MAKE = "submit", "sound"


def hold_back(render: Render) -> None:
    """Have clips that wait to be submitted, also once more, and sounds that wait to be made, wait for the pause's end.

    What a worker is at lands: it is held back at the next look, if there is something left of it.
    """
    if render.waits_until is None:
        return
    jobs.postpone(GENERATION, _clips(render), stage=SUBMIT, until=render.waits_until)
    jobs.postpone(SOUND, _sounds(render), stage=MAKE, until=render.waits_until)


def let_go_on(render: Render) -> None:
    """The pause is over."""
    jobs.recall(GENERATION, _clips(render))
    jobs.recall(SOUND, _sounds(render))


def _clips(render: Render) -> list[UUID]:
    rows = render.segments.filter(state=SegmentState.PROCESSING)
    return list(rows.values_list("generation_id", flat=True))


def _sounds(render: Render) -> list[UUID]:
    open_ = [SoundState.PENDING, SoundState.PROCESSING]
    return list(render.sounds.filter(state__in=open_).values_list("id", flat=True))
