"""What operators see of money. The ledger is never edited: a grant or an adjustment is a new entry."""

import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from accounts.models import User
from credits import ledger
from credits.models import Account, Entry, Hold, RateCard
from workers.errors import DomainError


class Record(ModelAdmin):
    """Looked at, never edited by hand."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MovementForm(forms.Form):
    """Credits to add, or to take where negative. The key is made with the form: sent twice, it counts once."""

    email = forms.EmailField(widget=UnfoldAdminTextInputWidget)
    amount = forms.IntegerField(widget=UnfoldAdminIntegerFieldWidget)
    note = forms.CharField(max_length=500, widget=UnfoldAdminTextInputWidget)
    key = forms.CharField(widget=forms.HiddenInput)

    def clean_email(self) -> User:
        user = User.objects.filter(email=self.cleaned_data["email"].lower()).first()
        if user is None:
            raise forms.ValidationError("Nobody has this e-mail.")
        return user

    def clean_amount(self) -> int:
        amount: int = self.cleaned_data["amount"]
        if amount == 0:
            raise forms.ValidationError("An amount is not 0.")
        return amount


@admin.register(Account)
class AccountAdmin(Record):
    list_display = ("owner", "balance", "held", "receivable", "spent", "moved_at")
    search_fields = ("owner__email", "owner__id__exact")
    list_select_related = ("owner",)
    ordering = ("-moved_at",)
    change_list_template = "credits/accounts.html"

    def get_urls(self) -> list[URLPattern]:
        adjust = path("adjust/", self.admin_site.admin_view(self.adjust), name="credits_account_adjust")
        return [adjust, *super().get_urls()]

    def adjust(self, request: HttpRequest) -> HttpResponse:
        """Grant or adjust, naming the operator."""
        if not request.user.has_perm("credits.change_account"):
            return HttpResponse(status=403)
        form = MovementForm(request.POST or None, initial={"key": f"operator:{uuid.uuid4()}"})
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            try:
                with transaction.atomic():
                    entry = ledger.adjust(
                        owner_id=data["email"].pk,
                        amount=data["amount"],
                        key=data["key"],
                        note=data["note"],
                        operator_id=request.user.pk,
                    )
            except DomainError as error:
                form.add_error("amount", str(error))
            else:
                messages.success(
                    request, f"{entry.amount:+,} credits; the balance is {entry.balance_after:,}."
                )
                return redirect(reverse("admin:credits_account_changelist"))
        context = {**self.admin_site.each_context(request), "form": form, "title": "Grant or adjust credits"}
        return render(request, "credits/adjust.html", context)


@admin.register(Entry)
class EntryAdmin(Record):
    list_display = (
        "id",
        "owner",
        "kind",
        "amount",
        "held_amount",
        "balance_after",
        "operator",
        "note",
        "created_at",
    )
    list_filter = ("kind",)
    search_fields = ("owner__email", "subject_id__exact", "key__exact")
    list_select_related = ("owner", "operator")
    ordering = ("-created_at", "-id")


@admin.register(Hold)
class HoldAdmin(Record):
    list_display = ("id", "owner", "state", "amount", "captured", "refunded", "created_at", "closed_at")
    list_filter = ("state",)
    search_fields = ("id__exact", "subject_id__exact", "owner__email")
    list_select_related = ("owner",)
    ordering = ("-created_at",)
    actions = ("refund",)

    @admin.action(description="Refund what was captured", permissions=["view"])
    def refund(self, request: HttpRequest, queryset: Any) -> None:
        """The whole of what is left; again it is refused, so nothing is paid twice."""
        if not request.user.has_perm("credits.change_account"):
            messages.error(request, "Only who may change accounts refunds.")
            return
        for hold in queryset[:200]:
            try:
                with transaction.atomic():
                    ledger.refund(
                        hold_id=hold.pk,
                        amount=max(1, hold.captured - hold.refunded),
                        key=f"refund:{hold.pk}:{hold.refunded}",
                        note=f"refunded by {request.user}",
                        operator_id=request.user.pk,
                    )
            except DomainError as error:
                messages.error(request, f"{hold.pk}: {error}")
            else:
                messages.success(request, f"{hold.pk}: refunded.")


@admin.register(RateCard)
class RateCardAdmin(Record):
    """Versions of prices. A new one is published with `manage.py` or `rate_cards.publish`."""

    list_display = (
        "subject",
        "version",
        "base_credits",
        "vendor_cost",
        "vendor_unit",
        "markup",
        "valid_from",
    )
    search_fields = ("subject",)
    ordering = ("subject", "-version")
