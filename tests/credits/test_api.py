"""The money pages of the API: the owner's own, and nobody else's."""

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from accounts.models import User
from credits import ledger
from credits.api.filters import EntryFilter
from credits.models import Entry
from tests.factories import api_key
from workers import clock

pytestmark = pytest.mark.django_db

SUBJECT = uuid.UUID(int=7)


@pytest.fixture
def get(owner: User) -> Callable[..., Any]:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Api-Key {api_key(owner, 'read').secret}")

    def fetch(path: str, **query: str | int) -> Any:
        answer = client.get(path if path.startswith("http") else f"/api/v1/credits/{path}", query or None)
        assert answer.status_code == 200, answer.content
        return answer.json()

    return fetch


@pytest.fixture
def spending(owner: User, stranger: User) -> User:
    ledger.grant(owner_id=owner.pk, amount=1000, key="start")
    ledger.grant(owner_id=stranger.pk, amount=7777, key="start of the stranger")
    hold(owner, 300, SUBJECT)
    failed = hold(owner, 200, uuid.uuid4())
    ledger.release(hold_id=failed, reason="the vendor failed")
    hold(stranger, 11, SUBJECT)
    return owner


def hold(owner: User, amount: int, subject: uuid.UUID) -> uuid.UUID:
    return ledger.hold(
        owner_id=owner.pk,
        amount=amount,
        key=f"job:{uuid.uuid4()}",
        subject_id=subject,
        rate_card_ids=[3],
        breakdown=[{"label": "base", "credits": amount, "factor": "sandbox/motion-1 v1"}],
    ).hold_id


def test_the_balance_is_told_in_credits_and_in_money(spending: User, get: Callable[..., Any]) -> None:
    assert get("") == {
        "balance": 700,
        "held": 300,
        "receivable": 0,
        "spent": 300,
        "balance_value": {"amount": "35000.00", "currency": "IDR"},
        "held_value": {"amount": "15000.00", "currency": "IDR"},
        "receivable_value": {"amount": "0.00", "currency": "IDR"},
    }


def test_an_owner_without_an_account_reads_zeros(get: Callable[..., Any]) -> None:
    assert get("")["balance"] == 0
    assert get("entries/")["results"] == []
    assert get("verify/")["agrees"] is True


def test_the_ledger_is_newest_first_in_the_owners_words(spending: User, get: Callable[..., Any]) -> None:
    page = get("entries/")
    assert set(page) == {"results", "next", "previous"}
    assert [(entry["kind"], entry["amount"], entry["balance_after"]) for entry in page["results"]] == [
        ("refund", 200, 700),
        ("video_generation", -200, 500),
        ("video_generation", -300, 700),
        ("grant", 1000, 1000),
    ]
    assert page["results"][2]["breakdown"] == [
        {"label": "base", "credits": 300, "factor": "sandbox/motion-1 v1"}
    ]
    assert page["results"][2]["rate_card_ids"] == [3]


@pytest.mark.parametrize(
    ("query", "amounts"),
    [
        ({"kind": "video_generation"}, [-200, -300]),
        ({"kind": "refund"}, [200]),
        ({"kind": "grant"}, [1000]),
        ({"kind": "expiry"}, []),
        ({"subject": str(SUBJECT)}, [-300]),
        ({"subject": str(SUBJECT), "kind": "refund"}, []),
        ({"subject": str(uuid.uuid4())}, []),
    ],
)
def test_the_ledger_is_narrowed(
    spending: User, get: Callable[..., Any], query: dict[str, str], amounts: list[int]
) -> None:
    assert [entry["amount"] for entry in get("entries/", **query)["results"]] == amounts


def test_the_ledger_is_narrowed_by_time(spending: User, get: Callable[..., Any]) -> None:
    middle = clock.now() + timedelta(hours=1)
    clock.advance(timedelta(hours=2))
    ledger.grant(owner_id=spending.pk, amount=5, key="later")
    later = get("entries/", created_after=middle.isoformat())["results"]
    assert [entry["amount"] for entry in later] == [5]
    assert len(get("entries/", created_before=middle.isoformat())["results"]) == 4
    assert len(get("entries/", created_before=middle.isoformat(), kind="grant")["results"]) == 1


def test_pages_follow_one_another_without_gaps(owner: User, get: Callable[..., Any]) -> None:
    # One group's entries share their time: the cursor has to count within it.
    ledger.grant(owner_id=owner.pk, amount=1000, key="start")
    parts = [ledger.HoldPart(amount=n, subject_id=uuid.uuid4()) for n in range(1, 8)]
    ledger.hold_group(owner_id=owner.pk, key="film", parts=parts)
    seen, page = [], get("entries/", limit=3)
    while True:
        seen += [entry["amount"] for entry in page["results"]]
        if page["next"] is None:
            break
        page = get(page["next"])
    assert seen == [-7, -6, -5, -4, -3, -2, -1, 1000]


@pytest.mark.parametrize("query", ["kind=hold", "kind=x", "subject=1", "created_after=yesterday"])
def test_a_filter_that_makes_no_sense_is_refused(owner: User, query: str) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Api-Key {api_key(owner).secret}")
    assert client.get(f"/api/v1/credits/entries/?{query}").status_code == 400


@pytest.mark.parametrize("path", ["", "entries/", "verify/"])
def test_nobody_reads_money_without_signing_in_or_changes_it(owner: User, path: str) -> None:
    assert APIClient().get(f"/api/v1/credits/{path}").status_code == 401
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Api-Key {api_key(owner).secret}")
    for method in (client.post, client.put, client.patch, client.delete):
        assert method(f"/api/v1/credits/{path}").status_code == 405


def test_the_owner_can_have_the_ledger_recomputed(spending: User, get: Callable[..., Any]) -> None:
    assert get("verify/") == {"agrees": True, "entries": 4, "holds": 2, "drifts": []}
    with connection.cursor() as cursor:
        cursor.execute("UPDATE credits_account SET balance = balance + 1 WHERE owner_id = %s", [spending.pk])
    found = get("verify/")
    assert found["agrees"] is False
    assert found["drifts"] == [{"what": "balance", "kept": 701, "recomputed": 700}]


@pytest.fixture
def long_ledger(owner: User) -> User:
    """20,000 entries of one owner, an hour apart, of which few are refunds or of SUBJECT."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO credits_entry (owner_id, key, kind, amount, held_amount, balance_after, held_after,"
            " spent_after, subject_id, note, rate_card_ids, breakdown, created_at)"
            " SELECT %s, 'grant ' || n, 'grant', 1, 0, n, 0, 0,"
            " CASE WHEN n %% 5000 = 0 THEN %s ELSE gen_random_uuid() END, '', '{}', '[]',"
            " app_now() - n * interval '1 hour' FROM generate_series(1, 20000) n",
            [owner.pk, SUBJECT],
        )
        cursor.execute("ANALYZE credits_entry")
    return owner


@pytest.mark.parametrize(
    ("query", "at_most"),
    [
        ({}, 60),
        ({"kind": "grant"}, 60),
        ({"kind": "expiry"}, 1),
        ({"subject": str(SUBJECT)}, 10),
        ({"subject": str(SUBJECT), "kind": "expiry"}, 10),
        ({"created_before": "2000-01-01T00:00:00Z"}, 1),
        ({"created_after": "2000-01-01T00:00:00Z", "created_before": "2000-01-02T00:00:00Z"}, 1),
        ({"kind": "expiry", "created_after": "2000-01-01T00:00:00Z"}, 1),
        ({"kind": "grant", "created_before": "2000-01-01T00:00:00Z"}, 1),
    ],
)
def test_a_page_of_a_long_ledger_reads_no_more_rows_than_it_shows(
    long_ledger: User, query: dict[str, str], at_most: int
) -> None:
    rows = EntryFilter(query, Entry.objects.filter(owner=long_ledger)).qs.order_by("-created_at", "-id")[:51]
    plan = json.loads(rows.explain(format="json", analyze=True))[0]["Plan"]
    assert _rows_read(plan) <= at_most, plan


def _rows_read(plan: dict[str, Any]) -> int:
    own = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) if "Relation Name" in plan else 0
    return int(own) + sum(_rows_read(child) for child in plan.get("Plans", []))
