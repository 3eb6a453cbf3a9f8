"""What analyses, plannings and chat turns have in common: a job of their own, and an end."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from workers.clock import AppNow


class WorkStatus(models.TextChoices):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN_STATUSES = (WorkStatus.PENDING, WorkStatus.PROCESSING)


class Work(models.Model):
    """Something that is being made for a project. `hold`: what it costs, null where it is free."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    project = models.ForeignKey(
        "generations.Project", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    job_id = models.UUIDField()
    hold = models.ForeignKey(
        "credits.Hold", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    credits_quoted = models.PositiveIntegerField(default=0)
    credits_used = models.PositiveIntegerField(default=0)
    status = models.CharField(max_length=12, choices=WorkStatus.choices, default=WorkStatus.PENDING)
    error_code = models.CharField(max_length=60, blank=True, default="")
    error_message = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(db_default=AppNow())
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, status__in=OPEN_STATUSES)
                | (Q(ended_at__isnull=False) & ~Q(status__in=OPEN_STATUSES)),
                name="%(app_label)s_%(class)s_ended_has_end_status",
            ),
            models.CheckConstraint(
                condition=Q(credits_used=0)
                | (Q(status=WorkStatus.COMPLETED) & Q(credits_used__lte=models.F("credits_quoted"))),
                name="%(app_label)s_%(class)s_charged_at_most_the_quote",
            ),
            # One at a time for each project.
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(ended_at__isnull=True),
                name="%(app_label)s_%(class)s_one_open",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "-created_at"], name="%(app_label)s_%(class)s_newest"),
            # For operators.
            models.Index(fields=["-created_at"], name="%(app_label)s_%(class)s_created"),
            # How long the last ones took.
            models.Index(
                fields=["-ended_at"],
                condition=Q(status=WorkStatus.COMPLETED),
                name="%(app_label)s_%(class)s_pace",
            ),
        ]

    def __str__(self) -> str:
        return f"{self._meta.model_name} {self.id}"
