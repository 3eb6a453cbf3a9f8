"""The page on which an operator publishes a price: first what it changes, then the version."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from credits import rate_cards
from credits.errors import NoPrice
from credits.models import RateCard
from credits.models.rate_cards import Modifier, VendorUnit
from credits.pricing import Card, PriceRequest, price
from credits.rate_cards import RateCardDraft
from workers.errors import DomainError

# Where a card doesn't say what its base pays for.
DEFAULT_SECONDS = 5


def _few_lines() -> forms.Widget:
    widget: forms.Widget = UnfoldAdminTextareaWidget(attrs={"rows": 2})
    return widget


class RateCardForm(forms.Form):
    """The fields of `credits.models.RateCard`. `seen`: the values whose prices the operator was shown."""

    base_credits = forms.IntegerField(min_value=0, required=False, widget=UnfoldAdminIntegerFieldWidget)
    base_seconds = forms.IntegerField(
        min_value=1, max_value=3600, required=False, widget=UnfoldAdminIntegerFieldWidget
    )
    resolution_credits = forms.JSONField(
        required=False, widget=_few_lines(), help_text='A table instead of a base: {"720p": 20}'
    )
    style_credits = forms.JSONField(
        required=False, widget=_few_lines(), help_text='Credits on top: {"cinematic": 10}'
    )
    modifiers = forms.MultipleChoiceField(
        choices=Modifier.choices, required=False, widget=forms.CheckboxSelectMultiple
    )
    vendor_cost = forms.DecimalField(
        min_value=0, max_digits=12, decimal_places=6, required=False, widget=UnfoldAdminDecimalFieldWidget
    )
    vendor_currency = forms.CharField(max_length=3, widget=UnfoldAdminTextInputWidget)
    vendor_unit = forms.ChoiceField(choices=VendorUnit.choices, widget=UnfoldAdminSelectWidget)
    markup = forms.DecimalField(
        min_value=0, max_digits=6, decimal_places=3, widget=UnfoldAdminDecimalFieldWidget
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean_resolution_credits(self) -> object:
        return _credits_by_name(self.cleaned_data["resolution_credits"])

    def clean_style_credits(self) -> object:
        return _credits_by_name(self.cleaned_data["style_credits"])

    def draft(self) -> RateCardDraft:
        data = {name: value for name, value in self.cleaned_data.items() if name != "seen"}
        return RateCardDraft(
            **{
                **data,
                "resolution_credits": data["resolution_credits"] or None,
                "style_credits": data["style_credits"] or {},
            }
        )


def _credits_by_name(value: object) -> object:
    if value in (None, ""):
        return None
    if not isinstance(value, dict) or not all(type(one) is int and one >= 0 for one in value.values()):
        raise forms.ValidationError('An object of whole credits, such as {"720p": 20}.')
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One example's price by the card in force and by the new one; a dash where it has none."""

    example: str
    now: str
    then: str


def publish_rate_card(request: HttpRequest, site: AdminSite, row: RateCard) -> HttpResponse:
    """Show what the values would change; once they are sent again unchanged, write them as the next version."""
    newest = RateCard.objects.filter(subject=row.subject).order_by("-version")[0]
    form = RateCardForm(request.POST or None, initial=_values(newest))
    compared: Sequence[Comparison] = ()
    warning = ""
    if request.method == "POST" and form.is_valid():
        draft = form.draft()
        new = rate_cards.card_of(
            draft.row(row.subject, version=newest.version + 1, operator_id=request.user.pk)
        )
        if form.cleaned_data["seen"] == repr(draft):
            try:
                with transaction.atomic():
                    published = rate_cards.publish(row.subject, draft, operator_id=request.user.pk)
            except (DomainError, IntegrityError) as error:
                form.add_error(None, _reason(error))
            else:
                messages.success(request, f"{published} is in force.")
                return redirect(reverse("admin:credits_ratecard_changelist"))
        compared = compare(rate_cards.card_of(newest), new)
        loss = rate_cards.loss_on(new)
        if loss is not None:
            warning = (
                f"It sells for {loss.price.amount} what costs us {loss.cost.amount} {loss.cost.currency}."
            )
        shown = request.POST.copy()
        shown["seen"] = repr(draft)
        form.data = shown
    context = {
        **site.each_context(request),
        "form": form,
        "title": f"Publish a price for {row.subject}",
        "explanation": f"{newest} is in force. A new version holds for estimates from now on; quotes that were"
        " given keep theirs.",
        "button": "Publish this price" if compared else "Show what it changes",
        "back": reverse("admin:credits_ratecard_changelist"),
        "compared": compared,
        "warning": warning,
    }
    return render(request, "credits/publish.html", context)


def compare(now: Card, then: Card) -> list[Comparison]:
    """The examples' prices by two cards."""
    seconds = now.base_seconds or then.base_seconds or DEFAULT_SECONDS
    base = PriceRequest(duration_seconds=seconds, default_duration_seconds=seconds)
    examples = {
        "720p": base,
        "1080p": replace(base, resolution="1080p"),
        "4K": replace(base, resolution="4k"),
        "720p, twice as long": replace(base, duration_seconds=2 * seconds),
        "720p with a start image": replace(base, start_image=True),
        "720p with both images": replace(base, start_image=True, end_image=True),
        "720p with audio": replace(base, audio=True),
    }
    return [
        Comparison(example=name, now=_price(now, asked), then=_price(then, asked))
        for name, asked in examples.items()
    ]


def _price(card: Card, asked: PriceRequest) -> str:
    try:
        return f"{price(card, asked).total:,}"
    except NoPrice:
        return "–"


def _values(row: RateCard) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in RateCardForm.base_fields if name != "seen"}
    return {name: value for name, value in values.items() if value is not None}


def _reason(error: DomainError | IntegrityError) -> str:
    if isinstance(error, DomainError):
        return error.message
    return "These values are no price: a base or a table or the vendor's cost, and a table has no modifiers."
