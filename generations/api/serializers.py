"""The shapes of requests, checked here, and of answers, for the documentation."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import User
from accounts.tiers import tier_of
from credits.api.serializers import BreakdownSerializer, MoneySerializer
from generations import assets
from generations.api.representation import STAGES
from generations.cancellation import CancelResult
from generations.models import AssetKind, AssetState, AttemptState, GenerationStatus, ProjectState
from generations.models.assets import AssetOrigin
from providers.catalogue import ContentType
from providers.contract import Mode
from workers.jobs import CANCELLING

LONGEST_PROMPT = 5000
GENERATION_STAGES = [*STAGES, CANCELLING]
MODES = [(one.value, one.name) for one in Mode]


class Strict(serializers.Serializer[Any]):
    """Refuses fields that nobody reads, so that no wish is lost in silence."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                raise serializers.ValidationError({name: ["There is no such field."] for name in unknown})
        return super().to_internal_value(data)


class DraftSerializer(Strict):
    """What may be asked of a model; what is left out is the model's or the account's default."""

    model = serializers.CharField(max_length=100)
    prompt = serializers.CharField(
        max_length=LONGEST_PROMPT, required=False, default="", allow_blank=True, trim_whitespace=False
    )
    mode = serializers.CharField(max_length=12, required=False, allow_null=True)
    negative_prompt = serializers.CharField(
        max_length=LONGEST_PROMPT, required=False, allow_blank=True, default=""
    )
    style = serializers.CharField(max_length=60, required=False, allow_blank=True, default="")
    resolution = serializers.CharField(max_length=10, required=False, allow_null=True)
    ratio = serializers.CharField(max_length=10, required=False, allow_null=True)
    duration_seconds = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=86400)
    audio = serializers.BooleanField(required=False, default=False)
    enhance = serializers.BooleanField(required=False, default=False)
    seed = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=2**31 - 1)
    controls = serializers.DictField(required=False, default=dict)
    start_image = serializers.UUIDField(required=False, allow_null=True)
    end_image = serializers.UUIDField(required=False, allow_null=True)
    source_video = serializers.UUIDField(required=False, allow_null=True)


class CreateSerializer(DraftSerializer):
    """A clip to make, and how much it may cost."""

    project = serializers.UUIDField(required=False, allow_null=True)
    quote_id = serializers.UUIDField(required=False, allow_null=True)
    max_credits = serializers.IntegerField(required=False, allow_null=True, min_value=0)
    start_after = serializers.DateTimeField(required=False, allow_null=True)
    start_by = serializers.DateTimeField(required=False, allow_null=True)
    finish_by = serializers.DateTimeField(required=False, allow_null=True)
    fallback = serializers.BooleanField(
        required=False,
        default=True,
        help_text="Whether a model of equal or better fit may make it, within the price, where this one proves to fail.",
    )


class RetrySerializer(Strict):
    max_credits = serializers.IntegerField(required=False, allow_null=True, min_value=0)
    fallback = serializers.BooleanField(required=False, default=True)


class EtaSerializer(serializers.Serializer[Any]):
    earliest_seconds = serializers.FloatField()
    typical_seconds = serializers.FloatField()
    late_seconds = serializers.FloatField()


class EstimateSerializer(serializers.Serializer[Any]):
    """A binding price."""

    quote_id = serializers.UUIDField()
    expires_at = serializers.DateTimeField()
    model = serializers.CharField()
    provider = serializers.CharField()
    credits = serializers.IntegerField()
    money = MoneySerializer()
    breakdown = BreakdownSerializer(many=True)
    balance = serializers.IntegerField()
    affordable = serializers.BooleanField()
    eta = EtaSerializer()


class AssetSerializer(serializers.Serializer[Any]):
    """A stored file."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=AssetKind.choices)
    origin = serializers.ChoiceField(choices=AssetOrigin.choices)
    state = serializers.ChoiceField(choices=AssetState.choices)
    name = serializers.CharField()
    media_type = serializers.CharField()
    bytes = serializers.IntegerField()
    sha256 = serializers.CharField()
    width = serializers.IntegerField(allow_null=True)
    height = serializers.IntegerField(allow_null=True)
    duration_seconds = serializers.FloatField(allow_null=True)
    frames_per_second = serializers.FloatField(allow_null=True)
    video_codec = serializers.CharField()
    audio_codec = serializers.CharField()
    ratio = serializers.CharField(allow_null=True)
    fitting_ratios = serializers.ListField(child=serializers.CharField())
    thumbnail_url = serializers.URLField(allow_null=True)
    poster_url = serializers.URLField(allow_null=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)


class CreditsSerializer(serializers.Serializer[Any]):
    """Credits of one clip; `balance` and `account_held` of the account come with answers that move them."""

    quoted = serializers.IntegerField()
    held = serializers.IntegerField()
    used = serializers.IntegerField()
    released = serializers.IntegerField()
    quoted_money = MoneySerializer()
    remaining = serializers.IntegerField(required=False)
    account_held = serializers.IntegerField(required=False)


class GenerationErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()
    details = serializers.DictField()
    retryable = serializers.BooleanField()


class FailureSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()
    retryable = serializers.BooleanField()


class AttemptSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    provider = serializers.CharField()
    model = serializers.CharField()
    state = serializers.ChoiceField(choices=AttemptState.choices)
    failure = FailureSerializer(allow_null=True)
    created_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    running_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    checked_until = serializers.DateTimeField(allow_null=True)


class GenerationSerializer(serializers.Serializer[Any]):
    """A clip: what was asked for, how far it is, what it costs, and its video."""

    id = serializers.UUIDField()
    project = serializers.UUIDField(allow_null=True)
    retry_of = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(choices=GenerationStatus.choices)
    stage = serializers.ChoiceField(choices=GENERATION_STAGES, allow_null=True)
    progress = serializers.IntegerField()
    eta_at = serializers.DateTimeField(allow_null=True)
    model = serializers.CharField()
    provider = serializers.CharField()
    alternatives = serializers.ListField(
        child=serializers.CharField(),
        help_text="The models that are asked next, in this order, if this one proves to fail.",
    )
    mode = serializers.ChoiceField(choices=MODES)
    prompt = serializers.CharField()
    negative_prompt = serializers.CharField()
    style = serializers.CharField()
    resolution = serializers.CharField()
    ratio = serializers.CharField()
    duration_seconds = serializers.IntegerField()
    audio = serializers.BooleanField()
    enhance = serializers.BooleanField()
    seed = serializers.IntegerField(allow_null=True)
    controls = serializers.DictField()
    start_image = serializers.UUIDField(allow_null=True)
    end_image = serializers.UUIDField(allow_null=True)
    source_video = serializers.UUIDField(allow_null=True)
    start_after = serializers.DateTimeField(allow_null=True)
    start_by = serializers.DateTimeField(allow_null=True)
    finish_by = serializers.DateTimeField(allow_null=True)
    credits = CreditsSerializer()
    late = serializers.BooleanField()
    error = GenerationErrorSerializer(allow_null=True)
    video = AssetSerializer(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)


class GenerationDetailSerializer(GenerationSerializer):
    """A clip with its attempts and its place in the line."""

    position = serializers.IntegerField(allow_null=True)
    attempts = AttemptSerializer(many=True)


class CancelSerializer(serializers.Serializer[Any]):
    outcome = serializers.ChoiceField(choices=[(one.value, one.name) for one in CancelResult])
    generation = GenerationSerializer()


class EventSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    kind = serializers.CharField()
    subject_id = serializers.UUIDField()
    data = serializers.DictField()
    created_at = serializers.DateTimeField()


class ProjectWriteSerializer(Strict):
    title = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=5000, required=False, allow_blank=True)
    favourite = serializers.BooleanField(required=False)
    sample = serializers.UUIDField(required=False, allow_null=True)
    character = serializers.UUIDField(required=False, allow_null=True)
    audio = serializers.UUIDField(required=False, allow_null=True)


class ProjectSerializer(serializers.Serializer[Any]):
    """A project, with counts and spend."""

    id = serializers.UUIDField()
    title = serializers.CharField()
    description = serializers.CharField()
    favourite = serializers.BooleanField()
    state = serializers.ChoiceField(choices=ProjectState.choices)
    sample = serializers.UUIDField(allow_null=True)
    character = serializers.UUIDField(allow_null=True)
    audio = serializers.UUIDField(allow_null=True)
    generations = serializers.IntegerField()
    completed = serializers.IntegerField()
    running = serializers.IntegerField()
    credits_used = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ProjectDetailSerializer(ProjectSerializer):
    newest = GenerationSerializer(many=True)


@extend_schema_field({"type": ["string", "number", "boolean", "null"]})
class ValueField(serializers.JSONField):
    """A control's value, of the control's own type."""


class ControlSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    description = serializers.CharField()
    type = serializers.ChoiceField(choices=["choice", "integer", "number", "boolean"])
    default = ValueField()
    choices = serializers.ListField(child=serializers.CharField(), required=False)
    minimum = serializers.FloatField(required=False)
    maximum = serializers.FloatField(required=False)


class RestrictionSerializer(serializers.Serializer[Any]):
    """In these modes and resolutions the model makes these durations only; none: no such video."""

    modes = serializers.ListField(child=serializers.ChoiceField(choices=MODES))
    resolutions = serializers.ListField(child=serializers.CharField())
    durations = serializers.ListField(child=serializers.IntegerField())


class ModelSerializer(serializers.Serializer[Any]):
    """A model of the catalogue; `credits` is its price at its own defaults."""

    id = serializers.CharField()
    name = serializers.CharField()
    provider = serializers.CharField()
    description = serializers.CharField()
    modes = serializers.ListField(child=serializers.ChoiceField(choices=MODES))
    default_duration = serializers.IntegerField()
    max_duration = serializers.IntegerField()
    durations = serializers.ListField(child=serializers.IntegerField())
    restrictions = RestrictionSerializer(many=True)
    end_image_alone = serializers.BooleanField(
        help_text="Whether it takes an end image without a start image."
    )
    resolutions = serializers.ListField(child=serializers.CharField())
    ratios = serializers.ListField(child=serializers.CharField())
    default_ratio = serializers.CharField()
    styles = serializers.ListField(child=serializers.CharField())
    max_prompt_length = serializers.IntegerField(help_text="In characters; 0: it takes no prompt.")
    spoken_characters_per_second = serializers.IntegerField(
        allow_null=True,
        help_text="The model speaks its prompt: how much of it goes into a second. null: it doesn't.",
    )
    negative_prompt = serializers.BooleanField()
    audio = serializers.BooleanField()
    enhance = serializers.BooleanField()
    seed = serializers.BooleanField()
    controls = ControlSerializer(many=True)
    strengths = serializers.ListField(
        child=serializers.ChoiceField(choices=[(one.value, one.name) for one in ContentType])
    )
    quality = serializers.IntegerField(help_text="Of its pictures, from 1 to 5.")
    watermark = serializers.BooleanField()
    price_unit = serializers.CharField()
    credits = serializers.IntegerField(allow_null=True)
    requires_tier = serializers.CharField(allow_null=True)
    available_from = serializers.DateTimeField(allow_null=True)
    deprecated_at = serializers.DateTimeField(allow_null=True)
    retires_at = serializers.DateTimeField(allow_null=True)
    successor = serializers.CharField(allow_null=True)
    health = serializers.ChoiceField(
        choices=["available", "failing", "unavailable", "retired"],
        help_text="failing: it can be asked, and its vendor is out of order at the moment.",
    )


class StorageSerializer(serializers.Serializer[User]):
    """What of the account's storage is used, in bytes."""

    used_bytes = serializers.SerializerMethodField()
    limit_bytes = serializers.SerializerMethodField()

    def get_used_bytes(self, user: User) -> int:
        return assets.storage_used(user.pk)

    def get_limit_bytes(self, user: User) -> int:
        return tier_of(user).storage_bytes


class UploadStartSerializer(Strict):
    """A file to come: its exact size and type."""

    name = serializers.CharField(max_length=255)
    media_type = serializers.CharField(max_length=100)
    bytes = serializers.IntegerField(min_value=1)


class CropSerializer(Strict):
    """A part of a picture: its upper left corner and its size, in pixels."""

    x = serializers.IntegerField(min_value=0)
    y = serializers.IntegerField(min_value=0)
    width = serializers.IntegerField(min_value=1)
    height = serializers.IntegerField(min_value=1)


class SmallUploadSerializer(serializers.Serializer[Any]):
    file = serializers.FileField()


class UploadSerializer(serializers.Serializer[Any]):
    """PUT the file to `url` with `headers`, then finish."""

    asset = AssetSerializer()
    method = serializers.CharField()
    url = serializers.URLField()
    headers = serializers.DictField(child=serializers.CharField())
    expires_in_seconds = serializers.IntegerField()
