"""The jobs of a film: listed, followed, stopped, charged; and what goes wrong with them."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
from django.conf import settings as project_settings
from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.test import Client

from accounts.models import Event, User
from config.stack import sample
from credits import rate_cards, verification
from credits.models import Hold
from credits.rate_cards import RateCardDraft
from generations import guards
from generations.models import Asset, Project
from pipeline.models import Analysis, PlanVersion
from workers import clock
from workers.models import Job

from .conftest import Workers, api_of, get, post, said, uploaded


def sampled(api: Client, asset: Asset) -> dict[str, Any]:
    made: dict[str, Any] = post(api, "projects/", {"title": "Like this", "sample": str(asset.id)}).json()
    return made


def test_every_job_of_the_account_is_listed_by_project_and_by_type(
    api: Client, stranger: User, workers: Workers, planned: str, sample_asset: Asset
) -> None:
    other = sampled(api, sample_asset)["id"]
    of_planned = get(api, f"jobs/?project={planned}").json()["results"]
    assert [(one["type"], one["status"]) for one in of_planned] == [("planning", "completed")]
    analyses = get(api, "jobs/?type=analysis").json()["results"]
    assert [(one["project"], one["cancellable"]) for one in analyses] == [(other, True)]
    both = get(api, f"jobs/?project={other}&type=planning").json()["results"]
    assert both == []
    assert len(get(api, "jobs/").json()["results"]) == 2
    assert get(api_of(stranger), "jobs/").json()["results"] == []
    assert get(api_of(stranger), f"jobs/{analyses[0]['id']}/").status_code == 404
    assert get(api, "jobs/?type=nothing").status_code == 422


def test_a_clip_of_a_project_is_among_its_jobs_and_is_cancelled_there(api: Client, project: str) -> None:
    made = post(api, "generations/", {"model": "sandbox/motion-1", "prompt": "A boat", "project": project})
    job = get(api, f"jobs/?project={project}").json()["results"][0]
    assert (job["type"], job["subject"]) == ("generation", made.json()["id"])
    cancelled = post(api, f"jobs/{job['id']}/cancel/")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")


def test_an_analysis_that_waits_is_cancelled_at_once(
    api: Client, workers: Workers, sample_asset: Asset
) -> None:
    project = sampled(api, sample_asset)["id"]
    job = get(api, "jobs/?type=analysis").json()["results"][0]["id"]
    assert post(api, f"jobs/{job}/cancel/").json()["status"] == "cancelled"
    assert post(api, f"jobs/{job}/cancel/").json()["status"] == "cancelled"
    assert get(api, f"projects/{project}/analysis/").json()["status"] == "cancelled"
    assert Asset.objects.get(id=sample_asset.id).pinned_until is None


def test_an_analysis_that_runs_ends_within_seconds_and_leaves_no_child(
    api: Client, owner: User, workers: Workers, bucket: Any, tmp_path: Path
) -> None:
    long = sample.make(tmp_path / "long.mp4", seed=3, style="hard", size=(540, 960), scenes=6, seconds=40)
    project = sampled(api, uploaded(owner, long.path, "video/mp4"))["id"]
    children = psutil.Process().children
    workers.until(lambda: len(children(recursive=True)) > 0)
    job = get(api, "jobs/?type=analysis").json()["results"][0]["id"]

    asked = time.monotonic()
    assert post(api, f"jobs/{job}/cancel/").json()["stage"] == "cancelling"
    workers.until(lambda: get(api, f"jobs/{job}/").json()["ended_at"] is not None, within=10)

    assert time.monotonic() - asked < 8
    assert get(api, f"projects/{project}/analysis/").json()["status"] == "cancelled"
    workers.until(lambda: children(recursive=True) == [], within=5)


def test_a_sample_that_can_not_be_measured_says_why_and_another_try_is_free_to_start(
    api: Client, owner: User, workers: Workers, sample_asset: Asset, bucket: Any
) -> None:
    project = sampled(api, sample_asset)["id"]
    # Bytes that are no film any more, under the same key.
    bucket.put_object(
        Bucket=project_settings.S3_BUCKET, Key=sample_asset.key, Body=b"#EXTM3U\n/etc/passwd\n" * 100
    )
    workers.until(lambda: Project.objects.get(id=project).state == "failed")
    analysis = get(api, f"projects/{project}/analysis/").json()
    assert (analysis["status"], analysis["error"]["code"]) == ("failed", "not_a_video")
    assert get(api, "jobs/?type=analysis").json()["results"][0]["error"] == {"code": "not_a_video"}
    again = post(api, f"projects/{project}/analysis/")
    assert again.status_code == 201


def test_a_second_analysis_waits_for_the_first(api: Client, sample_asset: Asset) -> None:
    project = sampled(api, sample_asset)["id"]
    answer = post(api, f"projects/{project}/analysis/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "already_running")


def test_a_project_without_a_sample_can_not_be_analysed(api: Client, project: str) -> None:
    answer = post(api, f"projects/{project}/analysis/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_sample")


def test_a_plan_is_charged_where_it_has_a_price_and_a_failed_one_is_not(
    api: Client, owner: User, workers: Workers, project: str
) -> None:
    rate_cards.publish("service/planning", RateCardDraft(base_credits=7, base_seconds=1), operator_id=None)
    made = post(api, f"projects/{project}/plan/").json()
    assert made["credits"] == {"quoted": 7, "used": 0}
    workers.until(lambda: PlanVersion.objects.exists())
    assert get(api, f"projects/{project}/plan/").json()["planning"]["credits"]["used"] == 7

    refused = post(api, f"projects/{project}/plan/", {"ratio": "21:9"}).json()
    workers.until(lambda: get(api, f"jobs/{refused['job']}/").json()["ended_at"] is not None)
    planning = get(api, f"projects/{project}/plan/").json()["planning"]
    assert (planning["status"], planning["error"]["code"], planning["credits"]["used"]) == (
        "failed",
        "no_model",
        0,
    )
    assert list(Hold.objects.order_by("created_at").values_list("state", flat=True)) == [
        "captured",
        "released",
    ]
    assert verification.verify(owner.pk).agrees


def test_a_version_can_not_be_changed_by_anybody(api: Client, workers: Workers, planned: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        PlanVersion.objects.update(note="another")
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("DELETE FROM pipeline_planversion")


def patch(api: Client, project: str, body: dict[str, Any]) -> Any:
    return api.patch(f"/api/v1/projects/{project}/plan/", body, content_type="application/json")


def test_a_plan_is_changed_by_hand_as_edits_or_as_a_whole(
    api: Client, workers: Workers, planned: str
) -> None:
    warm = patch(api, planned, {"base": 1, "edits": [{"op": "set_grade", "grade": "warm"}]})
    assert (warm.status_code, warm.json()["number"], warm.json()["author"]) == (200, 2, "user")
    assert warm.json()["comparison"]["stale"] == ["post"]
    film = {**warm.json()["film"], "title": "Another"}
    whole = patch(api, planned, {"film": film})
    assert (whole.json()["number"], whole.json()["film"]["title"]) == (3, "Another")
    compared = get(api, f"projects/{planned}/plan/versions/1/comparison/?to=3").json()
    assert {(one["part"], one["field"]) for one in compared["differences"]} == {
        ("film", "title"),
        ("post", "grade"),
    }


BAD_CHANGES: dict[str, tuple[dict[str, Any], int, str]] = {
    "neither": ({}, 422, "invalid"),
    "both": ({"edits": [], "film": {}}, 422, "invalid"),
    "no such operation": ({"edits": [{"op": "grant", "credits": 5}]}, 422, "invalid"),
    "no such segment": ({"edits": [{"op": "remove", "segment": "s99"}]}, 422, "edit_invalid"),
    "an old version": ({"base": 7, "edits": [{"op": "set_grade", "grade": "warm"}]}, 409, "plan_changed"),
    "too long": (
        {"edits": [{"op": "add", "after": None, "prompt": "x", "seconds": 15}] * 4},
        422,
        "plan_invalid",
    ),
    "no film": ({"film": {"title": "x"}}, 422, "invalid"),
    "no list": ({"edits": "remove all"}, 422, "invalid"),
    "not a number": ({"edits": [{"op": "retime", "segment": "s1", "seconds": "NaN"}]}, 422, "invalid"),
    "an unknown field": ({"colour": "red"}, 400, "invalid"),
}


@pytest.mark.parametrize(("body", "status", "code"), BAD_CHANGES.values(), ids=BAD_CHANGES)
def test_a_plan_that_can_not_be_rendered_can_not_be_saved(
    api: Client, workers: Workers, planned: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = patch(api, planned, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.content
    assert PlanVersion.objects.count() == 1


def test_a_film_that_names_a_retired_model_is_refused_with_every_reason(
    api: Client, workers: Workers, planned: str
) -> None:
    film = get(api, f"projects/{planned}/plan/").json()["version"]["film"]
    for segment in film["segments"]:
        segment["model"] = "sandbox/classic"
    answer = patch(api, planned, {"film": film})
    problems = answer.json()["error"]["details"]["problems"]
    assert answer.status_code == 422
    assert len([one for one in problems if one["field"].endswith(".model")]) == len(film["segments"])


def test_there_is_nothing_to_talk_about_without_a_plan(api: Client, project: str) -> None:
    answer = post(api, f"projects/{project}/chat/", {"message": "hello"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_plan")


def test_words_that_are_not_allowed_reach_no_model(
    api: Client, workers: Workers, planned: str, settings: Any
) -> None:
    settings.MODERATION_WORDS = ["forbidden"]
    guards._refused_words.cache_clear()
    try:
        answer = post(api, f"projects/{planned}/chat/", {"message": "something forbidden"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "moderated")
    finally:
        guards._refused_words.cache_clear()


def test_the_log_tells_of_analyses_versions_and_turns(api: Client, workers: Workers, planned: str) -> None:
    said(api, workers, planned, "make it warm")
    kinds = set(Event.objects.values_list("kind", flat=True))
    assert {"planning.completed", "plan.version", "chatturn.completed"} <= kinds


def test_a_project_with_running_work_is_not_deleted(api: Client, sample_asset: Asset) -> None:
    project = sampled(api, sample_asset)["id"]
    assert api.delete(f"/api/v1/projects/{project}/").status_code == 409
    assert Job.objects.filter(project_id=project, ended_at__isnull=True).exists()
    assert Analysis.objects.get().status == "pending"


def test_the_time_of_an_analysis_is_told_by_the_pace_of_the_last_ones(
    api: Client, owner: User, sample_asset: Asset
) -> None:
    first = sampled(api, sample_asset)["id"]
    now = clock.now()
    length = float(sample_asset.duration_seconds or 0)
    for _ in range(5):
        Analysis.objects.create(
            owner=owner,
            project_id=first,
            sample=sample_asset,
            job_id=uuid4(),
            status="completed",
            created_at=now - timedelta(seconds=100 * length),
            ended_at=now,
        )
    second = sampled(api, sample_asset)["id"]
    eta = Job.objects.get(project_id=second).eta_at
    assert eta is not None
    assert (eta - now).total_seconds() == pytest.approx(100 * length, abs=5)
