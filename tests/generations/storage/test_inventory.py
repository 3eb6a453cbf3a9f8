"""The store against the rows: what nobody knows goes, what is gone is told, and nothing else is touched."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.events.log import events_of
from accounts.models import User
from generations import inventory, storage
from generations.models import Asset, Inventory
from tests.generations.storage.files import Stored, keys_of, make_asset, store
from workers import clock

DAY = timedelta(days=1)

pytestmark = pytest.mark.usefixtures("moved_clock")


def test_old_objects_that_no_row_knows_are_deleted(owner: User, stored: Stored) -> None:
    asset = make_asset(owner, expires_in=7 * DAY)
    store(stored, asset)
    orphans = {
        storage.key(owner.pk, asset.id, "0", "video.mp4"),
        storage.key(owner.pk, uuid4(), "1", "video.mp4"),
        storage.upload_key(owner.pk, uuid4(), "1", "file"),
        storage.incoming_key(uuid4()),
        "readme.txt",
    }
    for key in orphans:
        stored.put(key)

    assert inventory.compare() == 0
    assert stored.keys() == keys_of(asset) | orphans

    clock.advance(DAY + timedelta(hours=1))
    assert inventory.compare() == len(orphans)
    assert stored.keys() == keys_of(asset)


def test_an_unfinished_upload_is_no_orphan_and_a_finished_ones_leftovers_are(
    owner: User, stored: Stored
) -> None:
    unfinished = make_asset(owner, state="uploading", thumbnail_key="", poster_key="")
    Asset.objects.update(key=storage.incoming_key(unfinished.id))
    finished = make_asset(owner, expires_in=7 * DAY)
    store(stored, finished)
    stored.put(storage.incoming_key(unfinished.id))
    stored.put(storage.incoming_key(finished.id))

    clock.advance(DAY + timedelta(hours=1))
    inventory.compare()

    assert stored.keys() == keys_of(finished) | {storage.incoming_key(unfinished.id)}


def test_what_came_back_after_its_deletion_is_deleted_again(owner: User, stored: Stored) -> None:
    asset = make_asset(owner, state="expired", bytes_deleted_at=clock.now())
    store(stored, asset)

    clock.advance(DAY + timedelta(hours=1))

    assert inventory.compare() == 3
    assert stored.keys() == set()


def test_a_file_whose_object_is_gone_is_told_to_its_owner_and_raises_an_alarm(
    owner: User, stored: Stored, caplog: pytest.LogCaptureFixture
) -> None:
    kept, lost, expiring = (
        make_asset(owner),
        make_asset(owner),
        make_asset(owner, expires_in=-timedelta(minutes=5)),
    )
    store(stored, kept, lost)
    stored.remove(lost.key)

    assert inventory.compare() == 1

    lost.refresh_from_db()
    kept.refresh_from_db()
    expiring.refresh_from_db()
    assert (kept.state, lost.state, expiring.state) == ("ready", "lost", "ready")
    assert [(event.kind, event.subject_id) for event in events_of(owner.pk)] == [("asset.lost", lost.id)]
    assert str(lost.id) in caplog.text


def test_a_file_stored_after_the_listing_is_not_lost(owner: User, stored: Stored) -> None:
    asset = make_asset(owner)
    store(stored, asset)

    assert inventory._report_lost([], clock.now(), after="", last="") == 0


def test_a_round_goes_on_where_it_stopped_and_the_next_begins_a_day_later(
    owner: User, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory, "BATCH", 2)
    files = [make_asset(owner, expires_in=30 * DAY) for _ in range(3)]
    store(stored, *files)
    for key in keys_of(files[0]) | keys_of(files[1]) | keys_of(files[2]):
        stored.remove(key)
    stored.put("outputs/0")
    stored.put("outputs/z")
    store(stored, files[2])

    put_right = [inventory.compare(batches=1) for _ in range(4)]

    assert sum(put_right) == 2
    assert {asset.state for asset in Asset.objects.filter(id__in=[files[0].id, files[1].id])} == {"lost"}
    assert Inventory.objects.get().position == ""
    stored.remove(files[2].key)
    assert inventory.compare() == 0
    clock.advance(DAY)
    # A file, and by now two objects that are old enough.
    assert inventory.compare() >= 1
    files[2].refresh_from_db()
    assert files[2].state == "lost"


def test_a_thousand_objects_are_two_questions_to_the_database(owner: User, stored: Stored) -> None:
    store(stored, *[make_asset(owner) for _ in range(20)])
    Inventory.objects.create()
    clock.advance(DAY + timedelta(hours=1))

    with CaptureQueriesContext(connection) as queries:
        inventory.compare()

    # The round's row, the time, its beginning; what the objects are, what the rows have; the position.
    assert len([query for query in queries if "SAVEPOINT" not in query["sql"]]) <= 7


def test_a_store_that_knows_no_lifecycle_is_named(stored: Stored) -> None:
    with pytest.raises(CommandError, match="lifecycle"):
        call_command("apply_lifecycle")
