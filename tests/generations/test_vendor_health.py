"""How our accounts at vendors fare: pauses, the breaker and its probe, and what becomes of the clips meanwhile."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils.timezone import now as real_now

from accounts.models import User
from credits.models import Account, Entry
from generations import vendor_health
from generations.models import AccountHealth, Attempt, AttemptState, Generation
from providers.catalogue import MODELS
from providers.contract import AccountLimits, AccountStanding, RenderState
from providers.errors import (
    BalanceUsedUp,
    CredentialsRefused,
    FailureCode,
    JobNotFound,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    ReadFailed,
    RenderFailed,
    RequestRefused,
    UnsupportedFeature,
)
from workers import clock
from workers.clock import AppNow
from workers.models import Gate, Job

from .conftest import CREDITS, Worker, api_of, followed, get, with_credits
from .fake_vendor import FAKE, OTHER, TWIN, Fakes, Take, a_failure
from .test_idempotency import together
from .test_vendor_accounts import clips, place, said

SLACK = timedelta(seconds=5)


@pytest.fixture(autouse=True)
def the_clock_back(transactional_db: None) -> Iterator[None]:
    yield
    clock.reset()


def health(account: str = "main", model: str = "") -> AccountHealth:
    return AccountHealth.objects.get(provider="fake", account=account, model=model)


def wait_of(row: AccountHealth, of: str = "paused_until") -> timedelta:
    until = getattr(row, of)
    assert until is not None
    return timedelta(seconds=(until - clock.now()).total_seconds())


def pass_time(worker: Worker, by: timedelta) -> None:
    """Let it pass, and the workers do what is due then."""
    clock.advance(by)
    worker.settle()


def open_the_breaker(account: str = "main", model: str = "", seconds: float = 30) -> None:
    AccountHealth.objects.update_or_create(
        provider="fake",
        account=account,
        model=model,
        defaults={"failures": 5, "open_until": AppNow() + timedelta(seconds=seconds)},
    )


def alarms(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.alarm for record in caplog.records if hasattr(record, "alarm")]


# "Slow down"


def test_a_slow_down_pauses_the_account_exactly_as_long_as_the_vendor_asks(
    fakes: Fakes, owner: User, worker: Worker
) -> None:
    fakes.fake.next["main"] = [RateLimited("fake", retry_after=timedelta(seconds=40))]
    fakes.ask(owner)
    worker.settle()
    assert timedelta(seconds=35) < wait_of(health()) <= timedelta(seconds=40)
    assert (health().last_error, health().failures) == ("rate_limited", 0)
    for asked in (fakes.ask(owner, model=TWIN), fakes.ask(owner)):
        assert Generation.objects.get(id=asked).ended_at is None
    pass_time(worker, timedelta(seconds=40) - SLACK)
    assert fakes.fake.submitted() == ["main"]
    pass_time(worker, SLACK)
    worker.until(lambda: Attempt.objects.filter(state=AttemptState.SUCCEEDED).count() == 3)
    assert fakes.fake.submitted() == ["main"] * 4


def test_a_slow_down_without_a_time_pauses_for_ten_seconds_and_a_longer_pause_stays(
    fakes: Fakes, owner: User, worker: Worker
) -> None:
    fakes.fake.next["main"] = [RateLimited("fake")]
    fakes.ask(owner)
    worker.settle()
    assert timedelta(seconds=5) < wait_of(health()) <= vendor_health.BUSY_PAUSE
    vendor_health.pause("fake", "main", "", timedelta(seconds=100), "rate_limited")
    vendor_health.pause("fake", "main", "", timedelta(seconds=3), "rate_limited")
    assert wait_of(health()) > timedelta(seconds=95)


def test_a_slow_down_of_one_model_leaves_the_others_of_the_account_at_work(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    fakes.fake.next["main"] = [RateLimited("fake", retry_after=timedelta(seconds=50), of_model=True)]
    slow = fakes.ask(owner)
    worker.settle()
    assert wait_of(health(model=FAKE)) > timedelta(seconds=45)
    assert followed(api, worker, str(fakes.ask(owner, model=TWIN)))["status"] == "completed"
    other = fakes.ask(owner)
    worker.settle()
    assert Attempt.objects.filter(generation_id__in=[slow, other]).count() == 1
    assert health().paused_until is None
    pass_time(worker, timedelta(seconds=51))
    assert {followed(api, worker, str(one))["status"] for one in (slow, other)} == {"completed"}


def test_another_account_takes_over_at_once(fakes: Fakes, owner: User, api: Client, worker: Worker) -> None:
    fakes.accounts("second")
    fakes.fake.always["main"] = RateLimited("fake", retry_after=timedelta(hours=1))
    before = real_now()
    for _ in range(3):
        assert followed(api, worker, str(fakes.ask(owner)))["status"] == "completed"
    assert real_now() - before < timedelta(seconds=30)
    assert fakes.fake.submitted() == ["main", "second", "second", "second"]


def test_a_long_slow_down_holds_the_line_for_a_minute_at_a_time(
    fakes: Fakes, owner: User, worker: Worker
) -> None:
    """So that clips with other models to go to are not kept, nor an operator who lifts the pause disobeyed."""
    fakes.fake.next["main"] = [RateLimited("fake", retry_after=timedelta(days=1))]
    fakes.ask(owner)
    worker.settle()
    paused = Gate.objects.get(key="submit:fake").paused_until
    assert paused is not None
    assert paused - clock.now() <= timedelta(seconds=60)
    assert vendor_health.close([health().pk]) == 1
    pass_time(worker, timedelta(seconds=61))
    assert fakes.fake.submitted() == ["main", "main"]


def test_a_clip_that_waits_for_a_pause_fails_in_the_end_with_its_credits_back(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    vendor_health.pause("fake", "main", "", timedelta(hours=7), "rate_limited")
    clip = fakes.ask(owner)
    worker.settle()
    pass_time(worker, fakes.settings.BUSY_FOR - timedelta(minutes=1))
    assert Generation.objects.get().ended_at is None
    clock.advance(timedelta(minutes=2))
    ended = followed(api, worker, str(clip))
    assert (ended["error"]["code"], ended["error"]["retryable"]) == ("rate_limited", True)
    assert not Attempt.objects.exists()
    assert Account.objects.get(owner=owner).balance == CREDITS


def test_a_clip_that_was_to_begin_later_waits_as_long_as_any_other(
    fakes: Fakes, owner: User, worker: Worker
) -> None:
    """The days before its turn came are not the vendor's."""
    clip = fakes.ask(owner, wish={"start_after": clock.now() + timedelta(days=2)})
    clock.advance(timedelta(days=2, seconds=1))
    open_the_breaker(seconds=600)
    worker.settle()
    assert Generation.objects.get(id=clip).ended_at is None
    pass_time(worker, timedelta(seconds=61))
    assert Generation.objects.get(id=clip).ended_at is None


# A wrong key, an empty balance


@pytest.mark.parametrize("refusal", [CredentialsRefused("fake"), BalanceUsedUp("fake")])
def test_a_refused_account_pauses_and_alarms_and_the_clip_survives_for_half_an_hour(
    fakes: Fakes,
    owner: User,
    api: Client,
    worker: Worker,
    caplog: pytest.LogCaptureFixture,
    refusal: ProviderError,
) -> None:
    fakes.fake.always["main"] = refusal
    clip = fakes.ask(owner)
    worker.settle()
    assert timedelta(seconds=50) < wait_of(health()) <= vendor_health.REFUSED_PAUSE
    assert (health().last_error, health().failures) == ("provider_unavailable", 0)
    assert "credentials_refused" in alarms(caplog)
    for _ in range(14):
        pass_time(worker, timedelta(minutes=2))
    assert Generation.objects.get().ended_at is None
    assert Attempt.objects.count() == 15
    clock.advance(timedelta(minutes=3))
    ended = followed(api, worker, str(clip))
    assert (ended["status"], ended["error"]["code"]) == ("failed", "provider_unavailable")
    assert Account.objects.get(owner=owner).balance == CREDITS


def test_a_key_that_is_put_right_within_that_time_makes_the_clip(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    fakes.fake.next["main"] = [CredentialsRefused("fake")]
    clip = fakes.ask(owner)
    worker.settle()
    clock.advance(timedelta(seconds=61))
    assert followed(api, worker, str(clip))["status"] == "completed"


def test_a_status_call_that_is_refused_pauses_and_alarms_too(
    fakes: Fakes, owner: User, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    fakes.fake.begins = RenderState.RUNNING
    fakes.fake.reads["main"] = CredentialsRefused("fake")
    fakes.ask(owner)
    worker.until(lambda: AccountHealth.objects.filter(provider="fake", paused_until__gt=AppNow()).exists())
    assert "credentials_refused" in alarms(caplog)
    assert Attempt.objects.get().state == AttemptState.SUBMITTED


def test_a_model_that_the_vendor_no_longer_has_is_left_alone_for_an_hour(
    fakes: Fakes, owner: User, api: Client, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    fakes.fake.next["main"] = [RequestRefused("fake", code=FailureCode.MODEL_UNAVAILABLE)]
    assert followed(api, worker, str(fakes.ask(owner)))["error"]["code"] == "model_unavailable"
    worker.settle()
    assert wait_of(health(model=FAKE)) > timedelta(minutes=59)
    assert "model_gone" in alarms(caplog)
    assert followed(api, worker, str(fakes.ask(owner, model=TWIN)))["status"] == "completed"
    assert fakes.fake.submitted() == ["main"] * 2


# The breaker


def test_five_failures_in_a_row_open_it_and_a_success_between_them_counts_from_nought(
    fakes: Fakes, owner: User, api: Client, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    fakes.fake.next["main"] = [*[NotSent("fake")] * 4, Take(), *[NotSent("fake")] * 5]
    followed(api, worker, str(fakes.ask(owner)))
    worker.settle()
    assert (health().failures, health().open_until) == (0, None)
    clip = fakes.ask(owner)
    worker.until(lambda: health().failures == 5)
    assert alarms(caplog).count("breaker_open") == 1
    assert timedelta(seconds=25) < wait_of(health(), "open_until") <= timedelta(seconds=30)
    assert health().last_error == "provider_unreachable"
    worker.settle()
    pass_time(worker, timedelta(seconds=20))
    assert len(fakes.fake.submitted()) == 10
    assert Generation.objects.get(id=clip).ended_at is None


def test_one_probe_goes_through_when_its_time_is_up_and_its_success_closes_it(
    fakes: Fakes, owner: User, worker: Worker
) -> None:
    open_the_breaker()
    asked = [fakes.ask(owner) for _ in range(6)]
    worker.settle()
    assert fakes.fake.submitted() == []
    seen: list[int] = []

    def during(*_: Any) -> None:
        seen.append(len(fakes.fake.submitted()))

    fakes.fake.during = during
    pass_time(worker, timedelta(seconds=61))
    assert seen[0] == 1
    assert vendor_health.breaker(health(), clock.now()) == "closed"
    fakes.fake.during = None
    pass_time(worker, timedelta(seconds=61))
    worker.until(lambda: Generation.objects.filter(id__in=asked, status="completed").count() == 6)


@pytest.mark.parametrize("model", ["", FAKE])
def test_of_workers_that_begin_at_once_one_sends_the_probe(fakes: Fakes, owner: User, model: str) -> None:
    open_the_breaker(model=model, seconds=0)
    asked = clips(fakes, owner, 8)
    found = together(8, lambda number: said(place(asked[number])))
    assert sorted(name for [name] in found) == ["FAILING"] * 7 + ["main"]
    assert said(place(*clips(fakes, owner, 2, model=TWIN))) == (["main"] * 2 if model else ["FAILING"] * 2)
    clock.advance(timedelta(seconds=61))
    assert said(place(*clips(fakes, owner, 2))) == ["main", "FAILING"]


@pytest.mark.parametrize("failure", [NotSent("fake"), OutcomeUnknown("fake")])
def test_a_probe_that_fails_doubles_the_time_up_to_ten_minutes(
    fakes: Fakes, owner: User, worker: Worker, failure: ProviderError
) -> None:
    """Each time exactly one is sent, though others wait."""
    fakes.fake.always["main"] = failure
    open_the_breaker(seconds=0)
    for _ in range(9):
        fakes.ask(owner)
    for number, seconds in enumerate((60, 120, 240, 480, 600)):
        worker.until(lambda number=number: health().failures == 6 + number)  # type: ignore[misc]
        worker.settle()
        assert len(fakes.fake.submitted()) == 1 + number
        wait = wait_of(health(), "open_until")
        assert timedelta(seconds=seconds - 5) < wait <= timedelta(seconds=seconds)
        # A look at what waits now and then: it isn't sent.
        pass_time(worker, wait - timedelta(seconds=2))
        assert len(fakes.fake.submitted()) == 1 + number
        clock.advance(timedelta(seconds=61))


def test_what_was_under_way_when_it_opened_does_not_lengthen_its_time(fakes: Fakes, owner: User) -> None:
    """Thirty submissions that fail together are one outage, not twenty-five probes."""
    fakes.fake.begins = RenderState.RUNNING
    attempt = an_attempt(fakes, owner)
    for _ in range(30):
        vendor_health.after_submission(attempt, NotSent("fake"))
        vendor_health.after_look(attempt, ReadFailed("fake"))
    assert health().failures == 5
    assert wait_of(health(), "open_until") <= timedelta(seconds=30)


def test_looks_that_are_answered_do_not_hide_that_submissions_fail(fakes: Fakes, owner: User) -> None:
    attempt = an_attempt(fakes, owner)
    for _ in range(5):
        vendor_health.after_submission(attempt, OutcomeUnknown("fake"))
        vendor_health.after_look(attempt, None)
    assert (health().failures, health().last_success_at is not None) == (5, True)
    AccountHealth.objects.all().delete()
    # And those that fail keep nothing from being submitted: a balance call may be gone for good.
    for _ in range(9):
        vendor_health.after_look(attempt, ReadFailed("fake"))
        vendor_health.after_account("fake", "main", ReadFailed("fake"))
    assert (health().failures, health().open_until, health().last_error) == (0, None, "no_answer")


def test_a_probe_without_an_answer_is_followed_by_another_after_a_minute(
    fakes: Fakes, owner: User, worker: Worker
) -> None:
    open_the_breaker(seconds=0)
    fakes.fake.always["main"] = RequestRefused("fake", code=FailureCode.INVALID)
    fakes.fake.next["main"] = [UnsupportedFeature("fake", "seed")]
    for _ in range(3):
        fakes.ask(owner)
    worker.settle()
    # It wasn't even asked: nothing is known, and it stays half open.
    assert len(fakes.fake.submitted()) == 1
    assert health().failures == 5
    pass_time(worker, timedelta(seconds=61))
    # A refusal is an answer.
    assert health().failures == 0


@pytest.mark.parametrize(
    ("act", "opens", "model"),
    [
        (lambda one: vendor_health.after_submission(one, OutcomeUnknown("fake")), True, ""),
        (lambda one: vendor_health.after_submission(one, NotSent("fake")), True, ""),
        (lambda one: vendor_health.after_look(one, ReadFailed("fake")), False, ""),
        (lambda one: vendor_health.after_render(one, a_failure()), True, FAKE),
        (lambda one: vendor_health.after_render(one, a_failure(code=FailureCode.NO_MEDIA)), True, FAKE),
        (lambda one: vendor_health.after_render(one, a_failure(code=FailureCode.QUALITY)), True, FAKE),
        (lambda one: vendor_health.after_render(one, a_failure(code=FailureCode.MODERATED)), False, FAKE),
        (lambda one: vendor_health.after_look(one, JobNotFound("fake")), False, ""),
        (lambda one: vendor_health.after_look(one, RateLimited("fake")), False, ""),
        (
            lambda one: vendor_health.after_submission(
                one, RequestRefused("fake", code=FailureCode.MODERATED)
            ),
            False,
            "",
        ),
    ],
)
def test_what_counts_as_a_failure(
    fakes: Fakes, owner: User, act: Callable[[Attempt], None], opens: bool, model: str
) -> None:
    attempt = an_attempt(fakes, owner)
    for _ in range(5):
        attempt.generation.owner_id = uuid4()
        act(attempt)
    row = AccountHealth.objects.filter(provider="fake", model=model).first()
    assert (row is not None and row.open_until is not None) is opens


def test_renders_that_fail_open_the_breaker_of_their_model_alone(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    fakes.fake.begins, fakes.fake.failure = RenderState.FAILED, a_failure()
    # One owner's odd wishes don't stop everybody's.
    for _ in range(6):
        assert followed(api, worker, str(fakes.ask(owner)))["error"]["code"] == "vendor_fault"
    worker.settle()
    assert health(model=FAKE).failures == 1
    other = with_credits()
    for person in (other, owner, other, owner):
        assert followed(api_of(person), worker, str(fakes.ask(person)))["error"]["code"] == "vendor_fault"
    worker.settle()
    assert (health(model=FAKE).failures, health().failures) == (5, 0)
    waits = fakes.ask(owner)
    worker.settle()
    assert not Attempt.objects.filter(generation_id=waits).exists()
    fakes.fake.begins = RenderState.SUCCEEDED
    assert followed(api, worker, str(fakes.ask(owner, model=TWIN)))["status"] == "completed"
    clock.advance(timedelta(seconds=61))
    assert followed(api, worker, str(waits))["status"] == "completed"
    worker.settle()
    assert health(model=FAKE).failures == 0


def test_a_success_is_written_at_most_every_ten_seconds_but_at_once_where_it_changes_something(
    fakes: Fakes, owner: User
) -> None:
    attempt = an_attempt(fakes, owner)
    vendor_health.after_look(attempt, None)
    first = health().last_success_at
    vendor_health.after_look(attempt, None)
    assert health().last_success_at == first
    vendor_health.after_submission(attempt, NotSent("fake"))
    vendor_health.after_submission(attempt, None)
    assert (health().last_success_at != first, health().failures) == (True, 0)
    second = health().last_success_at
    clock.advance(timedelta(seconds=11))
    vendor_health.after_look(attempt, None)
    assert health().last_success_at != second


def test_what_could_not_be_written_is_forgotten_and_nothing_else_is(
    fakes: Fakes, owner: User, api: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(vendor_health, "_succeeded", broken)
    assert followed(api, worker, str(fakes.ask(owner)))["status"] == "completed"


def an_attempt(fakes: Fakes, owner: User) -> Attempt:
    clip = fakes.ask(owner)
    return Attempt.objects.create(
        generation_id=clip, number=1, provider="fake", model=FAKE, account="main", fence=1
    )


# Clips meanwhile


def waiting(clip: UUID) -> bool:
    return Generation.objects.get(id=clip).ended_at is None


def test_a_clip_with_alternatives_goes_elsewhere_instead_of_waiting(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    open_the_breaker(seconds=60)
    clip = fakes.ask(owner, fallback=True)
    ended = followed(api, worker, str(clip))
    assert (ended["status"], ended["model"], ended["provider"]) == ("completed", OTHER, "other")
    assert fakes.fake.submitted() == []


def test_a_clip_with_alternatives_waits_out_what_is_short(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    open_the_breaker(seconds=20)
    clip = fakes.ask(owner, fallback=True)
    worker.settle()
    assert waiting(clip)
    clock.advance(timedelta(seconds=31))
    ended = followed(api, worker, str(clip))
    assert (ended["status"], ended["model"]) == ("completed", FAKE)


@pytest.mark.parametrize(
    "error", [RateLimited("fake", retry_after=timedelta(minutes=5)), CredentialsRefused("fake")]
)
def test_a_clip_whose_submission_is_put_off_for_long_goes_elsewhere_at_once(
    fakes: Fakes, owner: User, api: Client, worker: Worker, error: ProviderError
) -> None:
    fakes.fake.always["main"] = error
    ended = followed(api, worker, str(fakes.ask(owner, fallback=True)))
    assert (ended["status"], ended["model"]) == ("completed", OTHER)
    assert fakes.fake.submitted() == ["main"]


def test_a_clip_without_alternatives_waits_in_line_and_fails_in_the_end_with_its_credits_back(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    open_the_breaker(seconds=36_000)
    clip = fakes.ask(owner)
    worker.settle()
    job = Job.objects.get()
    assert (job.waits, job.holds, job.state) == (True, False, "queued")
    pass_time(worker, timedelta(minutes=29))
    assert waiting(clip)
    clock.advance(timedelta(minutes=2))
    ended = followed(api, worker, str(clip))
    assert (ended["error"]["code"], ended["error"]["retryable"]) == ("provider_unavailable", True)
    assert Account.objects.get(owner=owner).balance == CREDITS
    assert Entry.objects.filter(subject_id=clip, kind="release").count() == 1
    assert not Attempt.objects.exists()


def test_a_clip_that_waits_can_be_cancelled(fakes: Fakes, owner: User, api: Client, worker: Worker) -> None:
    open_the_breaker(seconds=600)
    clip = fakes.ask(owner)
    worker.settle()
    answer = api.post(f"/api/v1/generations/{clip}/cancel/")
    assert answer.json()["outcome"] == "removed"
    assert get(api, f"generations/{clip}/").json()["status"] == "cancelled"


# What is out of order, and what a vendor tells of our account


def test_a_vendor_is_out_of_order_where_each_account_is_as_a_whole_or_for_the_model(
    fakes: Fakes, owner: User
) -> None:
    fakes.accounts("second")

    def covered() -> list[str]:
        return [one for one in (FAKE, TWIN, OTHER) if vendor_health.out_of_order().covers(MODELS[one])]

    assert covered() == []
    open_the_breaker("main")
    assert covered() == []
    vendor_health.pause("fake", "second", FAKE, timedelta(minutes=5), "rate_limited")
    assert covered() == [FAKE]
    vendor_health.pause("fake", "second", "", timedelta(seconds=50), "rate_limited")
    assert covered() == [FAKE]  # less than a minute is no disorder
    vendor_health.pause("fake", "second", "", timedelta(seconds=90), "rate_limited")
    assert covered() == [FAKE, TWIN]
    clock.advance(timedelta(seconds=31))  # the breaker is half open
    assert covered() == []
    fakes.settings.OTHER_API_KEY = ""
    assert covered() == []


def test_looking_at_all_vendors_costs_a_statement_or_two(
    fakes: Fakes, django_assert_num_queries: Any
) -> None:
    open_the_breaker()
    with django_assert_num_queries(1):
        vendor_health.out_of_order()
    with django_assert_num_queries(2):
        assert len(vendor_health.standings()) == 3


def test_a_vendors_word_on_our_account_is_kept_by_our_names_of_its_models(fakes: Fakes) -> None:
    limits = AccountLimits(concurrent=4, per_day=90)
    vendor_health.learned(
        "fake", "main", AccountStanding(limits={"two": limits, "unheard-of": limits}, currency="credits")
    )
    [row] = AccountHealth.objects.all()
    assert (row.model, row.concurrent, row.per_minute, row.per_day) == (TWIN, 4, None, 90)
    vendor_health.learned("fake", "main", AccountStanding(limits={"two": AccountLimits(per_minute=7)}))
    row.refresh_from_db()
    assert (row.concurrent, row.per_minute, row.per_day) == (None, 7, None)


def test_an_operator_closes_what_is_open_and_lifts_what_is_paused(fakes: Fakes) -> None:
    open_the_breaker()
    vendor_health.pause("fake", "main", "", timedelta(hours=1), "rate_limited")
    assert vendor_health.close([health().pk]) == 1
    row = health()
    assert (row.failures, row.open_until, row.paused_until) == (0, None, None)


def test_the_breakers_word(fakes: Fakes) -> None:
    now = clock.now()
    for failures, until, word in (
        (4, None, "closed"),
        (5, now + timedelta(seconds=1), "open"),
        (5, now - timedelta(seconds=1), "half_open"),
        (9, None, "half_open"),
    ):
        assert vendor_health.breaker(AccountHealth(failures=failures, open_until=until), now) == word
    assert RenderFailed("fake", code=FailureCode.QUALITY, retryable=True).retryable
