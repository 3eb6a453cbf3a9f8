"""What is refused: with a code and the field, and nothing is changed."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import IdempotencyRecord, User
from credits.models import Entry
from generations.models import Generation, Project, Quote
from workers import clock
from workers.models import Job

from .conftest import CREDITS, api_of, get, post, with_credits

GOOD: dict[str, Any] = {"model": "sandbox/motion-1", "prompt": "A boat"}


def refused(answer: Any) -> tuple[int, str, str]:
    """Status, code and field of a refusal."""
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "details", "retryable"}
    assert error["message"]
    return answer.status_code, error["code"], error["details"].get("field", "")


def nothing_changed(api: Client) -> None:
    assert get(api, "credits/").json()["balance"] == CREDITS
    assert Entry.objects.exclude(kind="grant").count() == 0
    assert Generation.objects.count() == Job.objects.count() == IdempotencyRecord.objects.count() == 0


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"model": "nobody/nothing"}, 422, "unknown_model", "model"),
        ({"model": "sandbox/classic"}, 422, "model_retired", "model"),
        ({"model": "sandbox/motion-pro"}, 403, "tier_required", "model"),
        ({"duration_seconds": 16}, 422, "duration_too_long", "duration_seconds"),
        ({"duration_seconds": 1}, 422, "unsupported", "duration_seconds"),
        ({"duration_seconds": "five"}, 400, "invalid", "duration_seconds"),
        ({"ratio": "21:9"}, 422, "unsupported", "ratio"),
        ({"resolution": "8K"}, 422, "unsupported", "resolution"),
        ({"resolution": "4K"}, 403, "tier_required", "resolution"),
        ({"prompt": "  "}, 422, "required", "prompt"),
        ({"prompt": "x" * 5001}, 400, "invalid", "prompt"),
        ({"style": "baroque"}, 422, "unsupported", "style"),
        ({"model": "sandbox/motion-fast", "audio": True}, 422, "unsupported", "audio"),
        ({"controls": {"warp": 9}}, 422, "invalid", "controls.warp"),
        ({"controls": {"motion_strength": 2}}, 422, "invalid", "controls.motion_strength"),
        ({"mode": "image"}, 422, "required", "start_image"),
        ({"mode": "video"}, 422, "unsupported", "mode"),
        ({"start_image": str(uuid.uuid4())}, 404, "asset_not_found", "start_image"),
        ({"project": str(uuid.uuid4())}, 404, "not_found", "project"),
        ({"quote_id": str(uuid.uuid4())}, 404, "not_found", "quote_id"),
        ({"max_credits": 99}, 409, "price_changed", "max_credits"),
        ({"wish": "more"}, 400, "invalid", "wish"),
        ({"start_by": "2020-01-01T00:00:00Z"}, 422, "in_the_past", "start_by"),
        ({"prompt": "a \x00 null"}, 400, "invalid", "prompt"),
    ],
)
def test_a_request_outside_the_limits_is_refused_by_name(
    api: Client, body: dict[str, Any], status: int, code: str, field: str
) -> None:
    answer = post(api, "generations/", {**GOOD, **body}, **{"Idempotency-Key": "once"})
    assert refused(answer) == (status, code, field)
    nothing_changed(api)


def test_a_retired_model_names_its_successor(api: Client) -> None:
    answer = post(api, "generations/", {**GOOD, "model": "sandbox/classic"})
    assert "sandbox/motion-1" in answer.json()["error"]["message"]


def test_a_quote_is_honoured_once_for_its_request_until_it_expires(api: Client) -> None:
    def quote() -> str:
        return str(post(api, "estimates/", GOOD).json()["quote_id"])

    first, second, third = quote(), quote(), quote()
    assert post(api, "generations/", {**GOOD, "quote_id": first}).status_code == 201
    assert refused(post(api, "generations/", {**GOOD, "quote_id": first}))[:2] == (409, "quote_used")
    other = {**GOOD, "prompt": "Two boats", "quote_id": second}
    assert refused(post(api, "generations/", other))[:2] == (409, "quote_mismatch")
    try:
        clock.advance(timedelta(minutes=16))
        assert refused(post(api, "generations/", {**GOOD, "quote_id": third}))[:2] == (409, "quote_expired")
    finally:
        clock.reset()
    assert Generation.objects.count() == 1
    assert Quote.objects.filter(used_at__isnull=False).count() == 1


def test_a_strangers_project_is_not_there(api: Client, stranger: User) -> None:
    theirs = Project.objects.create(owner=stranger, title="Theirs")
    assert refused(post(api, "generations/", {**GOOD, "project": str(theirs.id)})) == (
        404,
        "not_found",
        "project",
    )
    assert get(api, f"projects/{theirs.id}/").status_code == 404
    nothing_changed(api)


def test_a_clip_over_the_balance_is_402_and_says_what_is_missing(owner: User) -> None:
    poor = api_of(with_credits(50))
    answer = post(poor, "generations/", GOOD)
    assert refused(answer)[:2] == (402, "insufficient_credits")
    assert answer.json()["error"]["details"]["balance"] == 50
    assert Generation.objects.count() == 0


def test_an_account_may_have_so_many_jobs_as_its_tier_says(api: Client, settings: Any) -> None:
    from accounts.tiers import tiers

    settings.TIERS = {"free": {"running_jobs": 1, "queued_jobs": 1}}
    tiers.cache_clear()
    try:
        assert [post(api, "generations/", GOOD).status_code for _ in range(3)] == [201, 201, 429]
    finally:
        settings.TIERS = {}
        tiers.cache_clear()


def test_a_suspended_account_reads_but_does_not_spend(api: Client, owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(suspended_at=clock.now())
    assert refused(post(api, "generations/", GOOD))[:2] == (403, "account_suspended")
    assert get(api, "generations/").status_code == 200


def test_an_image_that_is_none_is_refused(api: Client) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    file = SimpleUploadedFile("cat.png", b"<html>not a picture</html>", content_type="image/png")
    answer = api.post("/api/v1/uploads/", {"file": file})
    assert refused(answer)[:2] == (422, "upload_refused")
    nothing_changed(api)


def test_a_body_of_50_megabytes_is_refused(api: Client) -> None:
    body = json.dumps({**GOOD, "prompt": "x" * 50_000_000})
    answer = api.post("/api/v1/generations/", body, content_type="application/json")
    assert answer.status_code in (400, 413)
    assert answer.json()["error"]["code"]
    nothing_changed(api)


def test_nobody_is_told_to_sign_in(owner: User) -> None:
    nobody = Client(SERVER_NAME="localhost")
    for path in ("generations/", "projects/", "models/", "assets/", "credits/", "credits/entries/"):
        assert get(nobody, path).status_code == 401


def test_a_key_that_may_only_read_creates_nothing(owner: User) -> None:
    reader = api_of(owner, "read")
    assert refused(post(reader, "generations/", GOOD))[:2] == (403, "insufficient_scope")
    assert get(reader, "generations/").status_code == 200
