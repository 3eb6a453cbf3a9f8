"""The sounds that are made for a render, or for the edit of a video."""

import uuid
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

from providers.catalogue.sound import SoundKind
from workers.clock import AppNow

if TYPE_CHECKING:
    from pipeline.models.renders import Render
    from pipeline.models.video_edits import VideoEdit


class SoundState(models.TextChoices):
    # It waits for its segment's clip, which is listened for.
    BLOCKED = "blocked"
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class FilmSound(models.Model):
    """One sound of a render or of an edit: a spoken line, an effect, or the music."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # One of the two.
    render = models.ForeignKey(
        "pipeline.Render",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="sounds",
        db_index=False,
    )
    edit = models.ForeignKey(
        "pipeline.VideoEdit",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="sounds",
        db_index=False,
    )
    kind = models.CharField(max_length=6, choices=[(kind.value, kind.value) for kind in SoundKind])
    # The plan's id of the segment that it begins with, or which of the edit's own it is, from 1; "" for the music.
    segment = models.CharField(max_length=8, blank=True, default="")
    text = models.TextField()
    voice = models.CharField(max_length=200, blank=True, default="")
    # The vendor knows no such voice: its default one speaks, and the owner is told.
    voice_unknown = models.BooleanField(default=False)
    seconds = models.FloatField()
    # Ids of `providers.catalogue.sound`.
    model = models.CharField(max_length=100)
    provider = models.CharField(max_length=40)
    # What it is made from: the same digest is the same sound.
    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=12, choices=SoundState.choices, default=SoundState.PENDING)
    # Its share of the hold of the render's own work, or of the edit.
    credits = models.PositiveIntegerField()
    reused = models.BooleanField(default=False)
    job_id = models.UUIDField(null=True, blank=True)
    # On disk before each call; `lost`: calls whose answer never came.
    calls = models.PositiveSmallIntegerField(default=0)
    lost = models.PositiveSmallIntegerField(default=0)
    cost_amount = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    cost_currency = models.CharField(max_length=3, blank=True, default="")
    request_id = models.CharField(max_length=200, blank=True, default="")
    asset = models.ForeignKey(
        "generations.Asset", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    # Of a spoken line: [{"text", "start_seconds", "end_seconds"}].
    words = models.JSONField(default=list, blank=True)
    # How long it turned out.
    made_seconds = models.FloatField(null=True, blank=True)
    error_code = models.CharField(max_length=60, blank=True, default="")
    error_message = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(db_default=AppNow())
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(render__isnull=False, edit__isnull=True)
                | Q(render__isnull=True, edit__isnull=False),
                name="pipeline_sound_of_one",
            ),
            models.UniqueConstraint(fields=["render", "kind", "segment"], name="pipeline_sound_once"),
            models.UniqueConstraint(fields=["edit", "kind", "segment"], name="pipeline_sound_once_in_edit"),
        ]
        indexes = [
            models.Index(
                fields=["digest", "-created_at"],
                condition=Q(state=SoundState.COMPLETED),
                name="pipeline_sound_digest",
            ),
            models.Index(
                fields=["asset"], condition=Q(edit__isnull=False), name="pipeline_sound_asset_of_edit"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.segment} of {self.render_id or self.edit_id}"

    @property
    def whole(self) -> "Render | VideoEdit":
        """What it is made for."""
        whole = self.render or self.edit
        assert whole is not None, "a constraint says so"
        return whole
