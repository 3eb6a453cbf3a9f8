"""Veo at the Gemini API: the adapter against the contract, its simulator, and what is its own."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from providers.contract import InputMedia, Mode, RenderRequest, RenderState, VideoProvider
from providers.errors import (
    BadSignature,
    BalanceUsedUp,
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
from providers.video.gemini_veo import MODELS, GeminiVeoProvider
from tests.providers.contract import A_VIDEO, KEY, TOKEN
from tests.providers.forgeries import Forgery, signed
from tests.providers.servers import answers, serving
from tests.vendors.gemini_veo import GeminiVeo
from tests.vendors.video import Fault, clip

from .google import CLIENT, HASTY, PNG_TEXT, InlinePictures, downloaded, followed, paths, picture, wishes

__all__ = ["picture"]

SECRET = "whsec_dGhlIHNlY3JldCBvZiB0aGUgZW5kcG9pbnQsIDMyIGI="
OTHER = "whsec_YW5vdGhlciBzZWNyZXQgb2YgdGhlIGVuZHBvaW50LCA="
SHEET = RenderRequest(
    model="veo-3.1-generate-preview",
    mode=Mode.TEXT,
    prompt="A kite above a winter beach, handheld look",
    negative_prompt="text, logo",
    duration_seconds=8,
    resolution="720p",
    ratio="16:9",
)
WORDS = {
    "running": RenderState.RUNNING,
    "done": RenderState.SUCCEEDED,
    "filtered": RenderState.FAILED,
    "error 1": RenderState.CANCELLED,
    "error 3": RenderState.FAILED,
    "error 7": RenderState.FAILED,
    "error 8": RenderState.FAILED,
    "error 13": RenderState.FAILED,
    "error 14": RenderState.FAILED,
}
"""An operation has no words: these are ours for its forms."""


def operation(name: str, word: str, *, media: bool = True, url: str = A_VIDEO) -> dict[str, Any]:
    samples = {"generatedSamples": [{"video": {"uri": url}}]} if media else {}
    filtered = {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["vendor-text-CANARY"]}
    match word.partition(" "):
        case ["running", _, _]:
            return {"name": name, "metadata": {}}
        case ["error", _, code]:
            return {"name": name, "done": True, "error": {"code": int(code), "message": "vendor-text-CANARY"}}
        case _:
            result = filtered if word == "filtered" else samples
            return {"name": name, "done": True, "response": {"generateVideoResponse": result}}


class TestGeminiVeo(InlinePictures):
    kind = GeminiVeoProvider
    words = WORDS
    has_words = False

    def adapter(self, url: str, http: Client) -> VideoProvider:
        return GeminiVeoProvider(url=f"{url}/v1beta", api_key=KEY, webhook_secrets=[OTHER, SECRET], http=http)

    def accepted(self, external_id: str) -> Any:
        return {"name": external_id}

    def status(self, external_id: str, word: str, *, media: bool = True, url: str = A_VIDEO) -> Any:
        return operation(external_id, word, media=media, url=url)

    def moderated(self, external_id: str) -> Any:
        return operation(external_id, "filtered")

    def webhook(self, external_id: str, word: str) -> tuple[dict[str, str], bytes]:
        data = {"done": False, **operation(external_id, word)}
        body = json.dumps({"type": "video.generated", "data": data}).encode()
        return signed(SECRET, body), body

    def forgeries(self) -> list[Forgery]:
        return []


@pytest.fixture
def vendor() -> Iterator[GeminiVeo]:
    with GeminiVeo(seconds=0.1) as running:
        yield running


def adapter(vendor: GeminiVeo, http: Client = CLIENT) -> GeminiVeoProvider:
    return GeminiVeoProvider(url=vendor.url, api_key=vendor.key, http=http)


def submit(provider: VideoProvider, request: RenderRequest = SHEET, callback: str | None = None) -> str:
    return provider.submit(request, client_token=TOKEN, callback_url=callback).external_id


def test_a_request_is_the_documented_json(vendor: GeminiVeo, picture: InputMedia) -> None:
    submit(adapter(vendor))
    [sent] = vendor.requests
    assert sent.path == "/v1beta/models/veo-3.1-generate-preview:predictLongRunning"
    assert sent.headers["x-goog-api-key"] == vendor.key
    parameters = {
        "aspectRatio": "16:9",
        "resolution": "720p",
        "durationSeconds": 8,
        "negativePrompt": "text, logo",
        "sampleCount": 1,
        "enhancePrompt": False,
    }
    assert sent.json == {"instances": [{"prompt": SHEET.prompt}], "parameters": parameters}

    framed = replace(SHEET, mode=Mode.FIRST_LAST, start_image=picture, end_image=picture, enhance=True)
    submit(adapter(vendor), framed, "https://studio.example/hook/")
    inline = {"bytesBase64Encoded": PNG_TEXT, "mimeType": "image/png"}
    assert vendor.requests[-1].json == {
        "instances": [{"prompt": SHEET.prompt, "image": inline, "lastFrame": inline}],
        "parameters": parameters | {"enhancePrompt": True},
        "webhookConfig": {"uris": ["https://studio.example/hook/"], "user_metadata": {"job": TOKEN}},
    }


@pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model.id))
def test_whatever_a_model_offers_is_taken(vendor: GeminiVeo, picture: InputMedia, model: Any) -> None:
    earlier = submit(adapter(vendor))
    assert followed(adapter(vendor), earlier).state is RenderState.SUCCEEDED
    source = InputMedia(url=picture.url, media_type="video/mp4", vendor_id=earlier)
    for request in wishes(model, picture, source):
        assert submit(adapter(vendor), request).startswith(f"models/{model.vendor_model}/operations/")


def test_every_model_is_retired_and_named_with_its_end() -> None:
    now = datetime(2026, 11, 28, tzinfo=UTC)
    assert all(model.retires_at and model.retires_at < now and model.successor for model in MODELS)
    assert {model.vendor_model for model in MODELS if model.audio} == {
        "veo-3.1-generate-preview",
        "veo-3.0-generate-001",
        "veo-3.0-fast-generate-001",
    }


def test_a_render_ends_in_its_file(vendor: GeminiVeo) -> None:
    update = followed(adapter(vendor), submit(adapter(vendor)))
    assert (update.state, update.vendor_state) == (RenderState.SUCCEEDED, "done")
    assert downloaded(update.output) == clip()
    assert update.output is not None
    assert not update.output.is_link
    assert paths(vendor)[-1].startswith("GET /v1beta/files/job-1:download")


def test_the_key_goes_to_the_apis_own_host_only() -> None:
    elsewhere = operation("id-1", "done", url="https://cdn.example/a.mp4")
    with serving(answers(200, json.dumps(elsewhere).encode())) as server:
        provider = GeminiVeoProvider(url=server.url, api_key=KEY, http=CLIENT)
        output = provider.fetch("id-1").output
    assert output is not None
    assert output.headers == {}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("models/veo-3/operations/a1", "/v1beta/models/veo-3/operations/a1"),
        ("models/veo-3/operations/a?1#", "/v1beta/models/veo-3/operations/a%3F1%23"),
        ("models/../operations/a1", "/v1beta/models%2F..%2Foperations%2Fa1"),
        ("tunedModels/x/operations/a1", "/v1beta/tunedModels%2Fx%2Foperations%2Fa1"),
    ],
)
def test_an_operations_name_leads_to_operations_only(name: str, path: str) -> None:
    with serving(answers(404)) as server, pytest.raises(JobNotFound):
        GeminiVeoProvider(url=f"{server.url}/v1beta", api_key=KEY, http=CLIENT).fetch(name)
    assert server.received[0].line == f"GET {path} HTTP/1.1"


def test_a_video_of_its_own_is_continued_by_its_address(vendor: GeminiVeo, picture: InputMedia) -> None:
    earlier = submit(adapter(vendor))
    file = followed(adapter(vendor), earlier).output
    assert file is not None
    source = InputMedia(url=picture.url, media_type="video/mp4", vendor_id=earlier)
    submit(adapter(vendor), replace(SHEET, mode=Mode.VIDEO, source_video=source))
    assert vendor.requests[-1].json["instances"][0]["video"] == {"uri": file.url}


def test_a_video_that_cannot_be_continued_is_found_out_before_it_is_paid(vendor: GeminiVeo) -> None:
    for fault, kind in [
        (Fault.LOST, RequestRefused),
        (Fault.FAILED, RequestRefused),
        (Fault.STATUS_ERROR, NotSent),
        (Fault.STATUS_GARBAGE, NotSent),
        (Fault.STATUS_RATE_LIMITED, RateLimited),
    ]:
        vendor.fault = fault
        earlier = submit(adapter(vendor))
        vendor.jobs[earlier.rpartition("/")[2]].began -= 1
        source = InputMedia(url="https://store.example/a.mp4", media_type="video/mp4", vendor_id=earlier)
        count = len(vendor.jobs)
        with pytest.raises(ProviderError) as refusal:
            submit(adapter(vendor), replace(SHEET, mode=Mode.VIDEO, source_video=source))
        assert type(refusal.value) is kind
        assert len(vendor.jobs) == count


PICTURE = InputMedia(url="https://store.example/a.png", media_type="image/png")


@pytest.mark.parametrize(
    ("change", "feature"),
    [
        ({"seed": 5}, "seed"),
        ({"style": "noir"}, "style"),
        ({"resolution": "480p"}, "the resolution 480p"),
        ({"ratio": "1:1"}, "the ratio 1:1"),
        ({"model": "veo-2.0-generate-001", "audio": True}, "sound"),
        ({"controls": {"camera": "left"}}, "camera"),
        ({"mode": Mode.VIDEO}, "a source video that it did not make"),
        ({"end_image": PICTURE}, "an end image without a start image"),
        (
            {"start_image": replace(PICTURE, media_type="image/webp")},
            "a picture that is neither JPEG nor PNG",
        ),
    ],
)
def test_what_it_cannot_express_is_named(vendor: GeminiVeo, change: dict[str, Any], feature: str) -> None:
    with pytest.raises(UnsupportedFeature) as refusal:
        submit(adapter(vendor), replace(SHEET, **change))
    assert refusal.value.feature == feature
    assert vendor.requests == []


def test_a_picture_that_cannot_be_read_is_not_sent(vendor: GeminiVeo) -> None:
    with serving(answers(404)) as store:
        start = InputMedia(url=f"{store.url}/a.png", media_type="image/png")
        with pytest.raises(NotSent):
            submit(adapter(vendor), replace(SHEET, mode=Mode.IMAGE, start_image=start))
    assert vendor.requests == []


def problem(status: str, *details: dict[str, Any]) -> bytes:
    return json.dumps({"error": {"status": status, "message": "CANARY", "details": list(details)}}).encode()


def quota(name: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": name}]}


DELAY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "23s"}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (404, problem("NOT_FOUND"), RequestRefused("gemini-veo", code=FailureCode.MODEL_UNAVAILABLE)),
        (400, problem("INVALID_ARGUMENT"), RequestRefused("gemini-veo", code=FailureCode.INVALID)),
        (400, problem("FAILED_PRECONDITION"), CredentialsRefused("gemini-veo")),
        (
            400,
            problem("INVALID_ARGUMENT", {"reason": "API_KEY_INVALID"}),
            CredentialsRefused("gemini-veo"),
        ),
        (401, problem("UNAUTHENTICATED"), CredentialsRefused("gemini-veo")),
        (403, problem("PERMISSION_DENIED"), CredentialsRefused("gemini-veo")),
        (402, problem("RESOURCE_EXHAUSTED"), BalanceUsedUp("gemini-veo")),
        (408, problem("DEADLINE_EXCEEDED"), OutcomeUnknown("gemini-veo")),
        (503, problem("UNAVAILABLE"), OutcomeUnknown("gemini-veo")),
        (504, problem("DEADLINE_EXCEEDED"), OutcomeUnknown("gemini-veo")),
        (
            429,
            problem("RESOURCE_EXHAUSTED", DELAY),
            RateLimited("gemini-veo", retry_after=timedelta(seconds=23)),
        ),
        (
            429,
            problem("RESOURCE_EXHAUSTED", quota("RequestsPerMinutePerProjectPerModel"), DELAY),
            RateLimited("gemini-veo", retry_after=timedelta(seconds=23), of_model=True),
        ),
        (
            429,
            problem("RESOURCE_EXHAUSTED", quota("RequestsPerDayPerProject"), DELAY),
            RateLimited("gemini-veo", retry_after=timedelta(hours=1), of_model=True),
        ),
        (429, problem("RESOURCE_EXHAUSTED", {"retryDelay": "soon"}), RateLimited("gemini-veo")),
        (429, b"busy", RateLimited("gemini-veo")),
        (
            429,
            problem("RESOURCE_EXHAUSTED", {"retryDelay": "99999s"}),
            RateLimited("gemini-veo", retry_after=timedelta(hours=1)),
        ),
        (400, b"[" + problem("FAILED_PRECONDITION") + b"]", CredentialsRefused("gemini-veo")),
        (
            400,
            b'{"error": {"status": 5, "details": [1, {"violations": 3}]}}',
            RequestRefused("gemini-veo", code=FailureCode.INVALID),
        ),
    ],
)
def test_a_refusal_is_read_from_its_body(status: int, body: bytes, expected: ProviderError) -> None:
    with serving(answers(status, body)) as server, pytest.raises(ProviderError) as caught:
        submit(GeminiVeoProvider(url=server.url, api_key=KEY, http=CLIENT))
    assert type(caught.value) is type(expected)
    assert vars(caught.value) == vars(expected)


@pytest.mark.parametrize(
    ("answer", "state", "code", "retryable"),
    [
        ({"error": {"code": 3}}, RenderState.FAILED, FailureCode.INVALID, False),
        ({"error": {"code": 7}}, RenderState.FAILED, FailureCode.VENDOR_FAULT, False),
        ({"error": {"code": 8}}, RenderState.FAILED, FailureCode.VENDOR_FAULT, True),
        ({"error": {"code": 13}}, RenderState.FAILED, FailureCode.VENDOR_FAULT, True),
        ({"error": {"code": 14}}, RenderState.FAILED, FailureCode.VENDOR_FAULT, True),
        ({"error": {"code": 99}}, RenderState.FAILED, FailureCode.VENDOR_FAULT, False),
        ({"error": {"code": "13"}}, RenderState.FAILED, FailureCode.VENDOR_FAULT, False),
        ({"error": "no"}, RenderState.FAILED, FailureCode.VENDOR_FAULT, False),
        ({"error": {"code": 1}}, RenderState.CANCELLED, None, None),
        ({"response": {}}, RenderState.FAILED, FailureCode.NO_MEDIA, True),
        ({"response": None}, RenderState.FAILED, FailureCode.NO_MEDIA, True),
        ({}, RenderState.FAILED, FailureCode.NO_MEDIA, True),
        (
            {"response": {"generateVideoResponse": {"generatedSamples": [{"video": {"uri": ""}}]}}},
            RenderState.FAILED,
            FailureCode.NO_MEDIA,
            True,
        ),
        (
            {"response": {"generateVideoResponse": {"raiMediaFilteredReasons": ["no"]}}},
            RenderState.FAILED,
            FailureCode.MODERATED,
            False,
        ),
        ({"done": "yes"}, RenderState.UNKNOWN, None, None),
        ({"done": False}, RenderState.RUNNING, None, None),
    ],
)
def test_an_end_has_our_reason(
    answer: dict[str, Any], state: RenderState, code: FailureCode | None, retryable: bool | None
) -> None:
    body = json.dumps({"name": "id-1", "done": True, **answer}).encode()
    with serving(answers(200, body)) as server:
        update = GeminiVeoProvider(url=server.url, api_key=KEY, http=CLIENT).fetch("id-1")
    failure = update.failure
    assert update.state is state
    assert (getattr(failure, "code", None), getattr(failure, "retryable", None)) == (code, retryable)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.RATE_LIMITED, RateLimited),
        (Fault.WRONG_KEY, CredentialsRefused),
        (Fault.NO_BALANCE, BalanceUsedUp),
        (Fault.REFUSED, RequestRefused),
        (Fault.SERVER_ERROR, OutcomeUnknown),
        (Fault.SERVER_ERROR_AFTER_ACCEPTING, OutcomeUnknown),
        (Fault.SILENCE_AFTER_ACCEPTING, OutcomeUnknown),
        (Fault.HANG_UP_AFTER_ACCEPTING, OutcomeUnknown),
        (Fault.GARBAGE_AFTER_ACCEPTING, OutcomeUnknown),
    ],
)
def test_a_faulty_submission_has_our_error(vendor: GeminiVeo, fault: Fault, kind: type[Exception]) -> None:
    vendor.fault = fault
    with pytest.raises(ProviderError) as caught:
        submit(adapter(vendor, HASTY))
    assert type(caught.value) is kind
    if isinstance(caught.value, RateLimited):
        assert caught.value.retry_after == timedelta(seconds=1)
        assert caught.value.of_model
        assert submit(adapter(vendor))


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
    vendor: GeminiVeo, fault: Fault, state: RenderState, code: FailureCode | None
) -> None:
    vendor.fault = fault
    update = followed(adapter(vendor), submit(adapter(vendor)))
    assert update.state is state
    assert getattr(update.failure, "code", None) is code
    assert code is None or isinstance(update.failure, RenderFailed)


def test_a_faulty_look_decides_nothing(vendor: GeminiVeo) -> None:
    looks: list[tuple[Fault, list[type[ProviderError]]]] = [
        (Fault.STATUS_ERROR, [ReadFailed, ReadFailed]),
        (Fault.STATUS_GARBAGE, [ReadFailed, ReadFailed]),
        (Fault.STATUS_RATE_LIMITED, [RateLimited]),
    ]
    for fault, kinds in looks:
        vendor.fault = fault
        external_id = submit(adapter(vendor))
        for kind in kinds:
            with pytest.raises(ProviderError) as caught:
                adapter(vendor).fetch(external_id)
            assert type(caught.value) is kind
        assert followed(adapter(vendor), external_id).state is RenderState.SUCCEEDED
    vendor.fault = Fault.LOST
    external_id = submit(adapter(vendor))
    with pytest.raises(JobNotFound):
        followed(adapter(vendor), external_id)
    vendor.fault = Fault.STUCK
    external_id = submit(adapter(vendor))
    vendor.jobs[external_id.rpartition("/")[2]].began -= 60
    assert adapter(vendor).fetch(external_id).state is RenderState.RUNNING


def test_a_faulty_file_is_the_downloads_to_notice(vendor: GeminiVeo) -> None:
    vendor.fault = Fault.LINK_EXPIRED
    output = followed(adapter(vendor), submit(adapter(vendor))).output
    with pytest.raises(BadStatus):
        downloaded(output)
    assert downloaded(output) == clip()
    vendor.fault = Fault.TRUNCATED
    assert len(downloaded(followed(adapter(vendor), submit(adapter(vendor))).output)) == len(clip()) // 2


def test_a_wrong_key_and_an_end_are_told_apart(vendor: GeminiVeo) -> None:
    provider = GeminiVeoProvider(url=vendor.url, api_key="another", http=CLIENT)
    for call in (lambda: submit(provider), lambda: provider.fetch("models/x/operations/y")):
        with pytest.raises(CredentialsRefused):
            call()
    vendor.retired = True
    with pytest.raises(RequestRefused) as refusal:
        submit(adapter(vendor))
    assert refusal.value.code is FailureCode.MODEL_UNAVAILABLE


def test_a_delivery_of_the_simulator_is_a_hint_with_our_token(vendor: GeminiVeo) -> None:
    with serving(answers(204, b"")) as receiver:
        external_id = submit(adapter(vendor), callback=f"{receiver.url}/hook")
        followed(adapter(vendor), external_id)
        vendor.tell(vendor.jobs[external_id.rpartition("/")[2]])
        call = receiver.received[-1]
    [update] = adapter(vendor).read_webhook({"Webhook-Id": str(call.header("webhook-id"))}, call.body)
    assert (update.external_id, update.client_token) == (external_id, TOKEN)
    assert (update.state, update.vendor_state) == (RenderState.RUNNING, "video.generated")
    assert update.event_id == "evt_job-1"


def test_a_signature_is_checked_where_there_is_one_and_a_secret() -> None:
    body = json.dumps({"type": "video.generated", "data": {"name": "id-1"}}).encode()
    provider = GeminiVeoProvider(url="http://127.0.0.1:9", api_key=KEY, webhook_secrets=[OTHER, SECRET])
    assert provider.read_webhook(signed(SECRET, body), body)
    assert provider.read_webhook({}, body)
    with pytest.raises(BadSignature):
        provider.read_webhook(signed(SECRET, body), body + b" ")
    unarmed = GeminiVeoProvider(url="http://127.0.0.1:9", api_key=KEY)
    assert unarmed.read_webhook(signed(SECRET, body), body + b" ")


@pytest.mark.parametrize("body", [b"no JSON", b"[]", b'{"data": {}}', b'{"type": "x", "data": {"id": 5}}'])
def test_a_delivery_that_makes_no_sense_is_not_obeyed(body: bytes) -> None:
    with pytest.raises(ReadFailed):
        GeminiVeoProvider(url="http://127.0.0.1:9", api_key=KEY).read_webhook({}, body)


def test_it_is_made_from_its_settings() -> None:
    values = {
        "GEMINI_VEO_API_KEY": KEY,
        "GEMINI_VEO_URL": "http://127.0.0.1:9/",
        "GEMINI_VEO_WEBHOOK_SECRET": f" {OTHER} , {SECRET},",
    }
    body = json.dumps({"type": "video.generated", "data": {"id": "id-1"}}).encode()
    for secret in (OTHER, SECRET):
        assert GeminiVeoProvider.from_settings(values).read_webhook(signed(secret, body), body)


def test_the_simulator_is_as_strict_as_the_vendor(vendor: GeminiVeo) -> None:
    changes: list[tuple[dict[str, Any], dict[str, Any], int]] = [
        ({}, {}, 200),
        ({}, {"parameters": {"seed": 7}}, 400),
        ({}, {"parameters": {"generateAudio": True}}, 400),
        ({}, {"parameters": {"resizeMode": "crop"}}, 400),
        ({}, {"parameters": {"storageUri": "gs://a/b"}}, 400),
        ({}, {"parameters": {"sampleCount": 2}}, 400),
        ({}, {"labels": {"job": "1"}}, 400),
        ({}, {"instances": []}, 400),
        ({"prompt": 5}, {}, 400),
        ({"video": {"uri": "https://files.example/other.mp4"}}, {}, 400),
        ({}, {"webhookConfig": {"uris": "https://a.example"}}, 400),
    ]
    url = f"{vendor.url}/models/veo-3.0-generate-001:predictLongRunning"
    for instance, more, status in changes:
        body = {"instances": [{"prompt": "A kite", **instance}], **more}
        answer = CLIENT.request("POST", url, headers={"x-goog-api-key": vendor.key}, json=body)
        assert answer.status == status, (instance, more)
    assert CLIENT.request("POST", url, json={"instances": [{"prompt": "A kite"}]}).status == 403
