"""A price that was promised."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from workers.clock import AppNow


class Promise(models.Model):
    """A price, binding until `expires_at`, once; what it is the price of is said by those who inherit it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    credits = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=AppNow())
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.credits} credits"


class Quote(Promise):
    """The price of one request, for one generation.

    `request` is what was priced, in canonical form; `rate_cards` are the ids it was priced with.
    """

    model = models.CharField(max_length=100)
    request = models.JSONField()
    breakdown = models.JSONField()
    rate_cards = ArrayField(models.BigIntegerField())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(credits__gte=0), name="generations_quote_credits_not_negative"
            ),
        ]
        indexes = [models.Index(fields=["expires_at"], name="generations_quote_expiry")]

    def __str__(self) -> str:
        return f"{self.model}: {self.credits} credits"
