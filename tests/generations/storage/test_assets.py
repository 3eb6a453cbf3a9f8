"""An owner's files: found by their owner alone, linked to while their time lasts, kept while work needs them."""

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.events.log import events_of
from accounts.models import User
from credits import ledger
from generations import assets, encryption
from generations.asset_errors import (
    AssetExpired,
    AssetInUse,
    AssetLost,
    AssetNotFound,
    AssetNotReady,
    WrongKind,
)
from generations.models import Asset, AssetKind, Generation
from generations.scratch import remove_left
from tests.generations.storage.files import at_once, make_asset
from workers import clock

SECOND = timedelta(seconds=1)
WEEK = timedelta(days=7)


def lifetime(url: str) -> int:
    return int(parse_qs(urlsplit(url).query)["X-Amz-Expires"][0])


def unfinished_clip(owner: User, image: Asset) -> Generation:
    """A clip under way that needs the image. In the caller's transaction."""
    subject = uuid4()
    ledger.grant(owner_id=owner.pk, amount=100, key=f"test:{subject}")
    held = ledger.hold(
        owner_id=owner.pk,
        amount=1,
        key=f"generation:{subject}",
        subject_id=subject,
        rate_card_ids=[],
        breakdown=[],
    )
    return Generation.objects.create(
        id=subject, owner=owner, model="sandbox/motion-1", provider="sandbox", mode="image", prompt="x",
        resolution="720p", ratio="16:9", duration_seconds=5, start_image=image, job_id=uuid4(),
        hold_id=held.hold_id, credits_quoted=1,
    )  # fmt: skip


def end(clip: Generation) -> None:
    Generation.objects.filter(id=clip.id).update(status="failed", ended_at=clock.now())


def test_a_ready_file_is_found_by_its_owner_alone(owner: User, stranger: User) -> None:
    asset, now = make_asset(owner), clock.now()

    found = assets.find_ready(owner.pk, asset.id, [AssetKind.VIDEO], field="source_video", now=now)

    assert found == asset
    with pytest.raises(AssetNotFound):
        assets.find_ready(stranger.pk, asset.id, [AssetKind.VIDEO], field="source_video", now=now)
    with pytest.raises(AssetNotFound):
        assets.find_ready(owner.pk, uuid4(), [AssetKind.VIDEO], field="source_video", now=now)
    with pytest.raises(WrongKind, match="image"):
        assets.find_ready(owner.pk, asset.id, [AssetKind.IMAGE], field="start_image", now=now)


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("uploading", AssetNotReady),
        ("expired", AssetExpired),
        ("lost", AssetLost),
        ("deleted", AssetNotFound),
    ],
)
def test_a_file_that_is_not_ready_says_why(owner: User, state: str, error: type[Exception]) -> None:
    asset = make_asset(owner, state=state)

    with pytest.raises(error):
        assets.find_ready(owner.pk, asset.id, [AssetKind.VIDEO], field="x", now=clock.now())


def test_a_link_never_outlives_its_file(owner: User) -> None:
    now = clock.now()
    long, short = make_asset(owner), make_asset(owner, expires_in=timedelta(seconds=90))

    assert lifetime(assets.download_url(long, now)) == 600
    assert lifetime(assets.download_url(short, now)) in (89, 90)
    assert short.expires_at is not None
    with pytest.raises(AssetExpired):
        assets.download_url(short, short.expires_at)
    assert assets.picture_url(short, short.poster_key, short.expires_at) is None


def test_a_pin_keeps_the_bytes_and_not_the_right_to_read_them(owner: User) -> None:
    asset = make_asset(owner, expires_in=SECOND, pinned_until=clock.now() + WEEK)

    assert asset.expires_at is not None
    with pytest.raises(AssetExpired):
        assets.download_url(asset, asset.expires_at)
    assert lifetime(assets.signed_input_url(asset, timedelta(hours=6))) == 21600


def test_the_download_of_an_expired_file_is_gone(client: APIClient, owner: User) -> None:
    over, expired = make_asset(owner, expires_in=-SECOND), make_asset(owner, state="expired", key="")

    for asset in (over, expired):
        answer = client.get(f"/api/v1/assets/{asset.id}/download/")
        assert (answer.status_code, answer.json()["error"]["code"]) == (410, "expired")
        assert client.get(f"/api/v1/assets/{asset.id}/").json()["state"] == "expired"


def test_a_linked_video_leads_to_its_vendor_and_the_url_is_not_readable_in_the_table(
    client: APIClient, owner: User
) -> None:
    url = "https://vendor.example/paid/video.mp4?token=secret"
    asset = make_asset(owner, key="", linked_url=encryption.encrypt(url))

    answer = client.get(f"/api/v1/assets/{asset.id}/download/")

    assert (answer.status_code, answer["Location"]) == (302, url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT linked_url FROM generations_asset")
        assert b"secret" not in bytes(cursor.fetchone()[0])
    assert "secret" not in client.get("/api/v1/assets/").content.decode()


def test_columns_are_read_with_old_keys_and_written_with_the_newest(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = ["old"]
    written = encryption.encrypt("text")
    settings.FIELD_ENCRYPTION_KEYS = ["new", "old"]
    assert encryption.decrypt(written) == "text"
    rewritten = encryption.encrypt("text")
    settings.FIELD_ENCRYPTION_KEYS = ["new"]
    assert encryption.decrypt(rewritten) == "text"


def test_a_stranger_gets_404_whatever_they_ask(client: APIClient, stranger: User) -> None:
    theirs = make_asset(stranger)
    address = f"/api/v1/assets/{theirs.id}/"

    assert client.get(address).status_code == 404
    assert client.get(f"{address}download/").status_code == 404
    assert client.delete(address).status_code == 404
    assert (
        client.post(f"{address}crop/", {"x": 0, "y": 0, "width": 20, "height": 20}, format="json").status_code
        == 404
    )
    assert client.get("/api/v1/assets/").json()["results"] == []
    theirs.refresh_from_db()
    assert theirs.state == "ready"


def test_the_list_has_pages_and_filters_by_kind(client: APIClient, owner: User) -> None:
    pictures = [make_asset(owner, kind="image") for _ in range(3)]
    make_asset(owner)
    make_asset(owner, kind="image", state="deleted")

    first = client.get("/api/v1/assets/?kind=image&limit=2").json()
    second = client.get(first["next"]).json()

    assert [one["id"] for one in first["results"] + second["results"]] == [
        str(one.id) for one in sorted(pictures, key=lambda one: (one.created_at, one.id), reverse=True)
    ]
    assert second["next"] is None
    assert len(client.get("/api/v1/assets/").json()["results"]) == 4
    assert client.get("/api/v1/assets/?kind=font").status_code == 422


def test_a_deleted_file_is_gone_at_once_and_the_log_says_so(client: APIClient, owner: User) -> None:
    asset = make_asset(owner)

    assert client.delete(f"/api/v1/assets/{asset.id}/").status_code == 204

    assert client.get(f"/api/v1/assets/{asset.id}/").status_code == 404
    assert client.get(f"/api/v1/assets/{asset.id}/download/").status_code == 404
    assert client.delete(f"/api/v1/assets/{asset.id}/").status_code == 404
    assert [event.kind for event in events_of(owner.pk)] == ["asset.deleted"]


def test_a_file_that_unfinished_work_needs_is_not_deleted(client: APIClient, owner: User) -> None:
    asset = make_asset(owner)
    assets.pin([asset.id], clock.now() + WEEK)

    answer = client.delete(f"/api/v1/assets/{asset.id}/")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "asset_in_use")


def test_a_file_stays_pinned_while_one_clip_still_needs_it(owner: User) -> None:
    image = make_asset(owner, kind="image")
    first, second = unfinished_clip(owner, image), unfinished_clip(owner, image)
    assets.pin([image.id], clock.now() + WEEK)

    end(first)
    assets.unpin([image.id])
    image.refresh_from_db()
    assert image.pinned_until is not None
    end(second)
    assets.unpin([image.id])

    image.refresh_from_db()
    assert image.pinned_until is None


def test_a_pin_is_never_shortened_and_a_deleted_file_can_not_be_pinned(owner: User) -> None:
    asset, now = make_asset(owner), clock.now()
    assets.pin([asset.id], now + WEEK)
    assets.pin([asset.id], now + SECOND)
    asset.refresh_from_db()
    assert asset.pinned_until == now + WEEK

    assets.mark_deleted([asset.id])
    with pytest.raises(AssetNotFound):
        assets.pin([asset.id], now + WEEK)


@pytest.mark.django_db(transaction=True)
def test_a_clip_that_starts_as_another_ends_keeps_its_image(owner: User) -> None:
    image = make_asset(owner, kind="image")
    for _ in range(10):

        def begin() -> None:
            with transaction.atomic():
                unfinished_clip(owner, image)
                assets.pin([image.id], clock.now() + WEEK)
                # Long enough for the other to come and wait.
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_sleep(0.05)")

        def let_go() -> None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.02)")
            with transaction.atomic():
                assets.unpin([image.id])

        assert at_once(begin, let_go) == [None, None]
        image.refresh_from_db()
        assert image.pinned_until is not None
        Generation.objects.filter(ended_at__isnull=True).update(status="failed", ended_at=clock.now())


@pytest.mark.django_db(transaction=True)
def test_deleting_and_pinning_at_once_never_both_succeed(owner: User) -> None:
    for _ in range(10):
        asset = make_asset(owner)

        def pin(asset_id: UUID = asset.id) -> None:
            assets.pin([asset_id], clock.now() + WEEK)

        def delete(asset_id: UUID = asset.id) -> None:
            with transaction.atomic():
                assets.delete(owner.pk, asset_id)

        pinned, deleted = at_once(pin, delete)

        assert (pinned is None) != (deleted is None)
        assert isinstance(pinned or deleted, AssetNotFound | AssetInUse)


@pytest.mark.usefixtures("moved_clock")
def test_each_use_of_an_upload_gives_it_another_week_and_outputs_keep_their_time(owner: User) -> None:
    upload = make_asset(owner, origin="upload", expires_in=SECOND)
    output = make_asset(owner, expires_in=timedelta(hours=1))

    with CaptureQueriesContext(connection) as queries:
        assets.touch([upload.id, output.id])

    before = output.expires_at
    upload.refresh_from_db()
    output.refresh_from_db()
    assert upload.expires_at is not None
    assert abs(upload.expires_at - clock.now() - WEEK) < timedelta(minutes=1)
    assert output.expires_at == before
    assert len(queries) == 1


def test_what_an_owner_stores_is_one_statement(owner: User, stranger: User) -> None:
    for state in ("ready", "uploading", "expired", "deleted"):
        make_asset(owner, bytes=100, state=state)
    make_asset(stranger, bytes=1000)

    with CaptureQueriesContext(connection) as queries:
        assert assets.storage_used(owner.pk) == 200
    assert len(queries) == 1


def test_folders_that_a_crash_left_are_removed_by_age(scratch: Path) -> None:
    old, new = scratch / "old", scratch / "new"
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x")
    os.utime(old, (1_000_000_000, 1_000_000_000))

    assert remove_left() == 1
    assert [folder.name for folder in scratch.iterdir()] == ["new"]
