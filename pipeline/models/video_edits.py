"""Edits of finished videos, and the prices that were promised for them."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from pipeline.models.quotes import PromiseInParts
from pipeline.models.works import OPEN_STATUSES, WorkStatus
from workers.clock import AppNow


class EditQuote(PromiseInParts):
    """The price of one edit of one video. Its parts: one a sound, one for the composition.

    `wish` is what was priced: `pipeline.video_edits.wishes.Wish` as JSON.
    """

    source = models.ForeignKey(
        "generations.Asset", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    wish = models.JSONField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(credits__gte=0), name="pipeline_editquote_credits"),
        ]
        indexes = [models.Index(fields=["expires_at"], name="pipeline_editquote_expiry")]


class VideoEdit(models.Model):
    """A finished video on its way to another one. `credits_used` is known at the end."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    source = models.ForeignKey(
        "generations.Asset", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    # `pipeline.video_edits.wishes.Wish` as JSON.
    wish = models.JSONField()
    # Ids of the models that the source was made by, as far as that is known.
    made_by = models.JSONField(default=list, blank=True)
    status = models.CharField(max_length=12, choices=WorkStatus.choices, default=WorkStatus.PENDING)
    job_id = models.UUIDField()
    hold = models.OneToOneField("credits.Hold", on_delete=models.PROTECT, related_name="+")
    quote = models.OneToOneField(EditQuote, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    credits_quoted = models.BigIntegerField()
    credits_used = models.BigIntegerField(default=0)
    output = models.OneToOneField(
        "generations.Asset", on_delete=models.PROTECT, null=True, blank=True, related_name="edited_by"
    )
    # The keys of the captions as files, where there are any.
    vtt_key = models.CharField(max_length=300, blank=True, default="")
    srt_key = models.CharField(max_length=300, blank=True, default="")
    # Compositions that failed.
    failures = models.PositiveSmallIntegerField(default=0)
    # Seconds of each step of the composition by name, and what the check of the result measured.
    timings = models.JSONField(default=dict, blank=True)
    figures = models.JSONField(default=dict, blank=True)
    error_code = models.CharField(max_length=60, blank=True, default="")
    error_message = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(db_default=AppNow())
    composing_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, status__in=OPEN_STATUSES)
                | (Q(ended_at__isnull=False) & ~Q(status__in=OPEN_STATUSES)),
                name="pipeline_edit_ended_has_end_status",
            ),
            models.CheckConstraint(
                condition=~Q(status=WorkStatus.COMPLETED) | Q(output__isnull=False),
                name="pipeline_edit_completed_is_delivered",
            ),
            models.CheckConstraint(
                condition=Q(credits_used__gte=0, credits_used__lte=F("credits_quoted")),
                name="pipeline_edit_never_over_the_quote",
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-created_at", "-id"], name="pipeline_edit_owner"),
            models.Index(
                fields=["source"], condition=Q(ended_at__isnull=True), name="pipeline_edit_open_source"
            ),
            # For operators.
            models.Index(fields=["-created_at"], name="pipeline_edit_created"),
            # How long the last ones took to compose.
            models.Index(
                fields=["-ended_at"], condition=Q(status=WorkStatus.COMPLETED), name="pipeline_edit_pace"
            ),
        ]

    def __str__(self) -> str:
        return f"edit {self.id}"
