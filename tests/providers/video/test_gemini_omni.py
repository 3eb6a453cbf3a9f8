"""Gemini Omni through the Interactions API: the adapter against the contract, its simulator, and what is its own."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from providers.contract import (
    CancelOutcome,
    InputMedia,
    Mode,
    OutputSource,
    RenderRequest,
    RenderState,
    VideoProvider,
    Webhooks,
)
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
    UnsupportedFeature,
)
from providers.http import BadStatus, Client
from providers.video.gemini_omni import MODELS, STATES, GeminiOmniProvider
from tests.providers.contract import A_VIDEO, KEY, TOKEN, VideoProviderContract
from tests.providers.forgeries import Forgery, signed, standard_webhook_forgeries
from tests.providers.servers import answers, serving
from tests.vendors.gemini_omni import GeminiOmni
from tests.vendors.video import Fault, clip

from .google import CLIENT, HASTY, PNG, WholeVideos, downloaded, followed, paths, picture, wishes
from .test_gemini_veo import problem

__all__ = ["picture"]

SECRET = "whsec_dGhlIHNlY3JldCBvZiB0aGUgZW5kcG9pbnQsIDMyIGI="
OTHER = "whsec_YW5vdGhlciBzZWNyZXQgb2YgdGhlIGVuZHBvaW50LCA="
NOWHERE = "http://127.0.0.1:9"
SHEET = RenderRequest(
    model="gemini-omni-1.2-flash",
    mode=Mode.TEXT,
    prompt="A kite above a winter beach, handheld look",
    duration_seconds=8,
    resolution="720p",
    ratio="16:9",
)


def interaction(external_id: str, word: str, *content: dict[str, Any], **more: Any) -> dict[str, Any]:
    asked = {"type": "user_input", "content": [{"type": "text", "text": "A paper boat"}]}
    steps = [asked, {"type": "model_output", "content": list(content)}] if content else [asked]
    return {"id": external_id, "status": word, "model": "a-model", "steps": steps, **more}


def video(url: str = A_VIDEO) -> dict[str, Any]:
    return {"type": "video", "mime_type": "video/mp4", "uri": url}


class TestGeminiOmni(VideoProviderContract):
    kind = GeminiOmniProvider
    words = STATES

    def adapter(self, url: str, http: Client) -> VideoProvider:
        return GeminiOmniProvider(
            url=f"{url}/v1beta", api_key=KEY, webhook_secrets=[OTHER, SECRET], http=http
        )

    def accepted(self, external_id: str) -> Any:
        return interaction(external_id, "in_progress")

    def status(self, external_id: str, word: str, *, media: bool = True, url: str = A_VIDEO) -> Any:
        content = [video(url)] if word == "completed" and media else []
        return interaction(external_id, word, *content, labels={"job": TOKEN})

    def moderated(self, external_id: str) -> Any:
        return interaction(external_id, "completed", {"type": "text", "text": "vendor-text-CANARY"})

    def webhook(self, external_id: str, word: str) -> tuple[dict[str, str], bytes]:
        message = {"type": "interaction.completed", "data": self.status(external_id, word)}
        body = json.dumps(message).encode()
        return signed(SECRET, body, message_id="msg_9"), body

    def forgeries(self) -> list[Forgery]:
        return []


class TestGeminiOmniInline(WholeVideos, TestGeminiOmni):
    """As it may answer later: the video inside."""

    def status(self, external_id: str, word: str, *, media: bool = True, url: str = A_VIDEO) -> Any:
        inline = {"type": "video", "mime_type": "video/mp4", "data": "AAAA"}
        content = [inline] if word == "completed" and media else []
        return interaction(external_id, word, *content, labels={"job": TOKEN})

    def done(self, url: str, size: int) -> Iterable[bytes]:
        before, after = json.dumps(self.status("id-1", "completed")).encode().split(b"AAAA")
        yield before
        for _ in range(size // (3 << 16)):
            yield b"AAAA" * (1 << 16)
        yield b"AAAA" * (size % (3 << 16) // 3) + after


@pytest.fixture
def vendor() -> Iterator[GeminiOmni]:
    with GeminiOmni(seconds=0.1) as running:
        yield running


def adapter(vendor: GeminiOmni, http: Client = CLIENT) -> GeminiOmniProvider:
    provider = GeminiOmniProvider.from_settings(vendor.environment())
    provider._http = http
    return provider


def at(url: str, *secrets: str) -> GeminiOmniProvider:
    return GeminiOmniProvider(url=url, api_key=KEY, webhook_secrets=secrets, http=CLIENT)


def submit(provider: VideoProvider, request: RenderRequest = SHEET, callback: str | None = None) -> str:
    return provider.submit(request, client_token=TOKEN, callback_url=callback).external_id


def test_a_request_is_the_documented_json(vendor: GeminiOmni, picture: InputMedia) -> None:
    receipt = adapter(vendor).submit(
        SHEET, client_token=TOKEN, callback_url="https://hooks.example.com/google/1"
    )
    assert (receipt.external_id, receipt.vendor_state) == ("int_1", "queued")
    sent = vendor.requests[-1]
    assert sent.path == "/v1beta/interactions"
    assert sent.headers["x-goog-api-key"] == vendor.key
    plain = {
        "model": "gemini-omni-1.2-flash",
        "input": "A kite above a winter beach, handheld look",
        "background": True,
        "store": True,
        "response_format": {
            "type": "video",
            "aspect_ratio": "16:9",
            "resolution": "720p",
            "duration": "8s",
            "delivery": "uri",
        },
        "generation_config": {"video_config": {"task": "text_to_video"}},
        "labels": {"job": TOKEN},
    }
    hook = {"uris": ["https://hooks.example.com/google/1"], "user_metadata": {"job": TOKEN}}
    assert sent.json == {**plain, "webhook_config": hook}

    submit(adapter(vendor), replace(SHEET, mode=Mode.IMAGE, start_image=picture, seed=7, resolution="4K"))
    text = {"type": "text", "text": SHEET.prompt}
    assert vendor.requests[-1].json == {
        **plain,
        "input": [
            {
                "type": "user_input",
                "content": [text, {"type": "image", "uri": picture.url, "mime_type": "image/png"}],
            }
        ],
        "response_format": {**plain["response_format"], "resolution": "4k"},  # type: ignore[dict-item]
        "generation_config": {"video_config": {"task": "image_to_video"}, "seed": 7},
    }


def test_a_video_is_changed_by_its_link_and_its_own_by_its_interaction(
    vendor: GeminiOmni, picture: InputMedia
) -> None:
    provider = adapter(vendor)
    earlier = submit(provider)
    foreign = InputMedia(url=picture.url, media_type="video/mp4")
    request = replace(SHEET, mode=Mode.VIDEO, source_video=foreign)
    submit(provider, request)
    sent = vendor.requests[-1].json
    assert sent["input"][0]["content"][1] == {"type": "video", "uri": picture.url, "mime_type": "video/mp4"}
    assert sent["generation_config"] == {"video_config": {"task": "edit"}}
    assert "previous_interaction_id" not in sent
    for task in ("edit", "extend", "upscale"):
        own = replace(foreign, vendor_id=earlier)
        submit(provider, replace(request, source_video=own, controls={"task": task}))
        sent = vendor.requests[-1].json
        assert (sent["input"], sent["previous_interaction_id"]) == (SHEET.prompt, earlier)
        assert sent["generation_config"] == {"video_config": {"task": task}}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model.id))
@pytest.mark.parametrize("own", [True, False])
def test_whatever_a_model_offers_is_taken(
    vendor: GeminiOmni, picture: InputMedia, model: Any, own: bool
) -> None:
    provider = adapter(vendor)
    earlier = submit(provider) if own else ""
    source = InputMedia(url=picture.url, media_type="video/mp4", vendor_id=earlier)
    for request in wishes(model, picture, source):
        assert submit(provider, request).startswith("int_")


@pytest.mark.parametrize("inline", [False, True])
def test_a_render_ends_in_its_file(vendor: GeminiOmni, inline: bool) -> None:
    vendor.inline = inline
    provider = adapter(vendor)
    update = followed(provider, submit(provider))
    assert (update.state, update.vendor_state) == (RenderState.SUCCEEDED, "completed")
    assert update.client_token == TOKEN
    assert downloaded(update.output) == clip()
    address = "interactions/int_1" if inline else "files/int_1:download"
    assert paths(vendor)[-1] == f"GET /v1beta/{address}"
    vendor.fault = Fault.TRUNCATED
    assert len(downloaded(followed(provider, submit(provider)).output)) == len(clip()) // 2


def test_an_inline_video_is_the_field_data_of_the_interaction() -> None:
    inline = {"type": "video", "data": "AAAA" * 20_000}
    body = json.dumps(interaction("id-1", "completed", inline)).encode()
    with serving(answers(200, body)) as server:
        output = at(server.url).fetch("id-1").output
        assert output == OutputSource(
            url=f"{server.url}/interactions/id-1", headers={"x-goog-api-key": KEY}, base64_field="data"
        )
        assert downloaded(output) == bytes(60_000)


def test_an_inline_video_behind_other_data_is_not_taken_for_it() -> None:
    answer = interaction("id-1", "completed", {"type": "video", "data": "AAAA"})
    answer["steps"][0]["content"].append({"type": "image", "data": "BBBB"})
    with serving(answers(200, json.dumps(answer).encode())) as server, pytest.raises(ReadFailed):
        at(server.url).fetch("id-1")


def test_the_last_output_counts() -> None:
    answer = interaction("id-1", "completed", video("https://files.example/first.mp4"))
    answer["steps"].append({"type": "thought", "summary": []})
    answer["steps"].append({"type": "model_output", "content": [{"type": "text"}, video()]})
    with serving(answers(200, json.dumps(answer).encode())) as server:
        output = at(server.url).fetch("id-1").output
    assert output is not None
    assert output.url == A_VIDEO
    assert output.headers == {}, "the key is for the API's own host"


@pytest.mark.parametrize(
    ("answer", "code", "retryable"),
    [
        (interaction("i", "failed"), FailureCode.VENDOR_FAULT, False),
        (interaction("i", "incomplete"), FailureCode.VENDOR_FAULT, True),
        (interaction("i", "budget_exceeded"), FailureCode.VENDOR_FAULT, False),
        (interaction("i", "requires_action"), FailureCode.VENDOR_FAULT, False),
        (interaction("i", "completed"), FailureCode.NO_MEDIA, True),
        (interaction("i", "completed", {"type": "text", "text": "No."}), FailureCode.MODERATED, False),
        (interaction("i", "completed", {"type": "image", "uri": "x"}), FailureCode.NO_MEDIA, True),
        (interaction("i", "completed", {"type": "video", "uri": ""}), FailureCode.NO_MEDIA, True),
        ({"id": "i", "status": "completed", "steps": "none"}, FailureCode.NO_MEDIA, True),
        (
            {"id": "i", "status": "completed", "steps": [5, {"type": "model_output"}]},
            FailureCode.NO_MEDIA,
            True,
        ),
        *(
            (
                {
                    "id": "i",
                    "status": "failed",
                    "steps": [{"type": "model_output", "error": {"code": number, "message": "CANARY"}}],
                },
                code,
                retryable,
            )
            for number, code, retryable in [
                (3, FailureCode.INVALID, False),
                (8, FailureCode.VENDOR_FAULT, True),
                (13, FailureCode.VENDOR_FAULT, True),
                (16, FailureCode.VENDOR_FAULT, False),
            ]
        ),
    ],
)
def test_an_end_without_a_video_has_our_reason(
    answer: dict[str, Any], code: FailureCode, retryable: bool
) -> None:
    with serving(answers(200, json.dumps(answer).encode())) as server:
        update = at(server.url).fetch("i")
    assert update.state is RenderState.FAILED
    assert isinstance(update.failure, RenderFailed)
    assert (update.failure.code, update.failure.retryable) == (code, retryable)


@pytest.mark.parametrize(
    ("change", "feature"),
    [
        ({"negative_prompt": "rain"}, "negative prompt"),
        ({"style": "noir"}, "style"),
        ({"end_image": InputMedia(url="https://a.example/a.png", media_type="image/png")}, "end image"),
        ({"enhance": True}, "prompt enhancement"),
        ({"audio": True}, "sound"),
        ({"resolution": "480p"}, "the resolution 480p"),
        ({"ratio": "1:1"}, "the ratio 1:1"),
        ({"controls": {"camera": "left"}}, "camera"),
        ({"controls": {"task": "edit"}}, "a task without a source video"),
        (
            {
                "mode": Mode.VIDEO,
                "source_video": InputMedia(url="https://a.example/a.mp4", media_type="video/mp4"),
                "controls": {"task": "extend"},
            },
            "a source video that it did not make",
        ),
    ],
)
def test_what_it_cannot_express_is_named(vendor: GeminiOmni, change: dict[str, Any], feature: str) -> None:
    with pytest.raises(UnsupportedFeature) as refusal:
        submit(adapter(vendor), replace(SHEET, **change))
    assert refusal.value.feature == feature
    assert vendor.requests == []


def test_a_cancel_is_taken_or_too_late(vendor: GeminiOmni) -> None:
    vendor.seconds = 5
    provider = adapter(vendor)
    external_id = submit(provider)
    assert provider.cancel(external_id) is CancelOutcome.ACCEPTED
    assert provider.fetch(external_id).state is RenderState.CANCELLED
    assert provider.cancel(external_id) is CancelOutcome.TOO_LATE
    with pytest.raises(JobNotFound):
        provider.cancel("int_99")


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, interaction("i", "in_progress"), CancelOutcome.ACCEPTED),
        (200, interaction("i", "cancelled"), CancelOutcome.ACCEPTED),
        (200, interaction("i", "completed"), CancelOutcome.TOO_LATE),
        (200, interaction("i", "failed"), CancelOutcome.TOO_LATE),
        (400, {"error": {"status": "INVALID_ARGUMENT"}}, CancelOutcome.TOO_LATE),
        (409, {}, CancelOutcome.TOO_LATE),
        (400, {"error": {"status": "FAILED_PRECONDITION"}}, CredentialsRefused),
        (500, {}, ReadFailed),
        (429, {}, RateLimited),
    ],
)
def test_an_answer_to_a_cancel_is_read(status: int, body: dict[str, Any], expected: Any) -> None:
    with serving(answers(status, json.dumps(body).encode())) as server:
        outcome: object
        try:
            outcome = at(server.url).cancel("i")
        except ProviderError as error:
            outcome = type(error)
    assert outcome is expected
    assert server.received[0].line == "POST /interactions/i/cancel HTTP/1.1"


@pytest.mark.parametrize("vendor_id", ["int_0", ""])
@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (404, problem("NOT_FOUND"), FailureCode.INPUT_UNREADABLE),
        (404, b"gone", FailureCode.INPUT_UNREADABLE),
        (400, problem("FAILED_PRECONDITION"), FailureCode.INPUT_UNREADABLE),
        (400, problem("INVALID_ARGUMENT"), FailureCode.INVALID),
        (400, problem("FAILED_PRECONDITION", {"reason": "API_KEY_INVALID"}), None),
    ],
)
def test_where_an_earlier_video_goes_along_it_may_be_what_is_missing(
    vendor_id: str, status: int, body: bytes, code: FailureCode | None
) -> None:
    """The model and our account are not blamed for it; without one they are."""
    source = InputMedia(url="https://store.example/a.mp4", media_type="video/mp4", vendor_id=vendor_id)
    for request in (replace(SHEET, mode=Mode.VIDEO, source_video=source), SHEET):
        with serving(answers(status, body)) as server, pytest.raises(ProviderError) as caught:
            submit(at(server.url), request)
        if request is SHEET and code is FailureCode.INPUT_UNREADABLE:
            assert getattr(caught.value, "code", None) is (
                FailureCode.MODEL_UNAVAILABLE if status == 404 else None
            )
            assert isinstance(caught.value, RequestRefused if status == 404 else CredentialsRefused)
        else:
            assert getattr(caught.value, "code", None) is code
            assert isinstance(caught.value, RequestRefused if code else CredentialsRefused)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (404, problem("NOT_FOUND"), RequestRefused("gemini-omni", code=FailureCode.MODEL_UNAVAILABLE)),
        (400, problem("INVALID_ARGUMENT"), RequestRefused("gemini-omni", code=FailureCode.INVALID)),
        (402, problem("RESOURCE_EXHAUSTED"), BalanceUsedUp("gemini-omni")),
        (409, problem("ABORTED"), OutcomeUnknown("gemini-omni")),
        (503, problem("UNAVAILABLE"), OutcomeUnknown("gemini-omni")),
        (
            429,
            problem("RESOURCE_EXHAUSTED", {"retryDelay": "23.5s"}),
            RateLimited("gemini-omni", retry_after=timedelta(seconds=23.5)),
        ),
    ],
)
def test_a_refusal_is_read_from_its_body(status: int, body: bytes, expected: ProviderError) -> None:
    with serving(answers(status, body)) as server, pytest.raises(ProviderError) as caught:
        submit(at(server.url))
    assert type(caught.value) is type(expected)
    assert vars(caught.value) == vars(expected)


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
def test_a_faulty_submission_has_our_error(vendor: GeminiOmni, fault: Fault, kind: type[Exception]) -> None:
    vendor.fault = fault
    with pytest.raises(ProviderError) as caught:
        submit(adapter(vendor, HASTY))
    assert type(caught.value) is kind


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
    vendor: GeminiOmni, fault: Fault, state: RenderState, code: FailureCode | None
) -> None:
    vendor.fault = fault
    provider = adapter(vendor)
    update = followed(provider, submit(provider))
    assert update.state is state
    assert getattr(update.failure, "code", None) is code


def test_a_faulty_look_decides_nothing(vendor: GeminiOmni) -> None:
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
    vendor.fault = Fault.UNKNOWN_WORD
    external_id = submit(provider)
    update = provider.fetch(external_id)
    assert (update.state, update.vendor_state) == (RenderState.UNKNOWN, "daydreaming")
    assert followed(provider, external_id).state is RenderState.SUCCEEDED
    vendor.fault = Fault.LOST
    external_id = submit(provider)
    with pytest.raises(JobNotFound):
        followed(provider, external_id)
    vendor.fault = Fault.STUCK
    external_id = submit(provider)
    vendor.jobs[external_id].began -= 60
    assert provider.fetch(external_id).state is RenderState.RUNNING
    vendor.fault = Fault.LINK_EXPIRED
    output = followed(provider, submit(provider)).output
    with pytest.raises(BadStatus):
        downloaded(output)
    assert downloaded(output) == clip()


# Webhooks


@pytest.mark.parametrize("secret", ["", SECRET])
def test_a_delivery_of_the_simulator_is_a_hint_with_our_token(vendor: GeminiOmni, secret: str) -> None:
    vendor.secret = secret
    provider = adapter(vendor)
    with serving(answers(204, b"")) as receiver:
        external_id = submit(provider, callback=f"{receiver.url}/hook")
        followed(provider, external_id)
        vendor.tell(vendor.jobs[external_id])
        call = receiver.received[-1]
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    headers = {name.title(): str(call.header(name)) for name in names if call.header(name)}
    [update] = provider.read_webhook(headers, call.body)
    assert (update.external_id, update.client_token) == (external_id, TOKEN)
    assert (update.state, update.vendor_state) == (RenderState.RUNNING, "interaction.completed")
    assert update.event_id == "evt_int_1"
    if secret:
        with pytest.raises(BadSignature):
            provider.read_webhook(headers, call.body + b" ")


def test_a_bare_delivery_of_an_end_says_so() -> None:
    data = {"id": "id-1", "status": "failed", "user_metadata": {"job": TOKEN}}
    body = json.dumps({"type": "interaction.failed", "data": data}).encode()
    [update] = at(NOWHERE).read_webhook({}, body)
    assert (update.state, update.client_token, update.event_id) == (RenderState.FAILED, TOKEN, None)


def test_it_does_not_claim_to_be_signed() -> None:
    """Nobody has confirmed how: our URL's token has to speak for a delivery without a signature."""
    assert GeminiOmniProvider.webhooks is Webhooks.TOKEN
    assert any("unconfirmed" in note and "signed" in note for note in GeminiOmniProvider.notes)


def test_what_has_a_signature_of_the_likely_form_is_held_to_it() -> None:
    body = json.dumps({"type": "interaction.completed", "data": {"id": "id-1"}}).encode()
    provider = at(NOWHERE, OTHER, SECRET)
    for secret in (OTHER, SECRET):
        assert provider.read_webhook(signed(secret, body, late=timedelta(minutes=4)), body)
    refused = 0
    for forgery in standard_webhook_forgeries(SECRET, body):
        if "v1," not in forgery.headers.get("webhook-signature", "") or forgery.name == "another secret":
            continue
        for content in (forgery.body, b"{{{ no JSON"):
            with pytest.raises(BadSignature):
                provider.read_webhook(forgery.headers, content)
            refused += 1
    assert refused >= 24


def test_a_signature_of_another_form_leaves_it_to_our_urls_token() -> None:
    body = json.dumps({"type": "interaction.completed", "data": {"id": "id-1"}}).encode()
    for headers in ({}, {"webhook-signature": "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"}, {"webhook-signature": ""}):
        assert at(NOWHERE, SECRET).read_webhook(headers, body)
    assert at(NOWHERE).read_webhook(signed(OTHER, body), body)


@pytest.mark.parametrize(
    "body",
    [b"no JSON", b"[]", b'{"data": {"id": "x"}}', b'{"type": "x", "data": {"id": ""}}', b"[" * 100_000],
)
def test_a_delivery_that_makes_no_sense_is_not_obeyed(body: bytes) -> None:
    with pytest.raises(ReadFailed):
        at(NOWHERE).read_webhook({}, body)


def test_the_simulator_is_as_strict_as_the_vendor(vendor: GeminiOmni) -> None:
    good = {
        "model": "gemini-omni-1.2-flash",
        "input": "A kite",
        "background": True,
        "response_format": {"type": "video"},
    }
    with serving(answers(404)) as store, serving(answers(200, PNG)) as picture_store:
        missing = {"type": "image", "uri": f"{store.url}/a.png", "mime_type": "image/png"}
        there = {"type": "image", "uri": f"{picture_store.url}/a.png", "mime_type": "image/png"}
        changes: list[tuple[dict[str, Any], int]] = [
            ({}, 200),
            ({"input": [there]}, 200),
            ({"input": [{"type": "user_input", "content": [there]}]}, 200),
            ({"input": [missing]}, 400),
            ({"colour": "red"}, 400),
            ({"background": "yes"}, 400),
            ({"store": False}, 400),
            ({"model": "gemini-omni-9"}, 404),
            ({"response_format": {"type": "video", "duration": 8}}, 400),
            ({"response_format": {"type": "video", "duration": "2s"}}, 400),
            ({"response_format": {"type": "video", "resolution": "480p"}}, 400),
            ({"generation_config": {"video_config": {"task": "dance"}}}, 400),
            ({"generation_config": {"video_config": {"task": "edit"}}}, 400),
            ({"labels": {"Job": "x"}}, 400),
            ({"labels": {"job": "x" * 64}}, 400),
            ({"previous_interaction_id": "int_99"}, 404),
            ({"webhook_config": {"uris": ["ftp://a.example"]}}, 400),
        ]
        for change, status in changes:
            headers = {"x-goog-api-key": vendor.key}
            answer = CLIENT.request(
                "POST", f"{vendor.url}/interactions", headers=headers, json={**good, **change}
            )
            assert answer.status == status, change
