"""Objects in our store (Cloudflare R2, any S3): written and read through django-storages, links signed by boto3.

Keys are ours, never a user's, and carry the fence of who wrote them, so that a stale worker overwrites nothing.

    DomainError
    └─ StorageUnavailable     it doesn't answer, or fails on its side: try again
       └─ StorageRefused      it answers no: bad key, no such bucket; ours to put right
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files import File
from django.core.files.storage import storages
from django.utils.http import content_disposition_header
from storages.backends.s3 import S3Storage
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random

from workers.errors import DomainError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

MEDIA_TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
DELETED_AT_ONCE = 1000
# Apart, because the store's own lifecycle rules know nothing but the beginning of a key.
INCOMING, UPLOADS, OUTPUTS = "incoming/", "uploads/", "outputs/"

# Questions (head, list) are asked again for so long, and each has two seconds to connect and two to answer: all of
# it ends within five.
RETRY_SECONDS = 1.0
QUESTION_SECONDS = 2
CHUNK_BYTES = 1 << 20
# S3's own word on how long a signed link may live.
LONGEST_LINK = timedelta(days=7)

_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_PASSING = frozenset({"429", "TooManyRequests", "SlowDown", "RequestTimeout"})


class StorageUnavailable(DomainError):
    """The store does not answer. Try again in a moment."""

    code = "storage_unavailable"
    retryable = True


class StorageRefused(StorageUnavailable):
    """The store refused: {reason}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object as the store knows it; `bytes` is its size."""

    key: str
    bytes: int
    media_type: str
    etag: str
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """An object as a listing shows it."""

    key: str
    bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedUpload:
    """Where to send a file, once, and the headers that must go with it exactly."""

    url: str
    method: str
    headers: Mapping[str, str]
    expires_in: timedelta


class ObjectStorage(S3Storage):  # type: ignore[misc]
    """django-storages' backend with one session a process: a session for each thread costs 15 MB and 0.2 s."""

    _session: boto3.Session | None = None
    # Making a client from a session is not safe in two threads at once; using one is.
    _making = threading.RLock()

    def _create_session(self) -> boto3.Session:
        if self._session is None:
            self._session = super()._create_session()
        return self._session

    @property
    def connection(self) -> Any:
        with self._making:
            return super().connection

    def question_client(self) -> "S3Client":
        """A client for short calls and for signing, for all threads."""
        config = self.client_config.merge(
            Config(connect_timeout=QUESTION_SECONDS, read_timeout=QUESTION_SECONDS)
        )
        with self._making:
            client: S3Client = self._create_session().client(
                "s3", region_name=self.region_name, endpoint_url=self.endpoint_url, config=config
            )
        return client

    def _get_write_parameters(self, name: str, content: Any = None) -> dict[str, Any]:
        parameters: dict[str, Any] = super()._get_write_parameters(name, content)
        if sha256 := getattr(content, "sha256", ""):
            parameters["Metadata"] = {"sha256": sha256}
        return parameters


class _Media(File):  # type: ignore[type-arg]
    """A file whose type is known, so that nobody guesses it from the name."""

    def __init__(self, file: Any, *, media_type: str, sha256: str) -> None:
        super().__init__(file)
        self.content_type = media_type
        self.sha256 = sha256


def key(owner_id: UUID, asset_id: UUID, fence: str, name: str) -> str:
    """The key of one file of what was made here; `fence` tells its writer from every other."""
    return f"{OUTPUTS}{owner_id}/{asset_id}/{fence}/{name}"


def upload_key(owner_id: UUID, asset_id: UUID, fence: str, name: str) -> str:
    """The key of one file of an upload that was checked."""
    return f"{UPLOADS}{owner_id}/{asset_id}/{fence}/{name}"


def incoming_key(asset_id: UUID) -> str:
    """Where an upload lands before it is checked."""
    return f"{INCOMING}{asset_id}"


def asset_id_of(key: str) -> UUID | None:
    """The asset that a key was made for; None if it is no key of ours."""
    part = key.removeprefix(INCOMING) if key.startswith(INCOMING) else "".join(key.split("/")[2:3])
    try:
        return UUID(part)
    except ValueError:
        return None


def media_type_of(path: Path) -> str:
    """By the ending of a file that we named."""
    return MEDIA_TYPES[path.suffix]


def put(key: str, path: Path, *, media_type: str, sha256: str = "") -> None:
    """Store the file under a key that is its own. Raises StorageUnavailable."""

    def save() -> None:
        with path.open("rb") as file:
            saved = _store().save(key, _Media(file, media_type=media_type, sha256=sha256))
        if saved != key:
            raise RuntimeError(f"stored under {saved} instead of {key}")

    _answer(save)


def copy(source: str, target: str) -> bool:
    """Copy an object inside the store; False if there is no source. Raises StorageUnavailable."""

    def duplicate() -> None:
        _client().copy_object(
            Bucket=settings.S3_BUCKET, Key=target, CopySource={"Bucket": settings.S3_BUCKET, "Key": source}
        )

    try:
        _answer(duplicate)
    except _Missing:
        return False
    return True


def download_to(key: str, path: Path, *, max_bytes: int) -> bool:
    """Read an object into a file; False if there is none.

    Raises StorageUnavailable, and StorageRefused where it is larger than `max_bytes`.
    """

    def fetch() -> None:
        answer = _client().get_object(Bucket=settings.S3_BUCKET, Key=key)
        with closing(answer["Body"]) as body, path.open("wb") as file:
            if answer["ContentLength"] > max_bytes:
                raise StorageRefused(reason="the object is larger than allowed")
            for chunk in body.iter_chunks(CHUNK_BYTES):
                file.write(chunk)

    try:
        _answer(fetch)
    except _Missing:
        return False
    return True


def head(key: str) -> StoredObject | None:
    """What the store has under the key; None if nothing. Raises StorageUnavailable within five seconds."""
    try:
        found = _answer(lambda: _questions().head_object(Bucket=settings.S3_BUCKET, Key=key), again=True)
    except _Missing:
        return None
    return StoredObject(
        key=key,
        bytes=found["ContentLength"],
        media_type=found.get("ContentType", ""),
        etag=found["ETag"],
        modified_at=found["LastModified"],
    )


def delete(keys: Sequence[str]) -> dict[str, str]:
    """Delete up to 1,000 objects in one call; answers those that were not, with the store's reason.

    An object that is gone already counts as deleted. Raises StorageUnavailable.
    """
    if not keys:
        return {}
    if len(keys) > DELETED_AT_ONCE:
        raise ValueError(f"at most {DELETED_AT_ONCE} keys a call")
    answer = _answer(
        lambda: _client().delete_objects(
            Bucket=settings.S3_BUCKET, Delete={"Objects": [{"Key": one} for one in keys], "Quiet": True}
        )
    )
    return {
        error["Key"]: error.get("Code", "unknown")
        for error in answer.get("Errors", [])
        if error.get("Code") not in _MISSING
    }


def list_objects(prefix: str = "", *, after: str = "") -> Iterator[StoredKey]:
    """Every object under the prefix whose key comes after `after`, in the order of the keys' bytes, 1,000 a call.

    Raises StorageUnavailable.
    """
    while True:
        page = _answer(
            lambda after=after: _questions().list_objects_v2(  # type: ignore[misc]
                Bucket=settings.S3_BUCKET, Prefix=prefix, StartAfter=after
            ),
            again=True,
        )
        for one in page.get("Contents", []):
            after = one["Key"]
            yield StoredKey(key=after, bytes=one["Size"], modified_at=one["LastModified"])
        if not page.get("IsTruncated"):
            return


def signed_download(
    key: str, *, file_name: str, media_type: str, expires_in: timedelta, inline: bool = False
) -> str:
    """A link to the object that lapses after `expires_in`, downloads under `file_name`, and takes ranges."""
    return _questions().generate_presigned_url(
        "get_object",
        Params={
            "Bucket": settings.S3_BUCKET,
            "Key": key,
            "ResponseContentDisposition": disposition(file_name, inline=inline),
            "ResponseContentType": media_type,
        },
        ExpiresIn=_seconds(expires_in),
    )


def signed_upload(key: str, *, media_type: str, bytes: int, expires_in: timedelta) -> SignedUpload:
    """A link that takes a PUT of exactly this size and type, and again until it lapses."""
    url = _questions().generate_presigned_url(
        "put_object",
        Params={"Bucket": settings.S3_BUCKET, "Key": key, "ContentType": media_type, "ContentLength": bytes},
        ExpiresIn=_seconds(expires_in),
    )
    return SignedUpload(
        url=url,
        method="PUT",
        headers={"Content-Type": media_type, "Content-Length": str(bytes)},
        expires_in=expires_in,
    )


def set_lifecycle() -> None:
    """Replace the bucket's lifecycle rules by ours. Raises botocore's errors: it is for operators."""
    _client().put_bucket_lifecycle_configuration(
        Bucket=settings.S3_BUCKET,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "outputs",
                    "Status": "Enabled",
                    "Filter": {"Prefix": OUTPUTS},
                    "Expiration": {"Days": 30},
                },
                # No rule for what was uploaded and is in use: each use gives it another week.
                {
                    "ID": "unfinished-uploads",
                    "Status": "Enabled",
                    "Filter": {"Prefix": INCOMING},
                    "Expiration": {"Days": 2},
                },
                {
                    "ID": "broken-transfers",
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                },
            ]
        },
    )


def disposition(file_name: str, *, inline: bool = False) -> str:
    """A Content-Disposition that every browser reads right (RFC 6266, RFC 8187)."""
    printable = "".join(character for character in file_name if character.isprintable()) or "file"
    header = content_disposition_header(as_attachment=not inline, filename=printable)
    return header or "inline"


def _seconds(lifetime: timedelta) -> int:
    return int(max(timedelta(seconds=1), min(lifetime, LONGEST_LINK)).total_seconds())


def _store() -> ObjectStorage:
    store = storages["default"]
    assert isinstance(store, ObjectStorage)
    return store


def _client() -> "S3Client":
    client: S3Client = _store().connection.meta.client
    return client


@cache
def _questions() -> "S3Client":
    return _store().question_client()


class _Passing(Exception):
    """The store could not be reached, or failed on its side: the same call may work."""


class _Missing(Exception):
    """There is no such object."""


def _answer(call: Callable[[], Result], *, again: bool = False) -> Result:
    """What the call answers; `again`: it may be repeated. Raises StorageUnavailable, and _Missing."""
    try:
        if not again:
            return _once(call)
        retrying = Retrying(
            retry=retry_if_exception_type(_Passing),
            stop=stop_after_delay(RETRY_SECONDS),
            wait=wait_random(0.1, 0.4),
            reraise=True,
        )
        result: Result = retrying(_once, call)
        return result
    except _Passing as error:
        raise StorageUnavailable() from error.__cause__
    except ClientError as error:
        # Ours to put right: credentials, the bucket's name, a request that this store doesn't know.
        logger.error("the store refuses: %s", _code(error), extra={"alarm": "storage_refused"})
        raise StorageRefused(reason=_code(error)) from error


def _once(call: Callable[[], Result]) -> Result:
    try:
        return call()
    except ClientError as error:
        if _code(error) in _MISSING:
            raise _Missing from error
        if (
            error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) >= 500
            or _code(error) in _PASSING
        ):
            raise _Passing from error
        raise
    except BotoCoreError as error:
        raise _Passing from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))
