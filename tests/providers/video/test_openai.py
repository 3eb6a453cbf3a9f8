"""The adapter of OpenAI's Videos API against the contract, and what is its own."""

import base64
import json
import struct
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from providers.contract import InputMedia, Mode, RenderRequest, RenderState, VideoProvider
from providers.errors import (
    BadSignature,
    BalanceUsedUp,
    FailureCode,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    ReadFailed,
    RenderFailed,
    RequestRefused,
    UnsupportedFeature,
)
from providers.http import Client
from providers.video.openai import MAX_IMAGE_BYTES, MODELS, STATES, OpenAIProvider, gateway_models
from tests.providers.contract import A_REQUEST, A_VIDEO, CALLBACK, IMAGE, KEY, TOKEN, VideoProviderContract
from tests.providers.forgeries import Forgery, signed, standard_webhook_forgeries
from tests.providers.sandbox import SINCE
from tests.providers.servers import Received, answers, serving

SECRET = "whsec_" + base64.b64encode(b"openai's secret, 32 bytes long..").decode()
OTHER = "whsec_" + base64.b64encode(b"the secret before that one......").decode()
NOBODY = "http://127.0.0.1:9"
CREATED = int(SINCE.timestamp()) + 5

TEXT = replace(A_REQUEST, model="sora-2", duration_seconds=8)
EARLIER = InputMedia(
    url="https://store.example/a.mp4?s=CANARY", media_type="video/mp4", vendor_id="video_7/x"
)
EXTEND = replace(TEXT, mode=Mode.VIDEO, source_video=EARLIER, duration_seconds=16)


def png(width: int, height: int) -> bytes:
    """The head of one, which is all that is looked at."""
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + bytes(5)


class TestOpenAI(VideoProviderContract):
    kind = OpenAIProvider
    words = STATES
    request = TEXT
    callback_in_body = False

    def adapter(self, url: str, http: Client) -> VideoProvider:
        return OpenAIProvider(url=url, api_key=KEY, webhook_secrets=[OTHER, SECRET], http=http)

    def accepted(self, external_id: str) -> Any:
        return self.status(external_id, "queued")

    def status(self, external_id: str, word: str, *, media: bool = True, url: str = A_VIDEO) -> Any:
        """Without media: what could be downloaded until a minute ago."""
        done = word == "completed"
        return {
            "id": external_id,
            "object": "video",
            "model": "sora-2",
            "status": word,
            "progress": 100 if done else 40,
            "created_at": CREATED,
            "completed_at": CREATED + 155 if done else None,
            "expires_at": int(time.time()) + (3600 if media else -60) if done else None,
            "prompt": TEXT.prompt,
            "seconds": "8",
            "size": "1280x720",
            "remixed_from_video_id": None,
            "error": {"code": "boom", "message": "CANARY"} if word == "failed" else None,
        }

    def done(self, url: str, size: int) -> Iterable[bytes]:
        return [self.body(self.status("id-1", "completed") | {"video_url": url})]

    def moderated(self, external_id: str) -> Any:
        error = {"code": "moderation_blocked", "message": "vendor-text-CANARY"}
        return self.status(external_id, "failed") | {"error": error}

    def webhook(self, external_id: str, word: str) -> tuple[dict[str, str], bytes]:
        body = self.body(
            {
                "id": "evt_1",
                "object": "event",
                "created_at": CREATED,
                "type": f"video.{word}",
                "data": {"id": external_id},
            }
        )
        return signed(SECRET, body, message_id="msg_9"), body

    def forgeries(self) -> list[Forgery]:
        _, body = self.webhook("id-1", "completed")
        return list(standard_webhook_forgeries(SECRET, body))

    def test_an_option_the_vendor_cannot_express_is_named_before_anything_is_sent(self) -> None:
        """A start image is read and sent inside the request, so its address is not in it: see below."""
        for request in [
            replace(self.request, mode=Mode.VIDEO, source_video=replace(EARLIER, vendor_id="")),
            replace(self.request, source_video=EARLIER),
            replace(EXTEND, start_image=IMAGE),
            replace(EXTEND, controls={"operation": "remix"}),
            replace(self.request, controls={"operation": "extend"}),
            replace(self.request, controls={"camera": "left"}),
            replace(self.request, mode=Mode.FIRST_LAST, start_image=IMAGE, end_image=IMAGE),
            replace(self.request, negative_prompt="no-rain"),
            replace(self.request, style="cinematic"),
            replace(self.request, seed=0),
            replace(self.request, audio=True),
            replace(self.request, enhance=True),
            replace(self.request, prompt=""),
            replace(self.request, ratio="1:1"),
            replace(self.request, resolution="4K"),
            replace(self.request, start_image=replace(IMAGE, media_type="image/gif")),
        ]:
            with pytest.raises(UnsupportedFeature) as refusal:
                self.at(NOBODY).submit(request, client_token=TOKEN, callback_url=None)
            self.shows_nothing(refusal.value)

    # --- what it sends ---

    def sent(self, request: RenderRequest) -> Received:
        with serving(answers(200, self.body(self.accepted("id-1")))) as server:
            self.at(server).submit(request, client_token=TOKEN, callback_url=CALLBACK)
        [received] = server.received
        return received

    @pytest.mark.parametrize(
        ("request_", "path", "wanted"),
        [
            (TEXT, "/videos", {"seconds": "8", "size": "1280x720"}),
            (
                replace(TEXT, duration_seconds=4, ratio="9:16"),
                "/videos",
                {"seconds": "4", "size": "720x1280"},
            ),
            (
                replace(TEXT, model="sora-2-pro", duration_seconds=12, resolution="1080p"),
                "/videos",
                {"model": "sora-2-pro", "seconds": "12", "size": "1920x1080"},
            ),
            (
                replace(TEXT, resolution="1080p", ratio="9:16"),
                "/videos",
                {"seconds": "8", "size": "1080x1920"},
            ),
            (EXTEND, "/videos/extensions", {"seconds": "16", "video": {"id": "video_7/x"}}),
            (
                replace(EXTEND, controls={"operation": "extend"}),
                "/videos/extensions",
                {"seconds": "16", "video": {"id": "video_7/x"}},
            ),
            (
                replace(EXTEND, controls={"operation": "edit"}),
                "/videos/edits",
                {"video": {"id": "video_7/x"}},
            ),
        ],
    )
    def test_a_request_is_written_as_the_api_has_it(
        self, request_: RenderRequest, path: str, wanted: dict[str, Any]
    ) -> None:
        received = self.sent(request_)
        usual = {"prompt": TEXT.prompt} | ({"model": "sora-2"} if path == "/videos" else {})
        assert json.loads(received.body) == usual | wanted
        assert received.line == f"POST {path} HTTP/1.1"
        assert received.header("Authorization") == f"Bearer {KEY}"

    def with_image(self, content: bytes, *, status: int = 200) -> Any:
        """What is sent with this start image, and everything that was asked of the server."""
        with serving(answers(200)) as server:

            def behave(connection: Any, received: Received) -> None:
                is_image = received.line.startswith("GET /start.png")
                behaviour = (
                    answers(status, content) if is_image else answers(200, self.body(self.accepted("id-1")))
                )
                behaviour(connection, received)

            server.behaviour = behave
            image = replace(IMAGE, url=f"{server.url}/start.png?signature=1")
            request = replace(TEXT, mode=Mode.IMAGE, start_image=image)
            try:
                self.at(server).submit(request, client_token=TOKEN, callback_url=None)
            finally:
                self.lines = [received.line for received in server.received]
        return json.loads(server.received[-1].body)

    def test_a_start_image_goes_inside_the_request(self) -> None:
        content = png(1280, 720)
        sent = self.with_image(content)
        assert sent["input_reference"] == {
            "image_url": f"data:image/png;base64,{base64.b64encode(content).decode()}"
        }
        assert len(self.lines) == 2

    def test_a_start_image_that_can_not_be_read_is_not_sent(self) -> None:
        with pytest.raises(NotSent):
            self.with_image(b"", status=403)
        assert len(self.lines) == 1

    def test_a_start_image_that_is_too_large_is_not_sent(self) -> None:
        assert (
            len(f"data:image/jpeg;base64,{base64.b64encode(bytes(MAX_IMAGE_BYTES)).decode()}") <= 20 * 2**20
        )
        with pytest.raises(UnsupportedFeature):
            self.with_image(bytes(MAX_IMAGE_BYTES + 1))
        assert len(self.lines) == 1

    # --- what it is told ---

    @pytest.mark.parametrize(
        ("status", "error", "code"),
        [
            (400, {"code": "invalid_value", "param": "size"}, FailureCode.INVALID),
            (400, {"code": "moderation_blocked"}, FailureCode.MODERATED),
            (400, {"code": "content_policy_violation"}, FailureCode.MODERATED),
            (400, {"code": "invalid_value", "param": "input_reference"}, FailureCode.INPUT_UNREADABLE),
            (400, {"code": None, "param": "input_reference.image_url"}, FailureCode.INPUT_UNREADABLE),
            (400, {"code": "model_not_found"}, FailureCode.MODEL_UNAVAILABLE),
            (404, {"code": "model_not_found", "param": "model"}, FailureCode.MODEL_UNAVAILABLE),
            (404, None, FailureCode.MODEL_UNAVAILABLE),
            (422, "odd", FailureCode.INVALID),
        ],
    )
    def test_a_refusal_has_our_code(self, status: int, error: Any, code: FailureCode) -> None:
        refusal = self.submitted(answers(status, self.body({"error": error})))
        assert isinstance(refusal, RequestRefused)
        assert refusal.code is code

    def test_an_earlier_video_that_is_gone_is_no_input(self) -> None:
        with (
            serving(answers(404, b'{"error": {"code": null}}')) as server,
            pytest.raises(RequestRefused) as refusal,
        ):
            self.at(server).submit(EXTEND, client_token=TOKEN, callback_url=None)
        assert refusal.value.code is FailureCode.INPUT_UNREADABLE

    @pytest.mark.parametrize(("status", "code"), [(429, "insufficient_quota"), (402, "payment_required")])
    def test_a_quota_that_is_used_up_is_no_rate_limit(self, status: int, code: str) -> None:
        error = self.submitted(answers(status, self.body({"error": {"code": code}})))
        assert type(error) is BalanceUsedUp

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"retry_after_ms": "1500"}, 1.5),
            ({"Retry_After": "7", "retry_after_ms": "1500"}, 7),
            ({"retry_after_ms": "soon"}, None),
            ({}, None),
        ],
    )
    def test_a_rate_limit_may_name_its_wait_in_milliseconds(
        self, headers: dict[str, str], seconds: float | None
    ) -> None:
        behaviour = answers(429, self.body({"error": {"code": "rate_limit_exceeded"}}), **headers)
        wanted = None if seconds is None else timedelta(seconds=seconds)
        error = self.submitted(behaviour)
        assert isinstance(error, RateLimited)
        assert error.retry_after == wanted
        with pytest.raises(RateLimited) as failure:
            self.fetched(behaviour)
        assert failure.value.retry_after == wanted

    @pytest.mark.parametrize("status", [408, 409])
    def test_a_conflict_may_speak_of_what_was_accepted(self, status: int) -> None:
        assert isinstance(self.submitted(answers(status)), OutcomeUnknown)

    def test_a_quota_that_is_used_up_is_told_to_looks_as_well(self) -> None:
        with pytest.raises(BalanceUsedUp):
            self.fetched(answers(429, b'{"error": {"code": "insufficient_quota"}}'))

    @pytest.mark.parametrize(
        ("error", "code", "retryable"),
        [
            ({"code": "moderation_blocked"}, FailureCode.MODERATED, False),
            ({"code": "sentinel_SAFETY_block"}, FailureCode.MODERATED, False),
            ({"code": "server_error"}, FailureCode.VENDOR_FAULT, True),
            ({"code": "video_generation_failed"}, FailureCode.VENDOR_FAULT, False),
            ({"code": 5}, FailureCode.VENDOR_FAULT, False),
            (None, FailureCode.VENDOR_FAULT, False),
            ("moderation", FailureCode.VENDOR_FAULT, False),
        ],
    )
    @pytest.mark.parametrize("word", ["failed", "expired"])
    def test_a_failure_has_our_code(self, word: str, error: Any, code: FailureCode, retryable: bool) -> None:
        answer = self.status("id-1", word) | {"error": error}
        failure = self.fetched(answers(200, self.body(answer))).failure
        assert isinstance(failure, RenderFailed)
        assert (failure.code, failure.retryable) == (code, retryable)

    @pytest.mark.parametrize("progress", [-1, 101, "50", None, 3.5, [], True])
    def test_an_odd_percent_is_no_percent(self, progress: object) -> None:
        answer = self.status("id-1", "in_progress") | {"progress": progress}
        assert self.fetched(answers(200, self.body(answer))).progress is None

    def test_content_is_had_with_the_key_until_it_expires(self) -> None:
        answer = self.status("a/b", "completed")
        with serving(answers(200, self.body(answer))) as server:
            update = self.at(server).fetch("a/b")
        assert update.output is not None
        assert update.output.url == f"{server.url}/videos/a%2Fb/content"
        assert update.output.headers == {"Authorization": f"Bearer {KEY}"}
        assert update.output.expires_at == datetime.fromtimestamp(answer["expires_at"], UTC)
        assert update.progress == 100

    @pytest.mark.parametrize("field", ["url", "video_url", "output"])
    @pytest.mark.parametrize("as_list", [False, True])
    def test_a_gateways_link_is_had_without_the_key(self, field: str, as_list: bool) -> None:
        answer = self.status("7", "completed") | {field: [A_VIDEO] if as_list else A_VIDEO, "seconds": 8}
        output = self.fetched(answers(200, self.body(answer))).output
        assert output is not None
        assert (output.url, output.headers) == (A_VIDEO, {})

    @pytest.mark.parametrize(
        "link", [None, "", "file.mp4", "data:video/mp4;base64,AA", 5, {"url": "https://a"}]
    )
    def test_what_is_no_link_leaves_the_content(self, link: object) -> None:
        answer = self.status("id-1", "completed") | {"output": link, "expires_at": None}
        output = self.fetched(answers(200, self.body(answer))).output
        assert output is not None
        assert output.url.endswith("/videos/id-1/content")

    # --- looking up ---

    def page(self, *videos: Any, has_more: bool = False) -> bytes:
        return self.body({"object": "list", "data": list(videos), "has_more": has_more})

    def made(self, external_id: str, **more: Any) -> Any:
        return self.status(external_id, "in_progress") | more

    @pytest.mark.parametrize(
        "ours",
        [
            {},
            {"model": "sora-2-2025-12-08"},
            {"seconds": 8},
            {"seconds": 8.0},
            {"model": None, "seconds": None, "size": None},
            {"created_at": int(SINCE.timestamp())},
        ],
    )
    def test_a_lost_submission_is_found_by_its_prompt_and_time(self, ours: dict[str, Any]) -> None:
        others = [
            self.made("no-1", prompt="Another"),
            self.made("no-2", prompt=None),
            self.made("no-3", seconds="4"),
            self.made("no-4", size="720x1280"),
            self.made("no-5", model="sora-2-pro"),
            self.made("no-6", created_at=None),
            self.made("no-8", remixed_from_video_id="video_1"),
            self.made("no-7", created_at=int(SINCE.timestamp()) - 1),
            {"id": 5},
        ]
        since = SINCE + timedelta(milliseconds=700)
        with serving(answers(200, self.page(*others, self.made("id-1", **ours)))) as server:
            found = self.at(server).find(TOKEN, request=TEXT, since=since)
        assert found is not None
        assert (found.external_id, found.state) == ("id-1", RenderState.RUNNING)
        assert server.received[0].line == "GET /videos?limit=100&order=desc HTTP/1.1"
        for videos in ([], others, [self.made("id-1"), self.made("id-2")]):
            with serving(answers(200, self.page(*videos))) as server:
                assert self.at(server).find(TOKEN, request=TEXT, since=since) is None

    @pytest.mark.parametrize("request_", [replace(TEXT, mode=Mode.IMAGE, start_image=IMAGE), EXTEND])
    def test_the_same_words_may_go_with_anothers_picture_or_video(self, request_: RenderRequest) -> None:
        """The vendor tells no inputs: another customer's render would be taken for this one."""
        with serving(answers(200, self.page(self.made("id-1", prompt=request_.prompt)))) as server:
            assert self.at(server).find(TOKEN, request=request_, since=SINCE) is None
        assert server.received == []

    @pytest.mark.parametrize(
        "behaviour", [answers(404), answers(200, b"{}"), answers(200, b"[]"), answers(200, b'{"data": 1}')]
    )
    def test_a_gateway_without_a_list_proves_nothing(self, behaviour: Any) -> None:
        with serving(behaviour) as server, pytest.raises(ReadFailed):
            self.at(server).find(TOKEN, request=TEXT, since=SINCE)
        assert OpenAIProvider.find_is_authoritative_after is None

    def test_the_list_is_read_page_by_page_as_far_as_the_moment(self) -> None:
        old = self.made("id-0", created_at=int(SINCE.timestamp()) - 9)
        pages = [
            self.page(self.made("id-3"), self.made("id-2"), has_more=True),
            self.page(self.made("id-1"), old, has_more=True),
        ]
        with serving(answers(200)) as server:
            server.behaviour = lambda connection, received: answers(200, pages["after" in received.line])(
                connection, received
            )
            listed = self.at(server).listed(SINCE)
        assert [one.external_id for one in listed] == ["id-3", "id-2", "id-1"]
        assert (listed[0].state, listed[0].created_at) == (
            RenderState.RUNNING,
            datetime.fromtimestamp(CREATED, UTC),
        )
        assert [received.line.split()[1] for received in server.received] == [
            "/videos?limit=100&order=desc",
            "/videos?limit=100&order=desc&after=id-2",
        ]

    def test_a_list_without_end_is_left_after_a_thousand(self) -> None:
        with serving(answers(200, self.page(*[self.made("id-1")] * 100, has_more=True))) as server:
            assert len(self.at(server).listed(SINCE)) == 1_000
        assert len(server.received) == 10

    def test_there_is_no_cancel(self) -> None:
        assert [OpenAIProvider.offers(call) for call in ("cancel", "account", "find", "listed")] == [
            False,
            False,
            True,
            True,
        ]

    # --- webhooks ---

    def test_a_delivery_leads_to_the_content(self) -> None:
        headers, body = self.webhook("id-1", "completed")
        [update] = self.at(NOBODY).read_webhook(headers, body)
        assert update.event_id == "msg_9"
        assert update.output is not None
        assert update.output.url == f"{NOBODY}/videos/id-1/content"

    @pytest.mark.parametrize("secret", [OTHER, SECRET])
    def test_while_secrets_rotate_either_is_believed(self, secret: str) -> None:
        _, body = self.webhook("id-1", "failed")
        [update] = self.at(NOBODY).read_webhook(signed(secret, body), body)
        assert update.state is RenderState.FAILED

    def test_a_secret_without_its_prefix_is_its_own_bytes(self) -> None:
        adapter = OpenAIProvider(url=NOBODY, api_key=KEY, webhook_secrets=["plain words"])
        _, body = self.webhook("id-1", "completed")
        plain = "whsec_" + base64.b64encode(b"plain words").decode()
        assert adapter.read_webhook(signed(plain, body), body)

    def test_without_a_secret_nothing_is_believed(self) -> None:
        values = {
            "OPENAI_VIDEOS_API_KEY": KEY,
            "OPENAI_VIDEOS_URL": NOBODY,
            "OPENAI_VIDEOS_WEBHOOK_SECRET": "",
        }
        headers, body = self.webhook("id-1", "completed")
        with pytest.raises(BadSignature):
            OpenAIProvider.from_settings(values).read_webhook(headers, body)
        values["OPENAI_VIDEOS_WEBHOOK_SECRET"] = f"{OTHER} , {SECRET}"
        assert OpenAIProvider.from_settings(values).read_webhook(headers, body)

    def test_what_the_project_is_told_of_other_things_is_nothing_to_us(self) -> None:
        body = b'{"type": "response.completed", "data": {"id": "resp_1"}}'
        assert self.at(NOBODY).read_webhook(signed(SECRET, body), body) == []

    @pytest.mark.parametrize(
        "body",
        [b"no", b"[]", b"{}", b'{"type": "video.completed"}', b'{"type": "video.failed", "data": {"id": 1}}'],
    )
    def test_a_signed_webhook_that_makes_no_sense_is_not_obeyed(self, body: bytes) -> None:
        with pytest.raises(ReadFailed):
            self.at(NOBODY).read_webhook(signed(SECRET, body), body)


def test_sora_is_retired_and_a_gateways_models_live() -> None:
    shut = datetime(2026, 9, 24, tzinfo=UTC)
    for model in MODELS:
        assert model.retires_at == shut
        assert not model.is_available(shut)
        assert not model.webhook_expected
    wan, pro = gateway_models(" acme/wan-2.6 , sora-2-pro ,")
    assert (wan.id, wan.vendor_model, wan.resolutions) == ("openai/acme/wan-2.6", "acme/wan-2.6", ("720p",))
    assert (pro.id, pro.resolutions) == ("openai/sora-2-pro", ("720p", "1080p"))
    for living in (wan, pro):
        assert living.is_available(datetime(2030, 1, 1, tzinfo=UTC))
        assert living.limits == MODELS[0].limits
        assert living.modes == {Mode.TEXT, Mode.IMAGE, Mode.VIDEO}
        assert living.durations_for(Mode.TEXT, "720p") == [4, 8, 12]
        assert living.durations_for(Mode.VIDEO, "720p") == (4, 8, 12, 16, 20)
    assert gateway_models("") == ()


@pytest.mark.parametrize("names", ["a b", "a,../b", "a,a", "?"])
def test_a_wrong_name_of_a_model_refuses_to_start(names: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="OPENAI_VIDEOS_MODELS"):
        gateway_models(names)
