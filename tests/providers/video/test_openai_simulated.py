"""The adapter of OpenAI's Videos API against it as a local server: every model, mode and option, and every fault."""

import io
import socket
import struct
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from providers import registry
from providers.contract import InputMedia, Mode, RenderRequest, RenderState, RenderUpdate, VideoProvider
from providers.errors import (
    BadSignature,
    BalanceUsedUp,
    CredentialsRefused,
    FailureCode,
    JobNotFound,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    ReadFailed,
    RenderFailed,
    RequestRefused,
)
from providers.facts import VideoModel
from providers.http import BadStatus, Client, ClientConfig
from providers.video.openai import RETIRED, SIZES, OpenAIProvider, gateway_models
from tests.providers.sandbox import ended, until
from tests.providers.servers import RawServer, Received, answers, serving
from tests.vendors.openai import OpenAIVideos
from tests.vendors.video import Fault, clip

TOKEN = "attempt-1"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
MODELS = (*RETIRED, *gateway_models("wan-2.6"))


@pytest.fixture
def vendor() -> Iterator[OpenAIVideos]:
    with OpenAIVideos(seconds=0.2) as running:
        running.models["wan-2.6"] = ("720x1280", "1280x720")
        yield running


@pytest.fixture
def gateway() -> Iterator[OpenAIVideos]:
    with OpenAIVideos(seconds=0.2, gateway=True) as running:
        yield running


@pytest.fixture
def files() -> Iterator[RawServer]:
    """Answers /1280x720.png with a picture of that size."""

    def behave(connection: socket.socket, received: Received) -> None:
        name = received.line.split()[1].partition(".")[0].removeprefix("/")
        width, height = map(int, name.split("x"))
        answers(200, png(width, height))(connection, received)

    with serving(behave) as server:
        yield server


def png(width: int, height: int) -> bytes:
    """The head of one, which is all that is looked at."""
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + bytes(5)


def http_of(*origins: str) -> Client:
    return Client(ClientConfig(allowed_origins=frozenset(origins), read_seconds=0.5, total_seconds=2))


def adapter_of(vendor: OpenAIVideos, *more: str) -> OpenAIProvider:
    return OpenAIProvider(
        url=vendor.url, api_key=vendor.key, webhook_secrets=[vendor.secret], http=http_of(vendor.root, *more)
    )


def a_request(model: VideoModel = RETIRED[0], mode: Mode = Mode.TEXT) -> RenderRequest:
    return RenderRequest(
        model=model.vendor_model,
        mode=mode,
        prompt="A paper boat",
        duration_seconds=model.default_duration,
        resolution=model.resolutions[0],
        ratio=model.default_ratio,
    )


def with_image(request: RenderRequest, files: RawServer, size: str) -> RenderRequest:
    image = InputMedia(url=f"{files.url}/{size}.png?signature=1", media_type="image/png")
    return replace(request, mode=Mode.IMAGE, start_image=image)


def of_an_earlier(request: RenderRequest, external_id: str) -> RenderRequest:
    video = InputMedia(url="https://store.example/a.mp4", media_type="video/mp4", vendor_id=external_id)
    return replace(request, mode=Mode.VIDEO, source_video=video)


def wishes(model: VideoModel, files: RawServer, earlier: str) -> Iterator[RenderRequest]:
    for mode in sorted(model.modes):
        for resolution in model.resolutions:
            for duration in model.durations_for(mode, resolution):
                for ratio in model.ratios:
                    usual = replace(
                        a_request(model, mode), resolution=resolution, duration_seconds=duration, ratio=ratio
                    )
                    match mode:
                        case Mode.IMAGE:
                            yield with_image(usual, files, SIZES[resolution, ratio])
                        case Mode.VIDEO:
                            for operation in ("extend", "edit"):
                                yield replace(
                                    of_an_earlier(usual, earlier), controls={"operation": operation}
                                )
                        case _:
                            yield usual


def submitted(adapter: VideoProvider, request: RenderRequest) -> str:
    return adapter.submit(request, client_token=TOKEN, callback_url=None).external_id


def downloaded(client: Client, update: RenderUpdate) -> bytes:
    assert update.output is not None
    content = io.BytesIO()
    client.download(update.output, content, max_bytes=10_000_000)
    return content.getvalue()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_every_mode_and_option_of_the_catalogue_is_taken(
    vendor: OpenAIVideos, files: RawServer, model: VideoModel
) -> None:
    adapter, count = adapter_of(vendor, files.url), 1
    earlier = submitted(adapter, a_request(model))
    assert ended(adapter, earlier).state is RenderState.SUCCEEDED
    for request in wishes(model, files, earlier):
        external_id = submitted(adapter, request)
        count += 1
    assert len(vendor.jobs) == count > 12
    assert {request.status for request in vendor.requests if request.method == "POST"} == {200}
    update = ended(adapter, external_id)
    assert update.state is RenderState.SUCCEEDED
    assert downloaded(http_of(vendor.root), update) == clip()


@pytest.mark.parametrize(
    ("size", "refused"), [("1280x720", False), ("720x1280", True), ("1280x721", True), ("0x0", True)]
)
def test_a_start_image_has_the_videos_very_size(
    vendor: OpenAIVideos, files: RawServer, size: str, refused: bool
) -> None:
    adapter, request = adapter_of(vendor, files.url), with_image(a_request(), files, size)
    if not refused:
        assert submitted(adapter, request)
        return
    with pytest.raises(RequestRefused) as refusal:
        submitted(adapter, request)
    assert refusal.value.code is FailureCode.INPUT_UNREADABLE


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"duration_seconds": 16}, FailureCode.INVALID),
        ({"resolution": "1080p"}, FailureCode.INVALID),
        ({"prompt": "x" * 32_001}, FailureCode.INVALID),
        ({"model": "sora-3"}, FailureCode.MODEL_UNAVAILABLE),
    ],
)
def test_what_the_catalogue_leaves_out_is_refused(
    vendor: OpenAIVideos, change: dict[str, Any], code: FailureCode
) -> None:
    with pytest.raises(RequestRefused) as refusal:
        submitted(adapter_of(vendor), replace(a_request(), **change))
    assert refusal.value.code is code


def test_a_model_that_was_shut_down_is_unavailable(vendor: OpenAIVideos) -> None:
    vendor.shut_down = True
    with pytest.raises(RequestRefused) as refusal:
        submitted(adapter_of(vendor), a_request())
    assert refusal.value.code is FailureCode.MODEL_UNAVAILABLE


def test_a_video_is_continued_until_it_is_too_long(vendor: OpenAIVideos) -> None:
    adapter = adapter_of(vendor)
    external_id = submitted(adapter, a_request())
    lengths = []
    for _ in range(5):
        assert ended(adapter, external_id).state is RenderState.SUCCEEDED
        lengths.append(vendor.jobs[external_id].more["seconds"])
        longer = replace(of_an_earlier(a_request(), external_id), duration_seconds=20)
        external_id = submitted(adapter, longer)
    assert lengths == ["4", "24", "44", "64", "84"]
    ended(adapter, external_id)
    for earlier in (external_id, "nothing"):
        with pytest.raises(RequestRefused) as refusal:
            submitted(adapter, replace(of_an_earlier(a_request(), earlier), duration_seconds=20))
        assert refusal.value.code is FailureCode.INPUT_UNREADABLE


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        (Fault.RATE_LIMITED, RateLimited, None),
        (Fault.WRONG_KEY, CredentialsRefused, None),
        (Fault.NO_BALANCE, BalanceUsedUp, None),
        (Fault.REFUSED, RequestRefused, FailureCode.INVALID),
        (Fault.MODERATED_AT_SUBMIT, RequestRefused, FailureCode.MODERATED),
        (Fault.SERVER_ERROR, OutcomeUnknown, None),
    ],
)
def test_what_is_not_accepted_says_why(
    vendor: OpenAIVideos, fault: Fault, kind: type[ProviderError], code: FailureCode | None
) -> None:
    vendor.fault = fault
    with pytest.raises(ProviderError) as failure:
        submitted(adapter_of(vendor), a_request())
    assert type(failure.value) is kind
    assert getattr(failure.value, "code", None) is code
    assert not vendor.jobs
    if isinstance(failure.value, RateLimited):
        assert failure.value.retry_after == timedelta(seconds=1)


@pytest.mark.parametrize(
    "fault",
    [
        Fault.SERVER_ERROR_AFTER_ACCEPTING,
        Fault.SILENCE_AFTER_ACCEPTING,
        Fault.HANG_UP_AFTER_ACCEPTING,
        Fault.GARBAGE_AFTER_ACCEPTING,
    ],
)
def test_what_was_accepted_without_our_hearing_of_it_is_found(vendor: OpenAIVideos, fault: Fault) -> None:
    vendor.fault, since = fault, datetime.now(UTC)
    adapter = adapter_of(vendor)
    with pytest.raises(OutcomeUnknown):
        submitted(adapter, a_request())
    found = adapter.find(TOKEN, request=a_request(), since=since)
    assert found is not None
    assert [found.external_id] == list(vendor.jobs)
    assert adapter.find(TOKEN, request=replace(a_request(), prompt="Another"), since=since) is None
    later = datetime.now(UTC) + timedelta(seconds=2)
    assert adapter.find(TOKEN, request=a_request(), since=later) is None


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.FAILED, FailureCode.VENDOR_FAULT),
        (Fault.MODERATED, FailureCode.MODERATED),
        (Fault.NO_MEDIA, FailureCode.NO_MEDIA),
    ],
)
def test_a_bad_end_says_which(vendor: OpenAIVideos, fault: Fault, code: FailureCode) -> None:
    vendor.fault = fault
    adapter = adapter_of(vendor)
    update = ended(adapter, submitted(adapter, a_request()))
    assert isinstance(update.failure, RenderFailed)
    assert update.failure.code is code


@pytest.mark.parametrize(
    ("fault", "kind", "times"),
    [
        (Fault.STATUS_ERROR, ReadFailed, 2),
        (Fault.STATUS_GARBAGE, ReadFailed, 2),
        (Fault.STATUS_RATE_LIMITED, RateLimited, 1),
    ],
)
def test_a_look_that_fails_is_tried_again(
    vendor: OpenAIVideos, fault: Fault, kind: type[ProviderError], times: int
) -> None:
    vendor.fault = fault
    adapter = adapter_of(vendor)
    external_id = submitted(adapter, a_request())
    for _ in range(times):
        with pytest.raises(kind):
            adapter.fetch(external_id)
    assert ended(adapter, external_id).state is RenderState.SUCCEEDED


def test_a_word_that_nobody_documented_is_unknown_until_it_goes_away(vendor: OpenAIVideos) -> None:
    vendor.fault = Fault.UNKNOWN_WORD
    adapter = adapter_of(vendor)
    external_id = submitted(adapter, a_request())
    assert adapter.fetch(external_id).state is RenderState.UNKNOWN
    assert ended(adapter, external_id).state is RenderState.SUCCEEDED


def test_what_the_vendor_has_forgotten_is_not_found(vendor: OpenAIVideos) -> None:
    vendor.fault = Fault.LOST
    adapter = adapter_of(vendor)
    external_id = submitted(adapter, a_request())

    def lost() -> bool:
        try:
            adapter.fetch(external_id)
        except JobNotFound:
            return True
        return False

    assert until(lost)


def test_a_stuck_video_goes_on_running(vendor: OpenAIVideos) -> None:
    vendor.fault, vendor.seconds = Fault.STUCK, 0.01
    adapter = adapter_of(vendor)
    external_id = submitted(adapter, a_request())
    assert until(lambda: adapter.fetch(external_id).state is RenderState.RUNNING)


@pytest.mark.parametrize("fault", [Fault.LINK_EXPIRED, Fault.TRUNCATED])
def test_a_file_that_fails_is_seen_by_its_download(vendor: OpenAIVideos, fault: Fault) -> None:
    vendor.fault = fault
    adapter = adapter_of(vendor)
    update = ended(adapter, submitted(adapter, a_request()))
    client = http_of(vendor.root)
    if fault is Fault.LINK_EXPIRED:
        with pytest.raises(BadStatus):
            downloaded(client, update)
        assert downloaded(client, update) == clip()
    else:
        assert downloaded(client, update) == clip()[: len(clip()) // 2]


def test_the_key_does_not_follow_a_redirect_to_another_host(vendor: OpenAIVideos) -> None:
    """Another name of this machine is another host; its files are refused to whoever shows a key."""
    elsewhere = vendor.root.replace("127.0.0.1", "localhost")
    vendor.redirect_to = elsewhere
    adapter = adapter_of(vendor)
    update = ended(adapter, submitted(adapter, a_request()))
    assert downloaded(http_of(vendor.root, elsewhere), update) == clip()
    assert "authorization" not in vendor.requests[-1].headers


def test_the_list_has_every_page_from_a_moment_on(vendor: OpenAIVideos) -> None:
    adapter = adapter_of(vendor)
    old = submitted(adapter, a_request())
    vendor.jobs[old].created_at -= 3600
    made = [submitted(adapter, a_request()) for _ in range(101)]
    since = datetime.now(UTC) - timedelta(seconds=60)
    assert [one.external_id for one in adapter.listed(since)] == made[::-1]
    looks = [request for request in vendor.requests if request.method == "GET"]
    assert [request.query.get("after") for request in looks] == [None, [made[1]]]


@pytest.mark.parametrize("fault", [None, Fault.WEBHOOK_TWICE, Fault.FAILED, Fault.WEBHOOK_FORGED])
def test_the_projects_endpoint_is_told_and_we_believe_it(vendor: OpenAIVideos, fault: Fault | None) -> None:
    vendor.fault = fault
    adapter = adapter_of(vendor)
    with serving(answers(204, b"")) as receiver:
        vendor.endpoint = f"{receiver.url}/hook"
        external_id = submitted(adapter, a_request())
        count = 2 if fault in (Fault.WEBHOOK_TWICE, Fault.WEBHOOK_FORGED) else 1
        assert until(lambda: len(receiver.received) == count)
    deliveries = [(_headers(one.head), one.body) for one in receiver.received]
    if fault is Fault.WEBHOOK_FORGED:
        with pytest.raises(BadSignature):
            adapter.read_webhook(*deliveries.pop(0))
    for headers, body in deliveries:
        [update] = adapter.read_webhook(headers, body)
        assert update.external_id == external_id
        assert update.state is (RenderState.FAILED if fault is Fault.FAILED else RenderState.SUCCEEDED)
        assert update.event_id
        if fault is not Fault.FAILED:
            assert downloaded(http_of(vendor.root), update) == clip()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_gateways_own_ways_are_taken(gateway: OpenAIVideos, elsewhere: bool) -> None:
    other = gateway.root.replace("127.0.0.1", "localhost")
    gateway.redirect_to = other if elsewhere else None
    adapter = adapter_of(gateway)
    external_id = submitted(adapter, a_request())
    assert not external_id.startswith("video_")
    first = adapter.fetch(external_id)
    assert (first.state, first.vendor_state) == (RenderState.QUEUED, "pending")
    update = ended(adapter, external_id)
    assert downloaded(http_of(gateway.root, other), update) == clip()
    assert ("authorization" in gateway.requests[-1].headers) is not elsewhere
    with pytest.raises(ReadFailed):
        adapter.find(TOKEN, request=a_request(), since=SINCE)
    gateway.jobs[external_id].cancelled = True
    assert adapter.fetch(external_id).state is RenderState.CANCELLED


def test_its_settings_lead_the_registry_to_it(vendor: OpenAIVideos, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in vendor.environment().items():
        monkeypatch.setenv(name, value)
    adapter = registry.provider(vendor.name)
    assert isinstance(adapter, OpenAIProvider)
    monkeypatch.setattr(adapter, "_http", http_of(vendor.root))
    assert [submitted(adapter, a_request())] == list(vendor.jobs)


def _headers(head: bytes) -> dict[str, str]:
    lines = (line.decode().partition(":") for line in head.split(b"\r\n")[1:])
    return {name: value.strip() for name, _, value in lines}
