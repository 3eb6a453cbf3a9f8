"""The talk about a plan."""

from django.db import models

from pipeline.models.plans import PlanVersion
from pipeline.models.works import Work


class ChatTurn(Work):
    """What the owner said, what was answered, and what it did to the plan."""

    message = models.TextField(max_length=4000)
    reply = models.TextField(max_length=8000, blank=True, default="")
    # Who answered: the language model's id, or "rules".
    by = models.CharField(max_length=100, blank=True, default="")
    # The version that was talked about, and the one that came of it: null where nothing changed.
    base = models.ForeignKey(PlanVersion, on_delete=models.PROTECT, related_name="+", db_index=False)
    version = models.ForeignKey(
        PlanVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    # The edits that were applied, as JSON.
    edits = models.JSONField(default=list, blank=True)

    class Meta(Work.Meta):
        pass
