"""What vendors told us without being asked."""

from django.db import models

from workers.clock import AppNow


class WebhookDelivery(models.Model):
    """One verified delivery from a vendor, stored once. It is a hint: the truth is fetched.

    Bodies are redacted and dropped after 30 days.
    """

    provider = models.CharField(max_length=40)
    delivery_id = models.CharField(max_length=200)
    attempt = models.ForeignKey(
        "generations.Attempt",
        on_delete=models.PROTECT,
        related_name="webhook_deliveries",
        null=True,
        blank=True,
    )
    received_at = models.DateTimeField(db_default=AppNow())
    # How often the vendor sent it.
    times = models.PositiveIntegerField(default=1)
    external_id = models.CharField(max_length=200, blank=True, default="")
    vendor_state = models.CharField(max_length=100, blank=True, default="")
    body = models.TextField(blank=True, default="")
    verified = models.BooleanField(default=False)
    # hinted: the job was made due; none: the attempt had ended, or was not known; replayed by an operator.
    effect = models.CharField(max_length=20)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "delivery_id"], name="generations_webhook_delivery_unique"
            ),
        ]
        indexes = [models.Index(fields=["received_at"], name="generations_webhook_received")]

    def __str__(self) -> str:
        return f"{self.provider} {self.delivery_id}"
