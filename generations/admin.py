"""What operators see and may do about clips."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from generations import cancellation, receiving
from generations.errors import AlreadyEnded
from generations.kinds import GENERATION
from generations.models import Asset, Attempt, Generation, ModelSwitch, Project, WebhookDelivery
from workers import jobs


class ReadOnly(ModelAdmin):
    """A record: looked at, never edited by hand."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AttemptInline(TabularInline):
    model = Attempt
    fields = (
        "number",
        "provider",
        "state",
        "external_id",
        "vendor_state",
        "failure_code",
        "reconcile_by",
        "created_at",
    )
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Generation)
class GenerationAdmin(ReadOnly):
    list_display = (
        "id",
        "owner",
        "model",
        "status",
        "credits_quoted",
        "credits_used",
        "error_code",
        "created_at",
    )
    list_filter = ("status", "provider", "late")
    list_select_related = ("owner",)
    search_fields = ("id__exact", "owner__email")
    ordering = ("-created_at",)
    inlines = (AttemptInline,)
    actions = ("poll_now", "cancel")

    @admin.action(description="Ask the provider now", permissions=["view"])
    def poll_now(self, request: HttpRequest, queryset: QuerySet[Generation]) -> None:
        with transaction.atomic():
            hinted = sum(jobs.hint(kind=GENERATION, subject_id=one.id) for one in queryset[:200])
        messages.success(request, f"{hinted} are being asked about; the others have ended.")

    @admin.action(description="Cancel for the owner", permissions=["view"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Generation]) -> None:
        for one in queryset[:200]:
            try:
                with transaction.atomic():
                    result = cancellation.cancel(one.owner_id, one.id).result
            except AlreadyEnded as error:
                messages.warning(request, f"{one.id}: {error}")
            else:
                messages.success(request, f"{one.id}: {result}")


@admin.register(Attempt)
class AttemptAdmin(ReadOnly):
    list_display = (
        "id",
        "generation",
        "number",
        "provider",
        "state",
        "vendor_state",
        "failure_code",
        "created_at",
    )
    list_filter = ("state", "provider")
    search_fields = ("id__exact", "external_id__exact", "generation__id__exact")
    list_select_related = ("generation",)
    ordering = ("-created_at",)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnly):
    list_display = ("provider", "delivery_id", "attempt", "verified", "effect", "times", "received_at")
    list_filter = ("provider", "effect")
    search_fields = ("delivery_id__exact", "external_id__exact")
    list_select_related = ("attempt",)
    ordering = ("-received_at",)
    actions = ("replay",)

    @admin.action(description="Replay: have the provider asked again", permissions=["view"])
    def replay(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        replayed = sum(receiving.replay(one.pk) for one in queryset[:200])
        messages.success(request, f"{replayed} were replayed; the others have ended.")


@admin.register(Asset)
class AssetAdmin(ReadOnly):
    list_display = (
        "id",
        "owner",
        "kind",
        "origin",
        "state",
        "bytes",
        "created_at",
        "expires_at",
        "deletion_failures",
    )
    list_filter = ("state", "kind", "origin")
    search_fields = ("id__exact", "owner__email")
    list_select_related = ("owner",)
    ordering = ("-created_at",)
    exclude = ("linked_url",)


@admin.register(Project)
class ProjectAdmin(ReadOnly):
    list_display = ("id", "title", "owner", "state", "created_at")
    search_fields = ("id__exact", "owner__email")
    list_select_related = ("owner",)
    ordering = ("-created_at",)
    exclude = ("words",)


@admin.register(ModelSwitch)
class ModelSwitchAdmin(ModelAdmin):
    list_display = ("model", "enabled", "retires_at", "note", "changed_at")
    readonly_fields = ("changed_at",)
