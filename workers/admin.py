"""What operators see of background work, and the stop for submissions."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from workers import gates
from workers.models import Gate, Heartbeat, Job
from workers.read_only_admin import ReadOnlyAdmin


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "kind",
        "stage",
        "state",
        "progress",
        "due_at",
        "lease_until",
        "claims",
        "waits",
        "error_code",
    )
    list_filter = ("state", "waits", ("ended_at", admin.EmptyFieldListFilter))
    search_fields = ("id__exact", "subject_id__exact")
    ordering = ("-created_at",)


@admin.register(Gate)
class GateAdmin(ModelAdmin):
    """Limits are edited; the stop is an action, so that its reason names who gave it."""

    list_display = ("key", "concurrent", "per_minute", "stopped_at", "stopped_reason", "paused_until")
    readonly_fields = ("key", "stopped_at", "stopped_reason", "turn")
    actions = ("stop", "reopen", "stop_every", "reopen_every")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.action(description="Stop submissions; what runs goes on", permissions=["change"])
    def stop(self, request: HttpRequest, queryset: QuerySet[Gate]) -> None:
        for gate in queryset:
            gates.stop(gate.key, f"stopped by {request.user}")
        messages.warning(request, "Submissions are stopped. Polling and delivery go on.")

    @admin.action(description="Reopen", permissions=["change"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Gate]) -> None:
        for gate in queryset:
            gates.reopen(gate.key)
        messages.success(request, "Submissions go on.")

    @admin.action(description="Stop submissions to all providers", permissions=["change"])
    def stop_every(self, request: HttpRequest, queryset: QuerySet[Gate]) -> None:
        gates.stop(Gate.EVERY, f"stopped by {request.user}")
        messages.warning(request, "All submissions are stopped. Polling and delivery go on.")

    @admin.action(description="Lift the stop for all", permissions=["change"])
    def reopen_every(self, request: HttpRequest, queryset: QuerySet[Gate]) -> None:
        gates.reopen(Gate.EVERY)
        messages.success(request, "The stop for all is lifted.")


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("process", "queue", "at")
    ordering = ("-at",)
