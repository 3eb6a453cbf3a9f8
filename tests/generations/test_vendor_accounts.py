"""Which of our accounts at a vendor submits: never more than it may, the emptiest first, and never above a budget."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils.timezone import now as real_now
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from accounts.models import User
from credits.models import Account
from generations import attempts, checks, late_results, receiving, vendor_accounts, vendor_health
from generations.apps import ensure_gates
from generations.models import AccountHealth, Attempt, AttemptState, Generation
from generations.rendering import render_request
from generations.vendor_accounts import Obstacle, Place, Refused
from providers import registry
from providers.contract import (
    AccountLimits,
    AccountStanding,
    CancelOutcome,
    Cost,
    InputMedia,
    RenderState,
    VideoProvider,
    Webhooks,
)
from providers.errors import NotConfigured, OutcomeUnknown
from providers.facts import ProviderLimits
from workers import clock
from workers.clock import AppNow
from workers.engine import Engine
from workers.models import Gate, Job

from .conftest import CREDITS, Worker, followed, post
from .fake_vendor import A_MODEL, CARD, FAKE, OTHER, TWIN, FakeProvider, Fakes, Render, Take
from .test_idempotency import together


@pytest.fixture(autouse=True)
def the_clock_back(transactional_db: None) -> Iterator[None]:
    yield
    clock.reset()


def clips(fakes: Fakes, owner: User, count: int, **draft: Any) -> list[Generation]:
    ids = [fakes.ask(owner, **draft) for _ in range(count)]
    return list(Generation.objects.filter(id__in=ids).order_by("created_at"))


def place(*generations: Generation) -> list[Place | Refused]:
    """Find a place for each and write the intents, in one transaction, as a worker's `begin` does."""
    with transaction.atomic():
        found = vendor_accounts.places(generations, clock.now())
        attempts.intend(
            [
                attempts.Intent(
                    generation=one,
                    number=1 + Attempt.objects.filter(generation=one).count(),
                    fence=1,
                    account=where.account,
                    cost_expected=where.cost_expected,
                )
                for one, where in zip(generations, found, strict=True)
                if isinstance(where, Place)
            ]
        )
    return found


def said(found: Sequence[Place | Refused]) -> list[str]:
    """The account, or what stands in the way."""
    return [one.account if isinstance(one, Place) else one.obstacle.name for one in found]


# Limits


def test_no_more_are_at_work_than_the_limit_and_an_end_makes_room(fakes: Fakes, owner: User) -> None:
    fakes.limit(concurrent=2)
    asked = clips(fakes, owner, 4)

    found = place(*asked)

    assert said(found) == ["main", "main", "FULL", "FULL"]
    assert isinstance(found[2], Refused)
    assert (found[2].wait, found[2].whole) == (vendor_accounts.FULL_WAIT, False)
    for state in (AttemptState.INTENDED, AttemptState.SUBMITTED, AttemptState.RUNNING, AttemptState.UNKNOWN):
        Attempt.objects.update(state=state)
        assert said(place(asked[2])) == ["FULL"], state
    Attempt.objects.filter(generation=asked[0]).update(state=AttemptState.FAILED)
    assert said(place(asked[2], asked[3])) == ["main", "FULL"]


def test_no_more_are_submitted_in_any_minute_or_day_than_the_limits(fakes: Fakes, owner: User) -> None:
    fakes.limit(per_minute=2, per_day=3)
    asked = clips(fakes, owner, 5)
    assert said(place(*asked[:3])) == ["main", "main", "FULL"]
    Attempt.objects.update(state=AttemptState.FAILED)
    clock.advance(timedelta(seconds=58))
    assert said(place(asked[2])) == ["FULL"]
    clock.advance(timedelta(seconds=3))
    assert said(place(*asked[2:4])) == ["main", "FULL"]  # the third of the day
    clock.advance(timedelta(hours=23, minutes=58))
    assert said(place(asked[3])) == ["FULL"]
    clock.advance(timedelta(minutes=2))
    assert said(place(asked[3])) == ["main"]


def test_a_model_with_limits_of_its_own_is_full_by_itself(fakes: Fakes, owner: User) -> None:
    fakes.add(replace(A_MODEL, own_limits=ProviderLimits(concurrent=1, per_minute=9, per_day=9)), None)
    ones, twins = clips(fakes, owner, 2), clips(fakes, owner, 2, model=TWIN)
    assert said(place(*ones, *twins)) == ["main", "FULL", "main", "main"]


def test_many_clips_are_placed_in_four_statements_and_a_fifth_for_budgets(
    fakes: Fakes, owner: User, django_assert_num_queries: Any
) -> None:
    fakes.accounts("second")
    asked = clips(fakes, owner, 6) + clips(fakes, owner, 3, model=OTHER)
    now = clock.now()
    for budgets, statements in (({}, 4), ({"fake": {"day": 9}, "other": {"month": 9}}, 5)):
        fakes.settings.PROVIDER_BUDGETS = budgets
        with transaction.atomic(), django_assert_num_queries(statements):
            assert len(vendor_accounts.places(asked, now)) == 9
    with django_assert_num_queries(0):
        assert vendor_accounts.places([], now) == []


def test_limits_of_nought_let_nothing_through(fakes: Fakes, owner: User) -> None:
    for name in ("concurrent", "per_minute", "per_day"):
        fakes.limit(**{name: 0})
        assert said(place(*clips(fakes, owner, 1))) == ["FULL"], name


def test_what_a_vendor_says_of_our_account_counts_but_never_over_the_operators_setting(
    fakes: Fakes, owner: User
) -> None:
    fakes.add(replace(A_MODEL, own_limits=ProviderLimits(concurrent=1, per_minute=50)), None)
    vendor_health.learned("fake", "main", AccountStanding(limits={"one": AccountLimits(concurrent=2)}))
    assert said(place(*clips(fakes, owner, 3))) == ["main", "main", "FULL"]
    fakes.limit(per_minute=3)
    AccountHealth.objects.filter(provider="fake", model="").update(per_minute=60)
    assert said(place(*clips(fakes, owner, 2, model=TWIN))) == ["main", "FULL"]


def test_a_vendors_word_on_submissions_a_minute_is_learned_from_its_answer(
    fakes: Fakes, owner: User, worker: Worker
) -> None:
    fakes.fake.per_minute = 1
    fakes.fake.begins = RenderState.RUNNING
    fakes.ask(owner)
    worker.settle()
    assert AccountHealth.objects.get(provider="fake", model="").per_minute == 1
    assert said(place(*clips(fakes, owner, 1))) == ["FULL"]


def test_an_attempt_that_nobody_waits_for_any_more_holds_no_place(fakes: Fakes, owner: User) -> None:
    fakes.limit(concurrent=1)
    first, second = clips(fakes, owner, 2)
    place(first)
    Attempt.objects.update(state=AttemptState.UNKNOWN)
    clock.advance(fakes.settings.RENDER_DEADLINE - timedelta(seconds=5))
    assert said(place(second)) == ["FULL"]
    clock.advance(timedelta(seconds=10))
    assert said(place(second)) == ["main"]


def test_the_emptiest_account_is_chosen_and_of_equals_the_first(fakes: Fakes, owner: User) -> None:
    fakes.accounts("second", "third")
    assert said(place(*clips(fakes, owner, 7))) == ["main", "second", "third"] * 2 + ["main"]
    Attempt.objects.filter(account="second").update(
        state=AttemptState.FAILED, created_at=AppNow() - timedelta(hours=1)
    )
    assert said(place(*clips(fakes, owner, 4))) == ["second", "second", "second", "third"]


def test_an_account_that_is_paused_or_failing_is_passed_over(fakes: Fakes, owner: User) -> None:
    fakes.accounts("second")
    vendor_health.pause("fake", "main", "", timedelta(seconds=30), "rate_limited")
    assert said(place(*clips(fakes, owner, 2))) == ["second", "second"]
    AccountHealth.objects.filter(account="second").update(
        failures=5, open_until=AppNow() + timedelta(seconds=9)
    )
    [found] = place(*clips(fakes, owner, 1))
    assert isinstance(found, Refused)
    # The one that is gone soonest is waited for; both stand in the way of every model.
    assert (found.obstacle, found.whole) == (Obstacle.FAILING, True)
    assert timedelta(seconds=5) < found.wait <= timedelta(seconds=9)


def test_a_paused_model_leaves_the_accounts_others_alone(fakes: Fakes, owner: User) -> None:
    vendor_health.pause("fake", "main", FAKE, timedelta(seconds=30), "rate_limited")
    found = place(*clips(fakes, owner, 1), *clips(fakes, owner, 1, model=TWIN))
    assert said(found) == ["PAUSED", "main"]
    assert isinstance(found[0], Refused)
    assert not found[0].whole


def test_without_an_account_nothing_is_submitted_and_the_clip_fails_with_its_credits_back(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    clip = fakes.ask(owner)
    fakes.settings.FAKE_API_KEY = ""
    ended = followed(api, worker, str(clip))
    assert (ended["status"], ended["error"]["code"]) == ("failed", "not_configured")
    assert not Attempt.objects.exists()
    assert Account.objects.get(owner=owner).balance == CREDITS


@pytest.mark.parametrize("limit", [{"concurrent": 5}, {"per_minute": 5}, {"per_day": 5}])
def test_workers_that_begin_at_once_keep_the_limits_together(
    fakes: Fakes, owner: User, limit: dict[str, int]
) -> None:
    fakes.accounts("second")
    fakes.limit(**limit)
    asked = clips(fakes, owner, 24)

    found = together(8, lambda number: said(place(*asked[number::8])))

    names = [name for part in found for name in part]
    assert sorted(names) == ["FULL"] * 14 + ["main"] * 5 + ["second"] * 5
    assert Attempt.objects.count() == 10


def test_engines_side_by_side_never_have_more_at_work_than_the_vendor_lets_us(
    fakes: Fakes, owner: User, worker: Worker
) -> None:
    fakes.accounts("second")
    fakes.limit(concurrent=3)
    fakes.fake.begins = RenderState.RUNNING
    for _ in range(14):
        fakes.ask(owner)
    engines = [Engine("io", 8) for _ in range(3)]
    for engine in engines:
        engine.start()
    try:
        together(3, lambda number: engines[number].run_due())
        worker.until(lambda: len(fakes.fake.submitted()) == 6)
        clock.advance(timedelta(seconds=3))
        together(3, lambda number: engines[number].run_due())
        worker.settle()
        assert (len(fakes.fake.submitted()), fakes.fake.most_at_work) == (6, {"main": 3, "second": 3})
        fakes.fake.begins = RenderState.SUCCEEDED
        fakes.fake.set_all(RenderState.SUCCEEDED)
        Job.objects.update(due_at=AppNow())
        worker.until(lambda: Attempt.objects.filter(state="succeeded").count() > 6)
    finally:
        for engine in engines:
            engine.stop(20)
    assert fakes.fake.most_at_work == {"main": 3, "second": 3}


def test_those_that_a_full_model_turns_away_do_not_close_the_line_to_the_others(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    fakes.add(replace(A_MODEL, own_limits=ProviderLimits(concurrent=1, per_minute=9)), None)
    fakes.fake.begins = RenderState.RUNNING
    Gate.objects.filter(key="submit:fake").update(per_minute=6)
    for _ in range(4):
        fakes.ask(owner)
    for _ in range(5):
        worker.settle()
        clock.advance(timedelta(seconds=3))
    assert len(fakes.fake.submitted()) == 1
    fakes.fake.begins = RenderState.SUCCEEDED
    assert followed(api, worker, str(fakes.ask(owner, model=TWIN)))["status"] == "completed"


def test_the_line_is_as_wide_as_our_accounts_together(fakes: Fakes) -> None:
    fakes.accounts("second")
    Gate.objects.all().delete()
    ensure_gates()
    assert Gate.objects.get(key="submit:fake").concurrent == 2 * A_MODEL.limits.concurrent
    assert Gate.objects.get(key="submit:other").per_minute == A_MODEL.limits.per_minute


# The account of an attempt


def test_what_goes_on_with_a_video_is_submitted_by_the_account_that_made_it(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    """The others don't know it: they would refuse."""
    fakes.accounts("second", "third")
    clips = [Generation.objects.get(id=followed(api, worker, str(fakes.ask(owner)))["id"]) for _ in range(3)]
    for clip in clips:
        made = Attempt.objects.get(generation=clip)
        Attempt.objects.filter(id=made.id).update(account="third")
        new = Generation.objects.get(id=fakes.ask(owner))
        new.source_video_id = clip.output_id
        assert said(place(new)) == ["third"]
    # From another vendor's video, or a file of the owner's, anybody may make one.
    Attempt.objects.filter(account="third").update(provider="elsewhere")
    new = Generation.objects.get(id=fakes.ask(owner))
    new.source_video_id = clips[0].output_id
    assert said(place(new)) != ["third"]


def test_each_attempt_is_followed_up_and_delivered_by_the_account_that_submitted_it(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    fakes.accounts("second")
    asked = [str(fakes.ask(owner)) for _ in range(4)]
    assert {followed(api, worker, clip)["status"] for clip in asked} == {"completed"}
    by_account = Attempt.objects.values_list("account", "external_id", "state")
    assert {account for account, _, _ in by_account} == {"main", "second"}
    for account, external_id, state in by_account:
        assert state == AttemptState.SUCCEEDED
        assert external_id in fakes.fake.of(account)


def test_a_cancel_and_a_look_up_go_to_the_account_that_submitted_it(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    fakes.accounts("second")
    fakes.fake.begins = RenderState.RUNNING
    vendor_health.pause("fake", "main", "", timedelta(hours=1), "rate_limited")
    fakes.fake.next["second"] = [Take(lost=True), Take()]
    found, cancelled = (str(fakes.ask(owner)) for _ in range(2))
    mine = Attempt.objects.filter(external_id__isnull=False)
    worker.until(lambda: mine.count() == 2)
    assert ("second", "find") in fakes.fake.calls

    assert post(api, f"generations/{cancelled}/cancel/").json()["outcome"] == "asked"
    assert followed(api, worker, cancelled)["status"] == "cancelled"
    fakes.fake.begins = RenderState.SUCCEEDED
    fakes.fake.set_all(RenderState.SUCCEEDED)
    assert followed(api, worker, found)["status"] == "completed"
    assert {key for key, _ in fakes.fake.calls} == {"second"}
    assert set(Attempt.objects.values_list("account", flat=True)) == {"second"}


@pytest.mark.parametrize("forgets", [True, False])
def test_a_vendor_that_forgets_what_it_stopped_has_stopped_it(
    fakes: Fakes, owner: User, api: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch, forgets: bool
) -> None:
    def cancel(self: FakeProvider, external_id: str) -> CancelOutcome:
        self.vendor.of(self.key).pop(external_id)
        return CancelOutcome.ACCEPTED

    monkeypatch.setattr(FakeProvider, "gone_when_cancelled", forgets)
    monkeypatch.setattr(FakeProvider, "cancel", cancel)
    fakes.fake.begins = RenderState.RUNNING
    clip = str(fakes.ask(owner))
    worker.until(lambda: Attempt.objects.filter(state=AttemptState.RUNNING).exists())
    worker.settle()
    assert post(api, f"generations/{clip}/cancel/").json()["outcome"] == "asked"
    assert followed(api, worker, clip)["status"] == "cancelled"
    # Elsewhere it takes some answers to believe that it is lost.
    assert (Attempt.objects.get().failed_calls == 1) is forgets
    assert Account.objects.get(owner=owner).balance == CREDITS


def test_a_late_result_is_looked_for_and_fetched_with_the_account_that_submitted_it(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    fakes.accounts("second")
    vendor_health.pause("fake", "main", "", timedelta(hours=1), "rate_limited")
    fakes.fake.begins = RenderState.RUNNING
    fakes.fake.next["second"] = [OutcomeUnknown("fake")]
    clip = str(fakes.ask(owner))
    worker.until(lambda: Attempt.objects.filter(state=AttemptState.UNKNOWN).exists())
    worker.settle()
    Attempt.objects.update(reconcile_by=AppNow())
    assert followed(api, worker, clip)["error"]["code"] == "outcome_unknown"
    # It had taken it after all.
    attempt = Attempt.objects.get()
    render = Render(
        external_id="late",
        token=attempt.id.hex,
        request=render_request(attempt.generation, "second"),
        state=RenderState.SUCCEEDED,
        created_at=real_now(),
    )
    fakes.fake.of("second")["late"] = render
    assert late_results.look_again() == 1
    worker.until(lambda: Generation.objects.get().status == "completed")
    generation = Generation.objects.get()
    assert (generation.late, generation.credits_used) == (True, 0)
    assert {key for key, _ in fakes.fake.calls} == {"second"}


def test_an_account_that_we_have_no_longer_is_not_replaced_by_the_main_one(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    """The main one knows nothing of its renders: it would prove them absent, and they would be paid for twice."""
    with pytest.raises(NotConfigured):
        registry.provider("fake", "second")
    fakes.accounts("second")
    vendor_health.pause("fake", "main", "", timedelta(hours=1), "rate_limited")
    fakes.fake.begins = RenderState.RUNNING
    clip = str(fakes.ask(owner))
    worker.until(lambda: Attempt.objects.filter(external_id__isnull=False).exists())
    fakes.settings.PROVIDER_ACCOUNTS = {}
    worker.until(lambda: Attempt.objects.get().failed_calls > 0)
    fakes.accounts("second")
    fakes.fake.set_all(RenderState.SUCCEEDED)
    Job.objects.update(due_at=AppNow())
    assert followed(api, worker, clip)["status"] == "completed"
    assert {key for key, _ in fakes.fake.calls} == {"second"}


def test_a_video_that_the_same_account_made_is_named_by_its_vendors_id(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    fakes.accounts("second")
    made = followed(api, worker, str(fakes.ask(owner)))
    video = Generation.objects.get(id=made["id"]).output_id
    first = Attempt.objects.get()
    for model, account, expected in (
        (FAKE, "main", first.external_id),
        (TWIN, "main", first.external_id),
        (FAKE, "second", ""),
        (OTHER, "main", ""),
    ):
        continued = Generation(
            model=model,
            provider=model.partition("/")[0],
            mode="video",
            prompt="On",
            duration_seconds=5,
            resolution="720p",
            ratio="16:9",
            source_video_id=video,
        )
        source = render_request(continued, account).source_video
        assert isinstance(source, InputMedia)
        assert (source.vendor_id, source.media_type) == (expected, "video/mp4"), (model, account)


# Ids


def test_an_id_that_another_attempt_has_is_never_recorded_twice(fakes: Fakes, owner: User) -> None:
    place(*clips(fakes, owner, 2))
    first, second = Attempt.objects.order_by("created_at", "id")
    assert attempts.record_external_id(first.id, "the-one")
    assert attempts.record_external_id(first.id, "the-one")
    assert not attempts.record_external_id(second.id, "the-one")
    second.refresh_from_db()
    assert (second.external_id, second.other_external_ids, second.submitted_at) == (None, [], None)


def test_a_submission_answered_with_anothers_id_is_of_unknown_outcome(
    fakes: Fakes, owner: User, worker: Worker
) -> None:
    fakes.fake.begins = RenderState.RUNNING
    fakes.fake.next["main"] = [Take(external_id="the-one"), Take(external_id="the-one")]
    first = fakes.ask(owner)
    worker.until(lambda: Attempt.objects.filter(external_id="the-one").exists())
    second = fakes.ask(owner)
    worker.until(lambda: Attempt.objects.filter(generation_id=second, state="unknown").exists())
    worker.settle()
    attempt = Attempt.objects.get(generation_id=second)
    assert (attempt.external_id, attempt.state, attempt.reconcile_by is not None) == (None, "unknown", True)
    assert Attempt.objects.get(external_id="the-one").generation_id == first


def test_a_look_up_by_content_that_sees_anothers_job_ends_as_still_unknown(
    fakes: Fakes, owner: User, api: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeProvider, "find_is_authoritative_after", timedelta(0))
    fakes.fake.by_content = True
    fakes.fake.begins = RenderState.RUNNING
    fakes.settings.RECONCILE_WITHIN = timedelta(hours=1)
    first = fakes.ask(owner)
    worker.until(lambda: Attempt.objects.filter(external_id__isnull=False).exists())
    fakes.fake.next["main"] = [OutcomeUnknown("fake")]
    second = fakes.ask(owner)
    worker.until(lambda: [call for _, call in fakes.fake.calls].count("find") >= 3)
    worker.settle()
    attempt = Attempt.objects.get(generation_id=second)
    assert (attempt.state, attempt.external_id) == (AttemptState.UNKNOWN, None)
    assert len(fakes.fake.submitted()) == 2

    Attempt.objects.filter(id=attempt.id).update(reconcile_by=AppNow())
    ended = followed(api, worker, str(second))
    assert (ended["status"], ended["error"]["code"]) == ("failed", "outcome_unknown")
    assert Attempt.objects.filter(generation_id=first, external_id__isnull=False).count() == 1


# Webhooks before the answer


def delivered(callback_url: str | None, body: str, key: str = "main") -> int:
    """The vendor calls us, from a thread of its own; the answer's status."""
    assert callback_url is not None
    path = "/" + callback_url.split("/", 3)[3]
    [status] = together(
        1,
        lambda _: (
            Client(SERVER_NAME="localhost")
            .post(path, body, content_type="text/plain", headers={"X-Fake-Signature": key})
            .status_code
        ),
    )
    return int(status)


@pytest.mark.parametrize("signed", [True, False])
def test_a_webhook_before_the_answer_is_remembered_and_used_where_the_answer_is_lost(
    fakes: Fakes,
    owner: User,
    api: Client,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
    signed: bool,
) -> None:
    monkeypatch.setattr(FakeProvider, "webhooks", Webhooks.SIGNED if signed else Webhooks.TOKEN)
    monkeypatch.setattr(FakeProvider, "find", VideoProvider.find)
    ids: list[str | None] = []

    def during(render: Any, callback_url: str | None) -> None:
        assert delivered(callback_url, render.external_id) == 200
        [told] = together(1, lambda _: list(Attempt.objects.values_list("external_id", flat=True)))
        ids.extend(told)

    fakes.fake.during = during
    fakes.fake.next["main"] = [Take(lost=True)]
    clip = fakes.ask(owner)
    assert followed(api, worker, str(clip))["status"] == "completed"
    assert len(fakes.fake.submitted()) == 1
    # Where nobody signs, the id isn't planted while the answer may still come.
    assert (ids[0] is not None) is signed


def test_an_unsigned_early_webhook_does_not_take_the_place_of_the_answers_id(
    fakes: Fakes, owner: User, api: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeProvider, "webhooks", Webhooks.TOKEN)
    fakes.fake.during = lambda render, url: (
        None if delivered(url, "planted") == 200 else pytest.fail("refused")
    )
    assert followed(api, worker, str(fakes.ask(owner)))["status"] == "completed"
    attempt = Attempt.objects.get()
    assert attempt.external_id in fakes.fake.of("main")
    assert attempt.other_external_ids == []
    assert receiving.told_id(attempt) == "planted"


# Budgets


def spend(attempt: Generation, **fields: Any) -> None:
    Attempt.objects.filter(generation=attempt).update(**fields)


def test_a_day_and_a_months_budget_are_kept_and_begin_anew(fakes: Fakes, owner: User) -> None:
    """A clip costs half a dollar."""
    noon = real_now().replace(day=10, hour=12) + timedelta(days=62)
    clock.advance(noon - real_now())
    fakes.settings.PROVIDER_BUDGETS = {"fake": {"day": 1, "month": "1.5"}}
    assert said(place(*clips(fakes, owner, 3))) == ["main", "main", "BUDGET"]
    [refused] = place(*clips(fakes, owner, 1))
    assert isinstance(refused, Refused)
    assert timedelta(hours=11) < refused.wait <= timedelta(hours=12)
    clock.advance(timedelta(hours=12, minutes=1))  # the next day, in UTC
    assert said(place(*clips(fakes, owner, 2))) == ["main", "BUDGET"]
    clock.advance(timedelta(days=1))
    assert said(place(*clips(fakes, owner, 1))) == ["BUDGET"]
    clock.advance(timedelta(days=28))
    assert said(place(*clips(fakes, owner, 3))) == ["main", "main", "BUDGET"]


def test_each_account_has_the_budget_for_itself_and_others_vendors_none(fakes: Fakes, owner: User) -> None:
    fakes.accounts("second")
    fakes.settings.PROVIDER_BUDGETS = {"fake": {"day": "0.5"}}
    assert said(place(*clips(fakes, owner, 3))) == ["main", "second", "BUDGET"]
    assert said(place(*clips(fakes, owner, 2, model=OTHER))) == ["main", "main"]


def test_the_vendors_own_word_counts_in_place_of_what_was_expected(fakes: Fakes, owner: User) -> None:
    fakes.settings.PROVIDER_BUDGETS = {"fake": {"day": 1}}
    [first] = clips(fakes, owner, 1)
    [found] = place(first)
    assert isinstance(found, Place)
    assert found.cost_expected == Attempt.objects.get().cost_expected == Decimal("0.5")
    for fields, expected in (
        ({"cost_amount": Decimal("0.9"), "cost_currency": "USD"}, "BUDGET"),
        ({"cost_amount": Decimal("0.1"), "cost_currency": "USD"}, "main"),
        # In a currency that nobody here can count in, what was expected stays.
        ({"cost_amount": Decimal(9), "cost_currency": "XXX"}, "main"),
    ):
        spend(first, state=AttemptState.SUCCEEDED, external_id="x", **fields)
        [other] = clips(fakes, owner, 1)
        assert said(place(other)) == [expected], fields
        Attempt.objects.filter(generation=other).delete()


def test_what_was_never_accepted_does_not_count_and_what_may_have_been_does(
    fakes: Fakes, owner: User
) -> None:
    fakes.settings.PROVIDER_BUDGETS = {"fake": {"day": "0.5"}}
    [first] = clips(fakes, owner, 1)
    place(first)
    for fields, expected in (
        ({"state": AttemptState.UNKNOWN}, "BUDGET"),
        ({"state": AttemptState.FAILED, "external_id": "x"}, "BUDGET"),
        ({"state": AttemptState.FAILED, "external_id": None}, "main"),
    ):
        spend(first, **fields)
        [other] = clips(fakes, owner, 1)
        assert said(place(other)) == [expected], fields


def test_a_clip_that_nobody_can_price_is_refused_only_where_there_is_a_budget(
    fakes: Fakes, owner: User
) -> None:
    fakes.add(replace(A_MODEL, id="fake/dark"), replace(CARD, vendor_cost=None))
    [clip] = clips(fakes, owner, 1, model="fake/dark")
    fakes.settings.PROVIDER_BUDGETS = {"fake": {"month": 1_000_000}}
    assert said(place(clip)) == ["BUDGET"]
    fakes.settings.PROVIDER_BUDGETS = {}
    [found] = place(clip)
    assert found == Place(account="main", cost_expected=None)


def test_a_clip_over_the_budget_fails_or_goes_elsewhere_with_an_alarm_and_nothing_is_sent(
    fakes: Fakes, owner: User, api: Client, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    fakes.settings.PROVIDER_BUDGETS = {"fake": {"day": "0.49"}}
    ended = followed(api, worker, str(fakes.ask(owner)))
    assert (ended["status"], ended["error"]["code"], ended["error"]["retryable"]) == (
        "failed",
        "budget_used_up",
        True,
    )
    assert "0.49" not in str(ended)
    assert "budget_used_up" in [getattr(record, "alarm", "") for record in caplog.records]
    elsewhere = followed(api, worker, str(fakes.ask(owner, fallback=True)))
    assert (elsewhere["status"], elsewhere["model"]) == ("completed", OTHER)
    assert fakes.fake.submitted() == []
    assert Account.objects.get(owner=owner).balance == CREDITS - 100


def test_workers_that_begin_at_once_keep_the_budget_together(fakes: Fakes, owner: User) -> None:
    fakes.settings.PROVIDER_BUDGETS = {"fake": {"day": "3.7"}}
    asked = clips(fakes, owner, 24)
    found = together(8, lambda number: [name for one in asked[number::8] for name in said(place(one))])
    names = [name for part in found for name in part]
    assert sorted(names) == ["BUDGET"] * 17 + ["main"] * 7
    total = sum(one or 0 for one in Attempt.objects.values_list("cost_expected", flat=True))
    assert total == Decimal("3.5")


@pytest.mark.parametrize(
    ("name", "value", "understood"),
    [
        ("PROVIDER_BUDGETS", {"sandbox": {"day": 20, "month": "299.5"}}, True),
        ("PROVIDER_BUDGETS", {"sandbox": {"daily": 20}}, False),
        ("PROVIDER_BUDGETS", {"sandbxo": {"day": 20}}, False),
        ("PROVIDER_BUDGETS", {"sandbox": {"day": -1}}, False),
        ("PROVIDER_BUDGETS", {"sandbox": {"day": "much"}}, False),
        ("PROVIDER_BUDGETS", {"sandbox": {"day": "NaN"}}, False),
        ("PROVIDER_LIMITS", {"sandbox": {"concurrent": 0, "per_minute": 5, "per_day": 9}}, True),
        ("PROVIDER_LIMITS", {"sandbox": {"per_hour": 5}}, False),
    ],
)
def test_a_budget_or_limit_that_nobody_reads_is_an_error(
    settings: Settings, name: str, value: object, understood: bool
) -> None:
    setattr(settings, name, value)
    assert [one.id for one in checks.limits_are_understood(None)] == (
        [] if understood else ["generations.E002"]
    )


# What a clip of so many seconds came to: still under way, refused, or what the vendor said that it cost, in cents.
ENDS = st.none() | st.just("refused") | st.integers(min_value=0, max_value=100)


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(st.tuples(st.lists(st.integers(1, 10), min_size=1, max_size=3), ENDS), max_size=6),
    budget=st.integers(min_value=0, max_value=250),
)
def test_whatever_clips_cost_nothing_is_submitted_above_the_budget(
    fakes: Fakes, owner: User, steps: list[tuple[list[int], int | str | None]], budget: int
) -> None:
    """Each submission kept the sum of what was spent and expected within it, as it stood then."""
    Attempt.objects.all().delete()
    limit = Decimal(budget) / 100
    fakes.settings.PROVIDER_BUDGETS = {"fake": {"day": limit}}
    pool = _pool(fakes, owner)
    used = Decimal(0)
    for lengths, end in steps:
        chosen = []
        for seconds in lengths:
            one = pool.pop()
            one.duration_seconds = seconds
            chosen.append(one)
        for one, found in zip(chosen, place(*chosen), strict=True):
            cost = Decimal(one.duration_seconds) / 10
            assert isinstance(found, Place) is (used + cost <= limit)
            if not isinstance(found, Place):
                continue
            used += cost
            if end == "refused":
                spend(one, state=AttemptState.FAILED)
            elif isinstance(end, int):
                spend(
                    one,
                    state=AttemptState.SUCCEEDED,
                    external_id=str(one.id),
                    cost_amount=Decimal(end) / 100,
                    cost_currency="USD",
                )
        used = _used()


def _used() -> Decimal:
    total = Decimal(0)
    for one in Attempt.objects.all():
        if one.state == AttemptState.FAILED and one.external_id is None:
            continue
        total += one.cost_amount if one.cost_amount is not None else one.cost_expected or Decimal(0)
    return total


def _pool(fakes: Fakes, owner: User) -> list[Generation]:
    """Clips to be placed, made once for all examples."""
    found = list(Generation.objects.filter(model=FAKE))
    return found if found else clips(fakes, owner, 18)


def test_the_vendors_cost_is_recorded_from_its_look(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    fakes.fake.cost = Cost(amount=Decimal("0.42"), currency="USD")
    followed(api, worker, str(fakes.ask(owner)))
    attempt = Attempt.objects.get()
    assert (attempt.cost_amount, attempt.cost_expected) == (Decimal("0.42"), Decimal("0.5"))
