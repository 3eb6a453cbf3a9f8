"""How far the store has been compared with the rows."""

from django.db import models
from django.db.models import Q


class Inventory(models.Model):
    """One row: a round goes through all keys in their order, a part at a time."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    round_started_at = models.DateTimeField(null=True)
    # The last key that was compared; "" between rounds.
    position = models.CharField(max_length=1024, blank=True, default="")

    class Meta:
        verbose_name_plural = "inventory"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="generations_inventory_one_row")]

    def __str__(self) -> str:
        return self.position or "between rounds"
