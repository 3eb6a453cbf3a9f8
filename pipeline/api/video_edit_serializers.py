"""The shapes of answers about edits of videos, for the documentation; their requests are checked by `EditBody`."""

from typing import Annotated, Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from pydantic import Field
from rest_framework import serializers

from credits.api.serializers import MoneySerializer
from generations.api.serializers import EtaSerializer
from pipeline.api.render_serializers import (
    FinishedFilmSerializer,
    PriceLineSerializer,
    RenderCreditsSerializer,
    RenderSoundSerializer,
)
from pipeline.api.serializers import WorkErrorSerializer
from pipeline.models import WorkStatus
from pipeline.video_edits.wishes import Wish
from workers.jobs import CANCELLING

EDIT_STAGES = ("sounding", "composing", CANCELLING)


class EditBody(Wish):
    """A wish, with the quote that it is made under, or the most that it may cost."""

    quote_id: UUID | None = None
    max_credits: Annotated[int, Field(ge=0)] | None = None

    def wish(self) -> Wish:
        """What is to be done, without what it may cost."""
        return Wish.model_validate(self.model_dump(exclude={"quote_id", "max_credits"}))


@extend_schema_field(Wish)  # type: ignore[arg-type]
class WishField(serializers.JSONField):
    """What is done, as `pipeline.video_edits.wishes` has it."""


class EditPartPriceSerializer(serializers.Serializer[Any]):
    """`part`: `voice:v1`, `effect:e1`, `music` or `composition`; `reused`: it is there already."""

    part = serializers.CharField()
    model = serializers.CharField()
    credits = serializers.IntegerField()
    reused = serializers.BooleanField()
    breakdown = PriceLineSerializer(many=True)


class EditEstimateSerializer(serializers.Serializer[Any]):
    """What an edit costs: binding until `expires_at`, once."""

    quote_id = serializers.UUIDField()
    expires_at = serializers.DateTimeField()
    credits = serializers.IntegerField()
    money = MoneySerializer()
    balance = serializers.IntegerField()
    affordable = serializers.BooleanField()
    parts = EditPartPriceSerializer(many=True)
    eta = EtaSerializer()


class EditSummarySerializer(serializers.Serializer[Any]):
    """An edit: where it stands. `edit_source` is the video that is edited."""

    id = serializers.UUIDField()
    job = serializers.UUIDField()
    status = serializers.ChoiceField(choices=WorkStatus.choices)
    stage = serializers.ChoiceField(choices=EDIT_STAGES, allow_null=True)
    progress = serializers.IntegerField()
    eta_at = serializers.DateTimeField(allow_null=True)
    credits_quoted = serializers.IntegerField()
    error = WorkErrorSerializer(allow_null=True)
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)

    def get_fields(self) -> Any:
        # `source` is a word of the serializer's own.
        return {**super().get_fields(), "source": serializers.UUIDField()}


class EditSerializer(EditSummarySerializer):
    """An edit with its sounds and its result."""

    wish = WishField()
    credits = RenderCreditsSerializer()
    sounds = RenderSoundSerializer(many=True)
    video = FinishedFilmSerializer(allow_null=True)
    timings = serializers.DictField(child=serializers.FloatField())


class EditCreatedSerializer(EditSerializer):
    """With what the account has left."""

    balance = serializers.IntegerField()
    account_held = serializers.IntegerField()
