"""How our accounts at vendors fare, what they may do, and what a daily comparison with the vendors found."""

from django.db import models

from workers.clock import AppNow

# Failures in a row after which nothing is submitted for a while.
OPENS_AFTER = 5


class AccountHealth(models.Model):
    """One of our accounts at a vendor (`model` is empty), or one model of it: what it told and how it answers."""

    provider = models.CharField(max_length=40)
    account = models.CharField(max_length=40)
    # Our id of the model; empty: the account as a whole.
    model = models.CharField(max_length=100, blank=True, default="")

    last_success_at = models.DateTimeField(null=True, blank=True)
    last_error_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=60, blank=True, default="")
    # The circuit breaker: failures in a row; from OPENS_AFTER on nothing is submitted until `open_until`, then one probe.
    failures = models.PositiveIntegerField(default=0)
    open_until = models.DateTimeField(null=True, blank=True)
    # Whose clip a model failed at last: one owner's odd pictures don't open it.
    last_failed_owner = models.UUIDField(null=True, blank=True)
    # Until when the vendor asked us to wait.
    paused_until = models.DateTimeField(null=True, blank=True)
    # What the vendor said that we may do; null: it did not say.
    concurrent = models.PositiveIntegerField(null=True, blank=True)
    per_minute = models.PositiveIntegerField(null=True, blank=True)
    per_day = models.PositiveIntegerField(null=True, blank=True)
    balance = models.DecimalField(max_digits=14, decimal_places=4, null=True, blank=True)
    balance_currency = models.CharField(max_length=10, blank=True, default="")
    balance_read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "vendor account"
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "account", "model"], name="generations_account_health_unique"
            )
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, (self.provider, self.account, self.model)))


class DriftReport(models.Model):
    """What one day's comparison of our records with a vendor's own list found. Written once."""

    provider = models.CharField(max_length=40)
    account = models.CharField(max_length=40)
    # The time that was compared.
    since = models.DateTimeField()
    until = models.DateTimeField()
    compared_at = models.DateTimeField(db_default=AppNow())
    # Whether the vendor has a list; without one only our own records are held against each other.
    listed = models.BooleanField()
    attempts = models.PositiveIntegerField()
    vendor_renders = models.PositiveIntegerField(null=True, blank=True)
    # How much was found in all; `findings` has the first thousand.
    drift = models.PositiveIntegerField(default=0)
    findings = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "account", "until"], name="generations_drift_report_unique"
            )
        ]
        indexes = [models.Index(fields=["-compared_at"], name="generations_drift_newest")]

    def __str__(self) -> str:
        return f"{self.provider} {self.account} {self.until:%Y-%m-%d}"
