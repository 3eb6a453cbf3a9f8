"""Each movement: what it writes, twice, and what it refuses."""

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from credits import ledger
from credits.errors import (
    CaptureExceedsHold,
    DailyLimitReached,
    HoldClosed,
    HoldNotFound,
    InsufficientCredits,
    KeyReused,
    RefundExceedsCaptured,
    SpendingSuspended,
)
from credits.ledger import Balance, HoldPart
from credits.models import Account, Entry, Hold
from workers import clock

pytestmark = pytest.mark.django_db


def open_hold(owner: User, amount: int = 100, key: str = "hold", **changes: object) -> ledger.HoldResult:
    arguments = {"subject_id": uuid.uuid5(uuid.NAMESPACE_OID, key), "rate_card_ids": [], "breakdown": []}
    return ledger.hold(owner_id=owner.pk, amount=amount, key=key, **{**arguments, **changes})  # type: ignore[arg-type]


def balance(owner: User) -> tuple[int, int]:
    figures = ledger.balance_of(owner.pk)
    return figures.balance, figures.held


def written(owner: User) -> list[tuple[str, int, int, int, int]]:
    return list(
        Entry.objects.filter(owner=owner)
        .order_by("id")
        .values_list("kind", "amount", "held_amount", "balance_after", "held_after")
    )


@pytest.fixture
def funded(owner: User) -> User:
    ledger.grant(owner_id=owner.pk, amount=1000, key="start")
    return owner


def test_an_owner_without_an_account_has_nothing(owner: User) -> None:
    assert ledger.balance_of(owner.pk) == Balance(balance=0, held=0, receivable=0, spent=0)
    with pytest.raises(InsufficientCredits) as refusal:
        open_hold(owner)
    assert refusal.value.details == {"balance": 0, "needed": 100}


def test_a_grant_opens_the_account(owner: User) -> None:
    entry = ledger.grant(owner_id=owner.pk, amount=1000, key="start", note="hello")
    assert (entry.kind, entry.amount, entry.balance_after, entry.note) == ("grant", 1000, 1000, "hello")
    assert balance(owner) == (1000, 0)


def test_a_hold_leaves_the_balance_at_once(funded: User) -> None:
    result = open_hold(funded, 300, rate_card_ids=[7], breakdown=[{"label": "base", "credits": 300}])
    assert (result.balance, result.held) == (700, 300)
    assert balance(funded) == (700, 300)
    entry = Entry.objects.get(hold_id=result.hold_id)
    assert (entry.kind, entry.amount, entry.held_amount) == ("hold", -300, 300)
    assert (entry.rate_card_ids, entry.breakdown) == ([7], [{"label": "base", "credits": 300}])


def test_a_capture_charges_and_gives_the_rest_back_in_one_entry(funded: User) -> None:
    hold = open_hold(funded, 300)
    closing = ledger.capture(hold_id=hold.hold_id, amount=120)
    assert (closing.captured, closing.released, closing.balance, closing.held) == (120, 180, 880, 0)
    assert written(funded)[-1] == ("capture", 180, -300, 880, 0)
    assert ledger.balance_of(funded.pk).spent == 120


def test_a_release_gives_everything_back(funded: User) -> None:
    hold = open_hold(funded, 300)
    closing = ledger.release(hold_id=hold.hold_id, reason="the vendor failed")
    assert (closing.captured, closing.released, closing.balance, closing.held) == (0, 300, 1000, 0)
    assert written(funded)[-1] == ("release", 300, -300, 1000, 0)
    assert ledger.balance_of(funded.pk).spent == 0


def test_the_whole_balance_can_be_held_and_not_one_credit_more(funded: User) -> None:
    with pytest.raises(InsufficientCredits) as refusal:
        open_hold(funded, 1001)
    assert refusal.value.details == {"balance": 1000, "needed": 1001}
    open_hold(funded, 1000)
    with pytest.raises(InsufficientCredits):
        open_hold(funded, 1, key="another")
    assert balance(funded) == (0, 1000)


def test_a_job_that_costs_nothing_still_has_a_hold_and_a_closing(funded: User) -> None:
    hold = open_hold(funded, 0)
    ledger.capture(hold_id=hold.hold_id, amount=0)
    assert written(funded)[1:] == [("hold", 0, 0, 1000, 0), ("capture", 0, 0, 1000, 0)]


@pytest.mark.parametrize(
    "movement",
    [
        lambda owner: ledger.grant(owner_id=owner.pk, amount=5, key="again"),
        lambda owner: ledger.grant(owner_id=owner.pk, amount=5, key="again", kind="purchase"),
        lambda owner: ledger.adjust(owner_id=owner.pk, amount=-5, key="again", note="", operator_id=None),
        lambda owner: ledger.charge_back(owner_id=owner.pk, amount=5000, key="again", note=""),
        lambda owner: open_hold(owner, 5, key="again"),
        lambda owner: open_hold(owner, 1000, key="again"),
        lambda owner: ledger.hold_group(
            owner_id=owner.pk,
            key="again",
            parts=[HoldPart(amount=n, subject_id=uuid.UUID(int=n)) for n in (400, 0, 600)],
        ),
    ],
    ids=["grant", "purchase", "adjustment", "chargeback", "hold", "hold of everything", "group"],
)
def test_a_movement_asked_for_again_answers_the_same_and_writes_nothing(
    funded: User, movement: Callable[[User], object]
) -> None:
    first = movement(funded)
    before = ledger.balance_of(funded.pk), written(funded)
    assert movement(funded) == first
    assert (ledger.balance_of(funded.pk), written(funded)) == before


def test_a_closing_asked_for_again_answers_as_it_did_then(funded: User) -> None:
    captured, released = open_hold(funded, 300, "one"), open_hold(funded, 200, "two")
    first = ledger.capture(hold_id=captured.hold_id, amount=120)
    second = ledger.release(hold_id=released.hold_id, reason="failed")
    before = written(funded)
    assert ledger.capture(hold_id=captured.hold_id, amount=120) == first
    assert ledger.release(hold_id=released.hold_id, reason="failed") == second
    assert written(funded) == before


@pytest.mark.parametrize(
    "other",
    [
        lambda owner: ledger.grant(owner_id=owner.pk, amount=6, key="used"),
        lambda owner: ledger.grant(owner_id=owner.pk, amount=5, key="used", kind="purchase"),
        lambda owner: ledger.adjust(owner_id=owner.pk, amount=5, key="used", note="", operator_id=None),
        lambda owner: open_hold(owner, 5, key="used"),
    ],
    ids=["another amount", "another kind", "an adjustment", "a hold"],
)
def test_a_key_with_other_figures_is_refused(funded: User, other: Callable[[User], object]) -> None:
    ledger.grant(owner_id=funded.pk, amount=5, key="used")
    before = ledger.balance_of(funded.pk), written(funded)
    with pytest.raises(KeyReused):
        other(funded)
    assert (ledger.balance_of(funded.pk), written(funded)) == before


def test_a_payment_pays_one_account(funded: User, stranger: User) -> None:
    ledger.grant(owner_id=funded.pk, amount=50, key="payment:1", kind="purchase")
    with pytest.raises(KeyReused):
        ledger.grant(owner_id=stranger.pk, amount=50, key="payment:1", kind="purchase")
    assert balance(stranger) == (0, 0)
    # The refusal left an account that works.
    ledger.grant(owner_id=stranger.pk, amount=70, key="payment:2", kind="purchase")
    assert balance(stranger) == (70, 0)


def test_a_key_is_the_owners_own(funded: User, stranger: User) -> None:
    ledger.grant(owner_id=stranger.pk, amount=100, key="start of the stranger")
    open_hold(funded, 10, key="same")
    open_hold(stranger, 20, key="same")
    assert (balance(funded), balance(stranger)) == ((990, 10), (80, 20))


def test_a_hold_ends_once(funded: User) -> None:
    captured, released = open_hold(funded, 300, "one"), open_hold(funded, 200, "two")
    ledger.capture(hold_id=captured.hold_id, amount=120)
    ledger.release(hold_id=released.hold_id, reason="failed")
    before = written(funded)
    with pytest.raises(HoldClosed) as refusal:
        ledger.capture(hold_id=released.hold_id, amount=200)
    assert refusal.value.details == {"hold_id": str(released.hold_id), "state": "released", "captured": 0}
    with pytest.raises(HoldClosed):
        ledger.release(hold_id=captured.hold_id, reason="failed")
    with pytest.raises(HoldClosed):
        ledger.capture(hold_id=captured.hold_id, amount=121)
    assert written(funded) == before


def test_a_late_success_after_a_release_is_charged_nothing(funded: User) -> None:
    hold = open_hold(funded, 300)
    ledger.release(hold_id=hold.hold_id, reason="reconciled as lost")
    with pytest.raises(HoldClosed):
        ledger.capture(hold_id=hold.hold_id, amount=300)
    assert balance(funded) == (1000, 0)
    assert ledger.balance_of(funded.pk).spent == 0


def test_no_more_than_the_hold_is_captured(funded: User) -> None:
    hold = open_hold(funded, 300)
    with pytest.raises(CaptureExceedsHold) as refusal:
        ledger.capture(hold_id=hold.hold_id, amount=301)
    assert refusal.value.details == {"amount": 301, "held": 300}
    assert balance(funded) == (700, 300)
    assert ledger.capture(hold_id=hold.hold_id, amount=300).released == 0


def test_an_unknown_hold_is_not_found(owner: User) -> None:
    nobody = uuid.uuid4()
    with pytest.raises(HoldNotFound):
        ledger.capture(hold_id=nobody, amount=1)
    with pytest.raises(HoldNotFound):
        ledger.release(hold_id=nobody, reason="")
    with pytest.raises(HoldNotFound):
        ledger.refund(hold_id=nobody, amount=1, key="refund", note="", operator_id=None)


def test_refunds_never_exceed_what_was_captured(funded: User, operator: User) -> None:
    hold = open_hold(funded, 300)

    def refund(amount: int, key: str) -> Entry:
        return ledger.refund(
            hold_id=hold.hold_id, amount=amount, key=key, note="sorry", operator_id=operator.pk
        )

    with pytest.raises(RefundExceedsCaptured):
        refund(1, "too early")
    ledger.capture(hold_id=hold.hold_id, amount=200)
    entry = refund(150, "first")
    assert (entry.kind, entry.amount, entry.hold_id, entry.operator_id) == (
        "refund", 150, hold.hold_id, operator.pk,
    )  # fmt: skip
    assert refund(150, "first") == entry
    with pytest.raises(KeyReused):
        refund(40, "first")
    with pytest.raises(RefundExceedsCaptured) as refusal:
        refund(51, "second")
    assert refusal.value.details == {"amount": 51, "refundable": 50}
    refund(50, "second")
    assert balance(funded) == (1000, 0)
    assert Hold.objects.get(pk=hold.hold_id).refunded == 200


def test_an_adjustment_names_its_operator_and_stops_at_zero(funded: User, operator: User) -> None:
    entry = ledger.adjust(
        owner_id=funded.pk, amount=-400, key="correction", note="counted twice", operator_id=operator.pk
    )
    assert (entry.kind, entry.amount, entry.operator_id) == ("adjustment", -400, operator.pk)
    with pytest.raises(InsufficientCredits) as refusal:
        ledger.adjust(owner_id=funded.pk, amount=-601, key="more", note="", operator_id=operator.pk)
    assert refusal.value.details == {"balance": 600, "needed": 601}
    assert balance(funded) == (600, 0)


def test_an_adjustment_can_open_no_debt(owner: User, operator: User) -> None:
    with pytest.raises(InsufficientCredits):
        ledger.adjust(owner_id=owner.pk, amount=-1, key="correction", note="", operator_id=operator.pk)
    assert not Account.objects.filter(pk=owner.pk).exists()


def test_a_chargeback_beyond_the_balance_is_owed_and_suspends_spending(funded: User) -> None:
    hold = open_hold(funded, 300)
    ledger.charge_back(owner_id=funded.pk, amount=800, key="chargeback:1", note="payment 1 reversed")
    assert ledger.balance_of(funded.pk) == Balance(balance=0, held=300, receivable=100, spent=300)
    for amount in (0, 1):
        with pytest.raises(SpendingSuspended) as refusal:
            open_hold(funded, amount, key="after")
        assert refusal.value.details == {"receivable": 100}
    # What comes back pays the debt first, and spending resumes.
    closing = ledger.capture(hold_id=hold.hold_id, amount=260)
    assert (closing.released, closing.balance) == (40, 0)
    assert ledger.balance_of(funded.pk).receivable == 60
    ledger.grant(owner_id=funded.pk, amount=100, key="payment:2", kind="purchase")
    assert ledger.balance_of(funded.pk) == Balance(balance=40, held=0, receivable=0, spent=260)
    open_hold(funded, 40, key="after")


def test_a_group_is_held_whole_or_not_at_all(funded: User) -> None:
    parts = [HoldPart(amount=n, subject_id=uuid.uuid4()) for n in (500, 300, 200)]
    with pytest.raises(InsufficientCredits) as refusal:
        ledger.hold_group(
            owner_id=funded.pk, key="film", parts=[*parts, HoldPart(amount=1, subject_id=uuid.uuid4())]
        )
    assert refusal.value.details == {"balance": 1000, "needed": 1001}
    assert balance(funded) == (1000, 0)
    group = ledger.hold_group(owner_id=funded.pk, key="film", parts=parts)
    assert (group.balance, group.held) == (0, 1000)
    assert written(funded)[1:] == [
        ("hold", -500, 500, 500, 500),
        ("hold", -300, 300, 200, 800),
        ("hold", -200, 200, 0, 1000),
    ]
    ledger.capture(hold_id=group.hold_ids[0], amount=500)
    ledger.release(hold_id=group.hold_ids[1], reason="failed")
    closing = ledger.capture(hold_id=group.hold_ids[2], amount=50)
    assert (closing.balance, closing.held) == (450, 0)


def test_a_group_with_other_parts_is_another_movement(funded: User) -> None:
    part = HoldPart(amount=5, subject_id=uuid.uuid4())
    ledger.hold_group(owner_id=funded.pk, key="film", parts=[part])
    with pytest.raises(KeyReused):
        ledger.hold_group(owner_id=funded.pk, key="film", parts=[part, part])
    assert balance(funded) == (995, 5)


def test_a_day_has_a_limit_of_what_is_spent_and_not_of_what_came_back(funded: User) -> None:
    hold = open_hold(funded, 60, "one", daily_limit=100)
    with pytest.raises(DailyLimitReached) as refusal:
        open_hold(funded, 41, "two", daily_limit=100)
    assert refusal.value.details == {"limit": 100, "needed": 41, "remaining": 40}
    ledger.capture(hold_id=hold.hold_id, amount=50)
    open_hold(funded, 50, "three", daily_limit=100)
    with pytest.raises(DailyLimitReached):
        ledger.hold_group(
            owner_id=funded.pk,
            key="film",
            parts=[HoldPart(amount=1, subject_id=uuid.uuid4())],
            daily_limit=100,
        )
    clock.advance(timedelta(days=1))
    open_hold(funded, 100, "tomorrow", daily_limit=100)


@pytest.mark.parametrize("amount", [-1, 1.0, True, "5"])
def test_credits_are_whole_numbers(funded: User, amount: object) -> None:
    with pytest.raises(ValueError, match="whole number"):
        open_hold(funded, amount)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="whole number"):
        ledger.grant(owner_id=funded.pk, amount=0, key="nothing")


def test_each_hot_movement_is_one_statement(funded: User) -> None:
    with CaptureQueriesContext(connection) as queries:
        hold = open_hold(funded)
    assert len(queries) == 1
    with CaptureQueriesContext(connection) as queries:
        ledger.capture(hold_id=hold.hold_id, amount=70)
    assert len(queries) == 1
    with CaptureQueriesContext(connection) as queries:
        ledger.hold_group(
            owner_id=funded.pk,
            key="film",
            parts=[HoldPart(amount=5, subject_id=uuid.uuid4()) for _ in range(20)],
        )
    assert len(queries) == 1


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE credits_entry SET amount = amount + 1",
        "UPDATE credits_entry SET note = note",
        "DELETE FROM credits_entry",
        "TRUNCATE credits_entry CASCADE",
        "UPDATE credits_ratecard SET markup = 1",
        "DELETE FROM credits_ratecard",
    ],
)
def test_the_database_refuses_to_change_what_was_written(funded: User, change: str) -> None:
    # Else TRUNCATE is refused for the foreign keys still to be checked, and not by the trigger.
    connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        connection.cursor().execute(change)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE credits_account SET balance = -1",
        "UPDATE credits_account SET held = -1",
        "UPDATE credits_account SET receivable = 1",
        "UPDATE credits_hold SET captured = 1",
        "UPDATE credits_hold SET state = 'released'",
        (
            "UPDATE credits_hold SET state = 'captured', captured = amount + 1, closed_at = app_now(),"
            " closed_by_id = (SELECT min(id) FROM credits_entry)"
        ),
        "UPDATE credits_hold SET refunded = 1",
    ],
)
def test_the_database_refuses_what_the_rules_forbid(funded: User, change: str) -> None:
    open_hold(funded)
    with pytest.raises(IntegrityError, match="violates check constraint"), transaction.atomic():
        connection.cursor().execute(change)


def test_the_database_refuses_a_second_closing_entry(funded: User) -> None:
    hold = open_hold(funded)
    ledger.release(hold_id=hold.hold_id, reason="")
    with pytest.raises(IntegrityError, match="credits_entry_one_closing"), transaction.atomic():
        connection.cursor().execute(
            "INSERT INTO credits_entry (owner_id, key, kind, amount, held_amount, balance_after, held_after,"
            " spent_after, hold_id, note, rate_card_ids, breakdown) SELECT owner_id, 'twice', 'capture', 0, -100,"
            " 0, 0, 0, hold_id, '', '{}', '[]' FROM credits_entry WHERE kind = 'release'"
        )


@pytest.mark.django_db(transaction=True)
def test_a_movement_outside_a_transaction_is_a_mistake(owner: User) -> None:
    with pytest.raises(transaction.TransactionManagementError):
        ledger.grant(owner_id=owner.pk, amount=1, key="start")


def test_entries_never_go_back_in_time(funded: User) -> None:
    clock.advance(timedelta(hours=1))
    first, second = open_hold(funded, 10, "one"), open_hold(funded, 10, "two")
    clock.reset()
    ledger.capture(hold_id=first.hold_id, amount=5)
    ledger.release(hold_id=second.hold_id, reason="")
    ledger.refund(hold_id=first.hold_id, amount=5, key="refund", note="", operator_id=None)
    open_hold(funded, 10, "three")
    ledger.adjust(owner_id=funded.pk, amount=-1, key="correction", note="", operator_id=None)
    ledger.hold_group(owner_id=funded.pk, key="film", parts=[HoldPart(amount=1, subject_id=uuid.uuid4())])
    times = list(Entry.objects.filter(owner=funded).order_by("id").values_list("created_at", flat=True))
    assert times == sorted(times)
