"""What operators see and may do about clips."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action
from unfold.widgets import UnfoldAdminURLInputWidget

from accounts.models import Event
from generations import assets, cancellation, operations, receiving, vendor_health
from generations.kinds import GENERATION
from generations.models import (
    AccountHealth,
    Asset,
    Attempt,
    DriftReport,
    Generation,
    ModelSwitch,
    Project,
    WebhookDelivery,
)
from workers import clock, jobs
from workers.errors import DomainError
from workers.models import Job
from workers.operator_form import OperatorForm, Words, operate
from workers.read_only_admin import ReadOnlyAdmin

# The newest of a clip's events that its page shows; rows that one action takes.
EVENTS = 100
AT_ONCE = 200


class _RowsInline(TabularInline):
    """Rows of a record beside it."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AttemptInline(_RowsInline):
    model = Attempt
    fields = (
        "number",
        "model",
        "state",
        "external_id",
        "vendor_state",
        "failure_code",
        "cost_amount",
        "cost_currency",
        "reconcile_by",
        "created_at",
    )
    readonly_fields = fields
    ordering = ("-number",)


class ResultForm(OperatorForm):
    """Where the vendor's result is."""

    url = forms.URLField(
        label="The result's URL", max_length=2000, assume_scheme="https", widget=UnfoldAdminURLInputWidget
    )
    field_order = ("url", "note")


@admin.register(Generation)
class GenerationAdmin(ReadOnlyAdmin):
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
    list_filter = ("status", "late")
    list_select_related = ("owner",)
    search_fields = ("id__exact", "owner__email")
    ordering = ("-created_at",)
    inlines = (AttemptInline,)
    readonly_fields = ("job", "history")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("status", "late"),
                    "job",
                    ("error_code", "error_message"),
                    ("owner", "project"),
                    ("credits_quoted", "credits_priced", "credits_used"),
                    ("hold", "quote"),
                    ("output", "retry_of"),
                    ("examined", "alternatives"),
                    ("created_at", "started_at"),
                    ("ended_at", "deleted_at"),
                )
            },
        ),
        (
            "Request",
            {
                "fields": (
                    ("model", "mode"),
                    "prompt",
                    ("negative_prompt", "style"),
                    ("resolution", "ratio", "duration_seconds"),
                    ("audio", "enhance", "seed"),
                    "controls",
                    ("start_image", "end_image", "source_video"),
                    ("start_after", "start_by", "finish_by"),
                )
            },
        ),
        ("Events", {"fields": ("history",)}),
    )
    actions = ("poll_now", "cancel")
    actions_detail = ("ask_now", "cancel_now", "release", "give_result", "refund")

    def has_operate_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Rows are never edited; what is done about a clip is done by actions."""
        return request.user.has_perm("generations.change_generation")

    def has_refund_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return request.user.has_perm("credits.change_account")

    @admin.display(description="Job")
    def job(self, generation: Generation) -> str:
        found = Job.objects.filter(id=generation.job_id).first()
        if found is None:
            return "–"
        address = reverse("admin:workers_job_change", args=[found.pk])
        told = f"{found.stage}, {found.state}, {found.progress} %, due {found.due_at:%Y-%m-%d %H:%M:%S}"
        return format_html('<a href="{}" class="underline">{}</a>', address, told)

    @admin.display(description="Events")
    def history(self, generation: Generation) -> str:
        events = Event.objects.filter(owner=generation.owner_id, subject_id=generation.id).order_by("-number")
        rows = (
            (f"{one.created_at:%Y-%m-%d %H:%M:%S}", one.kind, json.dumps(one.data)) for one in events[:EVENTS]
        )
        return format_html(
            '<table class="w-full">{}</table>',
            format_html_join(
                "",
                '<tr><td class="pr-4 whitespace-nowrap">{}</td><td class="pr-4">{}</td>'
                '<td class="break-all">{}</td></tr>',
                rows,
            ),
        )

    @admin.action(description="Ask the provider now", permissions=["operate"])
    def poll_now(self, request: HttpRequest, queryset: QuerySet[Generation]) -> None:
        with transaction.atomic():
            hinted = sum(jobs.hint(kind=GENERATION, subject_id=one.id) for one in queryset[:AT_ONCE])
        messages.success(request, f"{hinted} are being asked about; the others have ended.")

    @admin.action(description="Cancel for the owner", permissions=["operate"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Generation]) -> None:
        for one in queryset[:AT_ONCE]:
            try:
                with transaction.atomic():
                    result = cancellation.cancel(one.owner_id, one.id).result
            except DomainError as error:
                messages.warning(request, f"{one.id}: {error}")
            else:
                messages.success(request, f"{one.id}: {result}")

    @action(description="Ask the provider now", url_path="ask", permissions=["operate"])
    def ask_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._operated(
            request,
            object_id,
            OperatorForm,
            lambda data: (
                "The provider is being asked."
                if jobs.hint(kind=GENERATION, subject_id=UUID(object_id))
                else "It has ended: there is nothing to ask."
            ),
            Words(title="Ask the provider now", explanation="The next poll is made at once.", button="Ask"),
        )

    @action(description="Cancel for the owner", url_path="cancel", permissions=["operate"])
    def cancel_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(data: Mapping[str, Any]) -> str:
            return f"Cancel: {cancellation.cancel(self._owner(object_id), UUID(object_id)).result}"

        return self._operated(
            request,
            object_id,
            OperatorForm,
            act,
            Words(
                title="Cancel for the owner",
                explanation="As if its owner had cancelled it: before the submission everything is given back, after it"
                " the provider is asked and its word decides.",
                button="Cancel it",
            ),
        )

    @action(description="Release", url_path="release", permissions=["operate"])
    def release(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(data: Mapping[str, Any]) -> str:
            operations.release(UUID(object_id))
            return "It has failed and every credit is back."

        return self._operated(
            request,
            object_id,
            OperatorForm,
            act,
            Words(
                title="Release a stuck clip",
                explanation="The clip fails and its whole hold is given back. If the provider makes it after all, it is"
                " delivered late and costs its owner nothing.",
                button="Give it up",
            ),
        )

    @action(description="Mark succeeded with a URL", url_path="result", permissions=["operate"])
    def give_result(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(data: Mapping[str, Any]) -> str:
            operations.give_result(UUID(object_id), data["url"])
            return "It is being delivered from there."

        return self._operated(
            request,
            object_id,
            ResultForm,
            act,
            Words(
                title="Mark succeeded with a URL",
                explanation="The video is fetched from this address, checked, examined if the clip is to be, and stored"
                " as any other. An open clip is then charged at its model's price; a failed one is delivered late and"
                " costs its owner nothing.",
                button="Deliver it",
            ),
        )

    @action(description="Refund", url_path="refund", permissions=["refund"])
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        hold = get_object_or_404(Generation, pk=object_id).hold_id
        return redirect("admin:credits_hold_refund", hold)

    def _operated(
        self,
        request: HttpRequest,
        object_id: str,
        form_class: type[OperatorForm],
        act: Callable[[Mapping[str, Any]], str],
        words: Words,
    ) -> HttpResponse:
        """Have the operator confirm, then act and note who did what and why in the admin's log."""
        generation = get_object_or_404(Generation, pk=object_id)

        def noted(data: Mapping[str, Any]) -> str:
            said = act(data)
            self.log_change(request, generation, f"{words.title}: {data['note']}")
            return said

        back = reverse("admin:generations_generation_change", args=[object_id])
        return operate(request, self.admin_site, form_class, noted, words, back=back)

    def _owner(self, object_id: str) -> UUID:
        return get_object_or_404(Generation, pk=object_id).owner_id


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
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
    list_filter = ("state",)
    search_fields = ("id__exact", "external_id__exact", "generation__id__exact")
    list_select_related = ("generation",)
    ordering = ("-created_at",)
    exclude = ("given_url", "picture")
    readonly_fields = ("problem",)

    @admin.display(description="Picture of the problem")
    def problem(self, attempt: Attempt) -> str:
        picture = attempt.picture
        address = None if picture is None else assets.picture_url(picture, picture.key, clock.now())
        return "–" if address is None else format_html('<img src="{}" style="max-height: 20rem">', address)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    list_display = ("provider", "delivery_id", "attempt", "verified", "effect", "times", "received_at")
    list_filter = ("verified",)
    search_fields = ("delivery_id__exact", "external_id__exact")
    list_select_related = ("attempt",)
    ordering = ("-received_at",)
    actions = ("replay",)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("generations.change_webhookdelivery")

    @admin.action(description="Replay: have the provider asked again", permissions=["operate"])
    def replay(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        replayed = sum(receiving.replay(one.pk) for one in queryset[:AT_ONCE])
        messages.success(request, f"{replayed} were replayed; the others have ended.")


@admin.register(AccountHealth)
class AccountHealthAdmin(ReadOnlyAdmin):
    list_display = (
        "provider",
        "account",
        "model",
        "breaker",
        "paused_until",
        "left",
        "last_success_at",
        "last_error_at",
        "last_error",
    )
    list_filter = ("provider",)
    ordering = ("provider", "account", "model")
    actions = ("close",)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("generations.change_accounthealth")

    @admin.display(description="balance")
    def left(self, row: AccountHealth) -> str:
        return "–" if row.balance is None else f"{row.balance:,.2f} {row.balance_currency}"

    @admin.display(description="breaker")
    def breaker(self, row: AccountHealth) -> str:
        return vendor_health.breaker(row, clock.now())

    @admin.action(description="Submit again: close the breaker and lift the pause", permissions=["operate"])
    def close(self, request: HttpRequest, queryset: QuerySet[AccountHealth]) -> None:
        rows = list(queryset[:AT_ONCE])
        closed = vendor_health.close([row.pk for row in rows])
        for row in rows:
            self.log_change(request, row, "closed the breaker, lifted the pause")
        messages.success(request, f"{closed} may be submitted to again.")


@admin.register(DriftReport)
class DriftReportAdmin(ReadOnlyAdmin):
    list_display = ("provider", "account", "since", "attempts", "vendor_renders", "listed", "drift")
    list_filter = ("provider",)
    ordering = ("-compared_at",)
    exclude = ("findings",)
    readonly_fields = ("found",)

    @admin.display(description="findings")
    def found(self, report: DriftReport) -> str:
        """Each with its attempt and what each side says."""
        if not report.findings:
            return "Both sides agree."
        rows = format_html_join(
            "",
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            (
                (one["kind"], one["attempt"] or "–", one["external_id"] or "–", one["detail"])
                for one in report.findings
            ),
        )
        return format_html(
            "<table><tr><th>what</th><th>attempt</th><th>vendor’s id</th><th></th></tr>{}</table>", rows
        )


@admin.register(Asset)
class AssetAdmin(ReadOnlyAdmin):
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
class ProjectAdmin(ReadOnlyAdmin):
    list_display = ("id", "title", "owner", "state", "created_at")
    search_fields = ("id__exact", "owner__email")
    list_select_related = ("owner",)
    ordering = ("-created_at",)
    exclude = ("words",)


@admin.register(ModelSwitch)
class ModelSwitchAdmin(ModelAdmin):
    list_display = ("model", "enabled", "retires_at", "note", "changed_at")
    readonly_fields = ("changed_at",)
