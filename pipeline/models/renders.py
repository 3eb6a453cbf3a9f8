"""Renders: a plan version on its way to a film, its segments, the price that was promised for it."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from pipeline.models.quotes import PromiseInParts
from workers.clock import AppNow


class RenderStatus(models.TextChoices):
    PENDING = "pending"
    PROCESSING = "processing"
    # Nothing new is submitted; what runs lands.
    PAUSED = "paused"
    # Something failed for good: its owner decides, everything else is kept.
    NEEDS_ATTENTION = "needs_attention"
    COMPOSING = "composing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SegmentState(models.TextChoices):
    # It waits for its start image: the last frame of the segment before.
    BLOCKED = "blocked"
    # It waits for room among the account's clips.
    PENDING = "pending"
    # Its clip is being made.
    PROCESSING = "processing"
    # Its clip is there.
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


RENDER_ENDED = (RenderStatus.COMPLETED, RenderStatus.FAILED, RenderStatus.CANCELLED)


class RenderQuote(PromiseInParts):
    """The price of a render, or of making some of its segments anew.

    Its parts: one a segment, one a sound, one for the composition.
    """

    version = models.ForeignKey(
        "pipeline.PlanVersion", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    # The render whose segments are made anew; null: it is for a new render.
    render = models.ForeignKey(
        "pipeline.Render", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    # Segments that are made anew although they are there.
    redo = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(credits__gte=0), name="pipeline_renderquote_credits"),
        ]
        indexes = [models.Index(fields=["expires_at"], name="pipeline_renderquote_expiry")]


class Render(models.Model):
    """A plan version on its way to a film. `hold`: for its own work, the sounds and the composition.

    Each segment has a hold of its own, all taken as one group. `credits_used` is known at the end.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    project = models.ForeignKey(
        "generations.Project", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    version = models.ForeignKey(
        "pipeline.PlanVersion", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    # The project's own as they were when it was accepted.
    character = models.ForeignKey(
        "generations.Asset", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    audio = models.ForeignKey(
        "generations.Asset", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    status = models.CharField(max_length=16, choices=RenderStatus.choices, default=RenderStatus.PENDING)
    job_id = models.UUIDField()
    hold = models.OneToOneField("credits.Hold", on_delete=models.PROTECT, related_name="+")
    quote = models.OneToOneField(
        RenderQuote, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    # Of everything that was accepted for it, what was made anew included.
    credits_quoted = models.BigIntegerField()
    credits_used = models.BigIntegerField(default=0)
    # Of that, for clips that were made anew since.
    credits_replaced = models.BigIntegerField(default=0)
    film = models.OneToOneField(
        "generations.Asset", on_delete=models.PROTECT, null=True, blank=True, related_name="rendered_by"
    )
    # The keys of the captions as files, where words are spoken.
    vtt_key = models.CharField(max_length=300, blank=True, default="")
    srt_key = models.CharField(max_length=300, blank=True, default="")
    # Compositions that failed.
    failures = models.PositiveSmallIntegerField(default=0)
    # Seconds of each step of the composition by name, and what the finished film's check measured.
    timings = models.JSONField(default=dict, blank=True)
    figures = models.JSONField(default=dict, blank=True)
    error_code = models.CharField(max_length=60, blank=True, default="")
    error_message = models.CharField(max_length=500, blank=True, default="")
    paused_at = models.DateTimeField(null=True, blank=True)
    # When it is ended if its owner does nothing: paused, or in need of attention.
    waits_until = models.DateTimeField(null=True, blank=True)
    warned_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=AppNow())
    composing_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=RENDER_ENDED, ended_at__isnull=False)
                | (~Q(status__in=RENDER_ENDED) & Q(ended_at__isnull=True)),
                name="pipeline_render_ended_has_time",
            ),
            models.CheckConstraint(
                condition=~Q(status=RenderStatus.COMPLETED) | Q(film__isnull=False),
                name="pipeline_render_completed_is_delivered",
            ),
            models.CheckConstraint(
                condition=Q(credits_used__gte=0, credits_used__lte=models.F("credits_quoted")),
                name="pipeline_render_never_over_the_quote",
            ),
            models.UniqueConstraint(
                fields=["project"], condition=Q(ended_at__isnull=True), name="pipeline_render_one_open"
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-created_at", "-id"], name="pipeline_render_owner"),
            models.Index(fields=["project", "-created_at", "-id"], name="pipeline_render_newest"),
            # For operators.
            models.Index(fields=["-created_at"], name="pipeline_render_created"),
            # How long the last ones took to compose.
            models.Index(
                fields=["-ended_at"],
                condition=Q(status=RenderStatus.COMPLETED),
                name="pipeline_render_pace",
            ),
        ]

    def __str__(self) -> str:
        return f"render {self.id}"


class RenderSegment(models.Model):
    """One segment of a render and the clip that it has: made for it, or made before from the same recipe."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    render = models.ForeignKey(Render, on_delete=models.PROTECT, related_name="segments", db_index=False)
    # From 0; `name` is the plan's id of it.
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=8)
    # What its clip is made from: `pipeline.plans.film.digests`.
    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=12, choices=SegmentState.choices)
    # What was priced: `pipeline.prices.Part` as JSON.
    part = models.JSONField()
    # Taken with the render, closed with the clip; null for a clip that was there.
    hold = models.OneToOneField(
        "credits.Hold", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    # The clip's id is known before the clip is made: its hold names it.
    generation_id = models.UUIDField()
    # The clip was made for another render.
    reused = models.BooleanField(default=False)
    # The clip whose last frame it begins with; where the segment before has another by now, it is stale.
    after_id = models.UUIDField(null=True, blank=True)
    # The last picture that the film shows of it.
    frame = models.ForeignKey(
        "generations.Asset", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    # When its parts of the film were made from this clip.
    conformed_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=60, blank=True, default="")
    error_message = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(db_default=AppNow())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["render", "position"], name="pipeline_segment_position"),
            models.UniqueConstraint(fields=["render", "name"], name="pipeline_segment_name"),
        ]
        indexes = [
            models.Index(fields=["generation_id"], name="pipeline_segment_generation"),
            # Clips that were made from the same recipe.
            models.Index(
                fields=["digest", "-created_at"],
                condition=Q(state=SegmentState.COMPLETED, reused=False),
                name="pipeline_segment_digest",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.render_id}"


class FilmPart(models.Model):
    """A piece of a film that was made once and is stored: found again by the digest in its name."""

    id = models.BigAutoField(primary_key=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    name = models.CharField(max_length=100)
    key = models.CharField(max_length=300)
    bytes = models.BigIntegerField()
    # The stored file that it belongs to, and goes with.
    asset = models.ForeignKey("generations.Asset", on_delete=models.CASCADE, related_name="+", db_index=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="pipeline_filmpart_once")]
        indexes = [models.Index(fields=["asset"], name="pipeline_filmpart_asset")]

    def __str__(self) -> str:
        return self.name


class RenderInput(models.Model):
    """A file that an unfinished render needs: its bytes stay until the render has ended."""

    id = models.BigAutoField(primary_key=True)
    render = models.ForeignKey(Render, on_delete=models.CASCADE, related_name="inputs", db_index=False)
    asset = models.ForeignKey("generations.Asset", on_delete=models.CASCADE, related_name="+", db_index=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["render", "asset"], name="pipeline_renderinput_once")]
        indexes = [models.Index(fields=["asset"], name="pipeline_renderinput_asset")]

    def __str__(self) -> str:
        return f"{self.asset_id} for {self.render_id}"
