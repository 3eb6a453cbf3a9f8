"""What a model or a service costs its user: one immutable row per version."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from workers.clock import AppNow


class Modifier(models.TextChoices):
    """What may raise a price; a card names those that apply to it."""

    RESOLUTION = "resolution"
    DURATION = "duration"
    IMAGES = "images"
    AUDIO = "audio"
    ENHANCE = "enhance"


class VendorUnit(models.TextChoices):
    """What a vendor counts."""

    SECOND = "second"
    CALL = "call"
    THOUSAND_CHARACTERS = "1000_characters"


class RateCard(models.Model):
    """One version of one subject's price; a change is a new version (a trigger refuses UPDATE and DELETE).

    It is priced in one of three ways: `base_credits` (720p at the model's default duration) and the percentages of
    its modifiers; `resolution_credits`, a table that holds up to `base_seconds`; or, with neither, the vendor's
    cost times `markup`.
    """

    id = models.BigAutoField(primary_key=True)
    # A model of the catalogue, such as "sandbox/motion-1", or a service.
    subject = models.CharField(max_length=100)
    version = models.PositiveIntegerField()
    base_credits = models.PositiveIntegerField(null=True, blank=True)
    resolution_credits = models.JSONField(null=True, blank=True)
    # Seconds that the base or the table pays for.
    base_seconds = models.PositiveSmallIntegerField(null=True, blank=True)
    style_credits = models.JSONField(default=dict, blank=True)
    modifiers = ArrayField(
        models.CharField(max_length=10, choices=Modifier.choices), default=list, blank=True
    )
    # Null: not known, so the card can't be compared with it.
    vendor_cost = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    vendor_currency = models.CharField(max_length=3, default="USD")
    vendor_unit = models.CharField(max_length=15, choices=VendorUnit.choices, default=VendorUnit.SECOND)
    markup = models.DecimalField(max_digits=6, decimal_places=3, default=3)
    valid_from = models.DateTimeField(db_default=AppNow())
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=AppNow())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["subject", "version"], name="credits_ratecard_version_once"),
            models.CheckConstraint(
                condition=Q(base_credits__isnull=True) | Q(resolution_credits__isnull=True),
                name="credits_ratecard_base_or_table",
            ),
            models.CheckConstraint(
                condition=Q(base_credits__isnull=False)
                | Q(resolution_credits__isnull=False, base_seconds__isnull=False)
                | Q(vendor_cost__isnull=False),
                name="credits_ratecard_has_a_price",
            ),
            # A table is the whole price, and a vendor's seconds are counted once.
            models.CheckConstraint(
                condition=Q(resolution_credits__isnull=True) | Q(modifiers=[]),
                name="credits_ratecard_table_alone",
            ),
            models.CheckConstraint(
                condition=Q(base_credits__isnull=False)
                | ~Q(vendor_unit="second")
                | ~Q(modifiers__contains=["duration"]),
                name="credits_ratecard_seconds_once",
            ),
            models.CheckConstraint(
                condition=Q(modifiers__contained_by=list(Modifier.values)),
                name="credits_ratecard_modifiers_known",
            ),
            models.CheckConstraint(
                condition=Q(vendor_cost__isnull=True) | Q(vendor_cost__gte=0),
                name="credits_ratecard_cost_not_negative",
            ),
            models.CheckConstraint(condition=Q(markup__gt=0), name="credits_ratecard_markup_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} v{self.version}"
