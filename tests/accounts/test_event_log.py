"""The event log: numbers without gaps, whoever writes at once and whoever gives up."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.events.log import EventEntry, append, events_of, forget_old
from accounts.models import Event, User
from tests.accounts.races import at_once
from tests.factories import UserFactory
from workers import clock, jobs


def entry(owner: User, kind: str = "test.happened", subject_id: UUID | None = None) -> EventEntry:
    return EventEntry(owner_id=owner.pk, kind=kind, subject_id=subject_id or uuid4(), data={"kind": kind})


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
    owner = UserFactory.create()

    with pytest.raises(RuntimeError):
        append([entry(owner)])

    assert events_of(owner.pk) == []


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_transaction_leaves_no_gap() -> None:
    owner = UserFactory.create()
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
    owners = [UserFactory.create(), UserFactory.create(), UserFactory.create()]
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


def test_events_past_their_retention_are_forgotten_and_the_numbers_go_on(
    owner: User, settings: Settings
) -> None:
    append([entry(owner, "old")])
    clock.advance(settings.EVENTS_KEPT + timedelta(minutes=1))
    append([entry(owner, "new")])

    assert forget_old() == 1
    append([entry(owner, "newer")])

    assert [(event.number, event.kind) for event in events_of(owner.pk)] == [(2, "new"), (3, "newer")]


def test_changes_that_the_engine_tells_become_events(owner: User) -> None:
    subject = uuid4()

    jobs.announce([jobs.Change(owner_id=owner.pk, kind="test.told", subject_id=subject, data={"n": 1})])

    (event,) = events_of(owner.pk)
    assert (event.kind, event.subject_id, event.data) == ("test.told", subject, {"n": 1})
