"""What operators see and may do about accounts."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from accounts.models import ApiKey, Event, User
from accounts.suspension import lift, suspend
from workers.read_only_admin import ReadOnlyAdmin


@admin.register(User)
class UserAdmin(ModelAdmin):
    """The tier is edited here; suspension is an action, because it writes an event."""

    list_display = ("email", "name", "tier", "suspended_at", "is_active", "is_staff", "created_at")
    list_filter = ("tier", "is_staff", "is_active")
    search_fields = ("email", "id__exact")
    ordering = ("-created_at",)
    show_full_result_count = False
    fields = (
        "email",
        "name",
        "tier",
        "is_active",
        "is_staff",
        "suspended_at",
        "suspension_reason",
        "created_at",
    )
    readonly_fields = ("email", "suspended_at", "suspension_reason", "created_at")
    actions = ("suspend", "lift")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.action(description="Suspend: no more spending", permissions=["change"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        operator = User.objects.get(email=request.user.get_username())
        for user in queryset:
            with transaction.atomic():
                suspend(user, reason=f"Suspended by {operator}", operator=operator)
        messages.warning(request, "They can read, but not spend.")

    @admin.action(description="Lift the suspension", permissions=["change"])
    def lift(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            with transaction.atomic():
                lift(user)
        messages.success(request, "They can spend again.")


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ("prefix", "name", "owner", "scopes", "last_used_at", "revoked_at")
    list_select_related = ("owner",)
    search_fields = ("prefix__exact", "owner__email")
    exclude = ("digest",)


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("owner_id", "number", "kind", "subject_id", "created_at")
    search_fields = ("subject_id__exact", "owner__id__exact")
    ordering = ("-id",)
