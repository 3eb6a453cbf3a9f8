"""The store: links that can do one thing only, calls that end in time, errors that say what to do."""

import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
import requests
from django.core.files.storage import storages
from pytest_django import Settings

from generations import storage
from generations.storage import StorageRefused, StorageUnavailable
from tests.generations.storage.files import Stored

KEY = storage.key(uuid4(), uuid4(), "7", "video.mp4")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    return path


@pytest.fixture
def elsewhere(settings: Settings) -> Iterator[Settings]:
    """Settings whose S3 endpoint the test may point somewhere else."""
    yield settings
    storage._questions.cache_clear()


def point_to(settings: Settings, url: str) -> None:
    options = {**settings.STORAGES["default"]["OPTIONS"], "endpoint_url": url}
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {**settings.STORAGES["default"], "OPTIONS": options},
    }
    storage._questions.cache_clear()


def test_what_is_put_comes_back_with_its_type_and_digest(stored: Stored, file: Path, tmp_path: Path) -> None:
    storage.put(KEY, file, media_type="video/mp4", sha256="ab" * 32)

    found = storage.head(KEY)
    assert found is not None
    assert (found.bytes, found.media_type) == (10, "video/mp4")
    metadata = stored.client.head_object(Bucket=stored.bucket, Key=KEY)["Metadata"]
    assert {name.lower(): value for name, value in metadata.items()}["sha256"] == "ab" * 32
    assert storage.download_to(KEY, tmp_path / "back", max_bytes=10)
    assert (tmp_path / "back").read_bytes() == b"0123456789"


def test_a_large_file_travels_in_equal_parts(stored: Stored, tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(130 * 2**20)

    storage.put(KEY, large, media_type="video/mp4")

    found = storage.head(KEY)
    assert found is not None
    assert found.bytes == 130 * 2**20
    # The mark of three parts: 64, 64 and 2 MiB.
    assert found.etag.strip('"').endswith("-3") or "-" not in found.etag


def test_a_missing_object_is_no_error(stored: Stored, tmp_path: Path) -> None:
    assert storage.head("nothing") is None
    assert storage.download_to("nothing", tmp_path / "file", max_bytes=1) is False
    assert storage.copy("nothing", KEY) is False
    assert storage.delete(["nothing"]) == {}


def test_an_object_that_is_too_large_is_not_read(stored: Stored, tmp_path: Path) -> None:
    stored.put(KEY, b"0123456789")

    with pytest.raises(StorageRefused):
        storage.download_to(KEY, tmp_path / "back", max_bytes=9)


def test_deleting_takes_a_thousand_keys_and_no_more(stored: Stored) -> None:
    stored.put(KEY)

    assert storage.delete([KEY, *(f"nothing/{number}" for number in range(999))]) == {}
    assert stored.keys() == set()
    with pytest.raises(ValueError, match="1000"):
        storage.delete(["key"] * 1001)


def test_a_listing_goes_on_after_a_key_in_the_order_of_bytes(stored: Stored) -> None:
    for key in ("outputs/b", "outputs/B", "outputs/é", "outputs/a", "uploads/a"):
        stored.put(key)

    assert [found.key for found in storage.list_objects()] == [
        "outputs/B", "outputs/a", "outputs/b", "outputs/é", "uploads/a",
    ]  # fmt: skip
    assert [found.key for found in storage.list_objects("outputs/", after="outputs/a")] == [
        "outputs/b",
        "outputs/é",
    ]


def test_a_download_link_gives_ranges_under_the_files_own_name(stored: Stored) -> None:
    stored.put(KEY, b"0123456789")

    url = storage.signed_download(
        KEY, file_name="Ein Café – „Test“.mp4", media_type="video/mp4", expires_in=MINUTE
    )
    part = requests.get(url, headers={"Range": "bytes=2-4"}, timeout=5)

    assert "X-Amz-Signature" in url
    # The embedded server says 200 where S3 says 206.
    assert part.status_code in (200, 206)
    assert (part.headers["Content-Range"], part.content) == ("bytes 2-4/10", b"234")
    assert part.headers["Content-Type"] == "video/mp4"
    assert part.headers["Content-Disposition"] == (
        "attachment; filename*=utf-8''Ein%20Caf%C3%A9%20%E2%80%93%20%E2%80%9ETest%E2%80%9C.mp4"
    )


def test_a_name_can_write_no_header_of_its_own() -> None:
    assert (
        storage.disposition('a"b\r\nSet-Cookie: x\\.mp4')
        == 'attachment; filename="a\\"bSet-Cookie: x\\\\.mp4"'
    )
    assert storage.disposition("clip.mp4", inline=True) == 'inline; filename="clip.mp4"'
    assert storage.disposition("\n") == 'attachment; filename="file"'


@pytest.mark.parametrize(
    "change", [("key", "other"), ("X-Amz-Expires", "600000"), ("response-content-type", "text/html")]
)
def test_a_link_with_anything_changed_is_refused(stored: Stored, change: tuple[str, str]) -> None:
    stored.put(KEY)
    stored.put("other")
    url = storage.signed_download(KEY, file_name="clip.mp4", media_type="video/mp4", expires_in=MINUTE)
    name, value = change
    if name == "key":
        forged = url.replace(KEY, value)
    else:
        old = parse_qs(urlsplit(url).query)[name][0]
        forged = url.replace(f"{name}={old}", f"{name}={value}").replace("video%2Fmp4", "text%2Fhtml")

    assert forged != url
    assert requests.get(forged, timeout=5).status_code == 403
    assert requests.get(url.partition("?")[0], timeout=5).status_code in (400, 403)


def test_a_link_lapses(stored: Stored) -> None:
    stored.put(KEY)
    url = storage.signed_download(
        KEY, file_name="a.mp4", media_type="video/mp4", expires_in=timedelta(seconds=-5)
    )

    deadline = time.monotonic() + 10
    while requests.get(url, timeout=5).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert requests.get(url, timeout=5).status_code in (400, 403)


def test_no_link_lives_longer_than_s3_allows() -> None:
    url = storage.signed_download(KEY, file_name="a", media_type="video/mp4", expires_in=timedelta(days=30))

    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["604800"]


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"1234", "image/png", 200),
        (b"12345", "image/png", 403),
        (b"123", "image/png", 403),
        (b"1234", "text/html", 403),
    ],
)
def test_an_upload_link_takes_its_size_and_type_only(
    stored: Stored, body: bytes, media_type: str, status: int
) -> None:
    upload = storage.signed_upload(
        storage.incoming_key(uuid4()), media_type="image/png", bytes=4, expires_in=MINUTE
    )

    answer = requests.request(
        upload.method, upload.url, data=body, headers={"Content-Type": media_type}, timeout=5
    )

    assert answer.status_code == status
    assert len(stored.keys()) == (1 if status == 200 else 0)


def test_a_store_that_refuses_connections_is_said_at_once(elsewhere: Settings, file: Path) -> None:
    point_to(elsewhere, "http://127.0.0.1:9")
    started = time.monotonic()

    with pytest.raises(StorageUnavailable):
        storage.head(KEY)
    with pytest.raises(StorageUnavailable):
        storage.put(KEY, file, media_type="video/mp4")
    with pytest.raises(StorageUnavailable):
        storage.delete([KEY])
    with pytest.raises(StorageUnavailable):
        list(storage.list_objects())

    assert time.monotonic() - started < 6


def test_a_question_to_a_silent_store_ends_within_five_seconds(elsewhere: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        point_to(elsewhere, f"http://127.0.0.1:{server.getsockname()[1]}")
        started = time.monotonic()

        with pytest.raises(StorageUnavailable):
            storage.head(KEY)

        assert time.monotonic() - started < 5


def test_a_store_that_fails_once_is_asked_again(elsewhere: Settings) -> None:
    answers = iter([b"HTTP/1.1 503 Busy\r\n", b"HTTP/1.1 404 Not Found\r\n"])
    asked = []

    def serve(server: socket.socket) -> None:
        for answer in answers:
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(65536))
                connection.sendall(answer + b"Content-Length: 0\r\nConnection: close\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=[server])
        thread.start()
        point_to(elsewhere, f"http://127.0.0.1:{server.getsockname()[1]}")

        assert storage.head(KEY) is None
        thread.join(5)
    assert len(asked) == 2


def test_wrong_credentials_are_ours_to_put_right(elsewhere: Settings, bucket: object) -> None:
    options = {**elsewhere.STORAGES["default"]["OPTIONS"], "secret_key": "wrong"}
    elsewhere.STORAGES = {
        **elsewhere.STORAGES,
        "default": {**elsewhere.STORAGES["default"], "OPTIONS": options},
    }
    storage._questions.cache_clear()

    with pytest.raises(StorageRefused):
        list(storage.list_objects())


def test_threads_share_one_session(bucket: object) -> None:
    store = storages["default"]
    assert isinstance(store, storage.ObjectStorage)
    clients = []
    threads = [
        threading.Thread(target=lambda: clients.append(store.connection.meta.client)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({id(client) for client in clients}) == 8
    assert len({id(client._loader) for client in clients if hasattr(client, "_loader")}) <= 1
    assert store._create_session() is store._create_session()


@pytest.mark.parametrize(
    ("key", "known"),
    [
        (storage.key(uuid4(), KNOWN := uuid4(), "1", "video.mp4"), True),
        (storage.upload_key(uuid4(), KNOWN, "1", "file"), True),
        (storage.incoming_key(KNOWN), True),
        ("outputs/somebody/else", False),
        ("readme.txt", False),
        ("incoming/readme.txt", False),
    ],
)
def test_a_key_tells_its_asset(key: str, known: bool) -> None:
    assert storage.asset_id_of(key) == (KNOWN if known else None)
