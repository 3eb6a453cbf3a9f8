"""Preparing a segment for the film the moment its clip is there: its last frame, and its parts, while others are made."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings

from generations import inspection, storage
from generations.models import Asset, AssetKind, AssetState
from generations.models.assets import AssetOrigin
from generations.scratch import scratch_folder
from generations.storage import StorageUnavailable
from pipeline import versions
from pipeline.media import composition, frames
from pipeline.media.composition.errors import Cancelled, CompositionFailed
from pipeline.models import RenderSegment, SegmentState
from pipeline.plans.film import Continuity
from pipeline.renders import coordination, parts
from pipeline.renders.inputs import keep
from pipeline.renders.material import Material, material_of, voices_have_ended
from pipeline.renders.parts import StoredPart
from pipeline.stages.made import asset_id_of
from workers import crash, progress
from workers.jobs import Change, Continue, End, Lease, Next, Outcome, Stage
from workers.models import JobState

logger = logging.getLogger(__name__)

# How soon it is tried again while the store is away, and looked at again while voices are made.
PATIENCE = timedelta(seconds=10)
VOICES_SOON = timedelta(seconds=1)


def row_of(lease: Lease) -> RenderSegment:
    return RenderSegment.objects.select_related("render__version", "render__project").get(id=lease.subject_id)


def unwanted(lease: Lease, row: RenderSegment) -> End | None:
    """The job's end where its render has ended, its owner wants it stopped, or the clip is being made anew."""
    if row.render.ended_at is not None or lease.cancel_requested or row.state != SegmentState.COMPLETED:
        return End(state=JobState.CANCELLED)
    return None


def spoiled(row: RenderSegment, *, message: str) -> End:
    """The segment has no part in the film, by our fault: for its owner to have it made anew, for nothing."""
    code = coordination.NOT_COMPOSABLE
    logger.error("segment %s can't be put into its film", row.id, extra={"alarm": "not_composed"})
    RenderSegment.objects.filter(
        id=row.id, state=SegmentState.COMPLETED, generation_id=row.generation_id
    ).update(state=SegmentState.FAILED, error_code=code, error_message=message[:500])
    coordination.ring([row.render_id])
    change = Change(
        owner_id=row.render.owner_id,
        kind="render.segment_failed",
        subject_id=row.render_id,
        data={"segment": row.name, "error": {"code": code, "message": message}},
    )
    return End(state=JobState.FAILED, error_code=code, changes=[change])


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameWork:
    row_id: UUID
    generation_id: UUID
    owner_id: UUID
    clip_key: str
    # Of the clip, where the film leaves it.
    at_seconds: float
    asset_id: UUID
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameAnswer:
    """The stored picture; `error`: why there is none; neither: our store was away."""

    generation_id: UUID
    key: str = ""
    facts: inspection.MediaFacts | None = None
    error: str = ""


class Frame(Stage[FrameWork, FrameAnswer]):
    """The last picture that the film shows of a clip: what the next segment begins with."""

    name = "frame"
    label = "conforming"
    queue = "media"
    deadline = 300.0

    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, FrameWork | Next]:
        begun: dict[UUID, FrameWork | Next] = {}
        for lease in leases:
            row = row_of(lease)
            begun[lease.job_id] = unwanted(lease, row) or self._work(lease, row)
        return begun

    def call(self, work: FrameWork) -> FrameAnswer:
        try:
            with scratch_folder("frame") as folder:
                return _frame(work, folder)
        except StorageUnavailable as error:
            logger.warning("segment %s waits for the store: %s", work.row_id, error)
            return FrameAnswer(generation_id=work.generation_id)

    def finish(self, outcomes: Sequence[Outcome[FrameAnswer]]) -> Mapping[UUID, Next]:
        return {one.lease.job_id: self._decide(one.lease, one.answer) for one in outcomes if one.held}

    def abandon(self, lease: Lease) -> Next:
        row = row_of(lease)
        return unwanted(lease, row) or spoiled(row, message="Its clip could not be prepared: our fault.")

    def _work(self, lease: Lease, row: RenderSegment) -> FrameWork | Next:
        film = versions.film_of(row.render.version)
        following = film.segments[row.position + 1 : row.position + 2]
        if row.frame_id is not None or not any(
            one.continuity == Continuity.PREVIOUS_FRAME for one in following
        ):
            return Continue(stage="conform")
        segment = film.segments[row.position]
        return FrameWork(
            row_id=row.id,
            generation_id=row.generation_id,
            owner_id=row.render.owner_id,
            clip_key=material_of(row.render, [row]).clips[row.name],
            at_seconds=segment.seconds * segment.speed,
            asset_id=asset_id_of(lease),
            fence=lease.fence,
        )

    def _decide(self, lease: Lease, answer: FrameAnswer) -> Next:
        row = row_of(lease)
        if (end := unwanted(lease, row)) is not None:
            return end
        if answer.generation_id != row.generation_id:
            # It was made anew meanwhile: what was found is of another clip.
            return Continue(stage=self.name)
        if answer.error:
            return spoiled(row, message=answer.error)
        if answer.facts is None:
            return Continue(stage=self.name, due_in=PATIENCE)
        picture = _save_frame(row, lease, answer)
        RenderSegment.objects.filter(id=row.id, generation_id=row.generation_id).update(frame=picture)
        keep(row.render, [picture.id], lease.now)
        coordination.ring([row.render_id])
        return Continue(stage="conform", progress=20)


def _frame(work: FrameWork, folder: Path) -> FrameAnswer:
    clip, picture = folder / "clip.mp4", folder / "frame.png"
    if not storage.download_to(work.clip_key, clip, max_bytes=settings.MAX_OUTPUT_BYTES):
        return FrameAnswer(generation_id=work.generation_id, error="Its clip's file is not there any more.")
    crash.point("frame.downloaded")
    try:
        frames.last_frame(clip, picture, before_seconds=work.at_seconds)
        facts = inspection.inspect(picture, folder).facts
    except (CompositionFailed, inspection.NotMedia) as error:
        return FrameAnswer(generation_id=work.generation_id, error=f"Its clip has no picture there: {error}")
    key = storage.key(work.owner_id, work.asset_id, str(work.fence), picture.name)
    storage.put(key, picture, media_type=facts.media_type)
    crash.point("frame.stored")
    return FrameAnswer(generation_id=work.generation_id, key=key, facts=facts)


def _save_frame(row: RenderSegment, lease: Lease, answer: FrameAnswer) -> Asset:
    assert answer.facts is not None
    asset: Asset = Asset.objects.create(
        id=asset_id_of(lease),
        owner_id=row.render.owner_id,
        kind=AssetKind.IMAGE,
        origin=AssetOrigin.FRAME,
        state=AssetState.READY,
        name=f"{row.name}-last-frame.png",
        media_type=answer.facts.media_type,
        bytes=answer.facts.bytes,
        key=answer.key,
        width=answer.facts.width,
        height=answer.facts.height,
        created_at=lease.now,
        expires_at=lease.now + settings.VIDEOS_KEPT,
    )
    return asset


@dataclass(frozen=True, slots=True, kw_only=True)
class ConformWork:
    row_id: UUID
    generation_id: UUID
    name: str
    owner_id: UUID
    material: Material
    known: Mapping[str, str]
    asset_id: UUID
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConformAnswer:
    """What was stored; `error`: why nothing can be made of the clip; `away`: our store was."""

    generation_id: UUID
    made: tuple[StoredPart, ...] = ()
    error: str = ""
    cancelled: bool = False
    away: bool = False


class Conform(Stage[ConformWork, ConformAnswer]):
    """The segment's parts of the film: encoded once, while other segments are still made."""

    name = "conform"
    label = "conforming"
    queue = "media"
    deadline = 1800.0
    reports = True

    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, ConformWork | Next]:
        begun: dict[UUID, ConformWork | Next] = {}
        for lease in leases:
            row = row_of(lease)
            begun[lease.job_id] = unwanted(lease, row) or self._work(lease, row)
        return begun

    def call(self, work: ConformWork) -> ConformAnswer:
        try:
            with scratch_folder("conform") as folder:
                made = conformed(work, folder)
        except StorageUnavailable as error:
            logger.warning("segment %s waits for the store: %s", work.row_id, error)
            return ConformAnswer(generation_id=work.generation_id, away=True)
        except Cancelled:
            return ConformAnswer(generation_id=work.generation_id, cancelled=True)
        except CompositionFailed as error:
            logger.error("segment %s can't be conformed: %s", work.row_id, error)
            return ConformAnswer(generation_id=work.generation_id, error=str(error))
        return ConformAnswer(generation_id=work.generation_id, made=made)

    def finish(self, outcomes: Sequence[Outcome[ConformAnswer]]) -> Mapping[UUID, Next]:
        return {one.lease.job_id: self._decide(one.lease, one.answer) for one in outcomes if one.held}

    def abandon(self, lease: Lease) -> Next:
        row = row_of(lease)
        return unwanted(lease, row) or spoiled(row, message="Its clip could not be prepared: our fault.")

    def _work(self, lease: Lease, row: RenderSegment) -> ConformWork | Next:
        film = versions.film_of(row.render.version)
        if film.post.captions and not voices_have_ended(row.render_id):
            return Continue(stage=self.name, due_in=VOICES_SOON)
        material = material_of(row.render, [row])
        names = composition.clip_parts(material.timeline, row.name)
        known = parts.known(row.render.owner_id, names)
        if len(known) == len(set(names)):
            return self._done(row, lease.now)
        return ConformWork(
            row_id=row.id,
            generation_id=row.generation_id,
            name=row.name,
            owner_id=row.render.owner_id,
            material=material,
            known=known,
            asset_id=asset_id_of(lease),
            fence=lease.fence,
        )

    def _decide(self, lease: Lease, answer: ConformAnswer) -> Next:
        row = row_of(lease)
        stored = parts.record(
            row.render.owner_id,
            asset_id_of(lease),
            answer.made,
            lease.now,
            name=f"{row.name}-parts.mp4",
        )
        if (end := unwanted(lease, row)) is not None:
            return end
        if answer.generation_id != row.generation_id:
            return Continue(stage=Frame.name)
        if answer.away:
            return Continue(stage=self.name, due_in=PATIENCE)
        if answer.cancelled:
            return End(state=JobState.CANCELLED)
        if answer.error:
            return spoiled(row, message="Its clip could not be prepared: our fault.")
        if stored is not None:
            keep(row.render, [stored.id], lease.now)
        return self._done(row, lease.now)

    def _done(self, row: RenderSegment, now: datetime) -> End:
        of_this_clip = RenderSegment.objects.filter(id=row.id, generation_id=row.generation_id)
        of_this_clip.update(conformed_at=now)
        coordination.ring([row.render_id])
        change = Change(
            owner_id=row.render.owner_id,
            kind="render.segment_ready",
            subject_id=row.render_id,
            data={"segment": row.name},
        )
        return End(state=JobState.COMPLETED, changes=[change])


def conformed(work: ConformWork, folder: Path) -> tuple[StoredPart, ...]:
    """The parts of the segment that are not there yet, made and stored.

    Raises StorageUnavailable, Cancelled, CompositionFailed.
    """
    made_in, scratch, source = folder / "parts", folder / "scratch", folder / "clip.mp4"
    made_in.mkdir()
    scratch.mkdir()
    if not storage.download_to(work.material.clips[work.name], source, max_bytes=settings.MAX_OUTPUT_BYTES):
        raise CompositionFailed("its clip's file is not there any more")
    crash.point("conform.downloaded")
    parts.bring(work.known, made_in)
    names = composition.conform(
        work.material.timeline,
        work.name,
        source,
        made_in,
        scratch,
        progress=lambda share: progress.report(20 + share * 75),
        cancelled=progress.cancelled,
    )
    crash.point("conform.conformed")
    missing = [name for name in dict.fromkeys(names) if name not in work.known]
    stored = parts.put(work.owner_id, work.asset_id, work.fence, missing, made_in)
    crash.point("conform.stored")
    return stored
