"""A clip whose model proves to fail is made by the next one, inside its hold; one of unknown outcome never is."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from accounts.tiers import tiers
from credits import verification
from credits.models import Hold
from generations import creation, quotes
from generations.creation import create_held
from generations.errors import TooManyJobs
from generations.models import Attempt, AttemptState, Generation, ModelSwitch, Project
from generations.requests import Draft
from tests.providers.sandbox import RunningSandbox
from workers import clock
from workers.models import Job

from .conftest import CREDITS, Worker, followed, get, post
from .held import FIRST, SECOND, alternative, held_clip, switches, tries
from .test_life_of_a_clip import accepted, balance, entries_of


def submitted(worker: Worker, generation_id: UUID) -> None:
    """Follow it until its vendor has it and no worker is at it."""
    mine = Attempt.objects.filter(generation_id=generation_id, external_id__isnull=False)
    worker.until(mine.exists)
    worker.until(lambda: not Job.objects.filter(lease_until__isnull=False).exists())


def test_a_model_that_fails_twice_is_followed_by_the_next_that_can_be_asked_at_the_smaller_price(
    owner: User, api: Client, workers: Worker, sandbox: RunningSandbox
) -> None:
    ModelSwitch.objects.create(model="sandbox/motion-pro", enabled=False)
    clip = held_clip(
        owner,
        alternative("nobody/knows-it", 3),
        alternative("sandbox/classic", 4),
        alternative("sandbox/motion-pro", 5),
        alternative(SECOND, 7),
        alternative(FIRST, 9),
        fault="failed",
    )
    held = get(api, f"generations/{clip}/").json()
    assert held["alternatives"][-2:] == [SECOND, FIRST]

    ended = followed(api, workers, str(clip))

    assert (ended["status"], ended["model"], ended["provider"]) == ("completed", SECOND, "sandbox")
    assert tries(clip) == [
        (FIRST, "failed", "vendor_fault"),
        (FIRST, "failed", "vendor_fault"),
        (SECOND, "succeeded", ""),
    ]
    assert accepted(sandbox, str(clip)) == [1, 1, 1]
    assert ended["alternatives"] == [FIRST]
    assert (ended["credits"]["quoted"], ended["credits"]["used"]) == (held["credits"]["held"], 7)
    assert entries_of(str(clip)) == ["hold", "capture"]
    assert balance(api) == (CREDITS - 7, 0)
    generation = Generation.objects.get()
    assert switches(generation) == [
        {
            "from": FIRST,
            "to": SECOND,
            "reason": "vendor_fault",
            "controls": {"seconds": 0, "fault": "failed"},
        }
    ]
    assert verification.verify(owner.pk).agrees


def test_a_dearer_model_costs_no_more_than_the_hold(owner: User, api: Client, workers: Worker) -> None:
    clip = held_clip(owner, alternative(credits=10_000), hold=11, fault="done_without_media")
    ended = followed(api, workers, str(clip))
    assert (ended["status"], ended["model"]) == ("completed", SECOND)
    assert (ended["credits"]["quoted"], ended["credits"]["used"]) == (11, 11)
    assert balance(api) == (CREDITS - 11, 0)


@pytest.mark.parametrize("fault", ["moderated", "moderated_at_submit"])
def test_what_a_content_policy_refused_is_asked_elsewhere_only_where_the_operator_wants_it(
    owner: User, api: Client, workers: Worker, settings: Settings, fault: str
) -> None:
    refused = held_clip(owner, alternative(), fault=fault)
    ended = followed(api, workers, str(refused))
    assert (ended["status"], ended["error"]["code"]) == ("failed", "moderated")
    assert tries(refused) == [(FIRST, "failed", "moderated")]

    settings.FALLBACK_AFTER_MODERATION = True
    wanted = held_clip(owner, alternative(), fault=fault)
    ended = followed(api, workers, str(wanted))
    assert (ended["status"], ended["model"], ended["credits"]["used"]) == ("completed", SECOND, 1)


def test_a_clip_of_unknown_outcome_is_never_asked_of_another_model(
    owner: User, api: Client, workers: Worker
) -> None:
    clip = held_clip(owner, alternative(), fault="stuck")
    submitted(workers, clip)
    Attempt.objects.update(state=AttemptState.UNKNOWN, reconcile_by=clock.now(), external_id=None)
    Job.objects.update(stage="reconcile")

    ended = followed(api, workers, str(clip))

    assert (ended["status"], ended["error"]["code"]) == ("failed", "outcome_unknown")
    assert tries(clip) == [(FIRST, "unknown", "")]
    assert not switches(Generation.objects.get())
    assert balance(api) == (CREDITS, 0)


def test_a_model_that_gets_stuck_is_followed_by_the_next_once_its_vendor_says_that_it_stopped(
    owner: User, api: Client, workers: Worker, settings: Settings
) -> None:
    clip = held_clip(owner, alternative(), fault="stuck")
    submitted(workers, clip)
    settings.RENDER_DEADLINE = timedelta(0)
    workers.until(lambda: Generation.objects.get().model == SECOND)
    settings.RENDER_DEADLINE = timedelta(hours=1)
    ended = followed(api, workers, str(clip))
    assert ended["status"] == "completed"
    assert tries(clip) == [(FIRST, "cancelled", ""), (SECOND, "succeeded", "")]
    assert switches(Generation.objects.get())[0]["reason"] == "provider_timeout"


def test_a_vendor_that_ignores_our_wish_to_stop_is_not_followed_by_another(
    owner: User, api: Client, workers: Worker, settings: Settings
) -> None:
    clip = held_clip(owner, alternative(), fault="refuse_cancel", seconds=60)
    submitted(workers, clip)
    settings.RENDER_DEADLINE = timedelta(0)
    ended = followed(api, workers, str(clip))
    assert (ended["status"], ended["error"]["code"]) == ("failed", "provider_timeout")
    assert tries(clip) == [(FIRST, "unknown", "")]


def test_a_clip_that_its_owner_cancels_or_whose_time_is_over_is_not_asked_of_another_model(
    owner: User, api: Client, workers: Worker
) -> None:
    cancelled, late = (held_clip(owner, alternative(), fault="stuck") for _ in range(2))
    for clip in (cancelled, late):
        submitted(workers, clip)
    workers.until(lambda: Attempt.objects.filter(external_id__isnull=False).count() == 2)
    assert post(api, f"generations/{cancelled}/cancel/").json()["outcome"] == "asked"
    Generation.objects.filter(id=late).update(finish_by=clock.now())
    assert followed(api, workers, str(cancelled))["status"] == "cancelled"
    assert followed(api, workers, str(late))["error"]["code"] == "finish_by_passed"
    assert Attempt.objects.count() == 2
    assert [switches(one) for one in Generation.objects.all()] == [[], []]
    assert balance(api) == (CREDITS, 0)


def test_a_clip_without_a_hold_of_its_own_is_not_written(owner: User, stranger: User) -> None:
    clip = held_clip(owner)
    hold = Generation.objects.get(id=clip).hold_id
    project = Project.objects.get()
    request, now = creation.prepare(owner, Draft(model=FIRST, prompt="A boat"))
    for whose, subject in ((owner, uuid4()), (stranger, clip)):
        with pytest.raises(LookupError), transaction.atomic():
            create_held(
                whose,
                request,
                now,
                generation_id=subject,
                hold_id=hold,
                priced=quotes.price(request),
                project_id=project.id,
            )
    assert Generation.objects.count() == 1


def test_a_held_clip_finds_room_or_is_refused_as_any_other(owner: User, settings: Settings) -> None:
    settings.TIERS = {"free": {"running_jobs": 1, "queued_jobs": 1}}
    tiers.cache_clear()
    try:
        held_clip(owner)
        held_clip(owner)
        with pytest.raises(TooManyJobs):
            held_clip(owner)
    finally:
        settings.TIERS = {}
        tiers.cache_clear()
    assert Generation.objects.count() == Job.objects.count() == Hold.objects.count() == 2
