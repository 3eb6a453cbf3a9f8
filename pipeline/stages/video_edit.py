"""Editing a finished video: followed while its sounds are made, then composed, examined, signed, stored, paid for."""

from collections.abc import Mapping, Sequence
from typing import NoReturn
from uuid import UUID, uuid5

from django.conf import settings

from generations import provenance
from generations.models import Asset
from generations.models.assets import AssetOrigin
from pipeline import composing
from pipeline.composing import Order, Stored
from pipeline.media import composition
from pipeline.models import SoundState, VideoEdit
from pipeline.renders import parts
from pipeline.renders.material import heard
from pipeline.stages.composing import Composing
from pipeline.stages.made import asset_id_of
from pipeline.video_edits import transitions, wishes
from pipeline.video_edits.creation import source_of
from pipeline.video_edits.following import begins_percent, look, row_of
from pipeline.video_edits.timelines import SOURCE, timeline_of
from workers.jobs import End, Lease, Next, Outcome, Stage
from workers.models import JobState

# What the check of a film minds, and a source may be, and stay: that is its owner's.
PICTURE_AS_IT_IS = ("black", "frozen")
SOUND_AS_IT_IS = ("silent", "loudness")


class FollowEdit(Stage[None, None]):
    """While its sounds are made. No call is made."""

    name = "follow"
    label = "sounding"

    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, Next]:
        return {lease.job_id: look(lease) for lease in sorted(leases, key=lambda one: str(one.owner_id))}

    def call(self, work: None) -> NoReturn:
        raise RuntimeError("an edit is followed within its claim")

    def finish(self, outcomes: Sequence[Outcome[None]]) -> Mapping[UUID, Next]:
        return {}

    def abandon(self, lease: Lease) -> Next:
        return _failed(row_of(lease), "internal_error", "The edit could not be followed: our fault.")


class ComposeEdit(Composing[VideoEdit]):
    """From the source and the sounds to the result."""

    follows = FollowEdit.name
    noun = "edit"

    def row_of(self, lease: Lease) -> VideoEdit:
        return row_of(lease)

    def look(self, lease: Lease) -> Next:
        return look(lease)

    def order_of(self, whole: VideoEdit, lease: Lease) -> Order:
        return order_of(whole, lease)

    def completed(self, whole: VideoEdit, lease: Lease, stored: Stored) -> Next:
        return _completed(whole, lease, stored)

    def not_composed(self, whole: VideoEdit) -> Next:
        return _not_composed(whole)


def output_name(edit_id: UUID) -> str:
    """For downloads and in its credentials."""
    return f"edit-{str(edit_id)[:8]}.mp4"


def output_id_of(edit_id: UUID) -> UUID:
    """An edit has one result, whoever composes it."""
    return uuid5(edit_id, "output")


def order_of(edit: VideoEdit, lease: Lease) -> Order:
    """What the composition needs. A few statements."""
    wish, source = wishes.from_json(edit.wish), source_of(edit.source)
    sounds = [
        one
        for one in edit.sounds.filter(state=SoundState.COMPLETED).select_related("asset").order_by("id")
        if one.asset is not None
    ]
    timeline = timeline_of(
        wish,
        source,
        [heard(one) for one in sounds],
        short_side=settings.FILM_SHORT_SIDE,
        preset=settings.FILM_PRESET,
    )
    models = sorted({*edit.made_by, *(one.model for one in sounds)})
    return Order(
        owner_id=edit.owner_id,
        subject_id=edit.id,
        timeline=timeline,
        clips={SOURCE: edit.source.key},
        sounds={str(one.id): one.asset.key for one in sounds if one.asset is not None},
        known=parts.known(edit.owner_id, composition.film_parts(timeline)),
        claim=provenance.Claim(
            kind="film" if models else "edit",
            title=output_name(edit.id),
            models=models,
            created_at=lease.now,
        ),
        film_id=output_id_of(edit.id),
        parts_id=asset_id_of(lease),
        fence=lease.fence,
        begins_percent=begins_percent(len(sounds)),
        continues=SOURCE,
        silent=not sounds and not timeline.clips[0].volume,
        as_it_is=PICTURE_AS_IT_IS if sounds else (*PICTURE_AS_IT_IS, *SOUND_AS_IT_IS),
    )


def _completed(edit: VideoEdit, lease: Lease, stored: Stored) -> Next:
    output = Asset.objects.create(
        id=output_id_of(edit.id),
        owner_id=edit.owner_id,
        origin=AssetOrigin.EDIT,
        name=output_name(edit.id),
        created_at=lease.now,
        expires_at=lease.now + settings.VIDEOS_KEPT,
        **composing.fields_of(stored),
    )
    change = transitions.complete(
        edit,
        output,
        vtt_key=stored.vtt_key,
        srt_key=stored.srt_key,
        timings=dict(stored.timings),
        figures=dict(stored.figures),
    )
    return End(state=JobState.COMPLETED, changes=[change] if change else [])


def _not_composed(edit: VideoEdit) -> Next:
    return _failed(
        edit, "not_composed", "The edit could not be composed: our fault. Nothing was charged for it."
    )


def _failed(edit: VideoEdit, code: str, message: str) -> Next:
    if edit.ended_at is not None:
        return End(state=JobState(edit.status))
    change = transitions.fail(edit, code=code, message=message)
    return End(state=JobState.FAILED, error_code=code, changes=[change] if change else [])
