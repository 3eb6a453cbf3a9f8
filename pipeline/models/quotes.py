"""Prices that were promised part by part."""

from django.db import models

from generations.models import Promise


class PromiseInParts(Promise):
    """A price in parts: `pipeline.prices.Part` as JSON."""

    parts = models.JSONField()

    class Meta:
        abstract = True
