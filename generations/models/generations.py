"""One clip from one model, and each try at having a provider make it."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from workers.clock import AppNow


class GenerationStatus(models.TextChoices):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


# Errors of clips whose video a vendor has made: it may still be brought home.
UNDELIVERED = ("undeliverable", "output_unavailable")
ENDED = (GenerationStatus.COMPLETED, GenerationStatus.FAILED, GenerationStatus.CANCELLED)


class Generation(models.Model):
    """What was asked for, what it costs, and how it ended. Its schedule is the job's, its tries are attempts."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    project = models.ForeignKey(
        "generations.Project", on_delete=models.PROTECT, null=True, blank=True, related_name="generations",
        db_index=False,
    )  # fmt: skip
    retry_of = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="retried_by"
    )

    model = models.CharField(max_length=100)
    provider = models.CharField(max_length=40)
    mode = models.CharField(max_length=12)
    prompt = models.TextField()
    negative_prompt = models.TextField(blank=True, default="")
    style = models.CharField(max_length=60, blank=True, default="")
    resolution = models.CharField(max_length=10)
    ratio = models.CharField(max_length=10)
    duration_seconds = models.PositiveSmallIntegerField()
    audio = models.BooleanField(default=False)
    enhance = models.BooleanField(default=False)
    seed = models.BigIntegerField(null=True, blank=True)
    controls = models.JSONField(default=dict, blank=True)
    start_image = models.ForeignKey(
        "generations.Asset", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    end_image = models.ForeignKey(
        "generations.Asset", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    source_video = models.ForeignKey(
        "generations.Asset", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    start_after = models.DateTimeField(null=True, blank=True)
    start_by = models.DateTimeField(null=True, blank=True)
    finish_by = models.DateTimeField(null=True, blank=True)

    status = models.CharField(
        max_length=12, choices=GenerationStatus.choices, default=GenerationStatus.PENDING
    )
    job_id = models.UUIDField()
    hold = models.OneToOneField("credits.Hold", on_delete=models.PROTECT, related_name="+")
    quote = models.OneToOneField(
        "generations.Quote", on_delete=models.PROTECT, null=True, blank=True, related_name="generation"
    )
    # What its hold holds: it never costs more.
    credits_quoted = models.BigIntegerField()
    # The pinned price of the model that is asked now; null: what was quoted.
    credits_priced = models.BigIntegerField(null=True, blank=True)
    # The models that are asked in turn where this one proves to fail: [{"model": …, "credits": …}], the best first.
    alternatives = models.JSONField(default=list, blank=True)
    # Whether its video is examined before it counts as delivered.
    examined = models.BooleanField(default=False)
    credits_used = models.BigIntegerField(default=0)
    output = models.OneToOneField(
        "generations.Asset", on_delete=models.PROTECT, null=True, blank=True, related_name="made_by"
    )
    # Delivered after its credits had been given back: it cost nothing.
    late = models.BooleanField(default=False)
    error_code = models.CharField(max_length=60, blank=True, default="")
    error_message = models.CharField(max_length=500, blank=True, default="")
    error_retryable = models.BooleanField(default=False)

    created_at = models.DateTimeField(db_default=AppNow())
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(credits_used__gte=0, credits_used__lte=models.F("credits_quoted")),
                name="generations_generation_never_over_the_quote",
            ),
            models.CheckConstraint(
                condition=~Q(status=GenerationStatus.COMPLETED) | Q(output__isnull=False),
                name="generations_generation_completed_is_delivered",
            ),
            models.CheckConstraint(
                condition=Q(status__in=ENDED, ended_at__isnull=False)
                | (~Q(status__in=ENDED) & Q(ended_at__isnull=True)),
                name="generations_generation_ended_has_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["owner", "-created_at", "-id"],
                condition=Q(deleted_at__isnull=True),
                name="generations_generation_newest",
            ),
            models.Index(
                fields=["ended_at"],
                condition=Q(status=GenerationStatus.FAILED, error_code__in=UNDELIVERED),
                name="generations_undelivered",
            ),
            models.Index(
                fields=["owner", "status", "-created_at", "-id"],
                condition=Q(deleted_at__isnull=True),
                name="generations_generation_status",
            ),
            models.Index(
                fields=["owner", "model", "-created_at", "-id"],
                condition=Q(deleted_at__isnull=True),
                name="generations_generation_model",
            ),
            models.Index(
                fields=["owner", "provider", "-created_at", "-id"],
                condition=Q(deleted_at__isnull=True),
                name="generations_generation_vendor",
            ),
            models.Index(fields=["project", "-created_at", "-id"], name="generations_generation_project"),
            # For the operators' figures of the last day: a few kilobytes at a million rows.
            BrinIndex(fields=["created_at"], name="generations_generation_recent"),
            models.Index(
                fields=["start_image"],
                condition=Q(start_image__isnull=False),
                name="generations_generation_start",
            ),
            models.Index(
                fields=["end_image"], condition=Q(end_image__isnull=False), name="generations_generation_end"
            ),
            models.Index(
                fields=["source_video"],
                condition=Q(source_video__isnull=False),
                name="generations_generation_source",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.id}"

    @property
    def price(self) -> int:
        """What it costs if it is delivered now."""
        return (
            self.credits_quoted
            if self.credits_priced is None
            else min(self.credits_priced, self.credits_quoted)
        )

    @property
    def input_ids(self) -> list[uuid.UUID]:
        """The assets it is made from."""
        given = (self.start_image_id, self.end_image_id, self.source_video_id)
        return [asset_id for asset_id in given if asset_id is not None]


class AttemptState(models.TextChoices):
    # On disk before the call; what the vendor has of it is not known yet.
    INTENDED = "intended"
    SUBMITTED = "submitted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    # The call may have been accepted: being checked until `reconcile_by`.
    UNKNOWN = "unknown"


class Attempt(models.Model):
    """One submission to a provider. Facts from outside are set once and never taken back.

    With one exception: a video that its examination refuses turns `succeeded` into `failed`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    generation = models.ForeignKey(
        "generations.Generation", on_delete=models.PROTECT, related_name="attempts", db_index=False
    )
    number = models.PositiveSmallIntegerField()
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=100)
    # Which of our accounts at the provider submits it, and follows it up.
    account = models.CharField(max_length=40, db_default="main", default="main")
    state = models.CharField(max_length=12, choices=AttemptState.choices, default=AttemptState.INTENDED)
    fence = models.BigIntegerField()

    external_id = models.CharField(max_length=200, null=True, blank=True)
    # Further ids that claim to be this attempt: each is an alarm.
    other_external_ids = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    # The vendor's own last word.
    vendor_state = models.CharField(max_length=100, blank=True, default="")
    vendor_progress = models.SmallIntegerField(null=True, blank=True)
    failure_code = models.CharField(max_length=60, blank=True, default="")
    failure_message = models.CharField(max_length=500, blank=True, default="")
    failure_retryable = models.BooleanField(default=False)
    # Of a video that did not pass its examination: what was measured, and a picture of what is wrong.
    figures = models.JSONField(default=dict, blank=True)
    picture = models.ForeignKey(
        "generations.Asset", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    cost_amount = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    cost_currency = models.CharField(max_length=3, blank=True, default="")
    # What the rate card says that the vendor will charge, in USD: what budgets count until the vendor says more.
    cost_expected = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)

    created_at = models.DateTimeField(db_default=AppNow())
    submitted_at = models.DateTimeField(null=True, blank=True)
    running_at = models.DateTimeField(null=True, blank=True)
    # When the vendor's work ended, as far as we learned.
    ended_at = models.DateTimeField(null=True, blank=True)
    reconcile_by = models.DateTimeField(null=True, blank=True)
    cancel_asked_at = models.DateTimeField(null=True, blank=True)
    # Calls about it that failed since the last one that worked.
    failed_calls = models.PositiveIntegerField(default=0)
    # How often in a row the vendor said that it doesn't know it.
    unknown_there = models.PositiveSmallIntegerField(default=0)
    # Where an operator says that the result is, encrypted: delivered from there, the vendor isn't asked.
    given_url = models.BinaryField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["generation", "number"], name="generations_attempt_number_unique"
            ),
            models.UniqueConstraint(
                fields=["provider", "external_id"],
                condition=Q(external_id__isnull=False),
                name="generations_attempt_external_id_unique",
            ),
            models.UniqueConstraint(
                fields=["generation"],
                condition=Q(state__in=["intended", "submitted", "running", "unknown"]),
                name="generations_attempt_one_open",
            ),
        ]
        indexes = [
            models.Index(
                fields=["model", "-ended_at"],
                include=["submitted_at", "state"],
                condition=Q(state__in=[AttemptState.SUCCEEDED, AttemptState.FAILED]),
                name="generations_attempt_history",
            ),
            models.Index(
                fields=["created_at"],
                condition=Q(state=AttemptState.UNKNOWN),
                name="generations_attempt_unknown",
            ),
            # What an account does at the moment, and what it did and spent in a day or month.
            models.Index(
                fields=["provider", "account", "model"],
                include=["created_at"],
                condition=Q(state__in=["intended", "submitted", "running", "unknown"]),
                name="generations_attempt_at_work",
            ),
            models.Index(
                fields=["provider", "account", "-created_at"],
                include=["model", "state", "cost_amount", "cost_currency", "cost_expected", "external_id"],
                name="generations_attempt_account",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} attempt {self.number} of {self.generation_id}"
