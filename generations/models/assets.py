"""Every stored file."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Greatest

from workers.clock import AppNow


class AssetKind(models.TextChoices):
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


class AssetState(models.TextChoices):
    UPLOADING = "uploading"
    READY = "ready"
    # The bytes are gone or going; the record stays.
    EXPIRED = "expired"
    DELETED = "deleted"
    # Its object vanished from the store before its time: an alarm was raised.
    LOST = "lost"


class AssetOrigin(models.TextChoices):
    UPLOAD = "upload"
    GENERATION = "generation"
    # The pictures of a sample's scenes.
    ANALYSIS = "analysis"
    # What was wrong with a clip that did not pass its examination.
    EXAMINATION = "examination"
    # Of a render: the film, the last picture of a segment, a sound, and pieces of the film.
    RENDER = "render"
    FRAME = "frame"
    SOUND = "sound"
    PART = "part"
    # A finished video that was edited.
    EDIT = "edit"


# What is kept on the way to a film: its owner neither uploaded nor asked for it.
BY_PRODUCTS = (AssetOrigin.FRAME, AssetOrigin.SOUND, AssetOrigin.PART)


class Asset(models.Model):
    """A file of one owner: uploaded, or delivered by a provider.

    `key` is the object in our store; a linked asset (OUTPUT_STORAGE=link) has none, but the provider's URL,
    encrypted. Read it only while `ready` and before `expires_at`; its bytes go 15 minutes after that.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=8, choices=AssetKind.choices)
    origin = models.CharField(max_length=12, choices=AssetOrigin.choices)
    state = models.CharField(max_length=12, choices=AssetState.choices, default=AssetState.UPLOADING)
    # The name the owner gave the file, or ours for what was made here; used for downloads.
    name = models.CharField(max_length=255)
    media_type = models.CharField(max_length=100)
    bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64, blank=True, default="")

    # While uploading, the object where the upload lands. In the order of its bytes, as the store lists keys.
    key = models.CharField(max_length=300, blank=True, default="", db_collation="C")
    # Pictures of it, in our store: a small one for lists, and the poster frame in full size.
    thumbnail_key = models.CharField(max_length=300, blank=True, default="")
    poster_key = models.CharField(max_length=300, blank=True, default="")
    # Whatever else belongs to it in our store, and goes with it.
    further_keys = ArrayField(models.CharField(max_length=300), blank=True, default=list)
    # The provider's own URL, encrypted; only for linked assets.
    linked_url = models.BinaryField(null=True, blank=True)

    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    duration_seconds = models.DecimalField(max_digits=9, decimal_places=3, null=True, blank=True)
    frames_per_second = models.DecimalField(max_digits=7, decimal_places=3, null=True, blank=True)
    video_codec = models.CharField(max_length=40, blank=True, default="")
    audio_codec = models.CharField(max_length=40, blank=True, default="")

    created_at = models.DateTimeField(db_default=AppNow())
    # Unfinished uploads: a day. Uploads: moved on by each use. Outputs: seven days after completion.
    expires_at = models.DateTimeField(null=True, blank=True)
    # Unfinished work needs it: its bytes stay until this is null or past.
    pinned_until = models.DateTimeField(null=True, blank=True)
    # When its objects were deleted from the store; null while they may still be there.
    bytes_deleted_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    # Deletions that failed so far, and what the store said last.
    deletion_failures = models.PositiveIntegerField(default=0)
    deletion_error = models.CharField(max_length=300, blank=True, default="")
    # Somebody is deleting it, or failed to: not tried again before this, and the grace that all deletions have.
    deletion_retry_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(bytes__gte=0), name="generations_asset_bytes_not_negative"),
            models.CheckConstraint(
                condition=~Q(state=AssetState.READY)
                | (Q(expires_at__isnull=False) & (~Q(key="") | Q(linked_url__isnull=False))),
                name="generations_asset_ready_is_stored_and_expires",
            ),
            models.UniqueConstraint(
                fields=["key"], condition=~Q(key=""), name="generations_asset_key_unique"
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-created_at", "-id"], name="generations_asset_newest"),
            models.Index(fields=["owner", "kind", "-created_at", "-id"], name="generations_asset_kind"),
            # PostgreSQL's GREATEST passes over nulls.
            models.Index(
                Greatest("expires_at", "pinned_until", "deletion_retry_at"),
                condition=Q(bytes_deleted_at__isnull=True, expires_at__isnull=False),
                name="generations_asset_due",
            ),
            models.Index(
                fields=["owner"],
                include=["bytes"],
                condition=Q(state__in=[AssetState.UPLOADING, AssetState.READY]) & ~Q(origin__in=BY_PRODUCTS),
                name="generations_asset_usage",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"
