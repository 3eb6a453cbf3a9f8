"""What operators see of analyses, plans, the talk about them, renders, edits of videos, and what language models cost."""

from django.contrib import admin
from django.http import HttpRequest

from pipeline.models import (
    Analysis,
    ChatTurn,
    FilmSound,
    LanguageCall,
    Planning,
    PlanVersion,
    Render,
    RenderSegment,
    VideoEdit,
)
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


class _PartInline(admin.TabularInline):  # type: ignore[type-arg]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class SegmentInline(_PartInline):
    model = RenderSegment
    fields = (
        "position",
        "name",
        "state",
        "generation_id",
        "reused",
        "conformed_at",
        "error_code",
        "error_message",
    )
    readonly_fields = fields
    ordering = ("position",)


class SoundInline(_PartInline):
    model = FilmSound
    fields = (
        "kind", "segment", "state", "model", "credits", "reused", "calls", "lost", "cost_amount", "cost_currency",
        "made_seconds", "error_code", "error_message",
    )  # fmt: skip
    readonly_fields = fields


@admin.register(Render)
class RenderAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "owner",
        "project",
        "version",
        "status",
        "error_code",
        "credits_quoted",
        "credits_used",
        "created_at",
        "ended_at",
    )
    list_filter = ("status",)
    list_select_related = ("owner", "project", "version")
    search_fields = ("id__exact", "project__id__exact", "job_id__exact")
    ordering = ("-created_at",)
    inlines = (SegmentInline, SoundInline)


@admin.register(VideoEdit)
class VideoEditAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "owner",
        "source",
        "status",
        "error_code",
        "credits_quoted",
        "credits_used",
        "created_at",
        "ended_at",
    )
    list_filter = ("status",)
    list_select_related = ("owner", "source")
    search_fields = ("id__exact", "source__id__exact", "output__id__exact", "job_id__exact")
    ordering = ("-created_at",)
    inlines = (SoundInline,)
