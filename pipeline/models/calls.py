"""What language models were asked, and what that cost."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from workers.clock import AppNow


class Purpose(models.TextChoices):
    TRANSCRIPT = "transcript"
    ANALYSIS = "analysis"
    PLAN = "plan"
    CHAT = "chat"


class CallState(models.TextChoices):
    # On disk before the call: one that a crash cut off stays, and counts as tried.
    INTENDED = "intended"
    ANSWERED = "answered"
    FAILED = "failed"
    LOST = "lost"


class LanguageCall(models.Model):
    """One question to one model: intended before it is asked, then answered, failed or lost.

    `problem` says what was wrong with an answer that could not be used: such a model is asked once more.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    purpose = models.CharField(max_length=12, choices=Purpose.choices)
    # The analysis, planning or chat turn that it was for.
    subject_id = models.UUIDField()
    provider = models.CharField(max_length=40)
    # As it was asked for (our id), and as the vendor names the one that answered.
    model = models.CharField(max_length=100)
    answered_by = models.CharField(max_length=100, blank=True, default="")
    state = models.CharField(max_length=10, choices=CallState.choices, default=CallState.INTENDED)
    input_tokens = models.PositiveIntegerField(default=0)
    cached_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=12, decimal_places=8, default=0)
    seconds = models.FloatField(default=0)
    # What the model wrote, kept for its repair and for operators; forgotten after 30 days.
    answer = models.TextField(blank=True, default="")
    problem = models.CharField(max_length=1000, blank=True, default="")
    error_code = models.CharField(max_length=60, blank=True, default="")
    # Until when the vendor asked us to wait.
    retry_at = models.DateTimeField(null=True, blank=True)
    request_id = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(db_default=AppNow())
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state=CallState.INTENDED, ended_at__isnull=True)
                | (~Q(state=CallState.INTENDED) & Q(ended_at__isnull=False)),
                name="pipeline_languagecall_ended",
            ),
            models.CheckConstraint(condition=Q(cost_usd__gte=0), name="pipeline_languagecall_cost"),
        ]
        indexes = [
            models.Index(fields=["subject_id", "created_at"], name="pipeline_call_subject"),
            models.Index(fields=["provider", "-ended_at"], name="pipeline_call_health"),
            models.Index(fields=["-created_at"], name="pipeline_call_newest"),
            models.Index(fields=["ended_at"], condition=~Q(answer=""), name="pipeline_call_answer"),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} by {self.model}: {self.state}"
