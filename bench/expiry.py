"""100,000 due assets: the sweep beside a raw loop of the same deletions and the same statements.

The peer sends the sweep's own three statements through psycopg and deletes with a boto3 client of its own, a
thousand keys a call. Each asset has one object, in a folder of its own, as the store has them; both sides take
turns at 10,000 assets each.
"""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import boto3
import psycopg
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.events import log
from accounts.models import Event, User
from generations import expiry, storage
from generations.models import Asset, AssetKind, AssetState
from generations.models.assets import AssetOrigin
from tests.scratch import database_url
from workers import clock

from .measure import Measure, compare

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ASSETS = 100_000
RUNS = 5
SLICE = ASSETS // RUNS // 2
OWNERS = 1_000
MOST_RATIO = 1.5
MOST_STATEMENTS = 6


def run() -> list[Measure]:
    owners = [
        user.pk
        for user in User.objects.bulk_create(User(email=f"{number}@example.com") for number in range(OWNERS))
    ]
    client = _client()
    # Tests on the same store may have left theirs.
    before = _stored()
    keys = _make_due(owners, ASSETS)
    print(f"  storing {len(keys):,} objects", flush=True)
    with ThreadPoolExecutor(8) as threads:
        for _ in threads.map(
            lambda key: client.put_object(Bucket=settings.S3_BUCKET, Key=key, Body=b"x"), keys
        ):
            pass
    times: dict[bool, list[float]] = {True: [], False: []}
    with psycopg.connect(database_url()) as raw:
        for number in range(RUNS):
            for is_ours in (True, False) if number % 2 else (False, True):
                started = time.perf_counter()
                done = _ours() if is_ours else _peer(raw, client)
                times[is_ours].append(time.perf_counter() - started)
                assert done == SLICE
    assert _stored() == before
    assert Event.objects.count() == ASSETS
    result = compare(times[True], times[False])
    batches = SLICE / expiry.BATCH
    return [
        Measure(name="time: ratio", value=result.ratio, unit="x", bar=MOST_RATIO, better="less"),
        Measure(name="time: ratio, lowest run", value=result.lowest, unit="x"),
        Measure(name="time: ratio, highest run", value=result.highest, unit="x"),
        Measure(name="time for 1,000: ours", value=result.ours / batches, unit="s"),
        Measure(name="time for 1,000: peer", value=result.peer / batches, unit="s"),
        Measure(name="ours", value=SLICE / result.ours, unit="assets/s"),
        Measure(
            name="statements for 1,000",
            value=_statements(owners),
            unit="",
            bar=MOST_STATEMENTS,
            better="less",
        ),
    ]


def _ours() -> int:
    done = 0
    while done < SLICE:
        # A run of the sweep ends by time, too.
        done += expiry.expire_due((SLICE - done) // expiry.BATCH)
    return done


def _peer(raw: psycopg.Connection, client: "S3Client") -> int:
    done = 0
    while done < SLICE:
        due = raw.execute(expiry._TAKE, ["15 minutes", expiry.BATCH]).fetchall()
        raw.commit()
        client.delete_objects(
            Bucket=settings.S3_BUCKET, Delete={"Objects": [{"Key": row[4]} for row in due], "Quiet": True}
        )
        raw.execute(expiry._MARK, [[row[0] for row in due], [row[4] for row in due]])
        told = [json.dumps({"kind": row[3]}) for row in due]
        raw.execute(
            log._APPEND,
            [[row[1] for row in due], ["asset.expired"] * len(due), [row[0] for row in due], told],
        )
        raw.commit()
        done += len(due)
    return done


def _client() -> "S3Client":
    default: Any = settings.STORAGES["default"]
    options = default["OPTIONS"]
    client: S3Client = boto3.client(
        "s3",
        aws_access_key_id=options["access_key"],
        aws_secret_access_key=options["secret_key"],
        endpoint_url=options["endpoint_url"],
        config=options["client_config"],
    )
    return client


def _stored() -> int:
    return sum(1 for _ in storage.list_objects())


def _make_due(owners: Sequence[UUID], count: int) -> list[str]:
    due = clock.now() - settings.VIDEOS_KEPT
    rows = [_row(owners[number % len(owners)], due) for number in range(count)]
    Asset.objects.bulk_create(rows, batch_size=5_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE generations_asset")
    return [row.key for row in rows]


def _row(owner_id: UUID, due: datetime) -> Asset:
    asset_id = uuid4()
    return Asset(
        id=asset_id,
        owner_id=owner_id,
        kind=AssetKind.VIDEO,
        origin=AssetOrigin.GENERATION,
        state=AssetState.READY,
        name="clip.mp4",
        media_type="video/mp4",
        bytes=1,
        key=storage.key(owner_id, asset_id, "1", "video.mp4"),
        expires_at=due,
    )


def _statements(owners: Sequence[UUID]) -> int:
    _make_due(owners, expiry.BATCH)
    with CaptureQueriesContext(connection) as queries:
        expiry.expire_batch()
    return len([query for query in queries if not query["sql"].startswith(("BEGIN", "COMMIT"))])
