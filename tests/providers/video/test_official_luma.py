"""Luma's own two clients against the simulators, and beside our adapters: the same wish is the same request."""

import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import luma_agents
import lumaai
import pytest

from providers.contract import InputMedia, Mode, RenderRequest, VideoProvider
from providers.http import Client, ClientConfig
from providers.video.luma import LumaProvider
from providers.video.luma_agents import LumaAgentsProvider
from tests.providers.contract import A_REQUEST
from tests.providers.sandbox import until
from tests.providers.servers import answers, serving
from tests.vendors import Luma, LumaAgents
from tests.vendors.server import Request
from tests.vendors.video import Fault, VideoVendor

# The clients would load the certificates anew, and need none.
TLS = ssl.create_default_context()
RAY_2 = replace(A_REQUEST, model="ray-2")
RAY_3 = replace(A_REQUEST, model="ray-3.2")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The official clients read it."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "LUMA_CUSTOM_HEADERS", "LUMA_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def dream_machine() -> Iterator[Luma]:
    with Luma(seconds=0.06) as simulator:
        yield simulator


@pytest.fixture
def agents() -> Iterator[LumaAgents]:
    with LumaAgents(seconds=0.06) as simulator:
        yield simulator


@pytest.fixture
def old(dream_machine: Luma) -> Iterator[lumaai.LumaAI]:
    with httpx.Client(verify=TLS, timeout=10) as http:
        yield lumaai.LumaAI(
            auth_token=dream_machine.key, base_url=dream_machine.url, max_retries=0, http_client=http
        )


@pytest.fixture
def new(agents: LumaAgents) -> Iterator[luma_agents.Luma]:
    with httpx.Client(verify=TLS, timeout=10) as http:
        yield luma_agents.Luma(auth_token=agents.key, base_url=agents.url, max_retries=0, http_client=http)


@pytest.fixture
def inputs() -> Iterator[str]:
    """Where pictures and videos lie."""
    with serving(answers(200, b"a picture")) as server:
        yield server.url


def ours(vendor: VideoVendor) -> VideoProvider:
    http = Client(ClientConfig(allowed_origins=frozenset({vendor.root})))
    kind = LumaProvider if isinstance(vendor, Luma) else LumaAgentsProvider
    return kind(url=vendor.url, api_key=vendor.key, http=http)


def canonical(request: Request) -> tuple[str, str, bytes, str | None]:
    body = json.dumps(request.json, sort_keys=True).encode()
    return request.method, request.path, body, request.headers.get("authorization")


# Dream Machine


def test_the_official_client_makes_a_video(dream_machine: Luma, old: lumaai.LumaAI) -> None:
    dream_machine.seconds = 60
    made = old.generations.create(
        model="ray-flash-2",
        prompt="A paper boat",
        aspect_ratio="9:16",
        resolution="720p",
        duration="5s",
        loop=True,
    )
    assert (made.state, made.model, made.generation_type) == ("queued", "ray-flash-2", "video")
    assert made.id is not None
    assert made.created_at is not None
    assert made.created_at.tzinfo is not None
    dream_machine.jobs[made.id].began -= 60
    done = old.generations.get(made.id)
    assert done.state == "completed"
    assert done.assets is not None
    assert done.assets.video == dream_machine.link(dream_machine.jobs[made.id])
    assert done.request is not None
    assert done.request.to_dict()["aspect_ratio"] == "9:16"


def test_the_official_client_lists_deletes_and_asks(dream_machine: Luma, old: lumaai.LumaAI) -> None:
    ids = [old.generations.create(model="ray-2", prompt="A paper boat").id for _ in range(3)]
    page = old.generations.list(limit=2, offset=1)
    assert [one.id for one in page.generations] == [ids[1], ids[0]]
    assert (page.count, page.limit, page.offset, page.has_more) == (2, 2, 1, False)
    old.generations.delete(ids[0] or "")
    assert ids[0] not in dream_machine.jobs
    assert "crane_up" in old.generations.concepts.list()
    assert old.credits.get().credit_balance == 50_000
    assert old.ping.check().message == "pong"


def test_the_official_client_adds_to_a_finished_video(dream_machine: Luma, old: lumaai.LumaAI) -> None:
    dream_machine.seconds = 60
    made = old.generations.create(model="ray-2", prompt="A paper boat")
    with pytest.raises(lumaai.BadRequestError):
        old.generations.upscale(made.id or "", resolution="4k")
    dream_machine.jobs[made.id or ""].began -= 60
    assert old.generations.upscale(made.id or "", resolution="4k").state == "queued"
    assert old.generations.audio(made.id or "", prompt="rain").state == "queued"
    assert len(dream_machine.jobs) == 3


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.WRONG_KEY, lumaai.AuthenticationError),
        (Fault.NO_BALANCE, lumaai.APIStatusError),
        (Fault.REFUSED, lumaai.UnprocessableEntityError),
        (Fault.RATE_LIMITED, lumaai.RateLimitError),
        (Fault.SERVER_ERROR, lumaai.InternalServerError),
        (Fault.HANG_UP_AFTER_ACCEPTING, lumaai.APIConnectionError),
    ],
)
def test_the_official_client_reads_each_refusal(
    dream_machine: Luma, old: lumaai.LumaAI, fault: Fault, kind: type[Exception]
) -> None:
    dream_machine.fault = fault
    with pytest.raises(kind) as refusal:
        old.generations.create(model="ray-2", prompt="A paper boat")
    if isinstance(refusal.value, lumaai.APIStatusError):
        assert isinstance(refusal.value.body, dict)
        assert isinstance(refusal.value.body["detail"], str)


@pytest.mark.parametrize(
    "wish",
    [
        {"prompt": "Hi"},
        {},
        {"prompt": "A boat", "duration": "7s"},
        {"prompt": "A boat", "keyframes": {}},
        {"prompt": "A boat", "extra_body": {"seed": 7}},
    ],
)
@pytest.mark.parametrize("names_fields", [True, False])
def test_the_official_client_is_refused_too(
    dream_machine: Luma, old: lumaai.LumaAI, wish: dict[str, Any], names_fields: bool
) -> None:
    dream_machine.names_fields = names_fields
    with pytest.raises((lumaai.BadRequestError, lumaai.UnprocessableEntityError)):
        old.generations.create(model="ray-2", **wish)
    with pytest.raises(lumaai.NotFoundError):
        old.generations.get("nobody")


def picture(inputs: str, name: str) -> InputMedia:
    return InputMedia(url=f"{inputs}/{name}.png", media_type="image/png")


def video(inputs: str, own: str) -> InputMedia:
    return InputMedia(url=f"{inputs}/source.mp4", media_type="video/mp4", vendor_id=own)


USUAL: Any = {
    "model": "ray-2",
    "prompt": "A paper boat",
    "generation_type": "video",
    "aspect_ratio": "16:9",
    "resolution": "720p",
    "duration": "5s",
    "loop": False,
}
Wish = Callable[[str, str], RenderRequest]
Pair = tuple[Wish, Callable[[Any, str, str], object]]
OLD_PAIRS: dict[str, Pair] = {
    "text": (
        lambda inputs, own: replace(
            RAY_2,
            ratio="21:9",
            resolution="4K",
            duration_seconds=9,
            controls={"loop": True, "camera": "crane_up"},
        ),
        lambda client, inputs, own: client.generations.create(
            **USUAL | {"aspect_ratio": "21:9", "resolution": "4k", "duration": "9s", "loop": True},
            concepts=[{"key": "crane_up"}],
        ),
    ),
    "first and last": (
        lambda inputs, own: replace(
            RAY_2, mode=Mode.FIRST_LAST, start_image=picture(inputs, "a"), end_image=picture(inputs, "b")
        ),
        lambda client, inputs, own: client.generations.create(
            **USUAL,
            keyframes={
                "frame0": {"type": "image", "url": f"{inputs}/a.png"},
                "frame1": {"type": "image", "url": f"{inputs}/b.png"},
            },
        ),
    ),
    "extend": (
        lambda inputs, own: replace(
            RAY_2, mode=Mode.VIDEO, source_video=video(inputs, own), controls={"task": "extend"}
        ),
        lambda client, inputs, own: client.generations.create(
            **USUAL, keyframes={"frame0": {"type": "generation", "id": own}}
        ),
    ),
    "modify": (
        lambda inputs, own: replace(
            RAY_2, mode=Mode.VIDEO, source_video=video(inputs, ""), controls={"strength": "adhere_1"}
        ),
        lambda client, inputs, own: client.generations.video.modify(
            generation_type="modify_video",
            model="ray-2",
            mode="adhere_1",
            media={"url": f"{inputs}/source.mp4"},
            prompt="A paper boat",
        ),
    ),
    "reframe": (
        lambda inputs, own: replace(
            RAY_2,
            mode=Mode.VIDEO,
            source_video=video(inputs, ""),
            start_image=picture(inputs, "a"),
            ratio="9:16",
            controls={"task": "reframe"},
        ),
        lambda client, inputs, own: client.generations.video.reframe(
            generation_type="reframe_video",
            model="ray-2",
            aspect_ratio="9:16",
            media={"url": f"{inputs}/source.mp4"},
            first_frame={"url": f"{inputs}/a.png"},
            prompt="A paper boat",
        ),
    ),
}


@pytest.mark.parametrize("name", OLD_PAIRS)
def test_dream_machine_is_sent_the_same_by_both(
    dream_machine: Luma, old: lumaai.LumaAI, inputs: str, name: str
) -> None:
    own = old.generations.create(model="ray-2", prompt="A paper boat").id or ""
    until(lambda: dream_machine.jobs[own].has_media)
    ask, call = OLD_PAIRS[name]
    ours(dream_machine).submit(ask(inputs, own), client_token="t", callback_url=None)
    call(old, inputs, own)
    mine, theirs = dream_machine.requests[-2:]
    assert (mine.status, theirs.status) == (201, 201)
    assert canonical(mine) == canonical(theirs)


def test_a_callback_and_a_look_are_the_same_by_both(dream_machine: Luma, old: lumaai.LumaAI) -> None:
    dream_machine.fault = Fault.NO_WEBHOOK
    callback = "https://studio.example/webhooks/luma/t/"
    provider = ours(dream_machine)
    made = provider.submit(RAY_2, client_token="t", callback_url=callback)
    old.generations.create(**USUAL, callback_url=callback)
    mine, theirs = dream_machine.requests[-2:]
    assert canonical(mine) == canonical(theirs)
    provider.fetch(made.external_id)
    old.generations.get(made.external_id)
    provider.account()
    old.credits.get()
    first, second, third, fourth = dream_machine.requests[-4:]
    assert (first.method, first.path) == (second.method, second.path)
    assert (third.method, third.path) == (fourth.method, fourth.path)


# The newer API


def test_the_official_client_makes_a_video_with_ray_3(agents: LumaAgents, new: luma_agents.Luma) -> None:
    agents.seconds = 60
    raw = new.generations.with_raw_response.create(
        prompt="A paper boat",
        model="ray-3.2",
        type="video",
        video={"resolution": "360p", "duration": "5s"},
        extra_headers={"X-Request-Id": "mine"},
    )
    made = raw.parse()
    assert (made.state, made.type, made.model, made.output) == ("queued", "video", "ray-3.2", [])
    assert (raw.headers["X-Request-Id"], raw.headers["X-API-Version"]) == ("mine", "2026-04-01")
    assert raw.headers["X-RateLimit-Limit"] == "30"
    agents.jobs[made.id].began -= 60
    [output] = new.generations.get(made.id).output or []
    assert output.type == "video"
    assert output.url.startswith(agents.link(agents.jobs[made.id]))


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.WRONG_KEY, luma_agents.AuthenticationError),
        (Fault.NO_BALANCE, luma_agents.APIStatusError),
        (Fault.REFUSED, luma_agents.UnprocessableEntityError),
        (Fault.RATE_LIMITED, luma_agents.RateLimitError),
        (Fault.SERVER_ERROR, luma_agents.InternalServerError),
    ],
)
def test_the_official_client_reads_each_refusal_of_the_newer_api(
    agents: LumaAgents, new: luma_agents.Luma, fault: Fault, kind: type[Exception]
) -> None:
    agents.fault = fault
    with pytest.raises(kind):
        new.generations.create(prompt="A paper boat", model="ray-3.2", type="video")


URL = "https://studio.example/a.png"
START: Any = {"url": URL}
TWO: Any = [START, START]


@pytest.mark.parametrize(
    "wish",
    [
        {"prompt": ""},
        {"model": "uni-1"},
        {"video": {"duration": "10s", "hdr": True}},
        {"video": {"duration": "10s", "start_frame": START}},
        {"video": {"loop": True, "hdr": True, "resolution": "720p"}},
        {"video": {"loop": True, "end_frame": START}},
        {"video": {"hdr": True, "resolution": "540p"}},
        {"video": {"exr_export": True}},
        {"video": {"start_frame": {"url": URL, "data": "AAAA"}}},
        {"video": {"start_frame": {"data": "AAAA"}}},
        {"video": {"start_frame": {"generation_id": "nobody"}}},
        {"video": {"keyframes": TWO, "keyframe_indexes": [0, 0]}},
        {"video": {"keyframes": TWO, "keyframe_indexes": [0, 121]}},
        {"video": {"keyframes": TWO, "keyframe_indexes": [0, 9], "start_frame": START}},
        {"extra_body": {"callback_url": "https://studio.example/hook/"}},
        {"aspect_ratio": "3:1"},
        {"video": {"resolution": "4k"}},
        {"video": {"edit": {"strength": "flex_1"}}},
        {"type": "video_edit", "video": {"edit": {"strength": "flex_1"}}},
        {"type": "video_edit", "source": START, "video": {"edit": {"strength": "flex_1"}}},
        {"type": "video_reframe", "source": {"url": URL, "media_type": "video/mp4"}},
    ],
)
def test_the_newer_api_refuses_what_does_not_go_together(new: luma_agents.Luma, wish: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"prompt": "A paper boat", "model": "ray-3.2", "type": "video"}
    with pytest.raises(luma_agents.BadRequestError) as refusal:
        new.generations.create(**usual | wish)
    assert isinstance(refusal.value.body, dict)


PLAIN: Any = {"prompt": "A paper boat", "model": "ray-3.2", "type": "video", "aspect_ratio": "16:9"}
OPTIONS: Any = {"resolution": "720p", "duration": "5s", "loop": False, "hdr": False}
NEW_PAIRS: dict[str, Pair] = {
    "text": (
        lambda inputs, own: replace(RAY_3, duration_seconds=10, resolution="1080p", ratio="21:9"),
        lambda client, inputs, own: client.generations.create(
            **PLAIN | {"aspect_ratio": "21:9"}, video=OPTIONS | {"duration": "10s", "resolution": "1080p"}
        ),
    ),
    "first and last": (
        lambda inputs, own: replace(
            RAY_3,
            mode=Mode.FIRST_LAST,
            start_image=picture(inputs, "a"),
            end_image=picture(inputs, "b"),
            controls={"hdr": True},
        ),
        lambda client, inputs, own: client.generations.create(
            **PLAIN,
            video=OPTIONS
            | {
                "hdr": True,
                "start_frame": {"url": f"{inputs}/a.png"},
                "end_frame": {"url": f"{inputs}/b.png"},
            },
        ),
    ),
    "extend": (
        lambda inputs, own: replace(
            RAY_3, mode=Mode.VIDEO, source_video=video(inputs, own), controls={"task": "extend_backward"}
        ),
        lambda client, inputs, own: client.generations.create(
            **PLAIN, video=OPTIONS | {"end_frame": {"generation_id": own}}
        ),
    ),
    "modify": (
        lambda inputs, own: replace(RAY_3, mode=Mode.VIDEO, source_video=video(inputs, own)),
        lambda client, inputs, own: client.generations.create(
            prompt="A paper boat",
            model="ray-3.2",
            type="video_edit",
            source={"url": f"{inputs}/source.mp4", "media_type": "video/mp4"},
            video={
                "resolution": "720p",
                "hdr": False,
                "edit": {"strength": "flex_2", "auto_controls": False},
            },
        ),
    ),
    "reframe": (
        lambda inputs, own: replace(
            RAY_3, mode=Mode.VIDEO, source_video=video(inputs, own), controls={"task": "reframe"}, ratio="1:1"
        ),
        lambda client, inputs, own: client.generations.create(
            **PLAIN | {"type": "video_reframe", "aspect_ratio": "1:1"},
            source={"url": f"{inputs}/source.mp4", "media_type": "video/mp4"},
            video={"resolution": "720p"},
        ),
    ),
}


@pytest.mark.parametrize("name", NEW_PAIRS)
def test_the_newer_api_is_sent_the_same_by_both(
    agents: LumaAgents, new: luma_agents.Luma, inputs: str, name: str
) -> None:
    own = new.generations.create(prompt="A paper boat", model="ray-3.2", type="video").id
    until(lambda: agents.jobs[own].has_media)
    ask, call = NEW_PAIRS[name]
    provider = ours(agents)
    made = provider.submit(ask(inputs, own), client_token="t", callback_url=None)
    call(new, inputs, own)
    mine, theirs = agents.requests[-2:]
    assert (mine.status, theirs.status) == (201, 201)
    assert canonical(mine) == canonical(theirs)
    provider.fetch(made.external_id)
    new.generations.get(made.external_id)
    first, second = agents.requests[-2:]
    assert (first.method, first.path) == (second.method, second.path)
