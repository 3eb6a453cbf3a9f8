"""Files from users: a link that takes exactly what was announced, and only what is a picture, a video or a sound."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts import tiers
from accounts.events.log import events_of
from accounts.models import User
from generations import assets, expiry, storage, uploads
from generations.asset_errors import QuotaExceeded
from generations.models import Asset
from tests.generations.storage.conftest import client_of
from tests.generations.storage.files import Stored, at_once, keys_of, make_asset
from workers import clock

UPLOADS = "/api/v1/uploads/"


def announce(client: APIClient, file: Path, media_type: str, **changes: Any) -> Any:
    body = {"name": file.name, "media_type": media_type, "bytes": file.stat().st_size, **changes}
    return client.post(UPLOADS, body, format="json")


def send(announced: Any, content: bytes) -> int:
    body = announced.json()
    headers = {name: value for name, value in body["headers"].items() if name != "Content-Length"}
    return requests.request(
        body["method"], body["url"], data=content, headers=headers, timeout=10
    ).status_code


def finish(client: APIClient, announced: Any) -> Any:
    return client.post(f"{UPLOADS}{announced.json()['asset']['id']}/finish/")


def error_of(answer: Any) -> tuple[int, str, str | None]:
    body = answer.json()["error"]
    return answer.status_code, body["code"], body["details"].get("field")


def test_an_image_comes_in_through_a_link(
    client: APIClient, owner: User, media: Path, stored: Stored, scratch: Path
) -> None:
    file = media / "wide.png"
    announced = announce(client, file, "image/png", name="../My picture.png")
    assert announced.status_code == 201
    assert announced.json()["asset"]["state"] == "uploading"
    assert send(announced, file.read_bytes()) == 200

    finished = finish(client, announced)

    assert finished.status_code == 200
    asset = finished.json()
    assert (asset["state"], asset["kind"], asset["name"]) == ("ready", "image", "My picture.png")
    assert (asset["width"], asset["height"], asset["ratio"]) == (640, 360, "16:9")
    assert "16:9" in asset["fitting_ratios"]
    assert "9:16" not in asset["fitting_ratios"]
    assert requests.get(asset["thumbnail_url"], timeout=5).headers["Content-Type"] == "image/jpeg"
    row = Asset.objects.get(id=asset["id"])
    assert stored.keys() == keys_of(row)
    assert all(key.startswith(f"uploads/{owner.id}/{row.id}/") for key in keys_of(row))
    download = client.get(f"/api/v1/assets/{row.id}/download/")
    assert download.status_code == 302
    assert requests.get(download["Location"], timeout=5).content == file.read_bytes()
    assert list(scratch.iterdir()) == []
    assert [event.kind for event in events_of(owner.pk, subject_id=row.id)] == ["asset.ready"]


def test_finishing_again_is_the_same_answer(client: APIClient, media: Path, stored: Stored) -> None:
    file = media / "wide.png"
    announced = announce(client, file, "image/png")
    send(announced, file.read_bytes())
    first = finish(client, announced).json()
    before = stored.keys()

    again = finish(client, announced)

    assert again.status_code == 200
    assert (again.json()["sha256"], again.json()["expires_at"]) == (first["sha256"], first["expires_at"])
    assert stored.keys() == before


def test_a_link_that_still_lives_changes_nothing_that_was_kept(
    client: APIClient, media: Path, stored: Stored
) -> None:
    good = (media / "wide.png").read_bytes()
    announced = announce(client, media / "wide.png", "image/png")
    send(announced, good)
    finish(client, announced)

    assert send(announced, bytes(len(good))) == 200

    row = Asset.objects.get()
    assert stored.client.get_object(Bucket=stored.bucket, Key=row.key)["Body"].read() == good


@pytest.mark.django_db(transaction=True)
def test_many_who_finish_at_once_keep_one_file(
    owner: User, media: Path, stored: Stored, empty_redis: object
) -> None:
    announced = announce(client_of(owner), media / "wide.png", "image/png")
    send(announced, (media / "wide.png").read_bytes())
    asset_id = announced.json()["asset"]["id"]

    errors = at_once(*[lambda: uploads.finish(owner, asset_id)] * 4)

    row = Asset.objects.get()
    assert row.state == "ready"
    assert stored.keys() == keys_of(row)
    assert errors == [None] * 4
    assert [event.kind for event in events_of(owner.pk)] == ["asset.ready"]


@pytest.mark.parametrize(
    ("file", "media_type", "code", "field"),
    [
        ("clip.mp4", "image/png", "upload_refused", "media_type"),
        ("wide.png", "video/mp4", "upload_refused", "media_type"),
        ("sound.mp3", "video/mp4", "upload_refused", "media_type"),
        ("old.mp4", "video/mp4", "upload_refused", "file"),
    ],
)
def test_a_file_that_is_not_what_was_announced_is_refused(
    client: APIClient,
    owner: User,
    media: Path,
    stored: Stored,
    file: str,
    media_type: str,
    code: str,
    field: str,
) -> None:
    announced = announce(client, media / file, media_type)
    send(announced, (media / file).read_bytes())

    answer = finish(client, announced)

    assert error_of(answer) == (422, code, field)
    assert stored.keys() <= {storage.incoming_key(Asset.objects.get().id)}
    assert finish(client, announced).status_code == 404
    assert assets.storage_used(owner.pk) == 0


def test_an_image_that_is_none_is_refused(client: APIClient, stored: Stored, tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(b"<html>not a picture</html>")
    announced = announce(client, file, "image/png")
    send(announced, file.read_bytes())

    assert error_of(finish(client, announced)) == (422, "upload_refused", "file")


def test_finishing_before_sending_is_refused_and_can_be_made_good(
    client: APIClient, media: Path, stored: Stored
) -> None:
    file = media / "photo.jpg"
    announced = announce(client, file, "image/jpeg")

    assert error_of(finish(client, announced)) == (422, "upload_refused", "id")
    send(announced, file.read_bytes())
    assert finish(client, announced).json()["state"] == "ready"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"media_type": "image/svg+xml"}, (422, "upload_refused", "media_type")),
        ({"media_type": "application/x-mpegURL"}, (422, "upload_refused", "media_type")),
        ({"bytes": 10_000_001}, (413, "file_too_large", "bytes")),
        ({"media_type": "video/mp4", "bytes": 200_000_001}, (413, "file_too_large", "bytes")),
        ({"media_type": "audio/mpeg", "bytes": 50_000_001}, (413, "file_too_large", "bytes")),
        ({"bytes": 0}, (400, "invalid", "bytes")),
        ({"bytes": -1}, (400, "invalid", "bytes")),
        ({"name": ""}, (400, "invalid", "name")),
        ({"owner": "me"}, (400, "invalid", "owner")),
    ],
)
def test_an_announcement_that_can_not_be_is_refused(
    client: APIClient, media: Path, changes: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    assert (
        error_of(announce(client, media / "wide.png", changes.pop("media_type", "image/png"), **changes))
        == expected
    )
    assert not Asset.objects.exists()


def test_the_largest_files_are_taken(client: APIClient, media: Path) -> None:
    for media_type, size in (
        ("image/png", 10_000_000),
        ("video/mp4", 200_000_000),
        ("audio/mpeg", 50_000_000),
    ):
        assert announce(client, media / "wide.png", media_type, bytes=size).status_code == 201


def test_a_small_file_comes_in_one_request(
    client: APIClient, owner: User, media: Path, stored: Stored
) -> None:
    file = SimpleUploadedFile("photo.jpg", (media / "photo.jpg").read_bytes(), content_type="image/jpeg")

    answer = client.post(UPLOADS, {"file": file}, format="multipart")

    assert answer.status_code == 201
    assert (answer.json()["state"], answer.json()["media_type"]) == ("ready", "image/jpeg")
    assert stored.keys() == keys_of(Asset.objects.get())


def test_a_file_beyond_ten_megabytes_needs_a_link(client: APIClient) -> None:
    file = SimpleUploadedFile("clip.mp4", bytes(10_000_001), content_type="video/mp4")

    answer = client.post(UPLOADS, {"file": file}, format="multipart")

    assert error_of(answer) == (413, "file_too_large", "file")
    assert not Asset.objects.exists()


def test_a_request_without_a_file_is_refused(client: APIClient) -> None:
    assert error_of(client.post(UPLOADS, {"note": "x"}, format="multipart")) == (400, "invalid", "file")


def test_the_same_key_brings_one_file(client: APIClient, media: Path, stored: Stored) -> None:
    content = (media / "photo.jpg").read_bytes()

    def post() -> Any:
        file = SimpleUploadedFile("photo.jpg", content, content_type="image/jpeg")
        return client.post(UPLOADS, {"file": file}, format="multipart", HTTP_IDEMPOTENCY_KEY="once")

    first, second = post(), post()

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] == second.json()["id"]
    assert Asset.objects.count() == 1


def test_the_same_key_announces_one_file_and_signs_its_link_anew(client: APIClient, media: Path) -> None:
    body = {"name": "a.png", "media_type": "image/png", "bytes": 10}

    first = client.post(UPLOADS, body, format="json", HTTP_IDEMPOTENCY_KEY="once")
    again = client.post(UPLOADS, body, format="json", HTTP_IDEMPOTENCY_KEY="once")
    other = client.post(UPLOADS, {**body, "bytes": 11}, format="json", HTTP_IDEMPOTENCY_KEY="once")

    assert first.json()["asset"]["id"] == again.json()["asset"]["id"]
    assert again.json()["url"].startswith("http")
    assert other.status_code == 422
    assert Asset.objects.count() == 1


def test_a_stranger_can_not_finish(client: APIClient, stranger: User, media: Path, stored: Stored) -> None:
    announced = announce(client, media / "wide.png", "image/png")
    send(announced, (media / "wide.png").read_bytes())

    assert finish(client_of(stranger), announced).status_code == 404
    assert client.post(f"{UPLOADS}{uuid4()}/finish/").status_code == 404


@pytest.fixture
def little_room(settings: Settings) -> Any:
    """Accounts of the free tier store a million bytes."""
    settings.TIERS = {"free": {"storage_bytes": 1_000_000}}
    tiers.tiers.cache_clear()
    yield
    tiers.tiers.cache_clear()


@pytest.mark.usefixtures("little_room")
def test_a_full_account_is_told_what_it_has(client: APIClient, owner: User, media: Path) -> None:
    make_asset(owner, bytes=600_000)

    answer = announce(client, media / "wide.png", "image/png", bytes=400_001)

    assert error_of(answer) == (413, "storage_quota_exceeded", "bytes")
    assert {name: answer.json()["error"]["details"][name] for name in ("used", "limit", "needed")} == {
        "used": 600_000, "limit": 1_000_000, "needed": 400_001,
    }  # fmt: skip
    assert announce(client, media / "wide.png", "image/png", bytes=400_000).status_code == 201


@pytest.mark.usefixtures("little_room")
def test_a_deleted_file_makes_room_at_once(client: APIClient, owner: User, media: Path) -> None:
    asset = make_asset(owner, bytes=1_000_000)
    assert announce(client, media / "wide.png", "image/png").status_code == 413

    assert client.delete(f"/api/v1/assets/{asset.id}/").status_code == 204

    assert announce(client, media / "wide.png", "image/png").status_code == 201


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("little_room")
def test_uploads_at_once_never_go_over_the_limit(owner: User) -> None:
    started = threading.Event()

    def start() -> None:
        with transaction.atomic():
            uploads.announce(owner, name="a.png", media_type="image/png", size=300_000)
            started.wait(0.05)

    errors = at_once(*[start] * 8)

    assert [type(error) for error in errors if error is not None] == [QuotaExceeded] * 5
    assert assets.storage_used(owner.pk) == 900_000


@pytest.mark.usefixtures("moved_clock")
def test_an_upload_that_was_never_finished_goes_after_a_day(
    client: APIClient, owner: User, media: Path, stored: Stored
) -> None:
    announced = announce(client, media / "wide.png", "image/png")
    send(announced, (media / "wide.png").read_bytes())

    clock.advance(timedelta(hours=24))
    assert expiry.expire_due() == 0
    clock.advance(timedelta(minutes=16))
    assert expiry.expire_due() == 1

    assert stored.keys() == set()
    assert Asset.objects.get().state == "deleted"
    assert finish(client, announced).status_code == 404
    assert events_of(owner.pk) == []


def test_a_part_of_a_picture_is_a_file_of_its_own(
    client: APIClient, owner: User, media: Path, stored: Stored
) -> None:
    file = SimpleUploadedFile("wide.png", (media / "wide.png").read_bytes(), content_type="image/png")
    source = client.post(UPLOADS, {"file": file}, format="multipart").json()

    def crop(**box: int) -> Any:
        return client.post(f"/api/v1/assets/{source['id']}/crop/", box, format="json")

    answer = crop(x=100, y=0, width=180, height=320)

    assert answer.status_code == 201
    part = answer.json()
    assert part["id"] != source["id"]
    assert (part["width"], part["height"], part["ratio"]) == (180, 320, "9:16")
    assert (part["media_type"], part["origin"]) == ("image/png", "upload")
    assert client.get(f"/api/v1/assets/{source['id']}/").json()["width"] == 640
    assert error_of(crop(x=600, y=0, width=100, height=100)) == (422, "crop_refused", "x")
    assert error_of(crop(x=0, y=0, width=8, height=100)) == (422, "crop_refused", "width")
    assert error_of(crop(x=-1, y=0, width=100, height=100)) == (400, "invalid", "x")
    assert Asset.objects.count() == 2


def test_only_an_own_picture_can_be_cropped(client: APIClient, owner: User, stranger: User) -> None:
    video, theirs = make_asset(owner), make_asset(stranger, kind="image")
    box = {"x": 0, "y": 0, "width": 100, "height": 100}

    def crop(asset: Asset) -> tuple[int, str, str | None]:
        return error_of(client.post(f"/api/v1/assets/{asset.id}/crop/", box, format="json"))

    assert crop(video) == (422, "wrong_kind", "id")
    assert crop(theirs) == (404, "asset_not_found", "id")
