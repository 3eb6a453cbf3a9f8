"""The page on which an operator confirms something that moves money or work, and says why."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from unfold.widgets import UnfoldAdminTextInputWidget

from workers.errors import DomainError


class OperatorForm(forms.Form):
    """Why it is done. The key is made with the form, so that one sent twice counts once."""

    note = forms.CharField(label="Reason", max_length=500, widget=UnfoldAdminTextInputWidget)
    key = forms.CharField(widget=forms.HiddenInput)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the page says: what is about to happen, and to whom."""

    title: str
    explanation: str
    button: str


def operate(
    request: HttpRequest,
    site: AdminSite,
    form_class: type[OperatorForm],
    act: Callable[[Mapping[str, Any]], str],
    words: Words,
    *,
    back: str,
    initial: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """Show the form; on a valid POST run `act` in a transaction, say what it answers and go `back`.

    A DomainError of `act` undoes it and is shown on the form.
    """
    form = form_class(request.POST or None, initial={"key": f"operator:{uuid.uuid4()}", **(initial or {})})
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                said = act(form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, said)
            return redirect(back)
    context = {
        **site.each_context(request),
        "form": form,
        "title": words.title,
        "explanation": words.explanation,
        "button": words.button,
        "back": back,
    }
    return render(request, "workers/operator_form.html", context)
