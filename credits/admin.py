"""What operators see of money. The ledger is never edited: a grant or an adjustment is a new entry."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from unfold.decorators import action
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from accounts.models import User
from credits import ledger, rate_cards
from credits.models import Account, Entry, Hold, RateCard
from credits.rate_card_form import publish_rate_card
from workers.operator_form import OperatorForm, Words, operate
from workers.read_only_admin import ReadOnlyAdmin


class MovementForm(OperatorForm):
    """Credits to add, or to take where negative."""

    email = forms.EmailField(widget=UnfoldAdminTextInputWidget)
    amount = forms.IntegerField(widget=UnfoldAdminIntegerFieldWidget)
    field_order = ("email", "amount", "note")

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


class RefundForm(OperatorForm):
    """Credits to give back of what was captured."""

    amount = forms.IntegerField(min_value=1, widget=UnfoldAdminIntegerFieldWidget)
    field_order = ("amount", "note")


def may_move_credits(request: HttpRequest) -> bool:
    """Whether this operator writes entries of the ledger."""
    return request.user.has_perm("credits.change_account")


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = ("owner", "balance", "held", "receivable", "spent", "moved_at")
    search_fields = ("owner__email", "owner__id__exact")
    list_select_related = ("owner",)
    ordering = ("-moved_at",)
    actions_list = ("adjust",)

    def has_move_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return may_move_credits(request)

    @action(description="Grant or adjust", url_path="adjust", permissions=["move"])
    def adjust(self, request: HttpRequest) -> HttpResponse:
        """Grant or adjust, naming the operator."""

        def act(data: Mapping[str, Any]) -> str:
            entry = ledger.adjust(
                owner_id=data["email"].pk,
                amount=data["amount"],
                key=data["key"],
                note=data["note"],
                operator_id=request.user.pk,
            )
            return f"{entry.amount:+,} credits; the balance is {entry.balance_after:,}."

        return operate(
            request,
            self.admin_site,
            MovementForm,
            act,
            Words(
                title="Grant or adjust credits",
                explanation="Writes one entry of the ledger with your name. A negative amount takes credits.",
                button="Write the entry",
            ),
            back=reverse("admin:credits_account_changelist"),
        )


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
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
class HoldAdmin(ReadOnlyAdmin):
    list_display = ("id", "owner", "state", "amount", "captured", "refunded", "created_at", "closed_at")
    list_filter = ("state",)
    search_fields = ("id__exact", "subject_id__exact", "owner__email")
    list_select_related = ("owner",)
    ordering = ("-created_at",)
    actions_detail = ("refund",)

    def has_move_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return may_move_credits(request)

    @action(description="Refund", url_path="refund", permissions=["move"])
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Give back part or all of what was captured, naming the operator."""
        hold = get_object_or_404(Hold, pk=object_id)

        def act(data: Mapping[str, Any]) -> str:
            entry = ledger.refund(
                hold_id=hold.pk,
                amount=data["amount"],
                key=data["key"],
                note=data["note"],
                operator_id=request.user.pk,
            )
            return f"{entry.amount:+,} credits; the balance is {entry.balance_after:,}."

        left = hold.captured - hold.refunded
        return operate(
            request,
            self.admin_site,
            RefundForm,
            act,
            Words(
                title="Refund",
                explanation=f"{hold.captured:,} credits were captured of {hold.owner}, {hold.refunded:,} given back"
                f" so far: at most {left:,} more. It writes one entry of the ledger with your name.",
                button="Give the credits back",
            ),
            back=reverse("admin:credits_hold_change", args=[hold.pk]),
            initial={"amount": left or None},
        )


@admin.register(RateCard)
class RateCardAdmin(ReadOnlyAdmin):
    """Versions of prices: the newest of a subject is in force, none is ever changed."""

    list_display = (
        "subject",
        "version",
        "base_credits",
        "vendor_cost",
        "vendor_unit",
        "markup",
        "loss",
        "valid_from",
    )
    search_fields = ("subject",)
    ordering = ("subject", "-version")
    actions_detail = ("publish",)

    def has_publish_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return request.user.has_perm("credits.add_ratecard")

    @admin.display(description="Below the vendor's cost")
    def loss(self, row: RateCard) -> str:
        found = rate_cards.loss_on(rate_cards.card_of(row))
        return "" if found is None else f"{found.price.amount} < {found.cost.amount} {found.cost.currency}"

    @action(description="Publish a new version", url_path="publish", permissions=["publish"])
    def publish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The card's next version: shown beside the one in force before it is written."""
        return publish_rate_card(request, self.admin_site, get_object_or_404(RateCard, pk=object_id))
