"""Files go when their time is over: bytes first, then the mark, each once, whatever fails in between."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.events.log import events_of
from accounts.models import User
from generations import assets, encryption, expiry, storage
from generations.models import Asset
from tests.generations.storage.files import Stored, at_once, keys_of, make_asset, store
from tests.generations.storage.test_storage import point_to
from workers import clock

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.usefixtures("moved_clock")


@pytest.fixture
def store_away(settings: Settings) -> Iterator[None]:
    """The store refuses connections."""
    point_to(settings, "http://127.0.0.1:9")
    yield
    storage._questions.cache_clear()


def test_bytes_go_a_quarter_of_an_hour_after_the_time_of_a_file(owner: User, stored: Stored) -> None:
    asset, other = make_asset(owner, expires_in=WEEK), make_asset(owner, expires_in=WEEK + DAY)
    store(stored, asset, other)

    clock.advance(WEEK + 14 * MINUTE)
    assert expiry.expire_due() == 0
    assert stored.keys() == keys_of(asset) | keys_of(other)

    clock.advance(2 * MINUTE)
    assert expiry.expire_due() == 1
    assert stored.keys() == keys_of(other)
    asset.refresh_from_db()
    assert asset.state == "expired"
    assert asset.bytes_deleted_at is not None
    assert (asset.bytes, asset.name, asset.width) == (7, "clip.mp4", 640)


def test_each_expiry_is_told_once(owner: User, stranger: User, stored: Stored) -> None:
    mine, theirs = make_asset(owner, expires_in=-DAY), make_asset(stranger, expires_in=-DAY)

    assert expiry.expire_due() == 2
    clock.advance(DAY)
    assert expiry.expire_due() == 0

    for user, asset in ((owner, mine), (stranger, theirs)):
        told = [(event.number, event.kind, event.subject_id) for event in events_of(user.pk)]
        assert told == [(1, "asset.expired", asset.id)]


def test_a_pinned_file_keeps_its_bytes(owner: User, stored: Stored) -> None:
    asset = make_asset(owner, expires_in=-DAY, pinned_until=clock.now() + DAY)
    store(stored, asset)

    assert expiry.expire_due() == 0
    assets.unpin([asset.id])
    assert expiry.expire_due() == 1
    assert stored.keys() == set()


def test_a_pin_that_nobody_took_away_lapses(owner: User, stored: Stored) -> None:
    make_asset(owner, expires_in=-DAY, pinned_until=clock.now() + DAY)

    clock.advance(DAY + 16 * MINUTE)

    assert expiry.expire_due() == 1


def test_a_used_upload_lives_on(owner: User, stored: Stored) -> None:
    asset = make_asset(owner, origin="upload", expires_in=WEEK)
    clock.advance(WEEK - MINUTE)
    assets.touch([asset.id])

    clock.advance(WEEK - MINUTE)
    assert expiry.expire_due() == 0
    clock.advance(17 * MINUTE)
    assert expiry.expire_due() == 1


def test_a_deleted_file_loses_its_bytes_at_the_next_run(owner: User, stored: Stored) -> None:
    asset = make_asset(owner)
    store(stored, asset)
    assets.mark_deleted([asset.id])

    assert expiry.expire_due() == 1

    assert stored.keys() == set()
    assert Asset.objects.get().state == "deleted"
    assert events_of(owner.pk) == []


def test_a_linked_video_loses_its_url_and_its_pictures(owner: User, stored: Stored) -> None:
    asset = make_asset(
        owner, key="", linked_url=encryption.encrypt("https://vendor.example/x"), expires_in=-DAY
    )
    store(stored, asset)

    assert expiry.expire_due() == 1

    asset.refresh_from_db()
    assert (asset.state, asset.linked_url) == ("expired", None)
    assert stored.keys() == set()


def test_what_was_deleted_before_the_mark_is_marked_the_next_time(owner: User, stored: Stored) -> None:
    asset = make_asset(owner, expires_in=-DAY)
    with connection.cursor() as cursor:
        cursor.execute(expiry._TAKE, ["15 minutes", 10])
        assert len(cursor.fetchall()) == 1
    # Here the process died, with the objects gone and the row as it was.
    assert expiry.expire_due() == 0

    clock.advance(16 * MINUTE)

    assert expiry.expire_due() == 1
    asset.refresh_from_db()
    assert asset.state == "expired"
    assert len(events_of(owner.pk)) == 1


def test_while_the_store_is_away_nothing_is_marked_and_all_is_tried_again(
    owner: User, stored: Stored, settings: Settings
) -> None:
    asset = make_asset(owner, expires_in=-DAY)
    store(stored, asset)
    storages = settings.STORAGES
    point_to(settings, "http://127.0.0.1:9")

    assert expiry.expire_due() == 0
    asset.refresh_from_db()
    assert (asset.state, asset.bytes_deleted_at, asset.deletion_failures) == ("ready", None, 1)
    assert "does not answer" in asset.deletion_error

    clock.advance(16 * MINUTE)
    assert expiry.expire_due() == 0
    settings.STORAGES = storages
    storage._questions.cache_clear()
    # Farther apart with each failure: half an hour by now.
    clock.advance(16 * MINUTE)
    assert expiry.expire_due() == 0
    clock.advance(16 * MINUTE)
    assert expiry.expire_due() == 1
    assert stored.keys() == set()
    asset.refresh_from_db()
    assert (asset.state, asset.deletion_failures) == ("expired", 2)


def test_one_object_that_the_store_keeps_holds_back_its_file_alone(
    owner: User, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, gone = make_asset(owner, expires_in=-DAY), make_asset(owner, expires_in=-DAY)
    delete = storage.delete

    def refuse_one(keys: list[str]) -> dict[str, str]:
        """The embedded store never refuses a single key of many; R2 may."""
        delete([key for key in keys if key != kept.poster_key])
        return {kept.poster_key: "InternalError"}

    monkeypatch.setattr(storage, "delete", refuse_one)

    assert expiry.expire_due() == 1

    kept.refresh_from_db()
    gone.refresh_from_db()
    assert (kept.state, kept.deletion_failures, kept.deletion_error) == ("ready", 1, "InternalError")
    assert gone.state == "expired"
    assert [event.subject_id for event in events_of(owner.pk)] == [gone.id]


def test_an_upload_that_is_finished_in_the_last_moment_is_kept(
    owner: User, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = make_asset(owner, state="uploading", origin="upload", expires_in=-DAY)
    delete = storage.delete

    def finish_meanwhile(keys: list[str]) -> dict[str, str]:
        Asset.objects.update(state="ready", key="uploads/kept", expires_at=clock.now() + WEEK)
        return delete(keys)

    monkeypatch.setattr(storage, "delete", finish_meanwhile)

    expiry.expire_due()

    asset.refresh_from_db()
    assert (asset.state, asset.bytes_deleted_at) == ("ready", None)


def many(owner: User, count: int) -> None:
    """Due files without pictures."""
    due = clock.now() - DAY
    Asset.objects.bulk_create(
        Asset(
            owner=owner, kind="video", origin="generation", state="ready", name="clip.mp4", media_type="video/mp4",
            bytes=1, key=f"outputs/{number}/video.mp4", expires_at=due,
        )
        for number in range(count)
    )  # fmt: skip


def test_a_batch_of_a_thousand_is_three_statements(owner: User, stored: Stored) -> None:
    many(owner, expiry.BATCH)

    with CaptureQueriesContext(connection) as queries:
        batch = expiry.expire_batch()

    assert (batch.due, batch.gone, batch.failed) == (1000, 1000, 0)
    statements = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    assert len(statements) == 3


def test_one_run_works_through_many_batches(owner: User, stored: Stored) -> None:
    many(owner, 2500)

    assert expiry.expire_due(batches=2) == 2000
    assert expiry.expire_due() == 500


@pytest.mark.django_db(transaction=True)
def test_two_clocks_at_once_expire_each_file_once(owner: User, stored: Stored) -> None:
    many(owner, 2500)

    assert at_once(*[expiry.expire_due] * 4) == [None] * 4

    while expiry.expire_due():
        pass
    assert Asset.objects.filter(state="expired").count() == 2500
    told = [
        event.subject_id for page in range(3) for event in events_of(owner.pk, after=page * 1000, limit=1000)
    ]
    assert len(told) == len(set(told)) == 2500


@pytest.mark.usefixtures("store_away")
def test_a_store_that_is_away_is_asked_for_one_batch_only(owner: User) -> None:
    many(owner, 2500)

    expiry.expire_due()

    assert Asset.objects.filter(deletion_failures=1).count() == 1000


def test_the_index_finds_what_is_due(owner: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {expiry._TAKE}", ["15 minutes", 1000])
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "generations_asset_due" in plan
    assert "Sort" not in plan.split("CTE taken")[0]
