"""Plans: the versions that there are, and the work that makes one."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from pipeline.models.works import Work
from workers.clock import AppNow


class Author(models.TextChoices):
    """Who made a version: its owner, a language model, or the rules."""

    USER = "user"
    MODEL = "model"
    RULE = "rule"


class PlanVersion(models.Model):
    """One version of a project's plan, never changed (a trigger refuses it). `film` is the plan as JSON.

    A project's current version is the one with the highest number: going back writes the old film anew.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    project = models.ForeignKey(
        "generations.Project", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    number = models.PositiveIntegerField()
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    author = models.CharField(max_length=8, choices=Author.choices)
    # The language model's id, where one made it.
    by = models.CharField(max_length=100, blank=True, default="")
    # What was asked for, or done, in a few words.
    note = models.CharField(max_length=300, blank=True, default="")
    film = models.JSONField()
    digest = models.CharField(max_length=64)
    # Of each segment by id, of the audio and of the post-production: what changes is stale.
    digests = models.JSONField()
    created_at = models.DateTimeField(db_default=AppNow())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="pipeline_planversion_number"),
            models.CheckConstraint(condition=Q(number__gte=1), name="pipeline_planversion_from_one"),
            models.CheckConstraint(
                condition=Q(author=Author.MODEL) ^ Q(by=""), name="pipeline_planversion_model_is_named"
            ),
        ]

        # For operators.
        indexes = [models.Index(fields=["-created_at"], name="pipeline_planversion_created")]

    def __str__(self) -> str:
        return f"version {self.number}"


class Planning(Work):
    """The work that makes a plan: from the project's analysis if it has one, else from the brief."""

    analysis = models.ForeignKey(
        "pipeline.Analysis", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    # What is wanted: `pipeline.plans.planner.Brief` as JSON.
    brief = models.JSONField()
    version = models.ForeignKey(
        PlanVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )

    class Meta(Work.Meta):
        pass
