"""OpenAI's own client against the simulator, and the same wish through it and through our adapter.

Its client sends forms and ours sends JSON, which the API takes as well: compared is what arrives.
"""

import base64
import json
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import openai as official
import pytest
from openai.types import Video

from providers.contract import Mode, RenderRequest
from providers.errors import ProviderError
from providers.video.openai import RETIRED, SIZES
from tests.providers.sandbox import ended, until
from tests.providers.servers import RawServer
from tests.vendors.openai import OpenAIVideos, fields_of
from tests.vendors.server import Request
from tests.vendors.video import Fault, clip

from .test_openai_simulated import (
    a_request,
    adapter_of,
    files,
    of_an_earlier,
    png,
    submitted,
    vendor,
    with_image,
)

__all__ = ["files", "vendor"]
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

WISH: Any = {"model": "sora-2", "prompt": "A paper boat", "seconds": "4", "size": "1280x720"}


@pytest.fixture
def client(vendor: OpenAIVideos, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "openai_org_id", "openai_project_id"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    opened = official.OpenAI(api_key=vendor.key, base_url=vendor.url, max_retries=0, timeout=5)
    with opened, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield opened


def as_json(client: Any, path: str, **body: Any) -> Any:
    """By the client's own way of posting: its methods for videos send forms, and take no objects for files."""
    return client.post(path, body=body, cast_to=Video)


def test_the_official_client_creates_reads_downloads_and_deletes(vendor: OpenAIVideos, client: Any) -> None:
    made = client.videos.create(**WISH)
    assert (made.status, made.object, made.seconds, made.size) == ("queued", "video", "4", "1280x720")
    with pytest.raises(official.BadRequestError):
        client.videos.delete(made.id)
    with pytest.raises(official.NotFoundError):
        client.videos.download_content(made.id)
    assert until(lambda: client.videos.retrieve(made.id).status == "completed")
    done = client.videos.retrieve(made.id)
    assert (done.progress, done.error, done.prompt) == (100, None, "A paper boat")
    assert done.expires_at == done.completed_at + 3600
    assert client.videos.download_content(made.id, variant="video").read() == clip()
    assert client.videos.delete(made.id).deleted
    with pytest.raises(official.NotFoundError):
        client.videos.retrieve(made.id)


def test_the_official_client_waits_by_itself(client: Any) -> None:
    assert client.videos.create_and_poll(**WISH).status == "completed"


def test_the_official_client_pages_through_the_list(vendor: OpenAIVideos, client: Any) -> None:
    made = [client.videos.create(**WISH).id for _ in range(5)]
    first = client.videos.list(limit=2, order="desc")
    assert [one.id for one in first.data] == made[:2:-1]
    assert [one.id for one in first] == made[::-1]
    assert [one.id for one in client.videos.list(order="asc")] == made


def test_the_official_client_goes_on_from_a_video(vendor: OpenAIVideos, client: Any) -> None:
    made = client.videos.create_and_poll(**WISH)
    remixed = client.videos.remix(made.id, prompt="In red")
    assert (remixed.seconds, remixed.remixed_from_video_id) == ("4", made.id)
    longer = as_json(client, "/videos/extensions", prompt="On", seconds="8", video={"id": made.id})
    changed = as_json(client, "/videos/edits", prompt="In blue", video={"id": made.id})
    assert [one.seconds for one in (longer, changed)] == ["12", "4"]
    assert {one.remixed_from_video_id for one in (longer, changed)} == {made.id}
    with pytest.raises(official.NotFoundError):
        client.videos.remix("video_0", prompt="In red")


def test_the_official_client_sends_a_picture_or_its_address(
    vendor: OpenAIVideos, client: Any, files: RawServer
) -> None:
    picture = ("start.png", png(1280, 720), "image/png")
    assert client.videos.create(**WISH, input_reference=picture).id
    address = {"image_url": f"{files.url}/1280x720.png"}
    assert client.videos.create(**WISH, extra_body={"input_reference": address}).id
    assert as_json(client, "/videos", **WISH, input_reference=address).id
    for refused in (png(720, 1280), b"no picture"):
        with pytest.raises(official.BadRequestError) as failure:
            client.videos.create(**WISH, input_reference=("start.png", refused, "image/png"))
        assert failure.value.param == "input_reference"
    for reference in (
        {"image_url": f"{files.url}/64x64.png"},
        {"file_id": "file-1"},
        address | {"file_id": "f"},
    ):
        with pytest.raises(official.BadRequestError) as failure:
            as_json(client, "/videos", **WISH, input_reference=reference)
        assert failure.value.param == "input_reference"


@pytest.mark.parametrize(
    ("change", "kind", "param"),
    [
        ({"seconds": "16"}, official.BadRequestError, "seconds"),
        ({"size": "1920x1080"}, official.BadRequestError, "size"),
        ({"prompt": ""}, official.BadRequestError, "prompt"),
        ({"model": "sora-1"}, official.NotFoundError, "model"),
        ({"extra_body": {"seed": 4}}, official.BadRequestError, "seed"),
    ],
)
def test_the_official_client_is_refused_what_the_api_does_not_take(
    client: Any, change: dict[str, Any], kind: type[official.APIStatusError], param: str
) -> None:
    with pytest.raises(kind) as failure:
        client.videos.create(**{**WISH, **change})
    assert failure.value.param == param
    assert failure.value.request_id == "req_simulated"


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        (Fault.RATE_LIMITED, official.RateLimitError, "rate_limit_exceeded"),
        (Fault.NO_BALANCE, official.RateLimitError, "insufficient_quota"),
        (Fault.WRONG_KEY, official.AuthenticationError, "invalid_api_key"),
        (Fault.REFUSED, official.BadRequestError, "invalid_value"),
        (Fault.MODERATED_AT_SUBMIT, official.BadRequestError, "moderation_blocked"),
        (Fault.SERVER_ERROR, official.InternalServerError, "server_error"),
        (Fault.HANG_UP_AFTER_ACCEPTING, official.APIConnectionError, None),
    ],
)
def test_what_the_official_client_fails_at_ours_fails_at(
    vendor: OpenAIVideos, client: Any, fault: Fault, kind: type[official.APIError], code: str | None
) -> None:
    vendor.fault = fault
    with pytest.raises(kind) as failure:
        client.videos.create(**WISH)
    assert failure.value.code == code
    vendor.refusals = 0
    with pytest.raises(ProviderError):
        submitted(adapter_of(vendor), a_request())
    assert len({request.status for request in vendor.requests}) == 1


@pytest.mark.parametrize("fault", [Fault.FAILED, Fault.MODERATED])
def test_the_official_client_reads_why_a_video_failed(
    vendor: OpenAIVideos, client: Any, fault: Fault
) -> None:
    vendor.fault = fault
    video = client.videos.create_and_poll(**WISH)
    assert video.status == "failed"
    assert video.error.code == ("server_error" if fault is Fault.FAILED else "moderation_blocked")


def test_the_official_client_believes_the_simulators_webhooks(vendor: OpenAIVideos, client: Any) -> None:
    made = client.videos.create_and_poll(**WISH)
    headers, body = vendor.webhook(vendor.jobs[made.id])
    client.webhooks.verify_signature(body.decode(), headers, secret=vendor.secret)
    assert client.webhooks.unwrap(body.decode(), headers, secret=vendor.secret).data.id == made.id
    forged, lie = vendor.forged(vendor.jobs[made.id])
    with pytest.raises(official.InvalidWebhookSignatureError):
        client.webhooks.verify_signature(lie.decode(), forged, secret=vendor.secret)


def arrived(request: Request) -> tuple[object, ...]:
    return request.method, request.path, request.query, fields_of(request), request.status


@pytest.mark.parametrize("size", sorted(SIZES))
@pytest.mark.parametrize("seconds", RETIRED[1].durations)
@pytest.mark.parametrize("with_picture", [False, True])
def test_our_adapter_and_the_official_client_ask_the_same(
    vendor: OpenAIVideos,
    client: Any,
    files: RawServer,
    size: tuple[str, str],
    seconds: int,
    with_picture: bool,
) -> None:
    resolution, ratio = size
    request: RenderRequest = replace(
        a_request(RETIRED[1]), resolution=resolution, ratio=ratio, duration_seconds=seconds
    )
    wish: dict[str, Any] = {
        "model": "sora-2-pro",
        "prompt": request.prompt,
        "seconds": str(seconds),
        "size": SIZES[size],
    }
    if with_picture:
        request = with_image(request, files, SIZES[size])
        content = base64.b64encode(png(*map(int, SIZES[size].split("x")))).decode()
        wish["input_reference"] = {"image_url": f"data:image/png;base64,{content}"}
    submitted(adapter_of(vendor, files.url), request)
    as_json(client, "/videos", **wish)
    client.videos.create(**{key: value for key, value in wish.items() if key != "input_reference"})
    ours, theirs, form = vendor.requests
    same_bytes(ours, theirs)
    if not with_picture:
        assert arrived(ours) == arrived(form)
        assert ours.headers["authorization"] == form.headers["authorization"]


def same_bytes(ours: Request, theirs: Request) -> None:
    assert json.dumps(ours.json, sort_keys=True).encode() == json.dumps(theirs.json, sort_keys=True).encode()
    assert arrived(ours) == arrived(theirs)
    assert ours.status == 200
    for name in ("authorization", "content-type"):
        assert ours.headers[name] == theirs.headers[name]


@pytest.mark.parametrize("operation", ["extend", "edit"])
def test_our_adapter_and_the_official_client_go_on_the_same(
    vendor: OpenAIVideos, client: Any, operation: str
) -> None:
    adapter = adapter_of(vendor)
    earlier = submitted(adapter, a_request())
    ended(adapter, earlier)
    del vendor.requests[:]
    request = replace(of_an_earlier(a_request(mode=Mode.VIDEO), earlier), controls={"operation": operation})
    submitted(adapter, request)
    seconds = {"seconds": "4"} if operation == "extend" else {}
    path = "/videos/extensions" if operation == "extend" else "/videos/edits"
    as_json(client, path, prompt=request.prompt, video={"id": earlier}, **seconds)
    same_bytes(*vendor.requests)


def test_our_adapter_and_the_official_client_look_and_list_the_same(
    vendor: OpenAIVideos, client: Any
) -> None:
    adapter = adapter_of(vendor)
    made = submitted(adapter, a_request())
    output = ended(adapter, made).output
    assert output is not None
    del vendor.requests[:]
    adapter.fetch(made)
    client.videos.retrieve(made)
    adapter.listed(datetime.now(UTC) - timedelta(minutes=1))
    client.videos.list(limit=100, order="desc")
    client.videos.download_content(made).read()
    sent = [(one.method, one.path, one.query, one.headers["authorization"]) for one in vendor.requests]
    assert sent[0] == sent[1]
    assert sent[2] == sent[3]
    assert output.url.endswith(vendor.requests[4].path)
    assert output.headers == {"Authorization": sent[4][3]}
