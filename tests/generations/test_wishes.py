"""What an owner may wish for a clip: when it starts, by when it is done, where its video is kept, what it is in."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from generations import guards
from generations.models import Asset, Attempt, Generation
from tests.generations.storage.files import make_asset
from tests.providers.sandbox import RunningSandbox
from workers import clock
from workers.models import Job

from .conftest import CREDITS, Worker, api_of, followed, get, post
from .test_life_of_a_clip import accepted, balance, entries_of

BODY = {"model": "sandbox/motion-1", "prompt": "A boat", "duration_seconds": 2, "resolution": "480p"}


def make(api: Client, **wishes: Any) -> Any:
    return post(api, "generations/", {**BODY, **wishes})


def moment(**later: float) -> str:
    return (clock.now() + timedelta(**later)).isoformat()


def test_a_clip_that_is_to_start_later_is_not_submitted_before(
    api: Client, worker: Worker, sandbox: RunningSandbox
) -> None:
    made = make(api, start_after=moment(hours=2)).json()
    try:
        for _ in range(3):
            worker.engine.run_due()
        assert not Attempt.objects.exists()
        assert balance(api)[1] == made["credits"]["held"] > 0, "its credits are held from the start"
        clock.advance(timedelta(hours=2, seconds=1))
        assert followed(api, worker, made["id"])["status"] == "completed"
        assert accepted(sandbox, made["id"]) == [1]
    finally:
        clock.reset()


@pytest.mark.parametrize("wish", ["start_by", "finish_by"])
def test_a_clip_that_waited_too_long_is_never_submitted_and_costs_nothing(
    api: Client, worker: Worker, sandbox: RunningSandbox, wish: str
) -> None:
    made = make(api, **{wish: moment(minutes=5)}).json()
    try:
        clock.advance(timedelta(minutes=6))
        ended = followed(api, worker, made["id"])
    finally:
        clock.reset()
    assert (ended["status"], ended["error"]["code"]) == ("failed", f"{wish}_passed")
    assert entries_of(made["id"]) == ["hold", "release"]
    assert balance(api) == (CREDITS, 0)
    assert accepted(sandbox, made["id"]) == []


def test_a_clip_that_runs_past_the_time_it_was_wanted_by_is_cancelled_at_the_vendor(
    api: Client, worker: Worker
) -> None:
    made = make(api, finish_by=moment(minutes=5), controls={"fault": "stuck"}).json()
    worker.until(lambda: Attempt.objects.filter(external_id__isnull=False).exists())
    try:
        clock.advance(timedelta(minutes=6))
        ended = followed(api, worker, made["id"])
    finally:
        clock.reset()
    assert (ended["status"], ended["error"]["code"]) == ("failed", "finish_by_passed")
    assert balance(api) == (CREDITS, 0)


@pytest.mark.parametrize(
    ("wishes", "field"),
    [
        ({"start_by": {"minutes": -1}}, "start_by"),
        ({"finish_by": {"minutes": -1}}, "finish_by"),
        ({"start_after": {"hours": 2}, "start_by": {"hours": 1}}, "start_by"),
        ({"start_after": {"hours": 2}, "finish_by": {"hours": 1}}, "finish_by"),
        ({"start_after": {"days": 8}}, "start_after"),
    ],
)
def test_times_that_can_not_be_kept_are_refused(
    api: Client, wishes: dict[str, dict[str, float]], field: str
) -> None:
    answer = make(api, **{name: moment(**later) for name, later in wishes.items()})
    assert (answer.status_code, answer.json()["error"]["details"]["field"]) == (422, field)
    assert not Generation.objects.exists()
    assert balance(api) == (CREDITS, 0)


@pytest.fixture
def words(settings: Settings) -> Any:
    settings.MODERATION_WORDS = ["forbidden", "très mal"]
    guards._refused_words.cache_clear()
    yield
    guards._refused_words.cache_clear()


@pytest.mark.parametrize(
    ("field", "text"),
    [("prompt", "A FORBIDDEN boat"), ("prompt", "C'est très mal."), ("negative_prompt", "forbidden")],
)
def test_what_is_moderated_costs_nothing_and_reaches_no_vendor(
    api: Client, words: None, field: str, text: str
) -> None:
    for path in ("generations/", "estimates/"):
        answer = post(api, path, {**BODY, field: text})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "moderated")
        assert answer.json()["error"]["details"] == {"field": field}
    assert not Job.objects.exists()
    assert balance(api) == (CREDITS, 0)


def test_a_word_is_a_word_and_not_a_part_of_one(api: Client, words: None) -> None:
    assert make(api, prompt="An unforbiddenly blue boat").status_code == 201


def test_a_linked_video_stays_at_its_vendor_and_lapses_with_its_link(
    clip: Callable[..., dict[str, Any]], api: Client, owner: User, settings: Settings
) -> None:
    settings.OUTPUT_STORAGE = "link"

    made = clip()

    asset = Asset.objects.get(made_by=made["id"])
    assert (made["status"], asset.key, made["video"]["bytes"]) == ("completed", "", 0)
    assert made["video"]["sha256"]
    assert entries_of(made["id"]) == ["hold", "capture"]
    leads_to = get(api, f"generations/{made['id']}/download/")["Location"]
    assert leads_to.startswith(settings.SANDBOX_URL)
    video = requests.get(leads_to, timeout=10)
    assert (video.status_code, video.content[4:8]) == (200, b"ftyp")
    assert requests.get(made["video"]["thumbnail_url"], timeout=10).status_code == 200
    assert asset.expires_at is not None
    assert asset.expires_at < clock.now() + settings.VIDEOS_KEPT
    assert leads_to.encode() not in bytes(asset.linked_url or b"")
    assert get(api_of(owner), "me/").json()["storage"]["used_bytes"] == 0


def test_a_project_counts_its_clips_and_is_not_deleted_while_one_is_made(
    clip: Callable[..., dict[str, Any]], api: Client, worker: Worker
) -> None:
    project = post(api, "projects/", {"title": "Boats", "description": "of all kinds"}).json()["id"]
    done = clip(project=project)
    running = make(api, project=project).json()

    shown = get(api, f"projects/{project}/").json()
    assert (shown["generations"], shown["completed"], shown["running"]) == (2, 1, 1)
    assert shown["credits_used"] == done["credits"]["used"]
    assert {one["id"] for one in shown["newest"]} == {done["id"], running["id"]}
    for path in (f"projects/{project}/", f"generations/{running['id']}/"):
        refused = api.delete(f"/api/v1/{path}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "still_running")

    followed(api, worker, running["id"])

    assert api.delete(f"/api/v1/projects/{project}/").status_code == 204
    assert get(api, f"projects/{project}/").status_code == 404
    assert get(api, f"generations/{done['id']}/").status_code == 200, "its clips stay in the library"
    assert api.delete(f"/api/v1/generations/{done['id']}/").status_code == 204
    assert get(api, f"generations/{done['id']}/").status_code == 404
    assert get(api, f"assets/{done['video']['id']}/").status_code == 404


def test_files_that_only_a_project_was_made_from_go_with_it(api: Client, owner: User, bucket: Any) -> None:
    shared, own, pinned = (make_asset(owner, kind="image", origin="upload") for _ in range(3))
    sound = make_asset(owner, kind="audio", origin="upload", media_type="audio/mpeg")
    Asset.objects.filter(id=pinned.id).update(pinned_until=clock.now() + timedelta(hours=1))
    first, second, third = (
        post(api, "projects/", {"title": "Boats", "character": str(character.id), **more}).json()["id"]
        for character, more in ((shared, {"audio": str(sound.id)}), (shared, {}), (pinned, {}))
    )

    for project in (first, third):
        assert api.delete(f"/api/v1/projects/{project}/").status_code == 204

    states = dict(Asset.objects.values_list("id", "state"))
    assert states == {shared.id: "ready", own.id: "ready", pinned.id: "ready", sound.id: "deleted"}
    assert api.delete(f"/api/v1/projects/{second}/").status_code == 204
    assert Asset.objects.get(id=shared.id).state == "deleted"


def test_projects_are_found_by_their_words_their_star_and_their_state(api: Client) -> None:
    for title, favourite in (("Red boats", True), ("Blue boats", False), ("Mountains", True)):
        post(api, "projects/", {"title": title, "favourite": favourite})

    def titles(query: str) -> list[str]:
        return [one["title"] for one in get(api, f"projects/?{query}").json()["results"]]

    assert titles("search=boats") == ["Blue boats", "Red boats"]
    assert titles("search=boats&favourite=true") == ["Red boats"]
    assert titles("state=draft&limit=2") == ["Mountains", "Blue boats"]
    assert titles("state=completed") == []
    assert get(api, "projects/?state=lost").status_code == 422


def test_clips_are_filtered_by_each_of_their_filters(api: Client) -> None:
    project = post(api, "projects/", {"title": "Boats"}).json()["id"]
    mine = make(api, project=project).json()["id"]
    other = make(api).json()["id"]
    post(api, f"generations/{other}/cancel/")

    def ids(query: str) -> list[str]:
        return [one["id"] for one in get(api, f"generations/?{query}").json()["results"]]

    assert ids("") == [other, mine]
    assert ids(f"project={project}") == [mine]
    assert ids("status=cancelled") == [other]
    assert ids("model=sandbox/motion-1&provider=sandbox&status=pending") == [mine]
    assert ids("provider=luma") == []
    for wrong in ("status=lost", "project=7"):
        assert get(api, f"generations/?{wrong}").status_code == 422
