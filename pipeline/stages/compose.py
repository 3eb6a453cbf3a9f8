"""Composing the film: joins and sound are made, everything else is copied; examined, signed, stored, paid for."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID, uuid5

from django.conf import settings

from generations import provenance
from generations.models import Asset, AssetState, Generation
from generations.models.assets import AssetOrigin
from pipeline import composing
from pipeline.composing import Answer, Order, Stored
from pipeline.media import composition
from pipeline.models import FilmPart, Render, RenderInput, RenderStatus
from pipeline.renders import parts, transitions
from pipeline.renders.coordination import look
from pipeline.renders.material import material_of
from pipeline.renders.timelines import OWN_TRACK
from pipeline.stages.made import asset_id_of
from workers.jobs import Continue, End, Lease, Next, Outcome, Stage
from workers.models import JobState

PATIENCE = timedelta(seconds=10)
# Where the composition begins, in percent of the whole.
BEGINS = 85
# A film shows and sounds what was planned: its clips passed their own examination, and a single click has no loudness.
AS_PLANNED = ("black", "frozen", "loudness")
# Tries at a composition that fails, the first included: it is our fault.
TRIES = 2


def film_id_of(render_id: UUID) -> UUID:
    """A render has one film, whoever composes it."""
    return uuid5(render_id, "film")


def film_name(render_id: UUID) -> str:
    """For downloads and in its credentials."""
    return f"film-{str(render_id)[:8]}.mp4"


class Compose(Stage[Order, Answer]):
    name = "compose"
    label = "composing"
    queue = "media"
    deadline = 1800.0
    reports = True

    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, Order | Next]:
        begun: dict[UUID, Order | Next] = {}
        for lease in leases:
            render = row_of(lease)
            if render.ended_at is not None or lease.cancel_requested:
                begun[lease.job_id] = look(lease)
                continue
            begun[lease.job_id] = _work(render, lease)
        return begun

    def call(self, work: Order) -> Answer:
        return composing.carried_out(work)

    def finish(self, outcomes: Sequence[Outcome[Answer]]) -> Mapping[UUID, Next]:
        return {one.lease.job_id: self._decide(one.lease, one.answer) for one in outcomes if one.held}

    def abandon(self, lease: Lease) -> Next:
        return _failed(row_of(lease))

    def _decide(self, lease: Lease, answer: Answer) -> Next:
        render = row_of(lease)
        parts.record(
            render.owner_id,
            asset_id_of(lease),
            answer.made,
            lease.now,
            name=f"film-parts-{str(render.id)[:8]}.mp4",
        )
        if render.ended_at is not None:
            return End(state=JobState(render.status))
        if answer.stored is not None:
            return _completed(render, lease, answer.stored)
        if answer.cancelled or lease.cancel_requested:
            return Continue(stage="produce")
        if answer.away:
            return Continue(stage=self.name, due_in=PATIENCE)
        Render.objects.filter(id=render.id).update(failures=render.failures + 1)
        if render.failures + 1 < TRIES:
            return Continue(stage=self.name, due_in=PATIENCE)
        return _failed(render)


def row_of(lease: Lease) -> Render:
    return Render.objects.select_related("version", "project", "audio", "owner").get(id=lease.subject_id)


def _work(render: Render, lease: Lease) -> Order:
    material = material_of(render)
    names = composition.film_parts(material.timeline)
    clips = Generation.objects.filter(id__in=render.segments.values("generation_id"))
    return Order(
        owner_id=render.owner_id,
        subject_id=render.id,
        timeline=material.timeline,
        clips=material.clips,
        sounds=material.sounds,
        known=parts.known(render.owner_id, names),
        claim=provenance.Claim(
            kind="film",
            title=film_name(render.id),
            models=tuple(sorted({*clips.values_list("model", flat=True), *_sound_models(render)})),
            project_id=render.project_id,
            plan_version=render.version.number,
            created_at=lease.now,
        ),
        film_id=film_id_of(render.id),
        parts_id=asset_id_of(lease),
        fence=lease.fence,
        begins_percent=BEGINS,
        silent=not material.timeline.sounds,
        as_it_is=AS_PLANNED if OWN_TRACK not in material.sounds else (*AS_PLANNED, "silent"),
    )


def _sound_models(render: Render) -> set[str]:
    return set(render.sounds.values_list("model", flat=True))


def _completed(render: Render, lease: Lease, stored: Stored) -> Next:
    expires_at = lease.now + settings.VIDEOS_KEPT
    film = Asset.objects.create(
        id=film_id_of(render.id),
        owner_id=render.owner_id,
        origin=AssetOrigin.RENDER,
        name=film_name(render.id),
        created_at=lease.now,
        expires_at=expires_at,
        **composing.fields_of(stored),
    )
    change = transitions.complete(
        render,
        film,
        vtt_key=stored.vtt_key,
        srt_key=stored.srt_key,
        timings=dict(stored.timings),
        figures=dict(stored.figures),
    )
    # What the film was made from goes with it.
    names = FilmPart.objects.filter(
        owner_id=render.owner_id, asset_id__in=RenderInput.objects.filter(render=render).values("asset_id")
    )
    Asset.objects.filter(id__in=names.values("asset_id"), state=AssetState.READY).update(
        expires_at=expires_at
    )
    return End(state=JobState.COMPLETED, changes=[change] if change else [])


def _failed(render: Render) -> Next:
    if render.status not in (RenderStatus.COMPLETED, RenderStatus.CANCELLED, RenderStatus.FAILED):
        change = transitions.fail(
            render,
            code="not_composed",
            message="The film could not be composed: our fault. Nothing was charged for it; its clips are yours.",
        )
        return End(state=JobState.FAILED, error_code="not_composed", changes=[change] if change else [])
    return End(state=JobState(render.status))
