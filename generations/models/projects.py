"""A project: what an owner is making, and the clips in it."""

import uuid

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import Q

from workers.clock import AppNow


class ProjectState(models.TextChoices):
    DRAFT = "draft"
    ANALYSING = "analysing"
    PLANNED = "planned"
    RENDERING = "rendering"
    COMPLETED = "completed"
    FAILED = "failed"


class Project(models.Model):
    """A film in the making, or a folder of clips. Deleting it marks it; its record stays."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    title = models.CharField(max_length=200)
    description = models.TextField(max_length=5000, blank=True, default="")
    favourite = models.BooleanField(default=False)
    state = models.CharField(max_length=12, choices=ProjectState.choices, default=ProjectState.DRAFT)
    sample = models.ForeignKey(
        "generations.Asset", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    character = models.ForeignKey(
        "generations.Asset", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    audio = models.ForeignKey(
        "generations.Asset", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=AppNow())
    updated_at = models.DateTimeField(db_default=AppNow())
    deleted_at = models.DateTimeField(null=True, blank=True)
    # What search looks through: the words of title and description, in no language's grammar.
    words = models.GeneratedField(
        expression=SearchVector("title", "description", config="simple"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["owner", "-created_at", "-id"],
                condition=Q(deleted_at__isnull=True),
                name="generations_project_newest",
            ),
            models.Index(
                fields=["owner", "-updated_at", "-id"],
                condition=Q(deleted_at__isnull=True),
                name="generations_project_updated",
            ),
            models.Index(
                fields=["owner", "state", "-created_at", "-id"],
                condition=Q(deleted_at__isnull=True),
                name="generations_project_state",
            ),
            models.Index(
                fields=["owner", "-created_at", "-id"],
                condition=Q(deleted_at__isnull=True, favourite=True),
                name="generations_project_favourite",
            ),
            GinIndex(fields=["words"], name="generations_project_words"),
        ]

    def __str__(self) -> str:
        return self.title
