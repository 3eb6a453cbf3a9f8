"""A clip from the request to the video, and every way in which its vendor may misbehave."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import requests
from django.test import Client

from accounts.events.log import events_of
from accounts.models import User
from credits.models import Entry, Hold
from generations import expiry, late_results
from generations.models import Asset, Attempt, AttemptState, Generation
from providers import registry
from tests.providers.sandbox import RunningSandbox
from workers import clock
from workers.engine import MOST_CLAIMS
from workers.models import Job

from .conftest import CREDITS, Worker, api_of, followed, get, post

Clip = Callable[..., dict[str, Any]]


def entries_of(generation_id: str) -> list[str]:
    return list(Entry.objects.filter(subject_id=generation_id).order_by("id").values_list("kind", flat=True))


def balance(api: Client) -> tuple[int, int]:
    answer = get(api, "credits/").json()
    return answer["balance"], answer["held"]


def accepted(sandbox: RunningSandbox, generation_id: str) -> list[int]:
    """How often the vendor accepted each attempt."""
    return [
        len(sandbox.audit(attempt.id.hex))
        for attempt in Attempt.objects.filter(generation_id=generation_id).order_by("number")
    ]


def test_a_clip_is_completed_when_its_video_is_stored_and_paid_for_once(
    clip: Clip, api: Client, owner: User, sandbox: RunningSandbox
) -> None:
    made = clip(ratio="9:16")
    assert (made["status"], made["progress"], made["error"]) == ("completed", 100, None)
    video = made["video"]
    assert video["video_codec"] == "h264"
    assert abs(video["width"] / video["height"] - 9 / 16) < 0.01
    assert abs(video["duration_seconds"] - 2) <= 0.2
    assert entries_of(made["id"]) == ["hold", "capture"]
    assert made["credits"]["used"] == made["credits"]["quoted"] == CREDITS - balance(api)[0]
    assert balance(api)[1] == 0
    assert accepted(sandbox, made["id"]) == [1]
    download = get(api, f"generations/{made['id']}/download/")
    assert download.status_code == 302
    answer = requests.get(download["Location"], timeout=10, headers={"Range": "bytes=4-7"})
    assert answer.content == b"ftyp"
    assert 'filename="' in answer.headers["Content-Disposition"]
    kinds = [event.kind for event in events_of(owner.pk, subject_id=UUID(made["id"]))]
    assert kinds[0] == "generation.created"
    assert kinds[-1] == "generation.completed"
    numbers = [event.number for event in events_of(owner.pk)]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("failed", "vendor_fault"),
        ("moderated", "moderated"),
        ("moderated_at_submit", "moderated"),
        ("done_without_media", "no_media"),
        ("truncated_video", "bad_media"),
    ],
)
def test_a_clip_whose_vendor_fails_says_why_and_costs_nothing(
    clip: Clip, api: Client, fault: str, code: str
) -> None:
    made = clip(controls={"fault": fault, "seconds": 0})
    assert (made["status"], made["error"]["code"]) == ("failed", code)
    assert entries_of(made["id"]) == ["hold", "release"]
    assert balance(api) == (CREDITS, 0)
    assert not Asset.objects.filter(origin="generation").exists()
    assert get(api, f"generations/{made['id']}/download/").status_code == 409


@pytest.mark.parametrize(
    "fault",
    [
        "rate_limited",
        "server_error_after_accepting",
        "malformed_json",
        "malformed_status",
        "unknown_status",
        "expired_link",
    ],
)
def test_a_clip_survives_a_vendor_that_stumbles_and_is_never_accepted_twice(
    clip: Clip, sandbox: RunningSandbox, fault: str
) -> None:
    made = clip(controls={"fault": fault, "seconds": 0})
    assert made["status"] == "completed", made["error"]
    assert entries_of(made["id"]) == ["hold", "capture"]
    assert sum(accepted(sandbox, made["id"])) == 1
    assert Asset.objects.filter(origin="generation").count() == 1


def test_a_clip_that_waits_is_removed_by_cancelling_and_all_credits_are_back(api: Client) -> None:
    made = post(api, "generations/", {"model": "sandbox/motion-1", "prompt": "A boat"}).json()
    answer = post(api, f"generations/{made['id']}/cancel/").json()
    assert answer["outcome"] == "removed"
    assert answer["generation"]["status"] == "cancelled"
    assert answer["generation"]["credits"]["remaining"] == CREDITS
    assert entries_of(made["id"]) == ["hold", "release"]
    assert not Job.objects.filter(ended_at=None).exists()
    assert post(api, f"generations/{made['id']}/cancel/").json()["outcome"] == "removed"
    assert balance(api) == (CREDITS, 0)


def test_a_clip_that_runs_is_cancelled_when_its_vendor_says_so(api: Client, worker: Worker) -> None:
    body = {"model": "sandbox/motion-1", "prompt": "A boat", "controls": {"fault": "stuck"}}
    made = post(api, "generations/", body).json()
    worker.until(lambda: Attempt.objects.filter(external_id__isnull=False).exists())
    worker.until(lambda: not Job.objects.filter(lease_until__isnull=False).exists())
    assert post(api, f"generations/{made['id']}/cancel/").json()["outcome"] == "asked"
    ended = followed(api, worker, made["id"])
    assert ended["status"] == "cancelled"
    assert entries_of(made["id"]) == ["hold", "release"]
    assert post(api, f"generations/{made['id']}/retry/").status_code == 201


def test_a_cancel_that_the_vendor_refuses_lets_the_clip_complete(api: Client, worker: Worker) -> None:
    controls = {"fault": "refuse_cancel", "seconds": 2}
    made = post(
        api, "generations/", {"model": "sandbox/motion-1", "prompt": "A boat", "controls": controls}
    ).json()
    worker.until(lambda: Attempt.objects.filter(external_id__isnull=False).exists())
    assert post(api, f"generations/{made['id']}/cancel/").json()["outcome"] == "asked"
    assert followed(api, worker, made["id"])["status"] == "completed"
    assert post(api, f"generations/{made['id']}/cancel/").status_code == 409


def test_a_failed_clip_is_tried_again_once_as_a_new_clip_under_a_new_hold(clip: Clip, api: Client) -> None:
    made = clip(controls={"fault": "moderated", "seconds": 0})
    again = post(api, f"generations/{made['id']}/retry/").json()
    assert again["retry_of"] == made["id"]
    assert Hold.objects.filter(subject_id=again["id"], state="open").count() == 1
    refused = post(api, f"generations/{made['id']}/retry/")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "retried_already")


def test_a_video_that_comes_after_its_clip_failed_is_delivered_once_for_nothing(
    api: Client, worker: Worker, sandbox: RunningSandbox
) -> None:
    body = {"model": "sandbox/motion-1", "prompt": "A boat", "controls": {"seconds": 1}}
    made = post(api, "generations/", body).json()
    worker.until(lambda: Attempt.objects.filter(external_id__isnull=False).exists())
    worker.until(lambda: not Job.objects.filter(lease_until__isnull=False).exists())
    # We gave up while the vendor still worked.
    attempt = Attempt.objects.get()
    Attempt.objects.filter(id=attempt.id).update(state=AttemptState.UNKNOWN, reconcile_by=clock.now())
    Job.objects.update(stage="reconcile")
    Attempt.objects.filter(id=attempt.id).update(external_id=None)
    failed = followed(api, worker, made["id"])
    assert (failed["status"], failed["error"]["code"]) == ("failed", "outcome_unknown")
    assert balance(api) == (CREDITS, 0)

    def delivered() -> bool:
        late_results.look_again()
        return Generation.objects.get().status == "completed"

    worker.until(delivered)
    late_results.look_again()
    worker.until(lambda: not Job.objects.filter(ended_at=None).exists())
    ended = get(api, f"generations/{made['id']}/").json()
    assert (ended["late"], ended["credits"]["used"]) == (True, 0)
    assert entries_of(made["id"]) == ["hold", "release"]
    assert balance(api) == (CREDITS, 0)
    assert len(sandbox.audit(attempt.id.hex)) == 1


def test_a_video_that_could_not_be_brought_home_is_looked_for_again_a_few_times(
    api: Client, worker: Worker, sandbox: RunningSandbox
) -> None:
    body = {"model": "sandbox/motion-1", "prompt": "A boat", "controls": {"seconds": 1}}
    made = post(api, "generations/", body).json()
    worker.until(lambda: Attempt.objects.filter(external_id__isnull=False).exists())
    worker.until(lambda: not Job.objects.filter(lease_until__isnull=False).exists())
    # Whatever delivered it died each time, so that it was given up.
    Job.objects.update(stage="deliver", claims=MOST_CLAIMS, due_at=clock.now())
    failed = followed(api, worker, made["id"])
    assert (failed["status"], failed["error"]["code"]) == ("failed", "undeliverable")
    render = registry.provider("sandbox")
    worker.until(lambda: render.fetch(Attempt.objects.get().external_id or "").output)
    for _ in range(3):
        assert late_results.look_again() == 1
        assert late_results.look_again() == 0
        Job.objects.filter(kind="late_result").update(state="failed", ended_at=clock.now())
    assert late_results.look_again() == 0
    Job.objects.filter(kind="late_result").delete()
    assert late_results.look_again() == 1
    worker.until(lambda: Generation.objects.get().status == "completed")
    assert get(api, f"generations/{made['id']}/").json()["late"] is True


def test_a_video_is_gone_after_seven_days_and_its_record_stays(clip: Clip, api: Client) -> None:
    made = clip()
    try:
        clock.advance(timedelta(days=7, minutes=1))
        gone = get(api, f"generations/{made['id']}/download/")
        assert (gone.status_code, gone.json()["error"]["code"]) == (410, "expired")
        assert expiry.expire_due() == 0
        clock.advance(timedelta(minutes=15))
        assert expiry.expire_due() == 1
        assert expiry.expire_due() == 0
    finally:
        clock.reset()
    assert get(api, f"generations/{made['id']}/").json()["prompt"] == "A boat"
    assert Generation.objects.count() == 1


def test_an_unchanged_clip_is_304(clip: Clip, api: Client) -> None:
    made = clip()
    first = get(api, f"generations/{made['id']}/")
    again = api.get(f"/api/v1/generations/{made['id']}/", headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304


def test_a_stranger_finds_nothing_of_it(clip: Clip, stranger: User) -> None:
    made = clip()
    theirs = api_of(stranger)
    for path in ("", "download/", "events/"):
        assert get(theirs, f"generations/{made['id']}/{path}").status_code == 404
    for path in ("cancel/", "retry/"):
        assert post(theirs, f"generations/{made['id']}/{path}").status_code == 404
    assert theirs.delete(f"/api/v1/generations/{made['id']}/").status_code == 404
    assert get(theirs, f"assets/{made['video']['id']}/").status_code == 404
    assert get(theirs, "generations/").json()["results"] == []
