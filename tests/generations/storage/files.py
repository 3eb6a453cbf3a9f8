"""Rows and objects as the system would have made them."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.db import connection

from accounts.models import User
from generations import storage
from generations.models import Asset, AssetKind, AssetState
from generations.models.assets import AssetOrigin
from workers import clock

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class Stored:
    """The bucket, read and written without the code under test."""

    client: "S3Client"
    bucket: str

    def keys(self) -> set[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return {found["Key"] for page in pages for found in page.get("Contents", [])}

    def put(self, key: str, content: bytes = b"content") -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=content)

    def remove(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=key)


def make_asset(owner: User, *, expires_in: timedelta = timedelta(days=7), **fields: Any) -> Asset:
    """A ready video of `owner` with its two pictures; its objects are not in the store."""
    asset_id = uuid4()
    made: dict[str, Any] = {
        "kind": AssetKind.VIDEO,
        "origin": AssetOrigin.GENERATION,
        "state": AssetState.READY,
        "name": "clip.mp4",
        "media_type": "video/mp4",
        "bytes": 7,
        "key": storage.key(owner.pk, asset_id, "1", "video.mp4"),
        "thumbnail_key": storage.key(owner.pk, asset_id, "1", "thumbnail.jpg"),
        "poster_key": storage.key(owner.pk, asset_id, "1", "poster.jpg"),
        "width": 640,
        "height": 360,
        "expires_at": clock.now() + expires_in,
        **fields,
    }
    return Asset.objects.create(id=asset_id, owner=owner, **made)


def keys_of(asset: Asset) -> set[str]:
    return {key for key in (asset.key, asset.thumbnail_key, asset.poster_key) if key}


def store(stored: Stored, *assets: Asset) -> None:
    """Put what the rows say is there."""
    for asset in assets:
        for key in keys_of(asset):
            stored.put(key)


def at_once(*actions: Callable[[], object]) -> list[BaseException | None]:
    """Run the actions in threads of their own, released together; the error of each, None where there was none."""
    barrier = threading.Barrier(len(actions))
    errors: list[BaseException | None] = [None] * len(actions)

    def run(number: int) -> None:
        try:
            barrier.wait(10)
            actions[number]()
        except BaseException as error:
            errors[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[number]) for number in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return errors
