"""One look at a render: what has come of its parts, what can begin now, and what that makes of the whole.

In the transaction of the claim on the render's job, whose lock keeps its owner's requests and other workers out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from django.db import transaction

from accounts.models import User
from credits import ledger
from generations import cancellation, history
from generations.asset_errors import AssetNotFound
from generations.errors import QueueFull, TooManyJobs
from generations.kinds import GENERATION
from generations.models import Generation, GenerationStatus
from pipeline import versions
from pipeline.kinds import RENDER, SEGMENT, SOUND
from pipeline.models import (
    FilmSound,
    Render,
    RenderSegment,
    RenderStatus,
    SegmentState,
    SoundState,
)
from pipeline.plans.film import Continuity, Film, Segment
from pipeline.renders import making, pausing, transitions
from pipeline.renders.inputs import keep
from pipeline.renders.pace import composing_seconds
from pipeline.sounds import enqueue
from pipeline.stopping import stop_all
from workers import jobs
from workers.errors import DomainError
from workers.jobs import Change, Continue, End, Lease, Next
from workers.models import Job, JobState, open_jobs

WAITING = (SegmentState.BLOCKED, SegmentState.PENDING)
# Between two looks that nothing rang for, and while there is nothing to wait for but the owner.
LOOK_EVERY = timedelta(seconds=1)
LOOK_SELDOM = timedelta(minutes=5)
ETA_STEP = timedelta(seconds=3)
# How long before a waiting render is ended its owner is warned.
WARNED_BEFORE = timedelta(days=1)
# Of the whole, making the clips and sounds.
SHARE = 85
# A segment whose clip is there and can't be put into the film, by our fault: made anew for nothing.
NOT_COMPOSABLE = "not_composable"
# Its owner deleted the clip before it was put into the film.
CLIP_DELETED = "clip_deleted"


@dataclass(slots=True)
class Look:
    """A render and its parts as they are now."""

    render: Render
    owner: User
    film: Film
    segments: list[RenderSegment]
    sounds: list[FilmSound]
    clips: Mapping[UUID, Generation]
    lease: Lease
    changes: list[Change] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return self.lease.now

    def tell(self, change: Change | None) -> None:
        if change is not None:
            self.changes.append(change)

    def tell_of(self, row: RenderSegment, word: str, **data: object) -> None:
        """An event about a part, under the render's own name."""
        self.changes.append(
            Change(
                owner_id=self.render.owner_id,
                kind=f"render.segment_{word}",
                subject_id=self.render.id,
                data={"segment": row.name, "generation_id": str(row.generation_id), **data},
            )
        )


def look(lease: Lease) -> Next:
    """Move the render on as far as it goes now."""
    render = Render.objects.select_related("version", "owner").get(id=lease.subject_id)
    if render.ended_at is not None:
        return End(state=JobState(render.status))
    at = _read(render, lease)
    _take_results(at)
    if lease.cancel_requested:
        return _stop(at, transitions.cancel, JobState.CANCELLED)
    if render.waits_until is not None and render.waits_until <= lease.now:
        if render.status == RenderStatus.PAUSED:
            return _stop(at, transitions.cancel, JobState.CANCELLED)
        return _stop(
            at,
            lambda one: transitions.fail(
                one, code="unattended", message="Some segments failed, and nobody had them made anew in time."
            ),
            JobState.FAILED,
        )
    _warn(at)
    if render.status == RenderStatus.PAUSED:
        pausing.hold_back(render)
        return _wait(at, "paused")
    _begin(at)
    return _decide(at)


def _read(render: Render, lease: Lease) -> Look:
    segments = list(render.segments.order_by("position"))
    clips = Generation.objects.select_related("output").in_bulk([one.generation_id for one in segments])
    return Look(
        render=render,
        owner=render.owner,
        film=versions.film_of(render.version),
        segments=segments,
        sounds=list(render.sounds.order_by("created_at", "id")),
        clips=clips,
        lease=lease,
    )


def _take_results(at: Look) -> None:
    """What has become of the clips since the last look; a late result counts where its segment still wants it."""
    for row in at.segments:
        clip = at.clips.get(row.generation_id)
        if clip is None or clip.ended_at is None:
            continue
        if clip.status == GenerationStatus.COMPLETED:
            late = row.state == SegmentState.FAILED and row.error_code not in (NOT_COMPOSABLE, CLIP_DELETED)
            if row.state == SegmentState.PROCESSING or late:
                _arrived(at, row, clip)
        elif row.state == SegmentState.PROCESSING:
            _mark_failed(
                at,
                row,
                code=clip.error_code or "cancelled",
                message=clip.error_message or "Its clip was cancelled.",
            )


def _mark_failed(at: Look, row: RenderSegment, *, code: str, message: str) -> None:
    row.state, row.error_code, row.error_message = SegmentState.FAILED, code, message[:500]
    row.save(update_fields=["state", "error_code", "error_message"])
    at.tell_of(row, "failed", error={"code": row.error_code, "message": row.error_message})


def _arrived(at: Look, row: RenderSegment, clip: Generation) -> None:
    assert clip.output_id is not None
    try:
        keep(at.render, [clip.output_id], at.now)
    except AssetNotFound:
        _mark_failed(at, row, code=CLIP_DELETED, message="Its clip was deleted.")
        return
    row.state, row.error_code, row.error_message = SegmentState.COMPLETED, "", ""
    row.save(update_fields=["state", "error_code", "error_message"])
    making.prepare(at.render, row)
    for sound in at.sounds:
        if sound.state == SoundState.BLOCKED and sound.segment == row.name:
            sound.state, sound.job_id = SoundState.PENDING, enqueue(at.render, sound)
            sound.save(update_fields=["state", "job_id"])
    at.tell_of(row, "completed", model=clip.model, late=clip.late)


def _begin(at: Look) -> None:
    """Have every clip made that can be: all at once, as far as the account's room goes."""
    before: RenderSegment | None = None
    for row, segment in zip(at.segments, at.film.segments, strict=True):
        start = at.render.character_id if segment.character else None
        if segment.continuity == Continuity.PREVIOUS_FRAME and row.state in WAITING:
            assert before is not None, "the first segment continues nothing"
            start = before.frame_id if _has_start(before) else None
            state = SegmentState.PENDING if start is not None else SegmentState.BLOCKED
            if (row.state, row.after_id) != (state, before.generation_id):
                row.state, row.after_id = state, before.generation_id
                row.save(update_fields=["state", "after_id"])
        if row.state == SegmentState.PENDING and not _make(at, row, segment, start):
            return
        before = row


def _has_start(before: RenderSegment) -> bool:
    """Whether the last frame of the segment before is there."""
    return before.state == SegmentState.COMPLETED and before.frame_id is not None


def _make(at: Look, row: RenderSegment, segment: Segment, start: UUID | None) -> bool:
    """False where there is no room at the moment."""
    try:
        with transaction.atomic():
            created = making.make_clip(at.owner, at.render, row, making.request_for(segment, at.film, start))
    except (TooManyJobs, QueueFull):
        return False
    except DomainError as error:
        # Its input is gone, or its model was switched off since: that is for its owner to decide.
        _failed(at, row, error)
        return True
    row.state = SegmentState.PROCESSING
    row.save(update_fields=["state"])
    at.changes.append(created)
    at.tell_of(row, "started", model=segment.model)
    return True


def _failed(at: Look, row: RenderSegment, error: DomainError) -> None:
    assert row.hold_id is not None
    ledger.release(hold_id=row.hold_id, reason=error.code)
    _mark_failed(at, row, code=error.code, message=error.message)


def _decide(at: Look) -> Next:
    states = {row.state for row in at.segments}
    sounds = {sound.state for sound in at.sounds}
    if states == {SegmentState.COMPLETED} and sounds <= {SoundState.COMPLETED}:
        if all(row.conformed_at is not None for row in at.segments):
            at.tell(transitions.compose(at.render, at.now))
            return _continue(at, "compose", timedelta(0))
        _prepare_forgotten(at)
        at.tell(transitions.go_on(at.render))
        return _continue(at, "produce", LOOK_EVERY)
    moving = {SegmentState.PROCESSING, SegmentState.PENDING} & states or {
        SoundState.PROCESSING,
        SoundState.PENDING,
    } & sounds
    waits_for_frame = any(
        row.state == SegmentState.BLOCKED and before.state == SegmentState.COMPLETED
        for before, row in pairwise(at.segments)
    )
    if waits_for_frame:
        _prepare_forgotten(at)
    if moving or waits_for_frame:
        at.tell(transitions.go_on(at.render))
        return _continue(at, "produce", LOOK_EVERY)
    at.tell(transitions.need_attention(at.render, at.now))
    return _wait(at, "attend")


def _prepare_forgotten(at: Look) -> None:
    """Begin again what was let go of in the moment in which it was needed anew. One statement."""
    rows = [row for row in at.segments if row.state == SegmentState.COMPLETED and row.conformed_at is None]
    busy = set(
        open_jobs(kind=SEGMENT, subject_id__in=[row.id for row in rows]).values_list("subject_id", flat=True)
    )
    for row in rows:
        if row.id not in busy:
            making.prepare(at.render, row)


def _wait(at: Look, stage: str) -> Continue:
    """There is nothing to do but what its owner decides; news from what still runs make it due at once."""
    runs = any(row.state == SegmentState.PROCESSING for row in at.segments) or any(
        sound.state in (SoundState.PENDING, SoundState.PROCESSING) for sound in at.sounds
    )
    return _continue(at, stage, LOOK_EVERY if runs else LOOK_SELDOM)


def _continue(at: Look, stage: str, due_in: timedelta) -> Continue:
    done, eta_at = progress_of(at)
    # `job` and `renders/` show it to whoever asks: it is written when it has moved by more than it is good for.
    known = Job.objects.values_list("eta_at", flat=True).get(id=at.lease.job_id)
    moved = known is None or abs(eta_at - known) > ETA_STEP
    return Continue(
        stage=stage,
        due_in=due_in,
        progress=max(at.lease.progress, done),
        eta_at=eta_at if moved else None,
        changes=at.changes,
    )


def progress_of(at: Look) -> tuple[int, datetime]:
    """How much of the whole is done, in percent, and when it is likely to be finished."""
    running = {
        job.subject_id: job.progress
        for job in Job.objects.filter(
            kind=GENERATION,
            subject_id__in=[row.generation_id for row in at.segments if row.state == SegmentState.PROCESSING],
            ended_at__isnull=True,
        )
    }
    shares: list[float] = []
    left = 0.0
    for row in at.segments:
        if row.state == SegmentState.COMPLETED:
            shares.append(100.0 if row.conformed_at is not None else 90.0)
            continue
        percent = running.get(row.generation_id, 0)
        shares.append(percent * 0.9)
        expected = history.expected(row.part["model"]).typical * (1 - percent / 100)
        left = max(left, expected + (left if row.state == SegmentState.BLOCKED else 0.0))
    shares += [100.0 if sound.state == SoundState.COMPLETED else 0.0 for sound in at.sounds]
    left += at.film.seconds * composing_seconds()
    return int(sum(shares) / len(shares) * SHARE / 100), at.now + timedelta(seconds=left)


def _warn(at: Look) -> None:
    """Once, a day before a waiting render is ended."""
    render = at.render
    if render.waits_until is None or render.warned_at is not None:
        return
    if render.waits_until - at.now > WARNED_BEFORE:
        return
    Render.objects.filter(id=render.id).update(warned_at=at.now)
    at.tell(
        transitions.change_of(render, f"{render.status}_ends_soon", ends_at=render.waits_until.isoformat())
    )


def _stop(at: Look, end: Callable[[Render], Change | None], state: JobState) -> Next:
    """End what has not begun, ask what runs to stop, and end the render once each part has its own end."""
    running = [row for row in at.segments if row.state == SegmentState.PROCESSING]
    # All at once, in the order of their ids: each of the two below locks some of them again.
    jobs.lock_all(
        [
            *((GENERATION, row.generation_id) for row in running),
            *((SOUND, sound.id) for sound in at.sounds),
            *((SEGMENT, row.id) for row in at.segments),
        ]
    )
    if running:
        at.changes += cancellation.stop_all([row.generation_id for row in running])
    waits = _stop_jobs(at)
    if running or waits:
        return _continue(at, "produce", LOOK_EVERY)
    change = end(at.render)
    at.tell(change)
    at.render.refresh_from_db()
    return End(state=state, error_code=at.render.error_code, changes=at.changes)


def _stop_jobs(at: Look) -> bool:
    """Stop the work on sounds and parts of the film; whether some of it is still under way."""
    return stop_all(
        [*((SOUND, sound.id) for sound in at.sounds), *((SEGMENT, row.id) for row in at.segments)]
    )


# Of clips: what their renders want to hear of.
_NEWS = ("generation.completed", "generation.failed", "generation.cancelled")


def hear(changes: Sequence[Change]) -> None:
    """A listener of all changes: renders look when a clip of theirs has ended. One statement, if one has."""
    ended = [change.subject_id for change in changes if change.kind in _NEWS]
    if not ended:
        return
    rows = RenderSegment.objects.filter(generation_id__in=ended)
    found = list(rows.values_list("render_id", "render__ended_at", "generation_id").distinct())
    ring([render_id for render_id, over, _ in found if over is None])
    # Nobody looks at a render that has ended: its clip is there to be used again.
    completed = {change.subject_id for change in changes if change.kind == "generation.completed"}
    left = [clip_id for _, over, clip_id in found if over is not None and clip_id in completed]
    if left:
        rows.filter(generation_id__in=left, state=SegmentState.PROCESSING).update(
            state=SegmentState.COMPLETED
        )


def ring(render_ids: Sequence[UUID]) -> None:
    """There is news for these renders: have their jobs look once the caller's transaction has committed.

    Not in it: it holds other jobs, and the counter of events, which come after a render's job in the order of locks.
    """

    def hint() -> None:
        for render_id in render_ids:
            jobs.hint(kind=RENDER, subject_id=render_id)

    if render_ids:
        transaction.on_commit(hint)
