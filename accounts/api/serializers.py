"""What the account's resources look like."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts import profile
from accounts.models import ApiKey, Preferences, Scope, User
from accounts.tiers import Tier, tier_of
from workers import clock

RESOLUTIONS = ("480p", "540p", "720p", "1080p", "1440p", "4K")


class TierSerializer(serializers.Serializer[Tier]):
    """What the account's tier allows."""

    name = serializers.CharField()
    running_jobs = serializers.IntegerField()
    queued_jobs = serializers.IntegerField()
    creates_per_minute = serializers.IntegerField()
    storage_bytes = serializers.IntegerField()
    credits_per_day = serializers.IntegerField()
    max_resolution = serializers.CharField()


class ProfileSerializer(serializers.ModelSerializer[User]):
    """The signed-in account; other parts of the system add theirs."""

    tier = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields: ClassVar = ["id", "email", "name", "tier", "suspended_at", "suspension_reason", "created_at"]
        read_only_fields: ClassVar = ["id", "email", "suspended_at", "suspension_reason", "created_at"]

    @extend_schema_field(TierSerializer)
    def get_tier(self, user: User) -> dict[str, Any]:
        return dict(TierSerializer(tier_of(user)).data)

    def get_fields(self) -> dict[str, Any]:
        return super().get_fields() | profile.parts()


class PreferencesSerializer(serializers.ModelSerializer[Preferences]):
    """What is used where a request doesn't say; null is the system's own default."""

    resolution = serializers.ChoiceField(choices=RESOLUTIONS, allow_null=True, required=False)
    ratio = serializers.RegexField(r"^[1-9]\d?:[1-9]\d?$", allow_null=True, required=False)
    model = serializers.RegexField(
        r"^[a-z0-9_-]+/[A-Za-z0-9._-]+$", max_length=100, allow_null=True, required=False
    )

    class Meta:
        model = Preferences
        fields: ClassVar = ["resolution", "ratio", "model", "allow_fallback"]


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    """An API key as it is listed: `prefix` is how it begins, the rest is not kept."""

    class Meta:
        model = ApiKey
        fields: ClassVar = [
            "id",
            "name",
            "prefix",
            "scopes",
            "created_at",
            "expires_at",
            "revoked_at",
            "last_used_at",
        ]
        read_only_fields = fields


class NewApiKeySerializer(serializers.Serializer[Any]):
    """What to make a key with."""

    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.choices),
        allow_empty=False,
        default=[Scope.READ.value, Scope.WRITE.value],
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)

    def validate_expires_at(self, value: Any) -> Any:
        if value is not None and value <= clock.now():
            raise serializers.ValidationError("This moment is past.", code="past")
        return value


class MadeApiKeySerializer(ApiKeySerializer):
    """A key just made, with its secret: shown this once."""

    secret = serializers.CharField(read_only=True, allow_null=True)

    class Meta(ApiKeySerializer.Meta):
        fields: ClassVar = [*ApiKeySerializer.Meta.fields, "secret"]
