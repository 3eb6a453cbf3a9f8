"""Background work: the job, the gates it waits at, and the worker processes that are alive."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from workers.clock import AppNow


class JobState(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN_STATES = (JobState.QUEUED, JobState.RUNNING)


class Job(models.Model):
    """One unit of background work. The row is the job; a message is only a wake-up.

    A worker takes it with a lease and a fence: `fence` grows with each claim, and what a claim decides is written
    only while the fence is still its own. `gate` names a limit the job passes before its stage may run; while it
    waits there (`waits`) it has a `turn`, and while it occupies a place (`holds`) it counts against the limit.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=40)
    stage = models.CharField(max_length=40)
    queue = models.CharField(max_length=16)
    subject_id = models.UUIDField()
    # What its owner sees it under; null: under nothing.
    project_id = models.UUIDField(null=True, blank=True)
    state = models.CharField(max_length=12, choices=JobState.choices, default=JobState.QUEUED)

    due_at = models.DateTimeField(db_default=AppNow())
    lease_until = models.DateTimeField(null=True, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=100, blank=True, default="")
    fence = models.BigIntegerField(default=0)
    # Claims since a stage last ended: a job that kills its workers is failed past a limit.
    claims = models.IntegerField(default=0)
    # Set by news from outside; a claim older than it makes the job due again at once.
    hinted_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)

    gate = models.CharField(max_length=80, null=True, blank=True)
    waits = models.BooleanField(default=False)
    holds = models.BooleanField(default=False)
    turn = models.BigIntegerField(default=0)
    # How many places at gates the owner may hold at once, this one included; null: as many as there are.
    owner_places = models.PositiveSmallIntegerField(null=True, blank=True)

    progress = models.SmallIntegerField(default=0)
    announced_progress = models.SmallIntegerField(default=0)
    announced_at = models.DateTimeField(null=True, blank=True)
    eta_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=60, blank=True, default="")
    created_at = models.DateTimeField(db_default=AppNow())
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject_id"],
                condition=Q(ended_at__isnull=True),
                name="workers_job_one_open_per_subject",
            ),
            models.CheckConstraint(
                condition=Q(progress__gte=0, progress__lte=100), name="workers_job_progress_percent"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, state__in=OPEN_STATES)
                | (Q(ended_at__isnull=False, lease_until__isnull=True) & ~Q(state__in=OPEN_STATES)),
                name="workers_job_ended_has_end_state",
            ),
            models.CheckConstraint(
                condition=~Q(waits=True, holds=True) & (Q(gate__isnull=False) | Q(waits=False, holds=False)),
                name="workers_job_waits_or_holds_at_a_gate",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(waits=False, holds=False),
                name="workers_job_ended_leaves_its_gate",
            ),
        ]
        indexes = [
            models.Index(
                fields=["queue", "due_at"],
                condition=Q(ended_at__isnull=True, waits=False),
                name="workers_job_due",
            ),
            models.Index(
                fields=["gate", "turn", "created_at"], condition=Q(waits=True), name="workers_job_line"
            ),
            models.Index(fields=["gate", "owner", "turn"], condition=Q(waits=True), name="workers_job_turns"),
            models.Index(fields=["gate"], condition=Q(holds=True), name="workers_job_places"),
            models.Index(
                fields=["owner", "kind"], condition=Q(ended_at__isnull=True), name="workers_job_owner_open"
            ),
            models.Index(fields=["owner", "-created_at", "-id"], name="workers_job_owner_newest"),
            models.Index(fields=["kind", "subject_id"], name="workers_job_subject"),
            models.Index(fields=["owner", "kind", "-created_at", "-id"], name="workers_job_owner_kind"),
            models.Index(
                fields=["owner", "project_id", "kind", "-created_at", "-id"],
                condition=Q(project_id__isnull=False),
                name="workers_job_project_kind",
            ),
            models.Index(
                fields=["owner", "project_id", "-created_at", "-id"],
                condition=Q(project_id__isnull=False),
                name="workers_job_owner_project",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}: {self.stage}"


class Gate(models.Model):
    """A limit that holds across all workers: places at once, admissions a minute, and an operator's stop.

    The gate named `*` stands before every other: stopped, it stops them all.
    """

    EVERY = "*"

    key = models.CharField(max_length=80, primary_key=True)
    concurrent = models.PositiveIntegerField(default=10)
    per_minute = models.PositiveIntegerField(default=60)
    stopped_at = models.DateTimeField(null=True, blank=True)
    stopped_reason = models.CharField(max_length=300, blank=True, default="")
    # Until when the far side asked us to wait.
    paused_until = models.DateTimeField(null=True, blank=True)
    # The turn that was admitted last: newcomers start behind it.
    turn = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.key


class Admission(models.Model):
    """One job let through a gate: what the limit per minute counts."""

    gate = models.ForeignKey(Gate, on_delete=models.CASCADE, db_index=False)
    job_id = models.UUIDField()
    at = models.DateTimeField(db_default=AppNow())

    class Meta:
        indexes = [models.Index(fields=["gate", "at"], name="workers_admission_at")]

    def __str__(self) -> str:
        return f"{self.job_id} at {self.gate_id}"


class Heartbeat(models.Model):
    """A process that is alive: written every few seconds by each worker and by beat."""

    process = models.CharField(max_length=100, primary_key=True)
    queue = models.CharField(max_length=16)
    at = models.DateTimeField(db_default=AppNow())

    def __str__(self) -> str:
        return self.process


class SweepRun(models.Model):
    """When a sweep last ran, so that two clocks run it once."""

    name = models.CharField(max_length=60, primary_key=True)
    ran_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


def open_jobs(**conditions: Any) -> "models.QuerySet[Job]":
    """The jobs that have not ended, narrowed by `conditions`."""
    return Job.objects.filter(ended_at__isnull=True, **conditions)
