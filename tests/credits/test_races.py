"""Movements at once on real connections: the second runs while the transaction of the first is open."""

import uuid
from collections.abc import Callable
from uuid import UUID

import pytest
from django.db import transaction

from accounts.models import User
from credits import ledger
from credits.errors import HoldClosed, InsufficientCredits, KeyReused, RefundExceedsCaptured
from credits.ledger import HoldPart
from credits.verification import verify
from tests.factories import UserFactory
from tests.proofs._pairs import at_once
from workers.errors import DomainError

pytestmark = pytest.mark.django_db(transaction=True)

SUBJECT = UUID(int=1)


@pytest.fixture
def funded(db: None) -> User:
    owner = UserFactory.create()
    with transaction.atomic():
        ledger.grant(owner_id=owner.pk, amount=1000, key="start")
    return owner


def open_hold(owner: User, amount: int, key: str = "hold") -> UUID:
    return ledger.hold(
        owner_id=owner.pk, amount=amount, key=key, subject_id=SUBJECT, rate_card_ids=[], breakdown=[]
    ).hold_id


def committed_hold(owner: User, amount: int, key: str = "hold") -> UUID:
    with transaction.atomic():
        return open_hold(owner, amount, key)


def answer(movement: Callable[[], object]) -> Callable[[], object]:
    """The movement, its refusal as an answer."""

    def ask() -> object:
        try:
            return movement()
        except DomainError as refusal:
            return type(refusal)

    return ask


def balance(owner: User) -> tuple[int, int]:
    assert verify(owner.pk).drifts == ()
    figures = ledger.balance_of(owner.pk)
    return figures.balance, figures.held


@pytest.mark.parametrize(
    ("movement", "left"),
    [
        (lambda owner: ledger.grant(owner_id=owner.pk, amount=5, key="same").pk, (1005, 0)),
        (lambda owner: ledger.grant(owner_id=owner.pk, amount=5, key="same", kind="purchase").pk, (1005, 0)),
        (lambda owner: ledger.charge_back(owner_id=owner.pk, amount=5, key="same", note="").pk, (995, 0)),
        (lambda owner: open_hold(owner, 5, "same"), (995, 5)),
        (lambda owner: open_hold(owner, 1000, "same"), (0, 1000)),
        (
            lambda owner: ledger.hold_group(
                owner_id=owner.pk, key="same", parts=[HoldPart(amount=n, subject_id=SUBJECT) for n in (3, 4)]
            ),
            (993, 7),
        ),
    ],
    ids=["grant", "purchase", "chargeback", "hold", "hold of everything", "group"],
)
def test_the_same_movement_at_once_is_one_movement(
    funded: User, movement: Callable[[User], object], left: tuple[int, int]
) -> None:
    first, second = at_once(lambda: movement(funded), lambda: movement(funded))
    assert first == second
    assert balance(funded) == left


@pytest.mark.parametrize("others", [0, 200])
def test_the_same_capture_at_once_is_one_capture(funded: User, others: int) -> None:
    hold_id = committed_hold(funded, 300)
    committed_hold(funded, others, "another")

    def capture() -> object:
        return ledger.capture(hold_id=hold_id, amount=120)

    first, second = at_once(capture, capture)
    assert first == second
    assert balance(funded) == (880 - others, others)


@pytest.mark.parametrize("others", [0, 500])
def test_a_capture_and_a_release_at_once_end_the_hold_once(funded: User, others: int) -> None:
    hold_id = committed_hold(funded, 300)
    committed_hold(funded, others, "another")
    first, second = at_once(
        answer(lambda: ledger.release(hold_id=hold_id, reason="")),
        answer(lambda: ledger.capture(hold_id=hold_id, amount=300)),
    )
    assert isinstance(first, ledger.Closing)
    assert second is HoldClosed
    assert balance(funded) == (1000 - others, others)


def test_two_refunds_at_once_stay_within_what_was_captured(funded: User) -> None:
    hold_id = committed_hold(funded, 300)
    with transaction.atomic():
        ledger.capture(hold_id=hold_id, amount=300)

    def refund(key: str) -> Callable[[], object]:
        return answer(
            lambda: ledger.refund(hold_id=hold_id, amount=200, key=key, note="", operator_id=None).kind
        )

    assert at_once(refund("one"), refund("two")) == ("refund", RefundExceedsCaptured)
    assert balance(funded) == (900, 0)


def test_two_holds_at_once_spend_a_credit_once(funded: User) -> None:
    first, second = at_once(
        answer(lambda: open_hold(funded, 600, "one")), answer(lambda: open_hold(funded, 600, "two"))
    )
    assert isinstance(first, UUID)
    assert second is InsufficientCredits
    assert balance(funded) == (400, 600)


def test_one_payment_at_once_for_two_accounts_pays_one(funded: User) -> None:
    other = UserFactory.create()

    def pay(owner: User) -> Callable[[], object]:
        return answer(
            lambda: ledger.grant(owner_id=owner.pk, amount=50, key="payment", kind="purchase").owner_id
        )

    assert at_once(pay(funded), pay(other)) == (funded.pk, KeyReused)
    assert (balance(funded), balance(other)) == ((1050, 0), (0, 0))


def test_a_refused_race_leaves_a_transaction_that_goes_on(funded: User) -> None:
    def movements() -> object:
        first = open_hold(funded, 10, "same")
        open_hold(funded, 20, f"own {uuid.uuid4()}")
        return first

    first, second = at_once(movements, movements)
    assert first == second
    assert balance(funded) == (950, 50)
