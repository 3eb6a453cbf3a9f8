"""The integrity check: silent on a true ledger, loud on each way to forge one."""

import uuid
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from accounts.models import User
from credits import ledger
from credits.verification import verify, verify_all
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def hold(owner: User, amount: int, key: str) -> uuid.UUID:
    return ledger.hold(
        owner_id=owner.pk, amount=amount, key=key, subject_id=uuid.uuid4(), rate_card_ids=[], breakdown=[]
    ).hold_id


@pytest.fixture
def busy(owner: User) -> User:
    """An owner with every kind of movement behind them."""
    ledger.grant(owner_id=owner.pk, amount=1000, key="start")
    ledger.grant(owner_id=owner.pk, amount=500, key="payment", kind="purchase")
    captured = hold(owner, 300, "captured")
    ledger.capture(hold_id=captured, amount=200)
    ledger.refund(hold_id=captured, amount=50, key="refund", note="", operator_id=None)
    ledger.release(hold_id=hold(owner, 100, "released"), reason="failed")
    hold(owner, 70, "open")
    ledger.hold_group(
        owner_id=owner.pk,
        key="film",
        parts=[ledger.HoldPart(amount=n, subject_id=uuid.uuid4()) for n in (1, 2)],
    )
    ledger.adjust(owner_id=owner.pk, amount=-5, key="correction", note="", operator_id=None)
    ledger.adjust(owner_id=owner.pk, amount=-5, key="lapse", note="", operator_id=None, kind="expiry")
    return owner


@pytest.fixture
def owing(stranger: User) -> User:
    ledger.grant(owner_id=stranger.pk, amount=100, key="payment of the stranger", kind="purchase")
    hold(stranger, 60, "open")
    ledger.charge_back(owner_id=stranger.pk, amount=100, key="reversal", note="")
    return stranger


def test_a_true_ledger_agrees(busy: User, owing: User) -> None:
    found = verify(busy.pk)
    assert (found.drifts, found.entries, found.holds) == ((), 12, 5)
    assert verify(owing.pk).drifts == ()


def test_an_owner_without_an_account_agrees(owner: User) -> None:
    assert verify(owner.pk).agrees


def test_every_account_is_looked_at_in_batches(busy: User, owing: User) -> None:
    others = [UserFactory.create() for _ in range(5)]
    for other in others:
        ledger.open_account(other.pk)
    found = list(verify_all(batch=2))
    assert sum(batch.accounts for batch in found) == 7
    assert max(batch.accounts for batch in found) == 2
    assert all(batch.agrees for batch in found)


FORGERIES = {
    "a balance": ("UPDATE credits_account SET balance = balance + 1", "balance"),
    "a held amount": ("UPDATE credits_account SET held = held + 1", "held"),
    "what was spent": ("UPDATE credits_account SET spent = spent + 1", "spent"),
    "an entry": ("UPDATE credits_entry SET amount = amount + 1 WHERE kind = 'grant'", "balance"),
    "an entry taken away": ("DELETE FROM credits_entry WHERE kind = 'purchase'", "balance"),
    "two entries that cancel out": (
        ("UPDATE credits_entry SET amount = amount + CASE kind WHEN 'grant' THEN 1 ELSE -1 END"
        " WHERE kind IN ('grant', 'purchase')"),
        "balance after entry",
    ),
    "a balance after an entry": (
        "UPDATE credits_entry SET balance_after = 1 WHERE kind = 'purchase'", "balance after entry",
    ),
    "a hold's amount": ("UPDATE credits_hold SET amount = amount + 1 WHERE state = 'open'", "amount of hold"),
    "what a hold captured": ("UPDATE credits_hold SET captured = 199 WHERE captured = 200", "captured from hold"),
    "what was refunded": ("UPDATE credits_hold SET refunded = 51 WHERE refunded = 50", "refunded of hold"),
    "a hold opened again": (
        "UPDATE credits_hold SET state = 'open', closed_by_id = NULL, closed_at = NULL WHERE state = 'released'",
        "closing entries of hold",
    ),
    "a hold ended without an entry": (
        ("UPDATE credits_hold SET state = 'released', closed_at = app_now(),"
        " closed_by_id = (SELECT min(id) FROM credits_entry) WHERE state = 'open'"),
        "closing entries of hold",
    ),
    "an opening entry taken away": (
        "DELETE FROM credits_entry WHERE kind = 'hold' AND amount = -70", "opening entries of hold",
    ),
    "another's entry on a hold": (
        ("UPDATE credits_hold SET owner_id = (SELECT id FROM accounts_user WHERE name = 'Nobody')"
        " WHERE state = 'released'"),
        "owner of the entries of hold",
    ),
    "an account taken away": ("DELETE FROM credits_account", "account of entries"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "what"), FORGERIES.values(), ids=FORGERIES)
def test_a_forgery_by_who_may_switch_the_trigger_off_is_found(busy: User, change: str, what: str) -> None:
    UserFactory.create(name="Nobody")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE credits_entry DISABLE TRIGGER USER")
        cursor.execute(change)
        assert cursor.rowcount > 0
        cursor.execute("ALTER TABLE credits_entry ENABLE TRIGGER USER")
    drifts = [drift for found in verify_all() for drift in found.drifts]
    assert any(drift.what.startswith(what) for drift in drifts)
    output = StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("verify_ledger", stdout=output)
    assert end.value.code == 1
    assert str(busy.pk) in output.getvalue()


def test_the_command_says_what_it_looked_at(busy: User, owing: User) -> None:
    output = StringIO()
    call_command("verify_ledger", stdout=output)
    assert [line.split() for line in output.getvalue().splitlines()] == [
        ["accounts", "2"], ["entries", "15"], ["holds", "6"], ["drifts", "0"],
    ]  # fmt: skip
