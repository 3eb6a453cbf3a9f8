"""Runway's own client, runwayml 5.24.0, against the simulator: it holds it to what the vendor really speaks.

And the same wish through it and through our adapter: the same on the wire.
"""

import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import runwayml
from runwayml import RunwayML
from runwayml.types.task_retrieve_response import Cancelled, Failed, Pending, Running, Succeeded, Throttled

from providers.contract import AccountLimits, Mode
from providers.inputs import as_base64
from tests.providers.servers import serving
from tests.vendors import Request
from tests.vendors.runway import Runway
from tests.vendors.video import Fault, clip

from .test_runway import BIG_PNG, PNG, TEXT, adapter_at, picture, presigned, submit, wish

# The client would load the certificates anew, and needs none.
TLS = ssl.create_default_context()
PROMPT = "A paper boat"
PICTURE = f"data:image/png;base64,{as_base64(PNG)}"


@pytest.fixture(autouse=True)
def nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The official client reads it."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "RUNWAYML_API_SECRET", "RUNWAYML_CUSTOM_HEADERS"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def shelf() -> Iterator[str]:
    with serving(presigned) as server:
        yield server.url


@pytest.fixture
def vendor() -> Iterator[Runway]:
    with Runway(seconds=0.1) as running:
        yield running


@pytest.fixture
def client(vendor: Runway) -> Iterator[RunwayML]:
    with httpx.Client(verify=TLS, timeout=20) as transport:
        yield RunwayML(api_key=vendor.key, base_url=vendor.url, max_retries=0, http_client=transport)


def make(client: RunwayML, **more: Any) -> str:
    asked: dict[str, Any] = {"model": "gen4.5", "prompt_text": PROMPT, "ratio": "1280:720", "duration": 5}
    return client.text_to_video.create(**asked | more).id


def ended(client: RunwayML, id: str) -> Any:
    for _ in range(2_000):
        task = client.tasks.retrieve(id)
        if not isinstance(task, Pending | Throttled | Running):
            return task
    raise AssertionError("it does not end")


def test_the_official_client_makes_a_video_and_reads_what_it_cost(vendor: Runway, client: RunwayML) -> None:
    made = client.text_to_video.create(
        model="veo3.1", prompt_text=PROMPT, ratio="1920:1080", duration=8, audio=False
    )
    assert made.to_dict()["estimatedCost"] == {"credits": 160}
    task = ended(client, made.id)
    assert isinstance(task, Succeeded)
    assert (task.id, task.cost.credits) == (made.id, 160)
    assert task.created_at.tzinfo is not None
    assert httpx.get(task.output[0], verify=TLS, timeout=20).content == clip()
    assert client.tasks.retrieve(made.id).output != task.output, "each look has a link of its own"  # type: ignore[union-attr]


def test_the_official_client_reads_every_state_of_a_task(vendor: Runway, client: RunwayML) -> None:
    vendor.seconds = 30
    first, second = make(client), make(client)
    waiting, throttled = client.tasks.retrieve(first), client.tasks.retrieve(second)
    assert isinstance(waiting, Pending)
    assert isinstance(throttled, Throttled)
    assert throttled.estimated_cost.credits == 60
    vendor.jobs[first].began -= 15
    running = client.tasks.retrieve(first)
    assert isinstance(running, Running)
    assert 0.4 < running.progress < 0.7


@pytest.mark.parametrize(
    ("fault", "kind", "code", "credits"),
    [
        (Fault.FAILED, Failed, "INTERNAL.BAD_OUTPUT.CODE01", 0),
        (Fault.MODERATED, Failed, "SAFETY.INPUT.TEXT", 60),
        (Fault.CANCELLED, Cancelled, None, 0),
        (Fault.NO_MEDIA, Succeeded, None, 60),
    ],
)
def test_the_official_client_reads_how_a_task_ends(
    vendor: Runway, client: RunwayML, fault: Fault, kind: type, code: str | None, credits: int
) -> None:
    vendor.fault = fault
    task = ended(client, make(client))
    assert isinstance(task, kind)
    assert (getattr(task, "failure_code", None), task.cost.credits) == (code, credits)  # type: ignore[attr-defined]


def test_the_official_client_stops_and_deletes(vendor: Runway, client: RunwayML) -> None:
    vendor.seconds = 30
    running = make(client)
    client.tasks.delete(running)
    vendor.seconds = 0
    done = make(client)
    link = ended(client, done).output[0]
    client.tasks.delete(done)
    for id in (running, done):
        for call in (client.tasks.retrieve, client.tasks.delete):
            with pytest.raises(runwayml.NotFoundError):
                call(id)
    assert vendor.jobs[running].cancelled
    assert httpx.get(link, verify=TLS, timeout=20).status_code == 404, "the video is deleted with its task"


@pytest.mark.parametrize("content", [PNG + bytes(600), BIG_PNG, clip()])
def test_the_official_client_uploads_and_uses_what_it_uploaded(
    vendor: Runway, client: RunwayML, content: bytes
) -> None:
    is_video = content == clip()
    name = "in.mp4" if is_video else "in.png"
    uri = client.uploads.create_ephemeral(file=(name, content)).uri
    assert vendor.uploads[uri].content == content
    if is_video:
        client.video_to_video.create(model="aleph2", video_uri=uri, prompt_text=PROMPT)
    else:
        client.image_to_video.create(model="gen4_turbo", prompt_image=uri, ratio="1280:720", duration=5)
    assert len(vendor.jobs) == 1


def test_the_official_client_is_refused_too_small_an_upload(client: RunwayML) -> None:
    with pytest.raises(runwayml.APIStatusError):
        client.uploads.create_ephemeral(file=("in.png", PNG))


def test_the_official_client_and_ours_read_the_same_account(vendor: Runway, client: RunwayML) -> None:
    make(client)
    theirs = client.organization.retrieve()
    ours = adapter_at(vendor.url, vendor.key).account()
    assert theirs.usage.models["gen4.5"].daily_generations == 1
    assert ours.balance is not None
    assert theirs.credit_balance == ours.balance * 100
    assert ours.limits == {
        name: AccountLimits(concurrent=one.max_concurrent_generations, per_day=one.max_daily_generations)
        for name, one in theirs.tier.models.items()
    }
    assert None in {one.per_day for one in ours.limits.values()}


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"ratio": "960:960"}, runwayml.BadRequestError),
        ({"duration": 11}, runwayml.BadRequestError),
        ({"model": "veo3"}, runwayml.BadRequestError),
        ({"prompt_text": "🙂" * 501}, runwayml.BadRequestError),
        ({"prompt_text": ""}, runwayml.BadRequestError),
        ({"extra_body": {"watermark": False}}, runwayml.BadRequestError),
        ({"extra_headers": {"X-Runway-Version": "2023-09-01"}}, runwayml.BadRequestError),
    ],
)
def test_the_official_client_is_refused_what_the_vendor_does_not_take(
    client: RunwayML, more: dict[str, Any], kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        make(client, **more)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.RATE_LIMITED, runwayml.RateLimitError),
        (Fault.WRONG_KEY, runwayml.AuthenticationError),
        (Fault.NO_BALANCE, runwayml.BadRequestError),
        (Fault.REFUSED, runwayml.BadRequestError),
        (Fault.SERVER_ERROR, runwayml.InternalServerError),
        (Fault.HANG_UP_AFTER_ACCEPTING, runwayml.APIConnectionError),
    ],
)
def test_the_official_client_raises_its_own_error(
    vendor: Runway, client: RunwayML, fault: Fault, kind: type[Exception]
) -> None:
    vendor.fault = fault
    with pytest.raises(kind):
        make(client)


# The same wish through both


@dataclass(frozen=True)
class Pair:
    model: str
    mode: Mode
    more: dict[str, Any]
    theirs: Callable[[RunwayML], object]


PAIRS = {
    "text": Pair(
        "gen4.5",
        Mode.TEXT,
        {"ratio": "9:16", "duration_seconds": 10, "seed": 7, "controls": {"public_figures": "low"}},
        lambda c: c.text_to_video.create(
            model="gen4.5",
            prompt_text=PROMPT,
            ratio="720:1280",
            duration=10,
            seed=7,
            content_moderation={"public_figure_threshold": "low"},
        ),
    ),
    "text with sound": Pair(
        "veo3.1",
        Mode.TEXT,
        {"resolution": "1080p", "duration_seconds": 8, "audio": True, "negative_prompt": "rain é 🙂"},
        lambda c: c.text_to_video.create(
            model="veo3.1",
            prompt_text=PROMPT,
            ratio="1920:1080",
            duration=8,
            audio=True,
            negative_prompt="rain é 🙂",
        ),
    ),
    "image": Pair(
        "gen4_turbo",
        Mode.IMAGE,
        {"ratio": "21:9", "seed": 0},
        lambda c: c.image_to_video.create(
            model="gen4_turbo",
            prompt_image=PICTURE,
            prompt_text=PROMPT,
            ratio="1584:672",
            duration=5,
            seed=0,
        ),
    ),
    "image of the best": Pair(
        "gen4.5",
        Mode.IMAGE,
        {"ratio": "3:4"},
        lambda c: c.image_to_video.create(
            model="gen4.5", prompt_image=PICTURE, prompt_text=PROMPT, ratio="832:1104", duration=5
        ),
    ),
    "first and last": Pair(
        "veo3.1_fast",
        Mode.FIRST_LAST,
        {"duration_seconds": 6, "seed": 4_294_967_295},
        lambda c: c.image_to_video.create(
            model="veo3.1_fast",
            prompt_image=[{"uri": PICTURE, "position": "first"}, {"uri": PICTURE, "position": "last"}],
            prompt_text=PROMPT,
            ratio="1280:720",
            duration=6,
            audio=False,
            seed=4_294_967_295,
        ),
    ),
    "video": Pair(
        "aleph2",
        Mode.VIDEO,
        {"ratio": "2:3", "seed": 1},
        lambda c: c.video_to_video.create(
            model="aleph2",
            video_uri=c.uploads.create_ephemeral(file=("input.mp4", clip(), "video/mp4")).uri,
            prompt_text=PROMPT,
            target_aspect_ratio="2:3",
            seed=1,
        ),
    ),
}


def canonical(request: Request, vendor: Runway) -> str:
    """The JSON of a body, each upload under one name."""
    text = json.dumps(request.json, sort_keys=True)
    for uri in vendor.uploads:
        text = text.replace(uri, "runway://upload")
    return text


def test_the_pairs_are_of_every_living_model() -> None:
    assert {pair.model for pair in PAIRS.values()} == {
        "gen4.5",
        "gen4_turbo",
        "veo3.1",
        "veo3.1_fast",
        "aleph2",
    }


@pytest.mark.parametrize("name", PAIRS)
def test_our_adapter_and_the_official_client_send_the_same(
    vendor: Runway, client: RunwayML, shelf: str, name: str
) -> None:
    pair = PAIRS[name]
    submit(adapter_at(vendor.url, vendor.key), wish(shelf, pair.model, pair.mode, **pair.more))
    count = len(vendor.requests)
    pair.theirs(client)

    ours, theirs = vendor.requests[:count], vendor.requests[count:]
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.method == other.method
        assert one.status == other.status
        assert one.headers.get("authorization") == other.headers.get("authorization")
        assert one.headers.get("x-runway-version") == other.headers.get("x-runway-version")
        kind = other.headers["content-type"].partition(";")[0]
        assert one.headers["content-type"].partition(";")[0] == kind
        if kind == "application/json":
            assert one.path == other.path
            assert canonical(one, vendor) == canonical(other, vendor)
    contents = [upload.content for upload in vendor.uploads.values()]
    filenames = [upload.filename for upload in vendor.uploads.values()]
    assert contents in ([], [clip()] * 2)
    assert filenames in ([], ["input.mp4"] * 2)


def test_a_large_image_goes_the_same_way_through_both(vendor: Runway, client: RunwayML, shelf: str) -> None:
    request = wish(shelf, "gen4_turbo", Mode.IMAGE, start_image=picture(shelf, "big.png"))
    submit(adapter_at(vendor.url, vendor.key), request)
    client.image_to_video.create(
        model="gen4_turbo",
        prompt_image=client.uploads.create_ephemeral(file=("input.png", BIG_PNG, "image/png")).uri,
        prompt_text=PROMPT,
        ratio="1280:720",
        duration=5,
    )
    ours, theirs = vendor.requests[:3], vendor.requests[3:]
    assert [canonical(one, vendor) for one in (ours[0], ours[2])] == [
        canonical(one, vendor) for one in (theirs[0], theirs[2])
    ]


def test_a_look_and_a_stop_are_the_same_through_both(vendor: Runway, client: RunwayML) -> None:
    vendor.seconds = 30
    adapter = adapter_at(vendor.url, vendor.key)
    first, second = submit(adapter, TEXT), submit(adapter, TEXT)
    count = len(vendor.requests)
    adapter.cancel(first)
    client.tasks.retrieve(second)
    client.tasks.delete(second)
    assert [
        (one.method, one.path.replace(first, "id").replace(second, "id"), one.status)
        for one in vendor.requests[count:]
    ] == [("GET", "/v1/tasks/id", 200), ("DELETE", "/v1/tasks/id", 204)] * 2
