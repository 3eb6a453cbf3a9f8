"""What an operator changes about the catalogue."""

from django.db import models

from workers.clock import AppNow


class ModelSwitch(models.Model):
    """An operator's word on one model: switched off, or retired earlier than its vendor says."""

    model = models.CharField(max_length=100, primary_key=True)
    enabled = models.BooleanField(default=True)
    retires_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=300, blank=True, default="")
    changed_at = models.DateTimeField(db_default=AppNow())

    class Meta:
        verbose_name_plural = "model switches"

    def __str__(self) -> str:
        return self.model
