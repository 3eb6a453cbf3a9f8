"""The event log: numbers without gaps, whoever writes at once and whoever gives up."""

import threading
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.events.log import EventEntry, append, events_of
from accounts.models import Event, User
from tests.factories import UserFactory


def entry(owner: User, kind: str = "test.happened", subject_id: UUID | None = None) -> EventEntry:
    return EventEntry(owner_id=owner.pk, kind=kind, subject_id=subject_id or uuid4(), data={"kind": kind})


def at_once(*actions: Callable[[], None]) -> list[BaseException]:
    """Run the actions in threads of their own, released together. The errors they ended with."""
    barrier = threading.Barrier(len(actions))
    errors: list[BaseException] = []

    def run(action: Callable[[], None]) -> None:
        try:
            barrier.wait(10)
            action()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[action]) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return errors


def test_events_are_numbered_from_one_in_the_order_given(owner: User) -> None:
    append([entry(owner, "a"), entry(owner, "b")])
    append([entry(owner, "c")])

    assert [(event.number, event.kind) for event in events_of(owner.pk)] == [(1, "a"), (2, "b"), (3, "c")]


def test_a_batch_numbers_each_account_on_its_own(owner: User, stranger: User) -> None:
    append([entry(stranger, "x")])

    append([entry(owner, "a"), entry(stranger, "y"), entry(owner, "b"), entry(stranger, "z")])

    assert [(event.number, event.kind) for event in events_of(owner.pk)] == [(1, "a"), (2, "b")]
    assert [(event.number, event.kind) for event in events_of(stranger.pk)] == [(1, "x"), (2, "y"), (3, "z")]


def test_a_batch_is_one_statement(owner: User, stranger: User) -> None:
    with CaptureQueriesContext(connection) as queries:
        append([entry(owner), entry(stranger), entry(owner)])

    assert len(queries) == 1


def test_nothing_to_write_is_no_statement(db: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        append([])

    assert len(queries) == 0


@pytest.mark.django_db(transaction=True)
def test_events_outside_a_transaction_are_refused() -> None:
    owner = UserFactory()

    with pytest.raises(RuntimeError):
        append([entry(owner)])

    assert events_of(owner.pk) == []


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_transaction_leaves_no_gap() -> None:
    owner = UserFactory()
    with transaction.atomic():
        append([entry(owner, "kept")])
    with transaction.atomic():
        append([entry(owner, "lost"), entry(owner, "lost")])
        transaction.set_rollback(True)
    with transaction.atomic():
        append([entry(owner, "next")])

    assert [(event.number, event.kind) for event in events_of(owner.pk)] == [(1, "kept"), (2, "next")]


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_leave_no_gap_and_do_not_wait_for_each_other_for_ever() -> None:
    owners = [UserFactory(), UserFactory(), UserFactory()]
    rounds, writers = 20, 8

    def write(seed: int) -> None:
        for turn in range(rounds):
            # Each in another order: locks taken in the order given would deadlock.
            batch = [entry(owners[(seed + turn + step) % 3], f"{seed}.{turn}") for step in range(3)]
            try:
                with transaction.atomic():
                    append(batch)
                    if (seed + turn) % 5 == 0:
                        raise LookupError
            except LookupError:
                pass

    errors = at_once(*[lambda seed=seed: write(seed) for seed in range(writers)])

    assert errors == []
    kept = sum((seed + turn) % 5 != 0 for seed in range(writers) for turn in range(rounds))
    for owner in owners:
        numbers = list(Event.objects.filter(owner=owner).order_by("number").values_list("number", flat=True))
        assert numbers == list(range(1, kept + 1))


def test_events_of_answers_a_page_after_a_number(owner: User, stranger: User) -> None:
    append([entry(owner, str(number)) for number in range(1, 8)] + [entry(stranger)])

    assert [event.number for event in events_of(owner.pk, after=2, limit=3)] == [3, 4, 5]
    assert [event.number for event in events_of(owner.pk, after=7)] == []


def test_events_of_one_subject(owner: User) -> None:
    subject = uuid4()
    append([entry(owner), entry(owner, subject_id=subject), entry(owner), entry(owner, subject_id=subject)])

    assert [event.number for event in events_of(owner.pk, subject_id=subject)] == [2, 4]


def test_a_strangers_subject_has_no_events_for_the_owner(owner: User, stranger: User) -> None:
    subject = uuid4()
    append([entry(stranger, subject_id=subject)])

    assert events_of(owner.pk, subject_id=subject) == []
