"""The analysis of a sample."""

from django.db import models

from pipeline.models.works import Work


class Analysis(Work):
    """What was measured of a sample and what is said of it; the pictures of its scenes are one asset."""

    sample = models.ForeignKey(
        "generations.Asset", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    # As JSON: `pipeline.media.measurement.Measurement`, and `Transcript` and `Report` of `pipeline.understanding`.
    measurement = models.JSONField(null=True, blank=True)
    transcript = models.JSONField(null=True, blank=True)
    report = models.JSONField(null=True, blank=True)
    pictures = models.ForeignKey(
        "generations.Asset",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )

    class Meta(Work.Meta):
        verbose_name_plural = "analyses"
