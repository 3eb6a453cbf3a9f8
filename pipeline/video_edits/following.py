"""One look at an edit: what has come of its sounds, and what that makes of the whole.

In the transaction of the claim on the edit's job, whose lock keeps its owner's requests and other workers out.
"""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from pipeline.kinds import SOUND, VIDEO_EDIT
from pipeline.models import FilmSound, SoundState, VideoEdit
from pipeline.renders.pace import editing_seconds
from pipeline.stopping import stop_all
from pipeline.video_edits import transitions, wishes
from pipeline.video_edits.creation import source_of
from workers import jobs
from workers.jobs import Change, Continue, End, Lease, Next
from workers.models import JobState

# Between two looks that nothing rang for.
LOOK_EVERY = timedelta(seconds=1)
# Of the whole, in percent, making the sounds.
SOUNDS_SHARE = 30


def row_of(lease: Lease) -> VideoEdit:
    return VideoEdit.objects.select_related("source").get(id=lease.subject_id)


def look(lease: Lease) -> Next:
    """Move the edit on as far as it goes now."""
    edit = row_of(lease)
    if edit.ended_at is not None:
        return End(state=JobState(edit.status))
    sounds = list(edit.sounds.order_by("created_at", "id"))
    if lease.cancel_requested:
        return _stop(edit, sounds, transitions.cancel, JobState.CANCELLED)
    lost = next((one for one in sounds if one.state in (SoundState.FAILED, SoundState.CANCELLED)), None)
    if lost is not None:
        return _stop(edit, sounds, lambda one: _sound_failed(one, lost), JobState.FAILED)
    started = [change for change in [transitions.start(edit)] if change is not None]
    made = sum(one.state == SoundState.COMPLETED for one in sounds)
    if made == len(sounds):
        transitions.compose(edit, lease.now)
        seconds = wishes.seconds_of(wishes.from_json(edit.wish), source_of(edit.source))
        return Continue(
            stage="compose",
            progress=begins_percent(len(sounds)),
            eta_at=lease.now + timedelta(seconds=seconds * editing_seconds()),
            changes=started,
        )
    return Continue(
        stage="follow", due_in=LOOK_EVERY, progress=made * SOUNDS_SHARE // len(sounds), changes=started
    )


def begins_percent(sounds: int) -> int:
    """Where the composition begins, in percent of the whole."""
    return SOUNDS_SHARE if sounds else 0


def ring(edit_id: UUID) -> None:
    """There is news for this edit: have its job look once the caller's transaction has committed."""

    def hint() -> None:
        jobs.hint(kind=VIDEO_EDIT, subject_id=edit_id)

    transaction.on_commit(hint)


def _sound_failed(edit: VideoEdit, sound: FilmSound) -> Change | None:
    what = "The music" if not sound.segment else f"The {sound.kind} {sound.segment}"
    return transitions.fail(
        edit,
        code=sound.error_code or "cancelled",
        message=f"{what} could not be made: {sound.error_message} Nothing was charged.",
    )


def _stop(
    edit: VideoEdit,
    sounds: list[FilmSound],
    end: Callable[[VideoEdit], Change | None],
    state: JobState,
) -> Next:
    """End what has not begun, ask what runs to stop, and end the edit once each sound has its own end."""
    if stop_all([(SOUND, sound.id) for sound in sounds]):
        return Continue(stage="follow", due_in=LOOK_EVERY)
    change = end(edit)
    edit.refresh_from_db()
    return End(state=state, error_code=edit.error_code, changes=[change] if change else [])
