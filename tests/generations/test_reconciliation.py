"""Our accounts looked at every ten minutes, and each day held against the vendor's list and the ledger once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError
from django.test import Client

from accounts.models import User
from credits.models import Hold
from generations import reconciliation
from generations.kinds import RECONCILIATION, VENDOR_ACCOUNT
from generations.models import AccountHealth, Attempt, AttemptState, DriftReport, Generation
from generations.reconciliation import Recorded, compare
from generations.stages.vendors import LIST_EVERY, LIST_WITHIN, LOOK_EVERY
from providers.contract import AccountLimits, AccountStanding, Listed, RenderState
from providers.errors import CredentialsRefused, FailureCode, ReadFailed
from workers import clock
from workers.clock import AppNow
from workers.models import Job

from .conftest import Worker, followed
from .fake_vendor import FAKE, Fakes, a_failure
from .test_idempotency import together

UNTIL = datetime(2026, 11, 20, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=1)
NOON = SINCE + timedelta(hours=12)


@pytest.fixture(autouse=True)
def the_clock_back(transactional_db: None) -> Iterator[None]:
    yield
    clock.reset()


@pytest.fixture
def slow(owner: User) -> Iterator[Worker]:
    """Workers of clips and of what is slow."""
    running = Worker("slow")
    yield running
    running.stop()


def alarms(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.alarm for record in caplog.records if hasattr(record, "alarm")]


def calls(fakes: Fakes, call: str) -> list[str]:
    return sorted(key for key, name in fakes.fake.calls if name == call)


# The account


def test_each_account_that_can_be_looked_at_has_one_job_however_often_the_clock_rings(fakes: Fakes) -> None:
    fakes.accounts("second")
    reconciliation.enqueue_due()
    assert Job.objects.filter(kind=VENDOR_ACCOUNT).count() == 2
    # The sandbox, two of the fake vendor's and the other vendor's.
    assert Job.objects.filter(kind=RECONCILIATION).count() == 4
    assert reconciliation.enqueue_due() == 0
    assert Job.objects.count() == 6
    assert set(Job.objects.values_list("owner_id", flat=True)) == {None}


def test_an_account_is_asked_for_its_standing_every_ten_minutes(
    fakes: Fakes, slow: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    fakes.settings.LOW_BALANCES = {"fake": 25}
    fakes.accounts("second")
    limits = {"one": AccountLimits(concurrent=3)}
    fakes.fake.standing = {
        "main": AccountStanding(balance=Decimal("25.00"), currency="credits", limits=limits),
        "second": AccountStanding(balance=Decimal("24.99")),
    }
    reconciliation.enqueue_due()
    slow.settle()
    rows = {(row.account, row.model): row for row in AccountHealth.objects.filter(provider="fake")}
    assert (rows["main", ""].balance, rows["main", ""].balance_currency) == (Decimal(25), "credits")
    assert rows["main", ""].balance_read_at is not None
    assert rows["second", ""].balance == Decimal("24.99")
    assert rows["main", FAKE].concurrent == 3
    low = [record for record in caplog.records if getattr(record, "alarm", "") == "low_balance"]
    assert ["account second at fake has 24.99" in one.getMessage() for one in low] == [True]

    clock.advance(LOOK_EVERY - timedelta(seconds=20))
    slow.settle()
    assert calls(fakes, "account") == ["main", "second"]
    clock.advance(timedelta(seconds=21))
    slow.settle()
    assert calls(fakes, "account") == ["main", "main", "second", "second"]
    # One that isn't configured any more has its job end.
    fakes.settings.PROVIDER_ACCOUNTS = {}
    clock.advance(LOOK_EVERY)
    slow.settle()
    assert list(Job.objects.filter(kind=VENDOR_ACCOUNT, ended_at__isnull=False).values_list("state")) == [
        ("completed",)
    ]


def test_a_balance_has_the_general_alarm_where_none_is_set_for_the_vendor(
    fakes: Fakes, slow: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    fakes.settings.LOW_BALANCE = Decimal(10)
    fakes.fake.standing = {"main": AccountStanding(balance=Decimal("9.99"))}
    reconciliation.enqueue_due()
    slow.settle()
    assert alarms(caplog).count("low_balance") == 1


def test_a_look_that_is_refused_pauses_the_account_and_the_next_comes_in_its_time(
    fakes: Fakes, slow: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    fakes.fake.standing = {"main": CredentialsRefused("fake")}
    reconciliation.enqueue_due()
    slow.settle()
    assert "credentials_refused" in alarms(caplog)
    row = AccountHealth.objects.get(provider="fake", model="")
    assert row.paused_until is not None
    assert row.balance is None
    assert Job.objects.filter(kind=VENDOR_ACCOUNT, ended_at__isnull=True).count() == 1


# The comparison


def ours(**changes: Any) -> Recorded:
    """An attempt that was made, delivered and paid for."""
    fields = {
        "attempt_id": uuid4(),
        "external_id": "mine",
        "other_external_ids": [],
        "state": "succeeded",
        "failure_code": "",
        "cost": "0.5",
        "generation_id": uuid4(),
        "status": "completed",
        "late": False,
        "hold": "captured",
    }
    return Recorded(**{**fields, **changes})


FAILED = {"state": "failed", "status": "failed", "hold": "released"}


def theirs(state: RenderState = RenderState.SUCCEEDED, **changes: Any) -> Listed:
    return replace(Listed(external_id="mine", state=state, created_at=NOON), **changes)


def kinds(
    recorded: list[Recorded], listed: list[Listed] | None, known: frozenset[str] = frozenset({"mine"})
) -> list[str]:
    return [one.kind for one in compare(recorded, listed, since=SINCE, until=UNTIL, known=set(known))]


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        (ours(), []),
        (ours(**FAILED), []),
        (ours(state="cancelled", status="cancelled", hold="released"), []),
        (ours(late=True, hold="released"), []),
        (ours(state="failed", hold="captured"), []),  # the next attempt made it
        (ours(status="failed", hold="released"), ["paid_not_delivered"]),
        (ours(hold="released"), ["delivered_not_paid"]),
        (ours(hold="open"), ["delivered_not_paid"]),
        (ours(**{**FAILED, "hold": "captured"}), ["charged_not_delivered"]),
        (ours(state="unknown", status="failed", hold="released"), ["outcome_unknown"]),
        (ours(other_external_ids=["more"]), ["two_jobs"]),
    ],
)
def test_what_our_own_records_say_of_each_other(recorded: Recorded, expected: list[str]) -> None:
    assert kinds([recorded], None) == expected
    if recorded.state == "succeeded":
        assert kinds([recorded], [theirs()]) == expected


@pytest.mark.parametrize(
    ("recorded", "state", "differs"),
    [
        (ours(), RenderState.FAILED, True),
        (ours(), RenderState.CANCELLED, True),
        (ours(), RenderState.RUNNING, False),
        (ours(), RenderState.UNKNOWN, False),
        (ours(**FAILED), RenderState.FAILED, False),
        (ours(**FAILED), RenderState.CANCELLED, False),
        (ours(**FAILED), RenderState.SUCCEEDED, True),
        # Finished well by the vendor's word, and no use to anybody.
        (ours(**FAILED, failure_code="quality"), RenderState.SUCCEEDED, False),
        (ours(**FAILED, failure_code="no_media"), RenderState.SUCCEEDED, False),
        (ours(state="cancelled", status="cancelled", hold="released"), RenderState.SUCCEEDED, True),
        (ours(state="cancelled", status="cancelled", hold="released"), RenderState.FAILED, False),
        (ours(state="running", status="processing", hold="open"), RenderState.SUCCEEDED, False),
    ],
)
def test_an_end_that_is_another_at_the_vendor_is_drift(
    recorded: Recorded, state: RenderState, differs: bool
) -> None:
    assert kinds([recorded], [theirs(state)]) == (["state_differs"] if differs else [])


def test_what_is_on_one_side_only_is_drift() -> None:
    assert kinds([ours()], []) == ["missing_at_vendor"]
    assert kinds([ours(**FAILED, external_id=None)], []) == []
    stranger = theirs(external_id="stranger")
    assert kinds([], [stranger]) == ["unknown_render"]
    assert kinds([], [replace(stranger, created_at=None)]) == ["unknown_render"]
    # Of another day, or of another day's attempt.
    assert (
        kinds([], [replace(stranger, created_at=UNTIL), replace(stranger, created_at=SINCE - timedelta(1))])
        == []
    )
    assert kinds([], [stranger], known=frozenset({"stranger"})) == []


def test_absence_from_a_list_that_was_cut_off_says_nothing() -> None:
    full = [theirs(external_id=f"other-{number}") for number in range(reconciliation.LONGEST_LIST)]
    known = frozenset(one.external_id for one in full)
    assert kinds([ours()], full, known) == []
    assert kinds([ours()], full[1:], known) == ["missing_at_vendor"]


def test_the_day_before_is_whole_and_some_hours_past() -> None:
    for now, until in (
        (datetime(2026, 11, 28, 2, 59, tzinfo=UTC), datetime(2026, 11, 27, tzinfo=UTC)),
        (datetime(2026, 11, 28, 3, 0, tzinfo=UTC), datetime(2026, 11, 28, tzinfo=UTC)),
        (datetime(2026, 11, 28, 23, 59, tzinfo=UTC), datetime(2026, 11, 28, tzinfo=UTC)),
    ):
        assert reconciliation.day_before(now) == (until - timedelta(days=1), until)


# The daily report, by the engine


def to(hour: int, *, days: int = 0) -> None:
    """Put the clock to this hour, in UTC, so many days after today; never back."""
    now = clock.now()
    wanted = now.replace(hour=hour, minute=0, second=0, microsecond=0) + timedelta(days=days)
    clock.advance(wanted - now)


@pytest.fixture
def a_day(fakes: Fakes, owner: User, api: Client, slow: Worker) -> list[Attempt]:
    """Three clips that were made yesterday, as it is four in the morning now."""
    to(12, days=1)
    for one in (fakes.ask(owner), fakes.ask(owner)):
        assert followed(api, slow, str(one))["status"] == "completed"
    fakes.fake.begins, fakes.fake.failure = RenderState.FAILED, a_failure(code=FailureCode.MODERATED)
    assert followed(api, slow, str(fakes.ask(owner)))["status"] == "failed"
    for render in fakes.fake.of("main").values():
        render.created_at = clock.now()
    to(4, days=1)
    return list(Attempt.objects.order_by("created_at"))


def report(slow: Worker, provider: str = "fake", account: str = "main") -> DriftReport:
    reconciliation.enqueue_due()
    slow.settle()
    return DriftReport.objects.get(provider=provider, account=account)


def found(one: DriftReport) -> list[str]:
    return sorted(finding["kind"] for finding in one.findings)


def test_a_clean_day_reports_none(
    a_day: list[Attempt], slow: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    one = report(slow)
    assert (one.findings, one.drift) == ([], 0)
    assert (one.listed, one.attempts, one.vendor_renders) == (True, 3, 3)
    assert (one.until - one.since, one.until) == (
        timedelta(days=1),
        clock.now().replace(hour=0, minute=0, second=0, microsecond=0),
    )
    assert "drift" not in alarms(caplog)
    other = DriftReport.objects.get(provider="other")
    assert (other.listed, other.vendor_renders, other.attempts, other.drift) == (False, None, 0, 0)


def test_a_vendor_whose_clock_is_behind_ours_at_midnight_is_no_drift(
    a_day: list[Attempt], fakes: Fakes, slow: Worker
) -> None:
    since, _ = reconciliation.day_before(clock.now())
    Attempt.objects.filter(id=a_day[0].id).update(created_at=since + timedelta(seconds=1))
    fakes.fake.of("main")[a_day[0].external_id or ""].created_at = since - timedelta(minutes=5)
    one = report(slow)
    assert (one.findings, one.attempts) == ([], 3)


def test_each_kind_of_drift_is_found_when_it_is_caused_and_alarms_once(
    a_day: list[Attempt], fakes: Fakes, slow: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, failed = a_day
    Hold.objects.filter(id=first.generation.hold_id).update(state="released", captured=0)
    renders = fakes.fake.of("main")
    renders[second.external_id or ""].state = RenderState.CANCELLED
    stranger = replace(renders[second.external_id or ""], external_id="stranger")
    renders.pop(failed.external_id or "")
    renders["stranger"] = stranger
    Attempt.objects.filter(id=failed.id).update(other_external_ids=["more"], state=AttemptState.UNKNOWN)

    one = report(slow)

    assert found(one) == [
        "delivered_not_paid",
        "missing_at_vendor",
        "outcome_unknown",
        "state_differs",
        "two_jobs",
        "unknown_render",
    ]
    by_kind = {finding["kind"]: finding for finding in one.findings}
    assert by_kind["missing_at_vendor"]["attempt"] == str(failed.id)
    assert by_kind["unknown_render"] == {
        "kind": "unknown_render",
        "attempt": None,
        "external_id": "stranger",
        "detail": "The vendor has made or makes it (cancelled), and no attempt of ours is it.",
    }
    assert one.drift == 6
    assert alarms(caplog).count("drift") == 1


def test_what_was_made_and_not_delivered_and_what_was_charged_and_not_made_is_found(
    a_day: list[Attempt], slow: Worker
) -> None:
    first, _, failed = a_day
    Generation.objects.filter(id=first.generation_id).update(status="failed")
    Hold.objects.filter(id=failed.generation.hold_id).update(state="captured")
    assert found(report(slow)) == ["charged_not_delivered"] * 2 + ["paid_not_delivered"]


def test_a_day_is_compared_once_for_each_account(a_day: list[Attempt], fakes: Fakes, slow: Worker) -> None:
    fakes.accounts("second")
    one = report(slow)
    second = DriftReport.objects.get(provider="fake", account="second")
    # What the one account made is not drift of the other.
    assert (one.attempts, second.attempts, second.drift) == (3, 0, 0)
    for _ in range(3):
        reconciliation.enqueue_due()
        slow.settle()
    assert calls(fakes, "listed") == ["main", "second"]
    with pytest.raises(IntegrityError):
        reconciliation.report("fake", "main", one.since, one.until, None)
    to(4, days=1)
    reconciliation.enqueue_due()
    slow.settle()
    assert calls(fakes, "listed") == ["main"] * 2 + ["second"] * 2
    assert DriftReport.objects.filter(provider="fake").count() == 4


def test_clocks_that_ring_at_once_enqueue_each_job_once(fakes: Fakes) -> None:
    counts = together(6, lambda _: reconciliation.enqueue_due())
    assert (sum(counts), Job.objects.count()) == (4, 4)


def test_a_day_that_another_worker_has_compared_meanwhile_is_left_as_it_is(
    a_day: list[Attempt], slow: Worker
) -> None:
    reconciliation.enqueue_due()
    since, until = reconciliation.day_before(clock.now())
    first = reconciliation.report("fake", "main", since, until, None)
    slow.settle()
    assert DriftReport.objects.get(provider="fake").pk == first.pk
    assert not Job.objects.filter(kind=RECONCILIATION, ended_at__isnull=True).exists()


def test_a_vendor_whose_list_fails_is_asked_again_and_then_compared_without(
    a_day: list[Attempt], fakes: Fakes, slow: Worker
) -> None:
    fakes.fake.lists["main"] = ReadFailed("fake")
    reconciliation.enqueue_due()
    slow.settle()
    assert not DriftReport.objects.filter(provider="fake").exists()
    clock.advance(LIST_EVERY - timedelta(seconds=20))
    slow.settle()
    assert calls(fakes, "listed") == ["main"]
    clock.advance(timedelta(seconds=21))
    slow.settle()
    assert calls(fakes, "listed") == ["main", "main"]
    clock.advance(LIST_WITHIN)
    slow.settle()
    one = DriftReport.objects.get(provider="fake")
    assert (one.listed, one.vendor_renders, one.attempts, one.drift) == (False, None, 3, 0)


def test_a_list_that_comes_late_is_compared_with(a_day: list[Attempt], fakes: Fakes, slow: Worker) -> None:
    fakes.fake.lists["main"] = ReadFailed("fake")
    reconciliation.enqueue_due()
    slow.settle()
    del fakes.fake.lists["main"]
    clock.advance(LIST_EVERY)
    slow.settle()
    assert DriftReport.objects.get(provider="fake").listed


def test_a_job_of_a_day_that_is_past_ends_and_the_next_day_has_its_own(
    a_day: list[Attempt], fakes: Fakes, slow: Worker
) -> None:
    reconciliation.enqueue_due()
    to(4, days=1)
    slow.settle()
    assert not DriftReport.objects.exists()
    assert not Job.objects.filter(kind=RECONCILIATION, ended_at__isnull=True).exists()
    report(slow)
    assert DriftReport.objects.filter(provider="fake").count() == 1


def test_only_the_first_thousand_findings_are_kept_and_all_are_counted(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "MOST_FINDINGS", 3)
    listed = [theirs(external_id=f"stranger-{number}") for number in range(5)]
    one = reconciliation.report("fake", "main", SINCE, UNTIL, listed)
    assert (one.drift, len(one.findings)) == (5, 3)


def test_a_further_id_of_an_attempt_is_known_too(a_day: list[Attempt]) -> None:
    Attempt.objects.filter(id=a_day[0].id).update(other_external_ids=["more"], created_at=AppNow())
    assert reconciliation.known_ids("fake", ["more", "stranger", str(a_day[1].external_id)]) >= {
        "more",
        a_day[1].external_id,
    }
    assert "stranger" not in reconciliation.known_ids("fake", ["stranger"])
