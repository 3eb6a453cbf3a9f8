"""Composing the film: joins and sound are made, everything else is copied; examined, signed, stored, paid for."""

from uuid import UUID, uuid5

from django.conf import settings

from generations import provenance
from generations.models import Asset, AssetState, Generation
from generations.models.assets import AssetOrigin
from pipeline import composing
from pipeline.composing import Order, Stored
from pipeline.media import composition
from pipeline.models import FilmPart, Render, RenderInput, RenderStatus
from pipeline.renders import parts, transitions
from pipeline.renders.coordination import look
from pipeline.renders.material import material_of
from pipeline.renders.timelines import OWN_TRACK
from pipeline.stages.composing import Composing
from pipeline.stages.made import asset_id_of
from workers.jobs import End, Lease, Next
from workers.models import JobState

# Where the composition begins, in percent of the whole.
BEGINS = 85
# A film shows and sounds what was planned: its clips passed their own examination, and a single click has no loudness.
AS_PLANNED = ("black", "frozen", "loudness")


def film_id_of(render_id: UUID) -> UUID:
    """A render has one film, whoever composes it."""
    return uuid5(render_id, "film")


def film_name(render_id: UUID) -> str:
    """For downloads and in its credentials."""
    return f"film-{str(render_id)[:8]}.mp4"


class Compose(Composing[Render]):
    follows = "produce"
    noun = "film"

    def row_of(self, lease: Lease) -> Render:
        return Render.objects.select_related("version", "project", "audio", "owner").get(id=lease.subject_id)

    def look(self, lease: Lease) -> Next:
        return look(lease)

    def order_of(self, whole: Render, lease: Lease) -> Order:
        return order_of(whole, lease)

    def completed(self, whole: Render, lease: Lease, stored: Stored) -> Next:
        return _completed(whole, lease, stored)

    def not_composed(self, whole: Render) -> Next:
        return _failed(whole)


def order_of(render: Render, lease: Lease) -> Order:
    """What the composition needs. A few statements."""
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
