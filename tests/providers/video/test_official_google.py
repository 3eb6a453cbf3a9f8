"""Google's own client, google-genai, against the simulators; and the same wish through it and through our adapters."""

import base64
import json
import ssl
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import google.genai
import pytest
from google.auth.transport.requests import Request
from google.genai import errors, types
from google.oauth2 import credentials, service_account

from providers.contract import CancelOutcome, InputMedia, Mode, RenderRequest, RenderState
from providers.errors import ProviderError
from providers.http import Client
from providers.video.gemini_omni import GeminiOmniProvider
from providers.video.google_access import ServiceAccount
from providers.video.vertex import VertexProvider
from tests.providers.contract import TOKEN
from tests.providers.servers import answers, serving
from tests.vendors.gemini_omni import GeminiOmni
from tests.vendors.gemini_veo import GeminiVeo
from tests.vendors.vertex import PROJECT, REGION, Vertex
from tests.vendors.video import Fault, clip

from .google import CLIENT, PNG, downloaded, followed, picture

__all__ = ["picture"]

# The client would load the certificates anew, and needs none.
TLS = ssl.create_default_context()
A_KITE = types.GenerateVideosSource(prompt="A kite")
CALLBACK = "https://hooks.example.com/google/91c2"
SHEET = RenderRequest(
    model="veo-3.1-generate-001",
    mode=Mode.TEXT,
    prompt="A kite above a winter beach",
    negative_prompt="text, logo",
    duration_seconds=8,
    resolution="720p",
    ratio="16:9",
    audio=True,
    seed=7,
)
OMNI = RenderRequest(
    model="gemini-omni-1.2-flash",
    mode=Mode.TEXT,
    prompt="A kite above a winter beach",
    duration_seconds=8,
    resolution="720p",
    ratio="16:9",
    seed=7,
)


class Given:
    """The token that the official client has too."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self, http: Client, *, instead_of: str = "") -> str:
        return self._token


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The official client reads it."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "google_api_key", "gemini_api_key"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def vertex() -> Iterator[Vertex]:
    with Vertex(seconds=0.1, key="ya29.simulated") as running:
        yield running


@pytest.fixture
def omni() -> Iterator[GeminiOmni]:
    with GeminiOmni(seconds=0.1) as running:
        yield running


@pytest.fixture
def cloud(vertex: Vertex) -> Iterator[google.genai.Client]:
    options = types.HttpOptions(
        base_url=vertex.root, api_version="v1", timeout=20_000, client_args={"verify": TLS}
    )
    opened = google.genai.Client(
        vertexai=True,
        project=PROJECT,
        location=REGION,
        credentials=credentials.Credentials(token=vertex.key),  # type: ignore[no-untyped-call]
        http_options=options,
    )
    yield opened
    opened.close()


@pytest.fixture
def interactions(omni: GeminiOmni) -> Iterator[Any]:
    opened = developer(omni.root, omni.key)
    yield opened.interactions
    opened.close()


def developer(root: str, key: str) -> google.genai.Client:
    options = types.HttpOptions(
        base_url=root,
        api_version="v1beta",
        timeout=20_000,
        client_args={"verify": TLS},
        retry_options=types.HttpRetryOptions(attempts=1),
    )
    return google.genai.Client(api_key=key, http_options=options)


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


# Veo


def test_the_official_client_refuses_veo_by_api_key() -> None:
    """The closed contract has no official client any more: the simulator alone stands for it."""
    with GeminiVeo() as vendor:
        client = developer(vendor.root, vendor.key)
        with pytest.raises(ValueError, match="only supported in"):
            client.models.generate_videos(model="veo-3.1-generate-preview", source=A_KITE)
        client.close()
        assert vendor.requests == []


def test_the_official_client_renders_a_video(vertex: Vertex, cloud: google.genai.Client) -> None:
    started: Any = cloud.models.generate_videos(model="veo-3.1-generate-001", source=A_KITE)
    assert started.name.startswith(f"projects/{PROJECT}/locations/{REGION}/publishers/google/models/veo-3.1")
    assert not started.done
    vertex.jobs["job-1"].began -= 1
    ended: Any = cloud.operations.get(started)
    assert ended.done
    [made] = ended.response.generated_videos
    assert made.video.video_bytes == clip()
    assert made.video.mime_type == "video/mp4"


def test_the_official_client_finds_a_video_in_its_bucket(vertex: Vertex, cloud: google.genai.Client) -> None:
    config = types.GenerateVideosConfig(output_gcs_uri="gs://a-bucket/veo/")
    started = cloud.models.generate_videos(model="veo-3.1-generate-001", source=A_KITE, config=config)
    vertex.jobs["job-1"].began -= 1
    ended: Any = cloud.operations.get(started)
    assert ended.response.generated_videos[0].video.uri == "gs://a-bucket/veo/job-1/sample_0.mp4"
    assert ended.response.rai_media_filtered_count == 0


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        (Fault.MODERATED, lambda ended: ended.response.rai_media_filtered_count == 1),
        (Fault.NO_MEDIA, lambda ended: not ended.response.generated_videos),
        (Fault.FAILED, lambda ended: ended.error["code"] == 13),
        (Fault.CANCELLED, lambda ended: ended.error["code"] == 1),
    ],
)
def test_the_official_client_reads_an_end_without_a_video(
    vertex: Vertex, cloud: google.genai.Client, fault: Fault, what: Any
) -> None:
    vertex.fault = fault
    started = cloud.models.generate_videos(model="veo-3.1-generate-001", source=A_KITE)
    vertex.jobs["job-1"].began -= 1
    ended: Any = cloud.operations.get(started)
    assert ended.done
    assert what(ended)


@pytest.mark.parametrize(
    ("fault", "kind", "code", "status"),
    [
        (Fault.RATE_LIMITED, errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
        (Fault.WRONG_KEY, errors.ClientError, 401, "UNAUTHENTICATED"),
        (Fault.REFUSED, errors.ClientError, 400, "INVALID_ARGUMENT"),
        (Fault.SERVER_ERROR, errors.ServerError, 500, "INTERNAL"),
    ],
)
def test_what_the_official_client_fails_at_ours_fails_at(
    vertex: Vertex,
    cloud: google.genai.Client,
    fault: Fault,
    kind: type[errors.APIError],
    code: int,
    status: str,
) -> None:
    vertex.fault = fault
    with pytest.raises(errors.APIError) as caught:
        cloud.models.generate_videos(model="veo-3.1-generate-001", source=A_KITE)
    assert type(caught.value) is kind
    assert (caught.value.code, caught.value.status) == (code, status)
    vertex.refusals = 0
    with pytest.raises(ProviderError):
        ours(vertex).submit(SHEET, client_token=TOKEN, callback_url=None)


def ours(vertex: Vertex, **more: Any) -> VertexProvider:
    return VertexProvider(
        url=vertex.url, project=PROJECT, region=REGION, tokens=Given(vertex.key), http=CLIENT, **more
    )


WISHES: dict[str, tuple[RenderRequest, dict[str, Any], dict[str, Any]]] = {
    "words": (SHEET, {"prompt": SHEET.prompt}, {}),
    "a picture": (
        replace(SHEET, mode=Mode.IMAGE, controls={"resize_mode": "crop"}),
        {"prompt": SHEET.prompt, "image": types.Image(image_bytes=PNG, mime_type="image/png")},
        {"resize_mode": "crop"},
    ),
    "two pictures": (
        replace(SHEET, mode=Mode.FIRST_LAST, resolution="4K", ratio="9:16", audio=False, enhance=True),
        {"prompt": SHEET.prompt, "image": types.Image(image_bytes=PNG, mime_type="image/png")},
        {
            "last_frame": types.Image(image_bytes=PNG, mime_type="image/png"),
            "resolution": "4k",
            "aspect_ratio": "9:16",
            "generate_audio": False,
            "enhance_prompt": True,
        },
    ),
    "an earlier video": (
        replace(SHEET, mode=Mode.VIDEO),
        {
            "prompt": SHEET.prompt,
            "video": types.Video(uri="gs://a-bucket/v/job-1/sample_0.mp4", mime_type="video/mp4"),
        },
        {},
    ),
}


@pytest.mark.parametrize("name", WISHES)
def test_our_adapter_and_the_official_client_ask_veo_the_same(
    vertex: Vertex, cloud: google.genai.Client, picture: InputMedia, name: str
) -> None:
    provider = ours(vertex, storage_uri="gs://a-bucket/v/")
    first = provider.submit(SHEET, client_token=TOKEN, callback_url=None).external_id
    followed(provider, first)
    request, given, more = WISHES[name]
    if request.mode in (Mode.IMAGE, Mode.FIRST_LAST):
        request = replace(request, start_image=picture)
    if request.mode is Mode.FIRST_LAST:
        request = replace(request, end_image=picture)
    if request.mode is Mode.VIDEO:
        source = InputMedia(url=picture.url, media_type="video/mp4", vendor_id=first)
        request = replace(request, source_video=source)
    provider.submit(request, client_token=TOKEN, callback_url=None)
    config: dict[str, Any] = {
        "number_of_videos": 1,
        "duration_seconds": 8,
        "aspect_ratio": "16:9",
        "resolution": "720p",
        "negative_prompt": "text, logo",
        "seed": 7,
        "generate_audio": True,
        "enhance_prompt": False,
        "output_gcs_uri": "gs://a-bucket/v/",
        "labels": {"job": TOKEN},
        **more,
    }
    cloud.models.generate_videos(
        model="veo-3.1-generate-001",
        source=types.GenerateVideosSource(**given),
        config=types.GenerateVideosConfig(**config),
    )
    sent, theirs = vertex.requests[-2:]
    expected = theirs.json
    if "resizeMode" in expected["parameters"]:
        # The client has its words in capitals, the documentation doesn't.
        assert expected["parameters"]["resizeMode"] == "CROP"
        expected["parameters"]["resizeMode"] = "crop"
    assert canonical(sent.json) == canonical(expected)
    assert (sent.method, sent.path, sent.status) == (theirs.method, theirs.path, 200)
    assert sent.headers["authorization"] == theirs.headers["authorization"]


def test_our_adapter_and_the_official_client_look_the_same_way(
    vertex: Vertex, cloud: google.genai.Client
) -> None:
    external_id = ours(vertex).submit(SHEET, client_token=TOKEN, callback_url=None).external_id
    operation = types.GenerateVideosOperation.model_validate({"name": external_id})
    assert ours(vertex).fetch(external_id).state is RenderState.RUNNING
    cloud.operations.get(operation)
    sent, theirs = vertex.requests[-2:]
    assert canonical(sent.json) == canonical(theirs.json)
    assert (sent.method, sent.path) == (theirs.method, theirs.path)
    vertex.jobs["job-1"].began -= 1
    ended: Any = cloud.operations.get(operation)
    assert (
        downloaded(ours(vertex).fetch(external_id).output)
        == ended.response.generated_videos[0].video.video_bytes
    )


def test_our_statement_for_a_token_is_the_official_one(vertex: Vertex) -> None:
    official = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
        vertex.account, scopes=["https://www.googleapis.com/auth/cloud-platform"]
    )
    official.refresh(Request())
    assert official.token == vertex.key == ServiceAccount(json.dumps(vertex.account)).token(CLIENT)
    theirs, sent = (statement(request.body.decode()) for request in vertex.requests)
    assert sent[0] == theirs[0]
    assert sent[1].keys() == theirs[1].keys()
    for name in ("iss", "aud", "scope"):
        assert sent[1][name] == theirs[1][name]
    assert sent[1]["exp"] - sent[1]["iat"] == theirs[1]["exp"] - theirs[1]["iat"]
    assert [request.headers["content-type"] for request in vertex.requests] == [
        "application/x-www-form-urlencoded"
    ] * 2


def statement(body: str) -> tuple[dict[str, Any], dict[str, Any]]:
    form = dict(pair.split("=") for pair in body.split("&"))
    assert form["grant_type"] == "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
    head, claims, _ = (form["assertion"] + "..").split(".")[:3]
    return json.loads(base64.urlsafe_b64decode(head + "==")), json.loads(
        base64.urlsafe_b64decode(claims + "==")
    )


# Omni


def format_of(resolution: str = "720p") -> dict[str, Any]:
    return {
        "type": "video",
        "aspect_ratio": "16:9",
        "resolution": resolution,
        "duration": "8s",
        "delivery": "uri",
    }


@pytest.mark.parametrize("inline", [False, True])
def test_the_official_client_makes_a_video_by_interaction(
    omni: GeminiOmni, interactions: Any, inline: bool
) -> None:
    omni.inline = inline
    started = interactions.create(
        model="gemini-omni-1.2-flash", input="A kite", background=True, response_format=format_of()
    )
    assert started.status == "queued"
    omni.jobs[started.id].began -= 1
    ended = interactions.get(started.id)
    assert ended.status == "completed"
    video = ended.output_video
    assert video.mime_type == "video/mp4"
    if inline:
        assert base64.b64decode(video.data) == clip()
    else:
        assert video.uri == f"{omni.url}/files/{started.id}:download?alt=media"


def test_the_official_client_cancels_and_deletes(omni: GeminiOmni, interactions: Any) -> None:
    omni.seconds = 5
    started = interactions.create(
        model="gemini-omni-1.2-flash", input="A kite", background=True, response_format=format_of()
    )
    assert interactions.cancel(started.id).status == "cancelled"
    interactions.delete(started.id)
    assert omni.jobs == {}


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.RATE_LIMITED, 429),
        (Fault.WRONG_KEY, 401),
        (Fault.NO_BALANCE, 402),
        (Fault.REFUSED, 400),
        (Fault.SERVER_ERROR, 500),
    ],
)
def test_what_the_interactions_client_fails_at_ours_fails_at(
    omni: GeminiOmni, interactions: Any, fault: Fault, code: int
) -> None:
    omni.fault = fault
    with pytest.raises(Exception) as caught:  # noqa: PT011 - its errors have no public base
        interactions.create(
            model="gemini-omni-1.2-flash", input="A kite", background=True, response_format=format_of()
        )
    assert getattr(caught.value, "status_code", None) == code
    omni.refusals = 0
    with pytest.raises(ProviderError):
        by_us(omni).submit(OMNI, client_token=TOKEN, callback_url=None)


def by_us(omni: GeminiOmni) -> GeminiOmniProvider:
    return GeminiOmniProvider(url=omni.url, api_key=omni.key, http=CLIENT)


@pytest.mark.parametrize("mode", [Mode.TEXT, Mode.IMAGE, Mode.VIDEO])
def test_our_adapter_and_the_official_client_ask_omni_the_same(
    omni: GeminiOmni, interactions: Any, mode: Mode
) -> None:
    with serving(answers(200, PNG)) as store:
        first = by_us(omni).submit(OMNI, client_token=TOKEN, callback_url=None).external_id
        link = f"{store.url}/a.png?signature=1"
        picture = InputMedia(url=link, media_type="image/png")
        source = InputMedia(url=link, media_type="video/mp4", vendor_id=first)
        request = replace(
            OMNI,
            mode=mode,
            start_image=picture if mode is Mode.IMAGE else None,
            source_video=source if mode is Mode.VIDEO else None,
            controls={"task": "extend"} if mode is Mode.VIDEO else {},
        )
        by_us(omni).submit(request, client_token=TOKEN, callback_url=CALLBACK)
        tasks = {Mode.TEXT: "text_to_video", Mode.IMAGE: "image_to_video", Mode.VIDEO: "extend"}
        blocks = [
            {"type": "text", "text": OMNI.prompt},
            {"type": "image", "uri": link, "mime_type": "image/png"},
        ]
        more = {"previous_interaction_id": first} if mode is Mode.VIDEO else {}
        interactions.create(
            model=OMNI.model,
            input=blocks if mode is Mode.IMAGE else OMNI.prompt,
            background=True,
            store=True,
            response_format=format_of(),
            generation_config={"seed": 7, "video_config": {"task": tasks[mode]}},
            labels={"job": TOKEN},
            webhook_config={"uris": [CALLBACK], "user_metadata": {"job": TOKEN}},
            **more,
        )
    sent, theirs = omni.requests[-2:]
    assert canonical(sent.json) == canonical(theirs.json)
    assert (sent.method, sent.path, sent.status) == (theirs.method, theirs.path, 200)
    assert sent.headers["x-goog-api-key"] == theirs.headers["x-goog-api-key"]


def test_our_adapter_and_the_official_client_read_and_cancel_the_same_way(
    omni: GeminiOmni, interactions: Any
) -> None:
    omni.seconds = 5
    ids = [by_us(omni).submit(OMNI, client_token=TOKEN, callback_url=None).external_id for _ in range(2)]
    by_us(omni).fetch(ids[0])
    assert by_us(omni).cancel(ids[0]) is CancelOutcome.ACCEPTED
    interactions.get(ids[1])
    interactions.cancel(ids[1])
    looks = omni.requests[-4:]
    assert [(look.method, look.path.replace(ids[1], ids[0])) for look in looks[2:]] == [
        (look.method, look.path) for look in looks[:2]
    ]
