"""Replicate's adapter against the contract, and what is Replicate's own."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import standardwebhooks.webhooks
from django.core.exceptions import ImproperlyConfigured

from providers.contract import CancelOutcome, InputMedia, Mode, RenderRequest, RenderState, VideoProvider
from providers.errors import (
    BadSignature,
    BalanceUsedUp,
    FailureCode,
    RateLimited,
    ReadFailed,
    RenderFailed,
    RequestRefused,
    UnsupportedFeature,
)
from providers.facts import ChoiceControl, NumberControl, PriceUnit, SwitchControl
from providers.http import Client, ClientConfig
from providers.video.replicate import MODELS, SHAPES, STATES, ReplicateProvider
from providers.video.replicate_inputs import LIMITS, own_models
from tests.providers.contract import A_REQUEST, A_VIDEO, CALLBACK, IMAGE, KEY, TOKEN, VideoProviderContract
from tests.providers.forgeries import Forgery, signed, standard_webhook_forgeries
from tests.providers.sandbox import SINCE
from tests.providers.servers import Behaviour, RawServer, Received, answers, serving

SECRET = "whsec_" + base64.b64encode(b"replicate's secret, 32 bytes....").decode()
OTHER = "whsec_" + base64.b64encode(b"the secret before that one......").decode()
NOBODY = "http://127.0.0.1:9"
END = replace(IMAGE, url="https://store.example/end.png?signature=CANARY")

TEXT = replace(A_REQUEST, model="minimax/hailuo-02", duration_seconds=6, resolution="768p")
SVD = replace(
    A_REQUEST,
    model="stability-ai/stable-video-diffusion",
    mode=Mode.IMAGE,
    prompt="",
    start_image=IMAGE,
    duration_seconds=2,
    resolution="576p",
)
SVD_INPUT = {
    "input_image": IMAGE.url,
    "video_length": "14_frames_with_svd",
    "sizing_strategy": "maintain_aspect_ratio",
    "frames_per_second": 8,
    "motion_bucket_id": 127,
    "cond_aug": 0.02,
    "decoding_t": 7,
}
HAILUO_INPUT = {"prompt": TEXT.prompt, "duration": 6, "resolution": "768p", "prompt_optimizer": False}


class TestReplicate(VideoProviderContract):
    kind = ReplicateProvider
    words = STATES
    request = TEXT

    def adapter(self, url: str, http: Client) -> VideoProvider:
        return ReplicateProvider(url=url, api_key=KEY, webhook_secrets=[OTHER, SECRET], http=http)

    def accepted(self, external_id: str) -> Any:
        return self.status(external_id, "starting")

    def status(self, external_id: str, word: str, *, media: bool = True, url: str = A_VIDEO) -> Any:
        return {
            "id": external_id,
            "model": "minimax/hailuo-02",
            "version": "hidden",
            "status": word,
            "input": dict(HAILUO_INPUT),
            "output": url if word == "succeeded" and media else None,
            "error": "Something broke." if word == "failed" else None,
            "logs": "",
            "created_at": "2026-11-20T10:00:00.120Z",
            "completed_at": "2026-11-20T10:02:41.900Z" if word == "succeeded" else None,
            "data_removed": not media,
            "source": "api",
        }

    def moderated(self, external_id: str) -> Any:
        return self.status(external_id, "failed") | {"error": "The input was flagged as sensitive (E005)."}

    def webhook(self, external_id: str, word: str) -> tuple[dict[str, str], bytes]:
        body = self.body(self.status(external_id, word))
        return signed(SECRET, body, message_id="msg_9"), body

    def forgeries(self) -> list[Forgery]:
        _, body = self.webhook("id-1", "succeeded")
        return list(standard_webhook_forgeries(SECRET, body))

    # --- what it sends ---

    def sent(self, request: RenderRequest, callback: str | None = CALLBACK) -> Received:
        with serving(answers(201, self.body(self.accepted("id-1")))) as server:
            self.at(server).submit(request, client_token=TOKEN, callback_url=callback)
        [received] = server.received
        return received

    @pytest.mark.parametrize(
        ("request_", "line", "wanted"),
        [
            (TEXT, "/models/minimax/hailuo-02/predictions", {"input": HAILUO_INPUT}),
            (
                replace(TEXT, enhance=True, duration_seconds=10),
                "/models/minimax/hailuo-02/predictions",
                {"input": HAILUO_INPUT | {"prompt_optimizer": True, "duration": 10}},
            ),
            (
                replace(TEXT, mode=Mode.IMAGE, start_image=IMAGE, resolution="512p"),
                "/models/minimax/hailuo-02/predictions",
                {"input": HAILUO_INPUT | {"first_frame_image": IMAGE.url, "resolution": "512p"}},
            ),
            (
                replace(TEXT, mode=Mode.FIRST_LAST, start_image=IMAGE, end_image=END),
                "/models/minimax/hailuo-02/predictions",
                {"input": HAILUO_INPUT | {"first_frame_image": IMAGE.url, "last_frame_image": END.url}},
            ),
            (
                replace(TEXT, model="minimax/hailuo-2.3", resolution="1080p"),
                "/models/minimax/hailuo-2.3/predictions",
                {"input": HAILUO_INPUT | {"resolution": "1080p"}},
            ),
            (
                SVD,
                "/predictions",
                {
                    "input": SVD_INPUT,
                    "version": "3f0457e4619daac51203dedb472816fd4af51f3149fa7a9e0b5ffcf1b8172438",
                },
            ),
            (
                replace(
                    SVD,
                    seed=5,
                    controls={
                        "frames": "25",
                        "fps": 12.0,
                        "motion_bucket_id": 3,
                        "cond_aug": 0.5,
                        "decoding_t": 2,
                        "sizing": "crop_to_16_9",
                    },
                ),
                "/predictions",
                {
                    "input": {
                        "input_image": IMAGE.url,
                        "seed": 5,
                        "video_length": "25_frames_with_svd_xt",
                        "sizing_strategy": "crop_to_16_9",
                        "frames_per_second": 12,
                        "motion_bucket_id": 3,
                        "cond_aug": 0.5,
                        "decoding_t": 2,
                    },
                    "version": "3f0457e4619daac51203dedb472816fd4af51f3149fa7a9e0b5ffcf1b8172438",
                },
            ),
        ],
    )
    def test_a_request_is_written_as_the_model_has_it(
        self, request_: RenderRequest, line: str, wanted: dict[str, Any]
    ) -> None:
        received = self.sent(request_)
        hook = {"webhook": CALLBACK, "webhook_events_filter": ["start", "completed"]}
        assert json.loads(received.body) == wanted | hook
        assert received.line == f"POST {line} HTTP/1.1"
        assert received.header("Authorization") == f"Bearer {KEY}"
        assert received.header("Cancel-After") == "1h"
        assert received.header("Prefer") is None
        assert "webhook" not in json.loads(self.sent(request_, None).body)

    @pytest.mark.parametrize(
        ("request_", "said"),
        [
            (replace(SVD, controls={"frames": "16"}), "frames other than 14 or 25"),
            (
                replace(SVD, controls={"num_frames": 16}),
                "the control num_frames (this model has frames, fps,",
            ),
            (
                replace(SVD, ratio="1:1", resolution="1024p"),
                "such a size (this model makes 1024x576 or 576x1024)",
            ),
            (replace(SVD, ratio="1:1"), "such a size"),
            (replace(SVD, controls={"fps": 31}), "this fps (integer from 5 to 30)"),
            (replace(SVD, controls={"fps": 7.5}), "this fps"),
            (replace(SVD, controls={"sizing": "stretch"}), "this sizing (one of maintain_aspect_ratio"),
            (replace(SVD, prompt="A boat"), "a prompt"),
            (replace(SVD, start_image=None), "a request without input_image"),
            (replace(SVD, duration_seconds=3), "such a length (this model makes 2 seconds)"),
            (replace(TEXT, ratio="9:16"), "such a size (this model makes 768p, 512p, 1080p at 16:9)"),
            (replace(TEXT, resolution="720p"), "such a size"),
            (replace(TEXT, prompt=""), "a request without prompt"),
            (replace(TEXT, seed=0), "a seed"),
            (replace(TEXT, audio=True), "audio"),
            (replace(TEXT, mode=Mode.FIRST_LAST, end_image=END), "an end image without a start image"),
            (
                replace(TEXT, model="minimax/hailuo-2.3", start_image=IMAGE, end_image=END),
                "an end image",
            ),
        ],
    )
    def test_what_a_model_lacks_is_refused_by_name_before_anything_is_sent(
        self, request_: RenderRequest, said: str
    ) -> None:
        with pytest.raises(UnsupportedFeature) as refusal:
            self.at(NOBODY).submit(request_, client_token=TOKEN, callback_url=None)
        assert said in refusal.value.feature
        self.shows_nothing(refusal.value)

    def test_the_misspelt_owner_is_no_model(self) -> None:
        with pytest.raises(RequestRefused) as refusal:
            self.at(NOBODY).submit(
                replace(TEXT, model="eminimax/hailuo-02"), client_token=TOKEN, callback_url=None
            )
        assert refusal.value.code is FailureCode.MODEL_UNAVAILABLE

    # --- what it is told ---

    @pytest.mark.parametrize(
        ("status", "answer", "code"),
        [
            (422, {"title": "Input validation failed", "detail": "- input: x"}, FailureCode.INVALID),
            (422, {"title": "Invalid version or not permitted"}, FailureCode.MODEL_UNAVAILABLE),
            (404, {"title": "Not found"}, FailureCode.MODEL_UNAVAILABLE),
            (400, {"detail": "no"}, FailureCode.INVALID),
            (413, {"detail": "too large"}, FailureCode.INVALID),
        ],
    )
    def test_a_refusal_has_our_code(self, status: int, answer: Any, code: FailureCode) -> None:
        error = self.submitted(answers(status, self.body(answer)))
        assert isinstance(error, RequestRefused)
        assert error.code is code

    def test_credit_that_is_used_up_says_so_and_nothing_of_the_vendors_offer(self) -> None:
        detail = "You have insufficient credit. Go to CANARY to buy more."
        error = self.submitted(answers(402, self.body({"title": "Insufficient credit", "detail": detail})))
        assert type(error) is BalanceUsedUp

    @pytest.mark.parametrize(
        ("detail", "headers", "seconds"),
        [
            ("Request was throttled. Your rate limit resets in ~30s.", {}, 30),
            ("Request was throttled. Your rate limit resets in ~30s.", {"Retry_After": "4"}, 4),
            ("Request was throttled.", {}, None),
            (None, {}, None),
        ],
    )
    def test_a_throttled_call_waits_as_the_text_or_the_header_says(
        self, detail: str | None, headers: dict[str, str], seconds: int | None
    ) -> None:
        behaviour = answers(429, self.body({"detail": detail}), **headers)
        wanted = None if seconds is None else timedelta(seconds=seconds)
        error = self.submitted(behaviour)
        assert isinstance(error, RateLimited)
        assert error.retry_after == wanted
        with pytest.raises(RateLimited) as failure:
            self.fetched(behaviour)
        assert failure.value.retry_after == wanted

    @pytest.mark.parametrize(
        ("text", "code", "retryable"),
        [
            ("NSFW content detected. Try running it again.", FailureCode.MODERATED, False),
            ("The request was blocked by our content policy", FailureCode.MODERATED, False),
            ("cannot identify image file <_io.BytesIO>", FailureCode.INPUT_UNREADABLE, False),
            ("Prediction interrupted; please retry (code: PA)", FailureCode.VENDOR_FAULT, True),
            ("CUDA out of memory", FailureCode.VENDOR_FAULT, False),
            ("", FailureCode.VENDOR_FAULT, False),
            (None, FailureCode.VENDOR_FAULT, False),
            ({"odd": 1}, FailureCode.VENDOR_FAULT, False),
        ],
    )
    def test_a_failures_text_is_read_for_what_it_speaks_of(
        self, text: object, code: FailureCode, retryable: bool
    ) -> None:
        answer = self.status("id-1", "failed") | {"error": text}
        failure = self.fetched(answers(200, self.body(answer))).failure
        assert isinstance(failure, RenderFailed)
        assert (failure.code, failure.retryable) == (code, retryable)

    @pytest.mark.parametrize(
        "output", [None, [], "", {}, [1], ["https://a", "https://b"], "data:video/mp4;base64,AA"]
    )
    def test_an_output_that_is_no_one_link_is_no_media(self, output: object) -> None:
        answer = self.status("id-1", "succeeded") | {"output": output}
        failure = self.fetched(answers(200, self.body(answer))).failure
        assert isinstance(failure, RenderFailed)
        assert failure.code is FailureCode.NO_MEDIA

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("https://replicate.delivery/x/out.mp4", True),
            ("https://pbxt.replicate.delivery/x/out.mp4", True),
            ("http://replicate.delivery/x/out.mp4", False),
            ("https://replicate.delivery.evil.example/out.mp4", False),
            ("https://evilreplicate.delivery/out.mp4", False),
            ("https://replicate.delivery@evil.example/out.mp4", False),
            ("https://files.example/out.mp4", False),
            ("https://[bad/out.mp4", False),
        ],
    )
    @pytest.mark.parametrize("as_list", [False, True])
    def test_the_key_goes_to_replicates_own_files_only(self, url: str, shown: bool, as_list: bool) -> None:
        answer = self.status("id-1", "succeeded") | {"output": [url] if as_list else url}
        output = self.fetched(answers(200, self.body(answer))).output
        assert output is not None
        assert output.url == url
        assert output.headers == ({"Authorization": f"Bearer {KEY}"} if shown else {})
        assert output.expires_at == datetime(2026, 11, 20, 11, 2, 41, 900_000, UTC)

    def test_the_key_goes_to_the_origin_that_is_called_anyway(self) -> None:
        with serving(answers(200)) as server:
            url = f"{server.url}/delivery/out.mp4"
            server.behaviour = answers(200, self.body(self.status("id-1", "succeeded", url=url)))
            output = self.at(server).fetch("id-1").output
        assert output is not None
        assert output.headers == {"Authorization": f"Bearer {KEY}"}

    @pytest.mark.parametrize(
        ("word", "outcome"),
        [
            ("canceled", CancelOutcome.ACCEPTED),
            ("processing", CancelOutcome.ACCEPTED),
            ("aborted", CancelOutcome.ACCEPTED),
            ("succeeded", CancelOutcome.TOO_LATE),
            ("failed", CancelOutcome.TOO_LATE),
        ],
    )
    def test_a_cancel_that_comes_too_late_is_no_error(self, word: str, outcome: CancelOutcome) -> None:
        with serving(answers(200, self.body(self.status("id-1", word)))) as server:
            assert self.at(server).cancel("id-1") is outcome
        assert server.received[0].line == "POST /predictions/id-1/cancel HTTP/1.1"

    # --- looking up ---

    def listing(self, *predictions: Any, following: str | None = None) -> Behaviour:
        return answers(200, self.body({"next": following, "previous": None, "results": list(predictions)}))

    def made(self, external_id: str, **more: Any) -> Any:
        return self.status(external_id, "starting") | more

    def test_a_lost_submission_is_found_by_its_input(self) -> None:
        request = replace(TEXT, mode=Mode.IMAGE, start_image=IMAGE)
        ours = HAILUO_INPUT | {"first_frame_image": IMAGE.url.replace("CANARY", "another")}
        others = [
            self.made("no-1", input=HAILUO_INPUT),
            self.made("no-2", input=ours | {"duration": 10}),
            self.made("no-3", input=ours, model="minimax/hailuo-2.3"),
            self.made("no-4", input=ours, created_at="2026-11-19T23:59:59Z"),
            self.made("no-5", input=ours | {"first_frame_image": "https://store.example/b.png"}),
            self.made("no-6", input={}),
            self.made("no-8", input=ours | {"first_frame_image": "https://[broken?a=b"}),
            self.made("no-7", input=ours, created_at=None),
            {"id": 5},
        ]
        with serving(self.listing(*others, self.made("id-1", input=ours))) as server:
            found = self.at(server).find(TOKEN, request=request, since=SINCE)
        assert found is not None
        assert (found.external_id, found.state) == ("id-1", RenderState.QUEUED)
        assert (
            server.received[0].line
            == "GET /predictions?created_after=2026-11-20T00%3A00%3A00%2B00%3A00 HTTP/1.1"
        )
        twins = self.listing(self.made("id-1", input=ours), self.made("id-2", input=ours))
        for nothing in (self.listing(), twins, self.listing(*others)):
            with serving(nothing) as server:
                assert self.at(server).find(TOKEN, request=request, since=SINCE) is None

    def test_a_community_model_is_found_by_its_version(self) -> None:
        version = SHAPES[SVD.model].version
        made = self.made("id-1", input=SVD_INPUT, model=SVD.model, version=version)
        with serving(self.listing(made, made | {"id": "no-1", "version": "f" * 64})) as server:
            found = self.at(server).find(TOKEN, request=SVD, since=SINCE)
        assert found is not None
        assert found.external_id == "id-1"

    def test_absence_is_never_proven(self) -> None:
        assert ReplicateProvider.find_is_authoritative_after is None

    @pytest.mark.parametrize("body", [b"{}", b"[]", b'{"results": 1}', b"no"])
    def test_a_list_that_makes_no_sense_is_not_proof_of_absence(self, body: bytes) -> None:
        with serving(answers(200, body)) as server, pytest.raises(ReadFailed):
            self.at(server).find(TOKEN, request=TEXT, since=SINCE)

    def test_the_next_page_is_followed_as_it_is_and_the_key_goes_nowhere_else(self) -> None:
        with serving(answers(200)) as server:
            pages = [
                self.listing(self.made("id-2"), following=f"{server.url}/predictions?cursor=a%3Db"),
                self.listing(self.made("id-1")),
            ]
            server.behaviour = lambda connection, received: pages["cursor" in received.line](
                connection, received
            )
            listed = self.at(server).listed(SINCE)
            assert [one.external_id for one in listed] == ["id-2", "id-1"]
            assert listed[0].state is RenderState.QUEUED
            assert listed[0].created_at == datetime(2026, 11, 20, 10, 0, 0, 120_000, UTC)
            assert server.received[1].line == "GET /predictions?cursor=a%3Db HTTP/1.1"
            with serving(self.listing()) as stranger:
                server.behaviour = self.listing(following=f"{stranger.url}/predictions?cursor=2")
                both = ClientConfig(allowed_origins=frozenset({server.url, stranger.url}))
                with pytest.raises(ReadFailed):
                    self.adapter(server.url, Client(both)).listed(SINCE)
            assert not stranger.received

    # --- webhooks ---

    def test_the_published_vector_is_believed_at_its_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Then(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> "Then":
                return cls.fromtimestamp(1_700_000_000 + 299, tz)

        secret = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
        headers = {
            "webhook-id": "msg_test_1",
            "webhook-timestamp": "1700000000",
            "webhook-signature": "v1,nZx/eaDc8x6VgQ/aOYzv4VxU3wGnjrx5oXPWE66NXk0=",
        }
        body = b'{"id":"abc123","status":"succeeded"}'
        adapter = ReplicateProvider(url=NOBODY, api_key=KEY, webhook_secrets=[secret])
        with pytest.raises(BadSignature):
            adapter.read_webhook(headers, body)
        monkeypatch.setattr(standardwebhooks.webhooks, "datetime", Then)
        [update] = adapter.read_webhook(headers, body)
        assert (update.external_id, update.event_id) == ("abc123", "msg_test_1")

    @pytest.mark.parametrize("secret", [OTHER, SECRET])
    def test_while_secrets_rotate_either_is_believed(self, secret: str) -> None:
        body = self.body(self.status("id-1", "processing"))
        [update] = self.at(NOBODY).read_webhook(signed(secret, body, message_id="msg_4"), body)
        assert (update.state, update.event_id) == (RenderState.RUNNING, "msg_4")

    @pytest.mark.parametrize("body", [b"no JSON", b"[]", b'{"id": 5, "status": "starting"}', b'{"id": "a"}'])
    def test_a_signed_webhook_that_makes_no_sense_is_not_obeyed(self, body: bytes) -> None:
        with pytest.raises(ReadFailed):
            self.at(NOBODY).read_webhook(signed(SECRET, body), body)

    def test_without_a_setting_the_secret_is_fetched_and_again_once_a_minute_at_most(self) -> None:
        now = 1_000.0
        with serving(answers(200, self.body({"key": SECRET}))) as server:
            http = self.at(server)._client  # type: ignore[attr-defined]
            adapter = ReplicateProvider(url=server.url, api_key=KEY, http=http, clock=lambda: now)

            def believes(secret: str) -> bool:
                body = self.body(self.status("id-1", "processing"))
                try:
                    return bool(adapter.read_webhook(signed(secret, body), body))
                except BadSignature:
                    return False

            assert [believes(SECRET), believes(SECRET)] == [True, True]
            assert [received.line for received in server.received] == [
                "GET /webhooks/default/secret HTTP/1.1"
            ]
            assert server.received[0].header("Authorization") == f"Bearer {KEY}"
            server.behaviour = answers(200, self.body({"key": OTHER}))
            now += 59
            assert [believes(OTHER) for _ in range(20)] == [False] * 20
            assert len(server.received) == 1
            now += 1
            assert [believes(OTHER), believes(SECRET)] == [True, False]
            assert len(server.received) == 2
            # What fails to come, or is no secret, leaves the one that is known.
            for odd in (answers(500), answers(200, b'{"key": "abc"}'), answers(200, b'{"key": "whsec_%%"}')):
                server.behaviour = odd
                now += 60
                assert [believes(SECRET), believes(OTHER)] == [False, True]
            assert len(server.received) == 5

    def test_without_any_secret_nothing_is_believed(self) -> None:
        adapter = ReplicateProvider(url=NOBODY, api_key=KEY, http=self.at(NOBODY)._client)  # type: ignore[attr-defined]
        for forgery in standard_webhook_forgeries(SECRET, b"{}"):
            with pytest.raises(BadSignature):
                adapter.read_webhook(forgery.headers, forgery.body)

    def test_settings_make_the_adapter(self) -> None:
        values = {
            "REPLICATE_API_KEY": KEY,
            "REPLICATE_URL": NOBODY,
            "REPLICATE_WEBHOOK_SECRET": f"{OTHER}, {SECRET}",
        }
        body = self.body(self.status("id-1", "processing"))
        assert ReplicateProvider.from_settings(values).read_webhook(signed(SECRET, body), body)


# --- models of the operator's ---

WAVE: Mapping[str, Any] = {
    "model": "acme/wave",
    "name": "Acme Wave",
    "vendor_cost": "0.05",
    "input_schema": {
        "type": "object",
        "required": ["prompt"],
        "properties": {
            "prompt": {"type": "string", "maxLength": 20},
            "negative": {"type": "string", "default": "blurry"},
            "image": {"type": "string", "format": "uri"},
            "tail": {"type": "string", "format": "uri"},
            "seconds": {"type": "string", "enum": ["5s", "10s"], "default": "10s"},
            "quality": {"type": "string", "enum": ["720p", "4k"]},
            "aspect": {"type": "string", "enum": ["16:9", "9:16"]},
            "sound": {"type": "boolean", "default": True},
            "seed": {"type": "integer", "minimum": 0, "maximum": 100},
            "steps": {"type": "integer", "minimum": 1, "maximum": 50, "default": 30},
            "guidance": {"type": "number"},
            "camera_fixed": {"type": "boolean", "default": False},
            "sampler": {"type": "string", "enum": ["a", "b"], "default": "b"},
            "tiles": {"type": "integer", "enum": [1, 2, 4]},
            "lora": {"type": "string"},
            "references": {"type": "array", "items": {"type": "string"}},
        },
    },
    "fields": {
        "prompt": "prompt",
        "negative_prompt": "negative",
        "start_image": "image",
        "end_image": "tail",
        "duration": "seconds",
        "resolution": "quality",
        "ratio": "aspect",
        "audio": "sound",
        "seed": "seed",
    },
    "durations": [10, 5],
    "resolutions": ["720p", "4K"],
    "ratios": ["9:16", "16:9"],
}
RESTYLE: Mapping[str, Any] = {
    "model": "acme/restyle",
    "version": "ab" * 32,
    "name": "Acme Restyle",
    "vendor_cost": "0.4",
    "vendor_unit": "call",
    "input_schema": {
        "required": ["clip"],
        "properties": {
            "clip": {"type": "string", "format": "uri"},
            "look": {"type": "string", "enum": ["oil", "ink"]},
            "expand": {"type": "boolean"},
            "length": {"type": "number", "minimum": 1, "maximum": 8},
        },
    },
    "fields": {"source_video": "clip", "style": "look", "enhance": "expand", "duration": "length"},
    "durations": [4, 8],
    "resolutions": ["720p"],
    "ratios": ["16:9"],
}
OWN = own_models(json.dumps([WAVE, RESTYLE]), set())
A_CLIP = InputMedia(url="https://store.example/source.mp4", media_type="video/mp4")
WAVE_REQUEST = replace(
    A_REQUEST, model="acme/wave", prompt="A boat", duration_seconds=5, resolution="4K", ratio="9:16"
)
RESTYLE_REQUEST = replace(
    A_REQUEST, model="acme/restyle", mode=Mode.VIDEO, prompt="", source_video=A_CLIP, duration_seconds=8
)


def test_facts_of_an_operators_model_are_those_of_its_schema() -> None:
    wave, restyle = (own.model for own in OWN)
    assert (wave.id, wave.vendor_model, wave.name) == ("replicate/wave", "acme/wave", "Acme Wave")
    assert wave.modes == {Mode.TEXT, Mode.IMAGE, Mode.FIRST_LAST}
    assert (wave.durations, wave.default_duration, wave.default_ratio) == ((5, 10), 10, "9:16")
    assert (wave.max_prompt_length, wave.negative_prompt, wave.audio, wave.seed) == (20, True, True, True)
    assert wave.controls == (
        NumberControl(
            name="steps", description="The model's own steps.", minimum=1, maximum=50, whole=True, default=30
        ),
        NumberControl(
            name="guidance", description="The model's own guidance.", minimum=-(2**31 - 1), maximum=2**31 - 1
        ),
        SwitchControl(name="camera_fixed", description="The model's own camera fixed."),
        ChoiceControl(
            name="sampler", description="The model's own sampler.", choices=("a", "b"), default="b"
        ),
        ChoiceControl(name="tiles", description="The model's own tiles.", choices=("1", "2", "4")),
    )
    assert restyle.modes == {Mode.VIDEO}
    assert (restyle.styles, restyle.max_prompt_length, restyle.price_unit) == (
        ("oil", "ink"),
        0,
        PriceUnit.CLIP,
    )
    assert [str(own.vendor_cost) for own in OWN] == ["0.05", "0.4"]
    assert {model.limits for model in (wave, restyle, *MODELS)} == {LIMITS}


@pytest.mark.parametrize(
    ("required", "modes"),
    [
        (["prompt", "image"], {Mode.IMAGE, Mode.FIRST_LAST}),
        (["image", "tail"], {Mode.FIRST_LAST}),
        ([], {Mode.TEXT, Mode.IMAGE, Mode.FIRST_LAST}),
    ],
)
def test_a_picture_that_a_schema_wants_rules_out_what_has_none(required: list[str], modes: set[Mode]) -> None:
    entry = changed(WAVE, "input_schema.required", required)
    assert own_models(json.dumps([entry]), set())[0].model.modes == modes


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        (
            WAVE_REQUEST,
            {
                "prompt": "A boat",
                "negative": "",
                "seconds": "5s",
                "quality": "4k",
                "aspect": "9:16",
                "sound": False,
                "steps": 30,
                "camera_fixed": False,
                "sampler": "b",
            },
        ),
        (
            replace(
                WAVE_REQUEST,
                mode=Mode.FIRST_LAST,
                start_image=IMAGE,
                end_image=END,
                negative_prompt="rain",
                audio=True,
                seed=0,
                controls={"steps": 5, "guidance": 1.5, "camera_fixed": True, "sampler": "a", "tiles": "4"},
            ),
            {
                "prompt": "A boat",
                "negative": "rain",
                "image": IMAGE.url,
                "tail": END.url,
                "seconds": "5s",
                "quality": "4k",
                "aspect": "9:16",
                "sound": True,
                "seed": 0,
                "steps": 5,
                "guidance": 1.5,
                "camera_fixed": True,
                "sampler": "a",
                "tiles": 4,
            },
        ),
        (RESTYLE_REQUEST, {"clip": A_CLIP.url, "expand": False, "length": 8}),
        (
            replace(RESTYLE_REQUEST, style="ink", enhance=True),
            {"clip": A_CLIP.url, "look": "ink", "expand": True, "length": 8},
        ),
    ],
)
def test_an_operators_model_is_asked_in_its_own_words(
    request_: RenderRequest, wanted: dict[str, Any]
) -> None:
    contract = TestReplicate()
    with serving(answers(201, contract.body(contract.accepted("id-1")))) as server:
        own_adapter(server).submit(request_, client_token=TOKEN, callback_url=None)
    [received] = server.received
    community = {"version": "ab" * 32} if request_.model == "acme/restyle" else {}
    assert json.loads(received.body) == {"input": wanted} | community
    path = "/predictions" if community else "/models/acme/wave/predictions"
    assert received.line == f"POST {path} HTTP/1.1"


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (
            replace(WAVE_REQUEST, prompt="A boat that is too long"),
            "this prompt (string of at most 20 characters)",
        ),
        (replace(WAVE_REQUEST, seed=101), "this seed (integer from 0 to 100)"),
        (replace(WAVE_REQUEST, controls={"steps": 51}), "this steps (integer from 1 to 50)"),
        (replace(WAVE_REQUEST, controls={"tiles": "3"}), "this tiles (one of 1, 2, 4)"),
        (replace(WAVE_REQUEST, controls={"lora": "x"}), "the control lora"),
        (replace(WAVE_REQUEST, duration_seconds=6), "such a length"),
        (replace(WAVE_REQUEST, ratio="1:1"), "such a size"),
        (replace(WAVE_REQUEST, style="oil"), "a style"),
        (replace(RESTYLE_REQUEST, style="chalk"), "this look (one of oil, ink)"),
        (replace(RESTYLE_REQUEST, source_video=None), "a request without clip"),
    ],
)
def test_what_an_operators_schema_does_not_take_is_not_sent(request_: RenderRequest, said: str) -> None:
    with pytest.raises(UnsupportedFeature) as refusal:
        own_adapter(NOBODY).submit(request_, client_token=TOKEN, callback_url=None)
    assert said in refusal.value.feature


def changed(entry: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with something else at the dotted path; `...` takes it away."""
    copy: dict[str, Any] = json.loads(json.dumps(dict(entry)))
    *way, last = path.split(".")
    place = copy
    for step in way:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return copy


P = "input_schema.properties"


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ("{", "REPLICATE_MODELS is not JSON"),
        ("{}", "REPLICATE_MODELS is not a list"),
        ("[1]", "REPLICATE_MODELS[0] is not an object"),
        ([changed(WAVE, "model", ...)], "[0].model is missing"),
        ([changed(WAVE, "speed", 1)], "[0].speed is not known"),
        ([WAVE, changed(WAVE, "name", "B")], "[1].model is there already"),
        ([changed(WAVE, "model", "Acme Wave")], "[0].model is not owner/name"),
        ([changed(WAVE, "model", "acme/known")], "[0].model is there already"),
        ([changed(WAVE, "name", 5)], "[0].name is not a name"),
        ([changed(RESTYLE, "version", "abc")], "[0].version is not an id"),
        ([changed(WAVE, "fields", [])], "[0].fields is not an object"),
        ([changed(WAVE, "fields.prompt", "text")], "[0].fields.prompt names no property"),
        ([changed(WAVE, "fields.pace", "steps")], "[0].fields.pace is none of"),
        ([changed(WAVE, "fields.audio", "steps")], "[0].fields.audio names a property that is no boolean"),
        ([changed(WAVE, "fields.start_image", "references")], "[0].fields.start_image names no property"),
        (
            [changed(WAVE, "fields.start_image", "steps")],
            "[0].fields.start_image names a property that is no string",
        ),
        ([changed(WAVE, "fields.end_image", "image")], "[0].fields names a property twice"),
        ([changed(WAVE, "fields", {"seed": "seed"})], "[0].durations has more than one"),
        ([changed(WAVE, "fields.resolution", ...)], "[0].resolutions has more than one"),
        ([changed(WAVE, "durations", [])], "[0].durations is not a list"),
        ([changed(WAVE, "durations", [5.5])], "[0].durations is not a list"),
        ([changed(WAVE, "durations", [5, 7])], "[0].durations has 7"),
        ([changed(WAVE, "resolutions", ["huge"])], "[0].resolutions has a name"),
        ([changed(WAVE, "resolutions", ["1080p"])], "[0].resolutions has 1080p"),
        ([changed(WAVE, "ratios", "16:9")], "[0].ratios is not a list"),
        ([changed(WAVE, "vendor_cost", "much")], "[0].vendor_cost is not an amount"),
        ([changed(WAVE, "vendor_cost", True)], "[0].vendor_cost is not an amount"),
        ([changed(WAVE, "vendor_cost", "-1")], "[0].vendor_cost is not more than nothing"),
        ([changed(WAVE, "vendor_unit", "minute")], "[0].vendor_unit is none of second, call"),
        ([changed(WAVE, "input_schema", {})], "[0].input_schema has no properties"),
        ([changed(WAVE, f"{P}.steps", {"$ref": "#/x"})], "properties.steps has no type"),
        ([changed(WAVE, f"{P}.steps.maximum", "9")], "properties.steps.maximum is not a number"),
        ([changed(WAVE, f"{P}.steps.default", 99)], "properties.steps.default is not what"),
        ([changed(WAVE, f"{P}.sampler.enum", "ab")], "properties.sampler.enum is not a list"),
        ([changed(WAVE, "input_schema.required", ["nothing"])], "input_schema.required names no property"),
        ([changed(WAVE, "input_schema.required", ["lora"])], "has lora, which is no field"),
        ([changed(WAVE, "input_schema.required", ["guidance"])], "has guidance, which is no field"),
        (
            [changed(RESTYLE, "fields", {"duration": "length"})],
            "input_schema.required has clip, which is no field",
        ),
        (
            [changed(changed(RESTYLE, "input_schema.required", []), "fields", {"duration": "length"})],
            "[0].fields has neither a prompt nor",
        ),
    ],
)
def test_a_wrong_entry_refuses_to_start_and_names_its_field(entries: Any, said: str) -> None:
    text = entries if isinstance(entries, str) else json.dumps(entries)
    with pytest.raises(ImproperlyConfigured) as refusal:
        own_models(text, {"replicate/known"})
    assert said in str(refusal.value)


def test_no_entries_are_no_models() -> None:
    assert own_models("", set()) == own_models("[]", set()) == ()


def own_adapter(server: RawServer | str) -> ReplicateProvider:
    url = server if isinstance(server, str) else server.url
    shapes = {own.model.vendor_model: own.shape for own in OWN}
    http = TestReplicate().at(url)._client  # type: ignore[attr-defined]
    return ReplicateProvider(url=url, api_key=KEY, shapes=shapes, http=http)


def test_models_of_the_setting_are_in_the_catalogue_of_a_process_that_starts_with_it() -> None:
    program = (
        "import django; django.setup()\n"
        "from providers.catalogue import MODELS\n"
        "from providers.video.replicate import SHAPES\n"
        "print([name for name in MODELS if name.startswith('replicate/')], 'acme/restyle' in SHAPES)"
    )
    environment = os.environ | {"REPLICATE_MODELS": json.dumps([WAVE, RESTYLE])}
    environment.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    known = [model.id for model in MODELS]
    assert ran.stdout.strip() == f"{[*known, 'replicate/wave', 'replicate/restyle']} True"
