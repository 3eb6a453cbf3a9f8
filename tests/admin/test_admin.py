"""The admin, as an operator opens it."""

import uuid

import pytest
from django.contrib import admin
from django.db import transaction
from django.test import Client
from django.urls import reverse

from credits import ledger
from credits.models import Account, Entry
from tests.factories import UserFactory
from workers.models import Gate


@pytest.mark.parametrize("model", [model._meta.label_lower for model in admin.site._registry])
def test_every_list_opens_and_none_shows_a_secret(operator: Client, model: str) -> None:
    answer = operator.get(reverse(f"admin:{model.replace('.', '_')}_changelist"))
    assert answer.status_code == 200


def test_nobody_else_gets_in(operator: Client) -> None:
    client = Client(SERVER_NAME="localhost")
    client.force_login(UserFactory.create(), backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/admin/").status_code == 302
    assert client.get(reverse("admin:credits_account_adjust")).status_code == 302


def test_a_grant_is_an_entry_that_names_the_operator_and_sent_twice_counts_once(operator: Client) -> None:
    user = UserFactory.create()
    form = {"email": user.email, "amount": 500, "note": "sorry", "key": f"operator:{uuid.uuid4()}"}
    address = reverse("admin:credits_account_adjust")
    assert operator.get(address).status_code == 200
    for _ in range(2):
        assert operator.post(address, form).status_code == 302
    entry = Entry.objects.get(owner=user)
    assert (entry.amount, entry.kind, entry.note) == (500, "adjustment", "sorry")
    assert entry.operator is not None
    assert entry.operator.email == "operator@example.com"
    refused = operator.post(address, {**form, "amount": -501, "key": "another"})
    assert b"balance" in refused.content
    assert Account.objects.get(owner=user).balance == 500


def test_the_ledger_can_not_be_edited(operator: Client) -> None:
    user = UserFactory.create()
    with transaction.atomic():
        entry = ledger.grant(owner_id=user.pk, amount=5, key="k")
    address = reverse("admin:credits_entry_change", args=[entry.pk])
    assert operator.get(address).status_code == 200
    assert operator.post(address, {"amount": 9}).status_code == 403
    assert operator.post(reverse("admin:credits_entry_delete", args=[entry.pk])).status_code == 403


def test_submissions_are_stopped_and_reopened(operator: Client) -> None:
    address = reverse("admin:workers_gate_changelist")
    for action, stopped in (("stop", True), ("reopen", False)):
        operator.post(address, {"action": action, "_selected_action": ["submit:sandbox"]})
        assert (Gate.objects.get(key="submit:sandbox").stopped_at is not None) is stopped


def test_an_account_is_suspended_and_reinstated(operator: Client) -> None:
    user = UserFactory.create()
    address = reverse("admin:accounts_user_changelist")
    for action, suspended in (("suspend", True), ("lift", False)):
        operator.post(address, {"action": action, "_selected_action": [str(user.pk)]})
        user.refresh_from_db()
        assert (user.suspended_at is not None) is suspended
