"""What operators see of analyses, plans, the talk about them, and what language models cost."""

from django.contrib import admin

from pipeline.models import Analysis, ChatTurn, LanguageCall, Planning, PlanVersion
from workers.read_only_admin import ReadOnlyAdmin


class _WorkAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "owner",
        "project",
        "status",
        "error_code",
        "credits_used",
        "created_at",
        "ended_at",
    )
    list_filter = ("status",)
    list_select_related: tuple[str, ...] = ("owner", "project")
    search_fields = ("id__exact", "project__id__exact", "job_id__exact")
    ordering = ("-created_at",)


@admin.register(Analysis)
class AnalysisAdmin(_WorkAdmin):
    pass


@admin.register(Planning)
class PlanningAdmin(_WorkAdmin):
    pass


@admin.register(ChatTurn)
class ChatTurnAdmin(_WorkAdmin):
    list_display = ("id", "owner", "project", "status", "message", "by", "version", "created_at")
    list_select_related = ("owner", "project", "version")


@admin.register(PlanVersion)
class PlanVersionAdmin(ReadOnlyAdmin):
    list_display = ("project", "number", "author", "by", "note", "created_at")
    list_filter = ("author",)
    list_select_related = ("project",)
    search_fields = ("id__exact", "project__id__exact")
    ordering = ("-created_at",)


@admin.register(LanguageCall)
class LanguageCallAdmin(ReadOnlyAdmin):
    list_display = (
        "created_at",
        "purpose",
        "model",
        "state",
        "error_code",
        "problem",
        "input_tokens",
        "output_tokens",
        "cost_usd",
        "seconds",
    )
    list_filter = ("purpose", "provider", "state")
    search_fields = ("id__exact", "subject_id__exact", "request_id__exact")
    ordering = ("-created_at",)
