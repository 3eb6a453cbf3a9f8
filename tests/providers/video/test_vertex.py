"""Veo on Google Cloud: the adapter against the contract, its simulator, and what is its own."""

import base64
import itertools
import json
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest

from providers.contract import InputMedia, Mode, OutputSource, RenderRequest, RenderState, VideoProvider
from providers.errors import (
    CredentialsRefused,
    FailureCode,
    JobNotFound,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    ReadFailed,
    RenderFailed,
    RequestRefused,
    UnsupportedFeature,
)
from providers.http import BadStatus, Client
from providers.video.google_access import NoToken, ServiceAccount
from providers.video.vertex import MODELS, VertexProvider
from tests.providers.contract import KEY, TOKEN
from tests.providers.forgeries import Forgery
from tests.providers.servers import answers, refused_port, serving
from tests.vendors.vertex import PROJECT, REGION, Vertex
from tests.vendors.video import Fault, clip

from .google import (
    CLIENT,
    HASTY,
    PNG_TEXT,
    InlinePictures,
    WholeVideos,
    downloaded,
    followed,
    paths,
    picture,
    wishes,
)
from .test_gemini_veo import WORDS, problem

__all__ = ["picture"]

PLACE = f"/v1/projects/{PROJECT}/locations/{REGION}/publishers/google/models"
SHEET = RenderRequest(
    model="veo-3.1-generate-001",
    mode=Mode.TEXT,
    prompt="A kite above a winter beach, handheld look",
    negative_prompt="text, logo",
    duration_seconds=8,
    resolution="720p",
    ratio="16:9",
)


class Given:
    """A token without a service account."""

    def token(self, http: Client, *, instead_of: str = "") -> str:
        return KEY


class TestVertex(WholeVideos, InlinePictures):
    kind = VertexProvider
    words = WORDS
    has_words = False
    # Google Cloud calls nobody.
    callback_in_body = False

    def adapter(self, url: str, http: Client) -> VideoProvider:
        return VertexProvider(url=f"{url}/v1", project=PROJECT, region=REGION, tokens=Given(), http=http)

    def accepted(self, external_id: str) -> Any:
        return {"name": external_id}

    def status(self, external_id: str, word: str, *, media: bool = True, url: str = "") -> Any:
        videos = {"videos": [{"bytesBase64Encoded": "AAAA", "mimeType": "video/mp4"}]} if media else {}
        match word.partition(" "):
            case ["running", _, _]:
                return {"name": external_id}
            case ["error", _, code]:
                error = {"code": int(code), "message": "vendor-text-CANARY"}
                return {"name": external_id, "done": True, "error": error}
            case ["filtered", _, _]:
                result: dict[str, Any] = {
                    "raiMediaFilteredCount": 1,
                    "raiMediaFilteredReasons": ["vendor-text-CANARY"],
                }
                return {"name": external_id, "done": True, "response": result}
            case _:
                result = {"raiMediaFilteredCount": 0, **videos}
                return {"name": external_id, "done": True, "response": result}

    def moderated(self, external_id: str) -> Any:
        return self.status(external_id, "filtered")

    def done(self, url: str, size: int) -> Iterable[bytes]:
        head = json.dumps(self.status("id-1", "done")).encode()
        before, after = head.split(b"AAAA")
        piece = base64.b64encode(bytes(3 << 16))
        whole, rest = divmod(size, 3 << 16)
        return itertools.chain(
            [before], itertools.repeat(piece, whole), [base64.b64encode(bytes(rest)), after]
        )

    def forgeries(self) -> list[Forgery]:
        return []


@pytest.fixture
def vendor() -> Iterator[Vertex]:
    with Vertex(seconds=0.1, key="ya29.simulated") as running:
        yield running


def adapter(vendor: Vertex, http: Client = CLIENT) -> VertexProvider:
    """As it is made from its settings, with a client that reaches this machine."""
    provider = VertexProvider.from_settings({**VertexProvider.defaults, **vendor.environment()})
    provider._http = http
    return provider


def submit(provider: VideoProvider, request: RenderRequest = SHEET) -> str:
    return provider.submit(request, client_token=TOKEN, callback_url=None).external_id


def number(external_id: str) -> str:
    return external_id.rpartition("/")[2]


def test_a_request_is_the_documented_json(vendor: Vertex, picture: InputMedia) -> None:
    provider = adapter(vendor)
    submit(provider, replace(SHEET, audio=True, seed=2**32 - 1))
    sent = vendor.requests[-1]
    assert sent.path == f"{PLACE}/veo-3.1-generate-001:predictLongRunning"
    assert sent.headers["authorization"] == f"Bearer {vendor.key}"
    parameters = {
        "aspectRatio": "16:9",
        "resolution": "720p",
        "durationSeconds": 8,
        "negativePrompt": "text, logo",
        "sampleCount": 1,
        "enhancePrompt": False,
        "generateAudio": True,
        "seed": 2**32 - 1,
    }
    labels = {"job": TOKEN}
    assert sent.json == {"instances": [{"prompt": SHEET.prompt}], "parameters": parameters, "labels": labels}

    vendor.bucket = "gs://a-bucket/veo/"
    framed = replace(
        SHEET,
        mode=Mode.FIRST_LAST,
        resolution="4K",
        ratio="9:16",
        negative_prompt="",
        start_image=picture,
        end_image=picture,
        enhance=True,
        controls={"resize_mode": "crop"},
    )
    submit(adapter(vendor), framed)
    inline = {"bytesBase64Encoded": PNG_TEXT, "mimeType": "image/png"}
    assert vendor.requests[-1].json == {
        "instances": [{"prompt": SHEET.prompt, "image": inline, "lastFrame": inline}],
        "parameters": {
            "aspectRatio": "9:16",
            "resolution": "4k",
            "durationSeconds": 8,
            "sampleCount": 1,
            "enhancePrompt": True,
            "generateAudio": False,
            "resizeMode": "crop",
            "storageUri": "gs://a-bucket/veo/",
        },
        "labels": labels,
    }


def test_the_region_is_in_the_vendors_own_address() -> None:
    values = {**VertexProvider.defaults, "VERTEX_PROJECT": "p", "VERTEX_SERVICE_ACCOUNT": "{}"}
    values |= {"VERTEX_REGION": "europe-west4", "VERTEX_STORAGE_URI": ""}
    address = VertexProvider.from_settings(values)._address("id-1")
    models = "projects/p/locations/europe-west4/publishers/google/models"
    assert address == f"https://europe-west4-aiplatform.googleapis.com/v1/{models}/id-1:fetchPredictOperation"


@pytest.mark.parametrize("bucket", ["", "gs://a-bucket/veo/"])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model.id))
def test_whatever_a_model_offers_is_taken(
    vendor: Vertex, picture: InputMedia, model: Any, bucket: str
) -> None:
    vendor.bucket = bucket
    provider = adapter(vendor)
    earlier = submit(provider)
    assert followed(provider, earlier).state is RenderState.SUCCEEDED
    with serving(answers(200, clip())) as store:
        source = InputMedia(url=f"{store.url}/a.mp4", media_type="video/mp4", vendor_id=earlier)
        for request in wishes(model, picture, source):
            assert submit(provider, request).startswith(f"projects/{PROJECT}/locations/{REGION}/")
        if Mode.IMAGE in model.modes:
            crop = replace(SHEET, mode=Mode.IMAGE, start_image=picture, controls={"resize_mode": "crop"})
            submit(provider, replace(crop, model=model.vendor_model))


def test_the_catalogue_offers_long_sizes_and_frames_in_eight_seconds_only() -> None:
    for model in MODELS:
        for size in model.resolutions:
            expected = [4, 6, 8] if size == "720p" else [8]
            assert list(model.durations_for(Mode.TEXT, size)) == expected
            assert list(model.durations_for(Mode.FIRST_LAST, size)) == [8]
        if Mode.VIDEO in model.modes:
            assert [list(model.durations_for(Mode.VIDEO, size)) for size in model.resolutions] == [
                [8],
                [],
                [],
            ]
    assert "4K" not in MODELS[2].resolutions


def test_a_video_inside_the_answer_is_taken_out_of_it(vendor: Vertex) -> None:
    provider = adapter(vendor)
    external_id = submit(provider)
    output = followed(provider, external_id).output
    assert output == OutputSource(
        url=f"{vendor.root}{PLACE}/veo-3.1-generate-001:fetchPredictOperation",
        headers={"Authorization": f"Bearer {vendor.key}"},
        base64_field="bytesBase64Encoded",
        post={"operationName": external_id},
    )
    assert downloaded(output) == clip()
    vendor.fault = Fault.TRUNCATED
    assert len(downloaded(followed(provider, submit(provider)).output)) == len(clip()) // 2


def test_a_video_in_a_bucket_is_fetched_with_the_token(vendor: Vertex) -> None:
    vendor.bucket = "gs://a-bucket/veo/"
    vendor.fault = Fault.LINK_EXPIRED
    output = followed(adapter(vendor), submit(adapter(vendor))).output
    assert output is not None
    assert output.url == f"{vendor.root}/storage/v1/b/a-bucket/o/veo%2Fjob-1%2Fsample_0.mp4?alt=media"
    assert output.headers == {"Authorization": f"Bearer {vendor.key}"}
    with pytest.raises(BadStatus):
        downloaded(output)
    assert downloaded(output) == clip()


@pytest.mark.parametrize("place", ["gs://a-bucket", "https://elsewhere.example/a.mp4", "gs:///a", 5, ""])
def test_a_place_that_is_no_object_is_no_video(place: object) -> None:
    body = {"name": "id-1", "done": True, "response": {"videos": [{"gcsUri": place}]}}
    with serving(answers(200, json.dumps(body).encode())) as server:
        provider = VertexProvider(url=server.url, project="p", region="r", tokens=Given(), http=CLIENT)
        update = provider.fetch("id-1")
    assert update.state is RenderState.FAILED
    assert isinstance(update.failure, RenderFailed)
    assert update.failure.code is FailureCode.NO_MEDIA


def test_an_operation_is_asked_about_at_the_model_of_its_name() -> None:
    models = "projects/7/locations/asia-east1/publishers/google/models"
    own = "/v1/projects/p/locations/r/publishers/google/models"
    for name, path in [
        (f"{models}/veo-x/operations/0a1b", f"/v1/{models}/veo-x:fetchPredictOperation"),
        (
            f"{models}/../operations/0a1b",
            (
                f"{own}/projects%2F7%2Flocations%2Fasia-east1%2Fpublishers%2Fgoogle%2Fmodels%2F..%2Foperations%2F0a1b"
                ":fetchPredictOperation"
            ),
        ),
        ("veo/operations/1?x", f"{own}/veo%2Foperations%2F1%3Fx:fetchPredictOperation"),
    ]:
        with serving(answers(404)) as server:
            provider = VertexProvider(
                url=f"{server.url}/v1", project="p", region="r", tokens=Given(), http=CLIENT
            )
            with pytest.raises(JobNotFound):
                provider.fetch(name)
        assert server.received[0].line == f"POST {path} HTTP/1.1"
        assert json.loads(server.received[0].body) == {"operationName": name}


def test_a_video_of_its_own_is_continued_from_the_bucket_or_inline(vendor: Vertex) -> None:
    vendor.bucket = "gs://a-bucket/veo"
    provider = adapter(vendor)
    earlier = submit(provider)
    followed(provider, earlier)
    source = InputMedia(url="https://store.example/a.mp4", media_type="video/mp4", vendor_id=earlier)
    request = replace(SHEET, mode=Mode.VIDEO, source_video=source)
    submit(provider, request)
    place = "gs://a-bucket/veo/job-1/sample_0.mp4"
    assert vendor.requests[-1].json["instances"][0]["video"] == {"gcsUri": place, "mimeType": "video/mp4"}

    vendor.bucket = ""
    with serving(answers(200, clip())) as store:
        copy = replace(source, url=f"{store.url}/a.mp4")
        submit(adapter(vendor), replace(request, source_video=copy))
    sent = vendor.requests[-1].json["instances"][0]["video"]
    assert base64.b64decode(sent["bytesBase64Encoded"]) == clip()

    vendor.bucket = "gs://a-bucket/veo"
    count = len(vendor.jobs)
    gone = replace(request, source_video=replace(source, vendor_id=earlier.replace("job-1", "job-99")))
    with pytest.raises(RequestRefused) as refusal:
        submit(adapter(vendor), gone)
    assert refusal.value.code is FailureCode.INPUT_UNREADABLE
    vendor.jobs["job-1"].fault = Fault.STATUS_ERROR
    vendor.jobs["job-1"].looks = 0
    with pytest.raises(NotSent):
        submit(adapter(vendor), request)
    assert len(vendor.jobs) == count


PICTURE = InputMedia(url="https://store.example/a.png", media_type="image/png")


@pytest.mark.parametrize(
    ("change", "feature"),
    [
        ({"seed": -1}, "a seed of more than 32 bits"),
        ({"seed": 2**32}, "a seed of more than 32 bits"),
        ({"style": "noir"}, "style"),
        ({"resolution": "480p"}, "the resolution 480p"),
        ({"ratio": "1:1"}, "the ratio 1:1"),
        ({"controls": {"camera": "left"}}, "camera"),
        ({"controls": {"resize_mode": "pad"}}, "resize_mode without a picture"),
        ({"mode": Mode.VIDEO}, "a source video that it did not make"),
        ({"end_image": PICTURE}, "an end image without a start image"),
        (
            {"start_image": replace(PICTURE, media_type="image/gif")},
            "a picture that is neither JPEG nor PNG",
        ),
    ],
)
def test_what_it_cannot_express_is_named(vendor: Vertex, change: dict[str, Any], feature: str) -> None:
    with pytest.raises(UnsupportedFeature) as refusal:
        submit(adapter(vendor), replace(SHEET, **change))
    assert refusal.value.feature == feature
    assert vendor.requests == []


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (404, problem("NOT_FOUND"), RequestRefused("vertex", code=FailureCode.MODEL_UNAVAILABLE)),
        (400, problem("INVALID_ARGUMENT"), RequestRefused("vertex", code=FailureCode.INVALID)),
        (400, problem("FAILED_PRECONDITION"), CredentialsRefused("vertex")),
        (403, problem("PERMISSION_DENIED"), CredentialsRefused("vertex")),
        (503, problem("UNAVAILABLE"), OutcomeUnknown("vertex")),
        (
            429,
            problem("RESOURCE_EXHAUSTED", {"retryDelay": "23s"}),
            RateLimited("vertex", retry_after=timedelta(seconds=23), of_model=True),
        ),
        (429, b"", RateLimited("vertex", of_model=True)),
    ],
)
def test_a_refusal_is_read_from_its_body(status: int, body: bytes, expected: ProviderError) -> None:
    with serving(answers(status, body)) as server:
        provider = VertexProvider(url=server.url, project="p", region="r", tokens=Given(), http=CLIENT)
        with pytest.raises(ProviderError) as caught:
            submit(provider)
    assert type(caught.value) is type(expected)
    assert vars(caught.value) == vars(expected)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.RATE_LIMITED, RateLimited),
        (Fault.WRONG_KEY, CredentialsRefused),
        (Fault.REFUSED, RequestRefused),
        (Fault.SERVER_ERROR, OutcomeUnknown),
        (Fault.SERVER_ERROR_AFTER_ACCEPTING, OutcomeUnknown),
        (Fault.SILENCE_AFTER_ACCEPTING, OutcomeUnknown),
        (Fault.HANG_UP_AFTER_ACCEPTING, OutcomeUnknown),
        (Fault.GARBAGE_AFTER_ACCEPTING, OutcomeUnknown),
    ],
)
def test_a_faulty_submission_has_our_error(vendor: Vertex, fault: Fault, kind: type[Exception]) -> None:
    vendor.fault = fault
    with pytest.raises(ProviderError) as caught:
        submit(adapter(vendor, HASTY))
    assert type(caught.value) is kind
    assert len([path for path in paths(vendor) if path.endswith("Running")]) == 1
    if isinstance(caught.value, RateLimited):
        assert caught.value.of_model


@pytest.mark.parametrize(
    ("fault", "state", "code"),
    [
        (Fault.FAILED, RenderState.FAILED, FailureCode.VENDOR_FAULT),
        (Fault.MODERATED, RenderState.FAILED, FailureCode.MODERATED),
        (Fault.NO_MEDIA, RenderState.FAILED, FailureCode.NO_MEDIA),
        (Fault.CANCELLED, RenderState.CANCELLED, None),
    ],
)
def test_a_faulty_end_has_our_state(
    vendor: Vertex, fault: Fault, state: RenderState, code: FailureCode | None
) -> None:
    vendor.fault = fault
    provider = adapter(vendor)
    update = followed(provider, submit(provider))
    assert update.state is state
    assert getattr(update.failure, "code", None) is code


def test_a_faulty_look_decides_nothing(vendor: Vertex) -> None:
    provider = adapter(vendor)
    looks: list[tuple[Fault, list[type[ProviderError]]]] = [
        (Fault.STATUS_ERROR, [ReadFailed, ReadFailed]),
        (Fault.STATUS_GARBAGE, [ReadFailed, ReadFailed]),
        (Fault.STATUS_RATE_LIMITED, [RateLimited]),
    ]
    for fault, kinds in looks:
        vendor.fault = fault
        external_id = submit(provider)
        for kind in kinds:
            with pytest.raises(ProviderError) as caught:
                provider.fetch(external_id)
            assert type(caught.value) is kind
        assert followed(provider, external_id).state is RenderState.SUCCEEDED
    vendor.fault = Fault.LOST
    external_id = submit(provider)
    with pytest.raises(JobNotFound):
        followed(provider, external_id)
    vendor.fault = Fault.STUCK
    external_id = submit(provider)
    vendor.jobs[number(external_id)].began -= 60
    assert provider.fetch(external_id).state is RenderState.RUNNING


# Tokens


def test_a_token_is_fetched_once_and_kept_until_five_minutes_before_its_end(vendor: Vertex) -> None:
    now = [1_000.0]
    account = ServiceAccount(json.dumps(vendor.account), clock=lambda: now[0])
    for moment, fetched in [(1_000.0, 1), (1_000.0 + 3_298, 1), (1_000.0 + 3_300, 2), (1_000.0 + 6_590, 2)]:
        now[0] = moment
        assert account.token(CLIENT) == vendor.key
        assert len(vendor.requests) == fetched
    assert account.token(CLIENT, instead_of="another's") == vendor.key
    assert len(vendor.requests) == 2
    account.token(CLIENT, instead_of=vendor.key)
    assert len(vendor.requests) == 3


def test_many_threads_share_one_token(vendor: Vertex) -> None:
    account = ServiceAccount(json.dumps(vendor.account))
    threads = [threading.Thread(target=account.token, args=(CLIENT,)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths(vendor) == ["POST /token"]


def test_a_statement_says_who_asks_for_what(vendor: Vertex) -> None:
    ServiceAccount(json.dumps(vendor.account)).token(CLIENT)
    [sent] = vendor.requests
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"
    assertion = sent.body.decode().partition("assertion=")[2]
    assert jwt.get_unverified_header(assertion) == {"alg": "RS256", "typ": "JWT", "kid": "key-1"}
    claims = jwt.decode(assertion, options={"verify_signature": False})
    assert claims == {
        "iss": "videos@a-project.iam.gserviceaccount.com",
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "aud": "https://oauth2.googleapis.com/token",
        "iat": claims["iat"],
        "exp": claims["iat"] + 3_600,
    }


def test_a_token_that_ended_early_is_replaced_once_for_a_look(vendor: Vertex) -> None:
    provider = adapter(vendor)
    external_id = submit(provider)
    vendor.key = "ya29.another"
    assert provider.fetch(external_id).external_id == external_id
    assert paths(vendor)[-3:] == [
        f"POST {PLACE}/veo-3.1-generate-001:fetchPredictOperation",
        "POST /token",
        f"POST {PLACE}/veo-3.1-generate-001:fetchPredictOperation",
    ]
    output = followed(provider, external_id).output
    assert output is not None
    assert output.headers == {"Authorization": "Bearer ya29.another"}


def test_a_look_that_stays_refused_ends_after_one_new_token() -> None:
    class Other(Given):
        asked = 0

        def token(self, http: Client, *, instead_of: str = "") -> str:
            self.asked += 1
            return f"token-{self.asked}"

    tokens = Other()
    with serving(answers(401)) as server:
        provider = VertexProvider(url=server.url, project="p", region="r", tokens=tokens, http=CLIENT)
        with pytest.raises(CredentialsRefused):
            provider.fetch("id-1")
    assert (tokens.asked, len(server.received)) == (2, 2)


def test_a_submission_that_is_refused_its_token_is_not_sent_again_and_the_next_has_another(
    vendor: Vertex,
) -> None:
    provider = adapter(vendor)
    submit(provider)
    vendor.key = "ya29.another"
    with pytest.raises(CredentialsRefused):
        submit(provider)
    assert len([path for path in paths(vendor) if path.endswith("Running")]) == 2
    submit(provider)
    assert [path.rpartition("/")[2] for path in paths(vendor)][-2:] == [
        "token",
        "veo-3.1-generate-001:predictLongRunning",
    ]


TOKEN_ANSWERS = [
    (answers(400, b'{"error": "invalid_grant"}'), True),
    (answers(401), True),
    (answers(403), True),
    (answers(404), False),
    (answers(429), False),
    (answers(500), False),
    (answers(200, b"no JSON"), False),
    (answers(200, b'{"access_token": "", "expires_in": 3599}'), False),
    (answers(200, b'{"access_token": "x"}'), False),
]


@pytest.mark.parametrize(("behaviour", "refused"), TOKEN_ANSWERS)
def test_without_a_token_nothing_is_sent(vendor: Vertex, behaviour: Any, refused: bool) -> None:
    with serving(behaviour) as server:
        account = ServiceAccount(json.dumps(vendor.account | {"token_uri": server.url}))
        provider = VertexProvider(url=vendor.url, project="p", region="r", tokens=account, http=CLIENT)
        with pytest.raises(CredentialsRefused if refused else NotSent) as failure:
            submit(provider)
        with pytest.raises(CredentialsRefused if refused else ReadFailed):
            provider.fetch("id-1")
    assert vendor.requests == []
    assert failure.value.__suppress_context__


def test_a_token_endpoint_that_is_not_there_is_not_sent(vendor: Vertex) -> None:
    address = f"http://127.0.0.1:{refused_port()}/token"
    account = ServiceAccount(json.dumps(vendor.account | {"token_uri": address}))
    provider = VertexProvider(url=vendor.url, project="p", region="r", tokens=account, http=CLIENT)
    with pytest.raises(NotSent):
        submit(provider)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CANARY",
        "[]",
        "5",
        '"CANARY"',
        "{}",
        '{"token_uri": "http://127.0.0.1:9", "client_email": "a", "private_key": "CANARY"}',
        '{"token_uri": "http://127.0.0.1:9", "client_email": "a", "private_key": 5}',
    ],
)
def test_an_account_that_makes_no_sense_is_ours_to_fix_and_shows_nothing(text: str) -> None:
    with pytest.raises(NoToken) as failure:
        ServiceAccount(text).token(CLIENT)
    assert failure.value.refused
    assert "CANARY" not in f"{failure.value!r}"
    provider = VertexProvider(
        url="http://127.0.0.1:9", project="p", region="r", tokens=ServiceAccount(text), http=CLIENT
    )
    with pytest.raises(CredentialsRefused):
        submit(provider)


@pytest.mark.parametrize(
    "change", [{"client_email": "another@p.example"}, {"private_key_id": "", "client_email": ""}]
)
def test_the_token_endpoint_believes_the_account_only(vendor: Vertex, change: dict[str, str]) -> None:
    with pytest.raises(NoToken) as failure:
        ServiceAccount(json.dumps(vendor.account | change)).token(CLIENT)
    assert failure.value.refused


def test_the_simulator_is_as_strict_as_the_vendor(vendor: Vertex) -> None:
    png = {"bytesBase64Encoded": PNG_TEXT, "mimeType": "image/png"}
    changes: list[tuple[dict[str, Any], dict[str, Any], int]] = [
        ({}, {}, 200),
        ({"image": png, "lastFrame": png}, {}, 200),
        ({"lastFrame": png}, {}, 400),
        ({"image": {**png, "mimeType": "image/jpeg"}}, {}, 400),
        ({"image": {**png, "bytesBase64Encoded": "%"}}, {}, 400),
        ({"image": {**png, "url": "https://a.example"}}, {}, 400),
        ({"video": {"gcsUri": "gs://a-bucket/other.mp4", "mimeType": "video/mp4"}}, {}, 400),
        ({"colour": "red"}, {}, 400),
        ({}, {"durationSeconds": 5}, 400),
        ({}, {"durationSeconds": "8"}, 400),
        ({}, {"durationSeconds": 6, "resolution": "1080p"}, 400),
        ({"image": png, "lastFrame": png}, {"durationSeconds": 6}, 400),
        ({}, {"resolution": "4K"}, 400),
        ({}, {"seed": 2**32}, 400),
        ({}, {"generateAudio": "yes"}, 400),
        ({}, {"storageUri": "https://a.example"}, 400),
        ({}, {"webhookConfig": {}}, 400),
        ({}, {"resizeMode": "crop"}, 400),
        ({}, {"sampleCount": 5}, 400),
    ]
    headers = {"Authorization": f"Bearer {vendor.key}"}
    for instance, parameters, status in changes:
        body = {"instances": [{"prompt": "A kite", **instance}], "parameters": parameters}
        url = f"{vendor.root}{PLACE}/veo-3.1-generate-001:predictLongRunning"
        assert CLIENT.request("POST", url, headers=headers, json=body).status == status, (
            instance,
            parameters,
        )
    lite = f"{vendor.root}{PLACE}/veo-3.1-lite-generate-001:predictLongRunning"
    large = {"instances": [{"prompt": "A kite"}], "parameters": {"resolution": "4k", "durationSeconds": 8}}
    assert CLIENT.request("POST", lite, headers=headers, json=large).status == 400
    hooked = {"instances": [{"prompt": "A kite"}], "webhookConfig": {"uris": ["https://a.example"]}}
    assert CLIENT.request("POST", lite, headers=headers, json=hooked).status == 400
