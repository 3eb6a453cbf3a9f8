"""ModelsLab's adapter against the contract, against its simulator, and what is its own.

Its own Python client states no licence, so that nothing is held against it here.
"""

import io
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from credits.card_table import CARDS
from providers import http as http_client
from providers import registry
from providers.contract import (
    AccountStanding,
    InputMedia,
    Mode,
    OutputSource,
    RenderRequest,
    RenderState,
    RenderUpdate,
    VideoProvider,
)
from providers.errors import (
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
from providers.facts import PriceUnit, VideoModel
from providers.http import Client, ClientConfig
from providers.video.modelslab import FRAMES, MODELS, STATES, ModelsLabProvider
from tests.providers import contract
from tests.providers.contract import A_VIDEO, CALLBACK, KEY, TOKEN, VENDOR_TEXT, VideoProviderContract
from tests.providers.servers import RawServer, answers, closes, serving
from tests.vendors.modelslab import ModelsLab
from tests.vendors.video import Fault, VideoJob, clip

from .wishes import wishes

BY_ID = {model.id: model for model in MODELS}
A_REQUEST = replace(contract.A_REQUEST, model="seedance-t2v")
A_V6_REQUEST = replace(contract.A_REQUEST, model="wan2.2", resolution="480p")
START = InputMedia(url="https://store.example/start.png?signature=s", media_type="image/png")
END = InputMedia(url="https://store.example/end.png?signature=e", media_type="image/png")
SOURCE = InputMedia(url="https://store.example/source.mp4?signature=v", media_type="video/mp4")


class TestModelsLab(VideoProviderContract):
    kind = ModelsLabProvider
    words = STATES
    request = A_REQUEST
    key_in_body = True

    def adapter(self, url: str, http: Client) -> VideoProvider:
        return ModelsLabProvider(url=f"{url}/api", api_key=KEY, http=http)

    def accepted(self, external_id: str) -> Any:
        return self.status(external_id, "processing")

    def status(self, external_id: str, word: str, *, media: bool = True, url: str = A_VIDEO) -> Any:
        if word == "processing":
            links = {
                "eta": 85,
                "output": [],
                "future_links": [url],
                "fetch_result": "https://modelslab.com/f",
            }
            return {
                "status": word,
                "id": external_id,
                "message": "Try again after the estimated time",
                **links,
            }
        if word == "success":
            return {"status": word, "id": external_id, "output": [url] if media else [], "meta": {"key": KEY}}
        return {"status": word, "id": external_id, "message": f"{VENDOR_TEXT}: no luck"}

    def moderated(self, external_id: str) -> Any:
        return {"status": "failed", "id": external_id, "message": f"{VENDOR_TEXT} NSFW output"}

    def webhook(self, external_id: str, word: str) -> tuple[dict[str, str], bytes]:
        return {}, self.body(self.status(external_id, word) | {"track_id": TOKEN})

    def test_an_id_may_be_a_number(self) -> None:
        receipt = {"status": "processing", "id": 90211034, "output": []}
        with serving(answers(200, self.body(receipt))) as server:
            adapter = self.at(server)
            submission = adapter.submit(A_REQUEST, client_token=TOKEN, callback_url=None)
            assert (submission.external_id, submission.vendor_state) == ("90211034", "processing")
            assert adapter.fetch("90211034").state is RenderState.RUNNING

    @pytest.mark.parametrize("id", [None, True, "", [], {}])
    def test_a_receipt_without_an_id_is_no_receipt(self, id: Any) -> None:
        receipt = {"status": "processing", "id": id, "output": []}
        assert type(self.submitted(answers(200, self.body(receipt)))) is OutcomeUnknown

    def test_what_is_done_at_once_has_a_receipt_too(self) -> None:
        with serving(answers(200, self.body(self.status("id-1", "success")))) as server:
            receipt = self.at(server).submit(A_REQUEST, client_token=TOKEN, callback_url=None)
        assert (receipt.external_id, receipt.vendor_state) == ("id-1", "success")

    @pytest.mark.parametrize(
        ("message", "kind", "reason"),
        [
            ("Rate Limit exceeded", RateLimited, None),
            ("Queue limit of 5 reached", RateLimited, None),
            ("Not enough credits", BalanceUsedUp, None),
            ("Your balance is low", BalanceUsedUp, None),
            ("Your subscription has lapsed", BalanceUsedUp, None),
            ("Invalid API key", CredentialsRefused, None),
            ("NSFW words found", RequestRefused, FailureCode.MODERATED),
            ("Unsafe content", RequestRefused, FailureCode.MODERATED),
            ("Against our policy", RequestRefused, FailureCode.MODERATED),
            ("The duration is invalid", RequestRefused, FailureCode.INVALID),
            ("", RequestRefused, FailureCode.INVALID),
            (["a", "list"], RequestRefused, FailureCode.INVALID),
        ],
    )
    @pytest.mark.parametrize("status", [200, 400, 422])
    @pytest.mark.parametrize("field", ["message", "messege"])
    def test_an_error_is_told_by_its_text(
        self,
        message: Any,
        kind: type[ProviderError],
        reason: FailureCode | None,
        status: int,
        field: str,
    ) -> None:
        said = f"{VENDOR_TEXT} {message}" if isinstance(message, str) else message
        error = self.submitted(answers(status, self.body({"status": "error", field: said})))
        assert type(error) is kind
        assert getattr(error, "code", None) is reason

    @pytest.mark.parametrize(
        "message",
        [
            "Server Error",
            "The request timed out",
            "timeout",
            "Internal error",
            "Please try again later",
            "Something went wrong",
            "Service unavailable",
            "Unable to process this",
            "Failed to start",
            "Could not connect to a worker",
        ],
    )
    def test_a_200_that_speaks_of_the_vendors_own_trouble_may_have_been_accepted(self, message: str) -> None:
        body = self.body({"status": "error", "message": f"{VENDOR_TEXT} {message}"})
        assert type(self.submitted(answers(200, body))) is OutcomeUnknown
        assert type(self.submitted(answers(400, body))) is RequestRefused

    @pytest.mark.parametrize(
        ("status", "kind"),
        [(401, CredentialsRefused), (402, BalanceUsedUp), (403, RequestRefused), (404, RequestRefused),
         (429, RateLimited), (500, OutcomeUnknown), (503, OutcomeUnknown)],
    )  # fmt: skip
    def test_another_status_says_it_itself(self, status: int, kind: type[ProviderError]) -> None:
        for text in ("content policy", "Invalid API key", "Queue", ""):
            body = self.body({"status": "error", "message": f"{text} {VENDOR_TEXT}"})
            assert type(self.submitted(answers(status, body))) is kind

    def test_what_is_not_in_our_plan_is_no_fault_of_the_key(self) -> None:
        error = self.submitted(answers(403, self.body({"status": "error", "message": "Upgrade your plan"})))
        assert isinstance(error, RequestRefused)
        assert error.code is FailureCode.MODEL_UNAVAILABLE

    @pytest.mark.parametrize("status", [401, 402])
    def test_refused_credentials_are_ours_to_fix(self, status: int) -> None:
        """Its 403 speaks of the plan, not of the key: see above."""
        super().test_refused_credentials_are_ours_to_fix(status)

    @pytest.mark.parametrize(
        ("wait", "header", "seconds"),
        [(20, None, 20), (2.5, None, 2.5), (20, "9", 20), (None, "9", 9), ("20", "9", 9), (-1, "9", 9),
         (True, "9", 9), (10**9, "9", 9), (None, None, None)],
    )  # fmt: skip
    @pytest.mark.parametrize("status", [200, 429])
    def test_the_wait_is_in_the_body(
        self, wait: Any, header: str | None, seconds: float | None, status: int
    ) -> None:
        body = self.body({"status": "error", "message": "Queue limit of 5 reached", "retry_after": wait})
        headers = {"Retry_After": header} if header else {}
        error = self.submitted(answers(status, body, **headers))
        assert error.retry_after == (timedelta(seconds=seconds) if seconds is not None else None)

    @pytest.mark.parametrize(
        ("message", "kind"),
        [
            ("Invalid API key", CredentialsRefused),
            ("Not enough credits", BalanceUsedUp),
            ("rate limit", RateLimited),
            ("Request not found", JobNotFound),
            ("Server error", ReadFailed),
        ],
    )
    def test_an_error_of_a_look_may_be_of_the_call(self, message: str, kind: type[ProviderError]) -> None:
        with pytest.raises(ProviderError) as failure:
            self.fetched(answers(200, self.body({"status": "error", "message": f"{VENDOR_TEXT} {message}"})))
        assert type(failure.value) is kind
        self.shows_nothing(failure.value)

    @pytest.mark.parametrize(
        "message", ["Still Processing", "Please try again in a minute, it is in the queue"]
    )
    def test_an_error_of_a_look_that_means_not_yet_is_none(self, message: str) -> None:
        update = self.fetched(answers(200, self.body({"status": "error", "message": message})))
        assert (update.state, update.failure) == (RenderState.RUNNING, None)

    @pytest.mark.parametrize(
        ("word", "message", "code", "retryable"),
        [
            ("failed", "Generation failed", FailureCode.VENDOR_FAULT, True),
            ("error", "Generation failed", FailureCode.VENDOR_FAULT, True),
            ("failed", "please try again", FailureCode.VENDOR_FAULT, True),
            ("error", "Something went wrong", FailureCode.VENDOR_FAULT, True),
            ("error", "NSFW content", FailureCode.MODERATED, False),
            ("failed", "content policy", FailureCode.MODERATED, False),
            ("error", None, FailureCode.VENDOR_FAULT, True),
            ("failed", "Server error", FailureCode.VENDOR_FAULT, True),
        ],
    )
    def test_a_failure_has_our_code(
        self, word: str, message: Any, code: FailureCode, retryable: bool
    ) -> None:
        failure = self.fetched(answers(200, self.body({"status": word, "message": message}))).failure
        assert isinstance(failure, RenderFailed)
        assert (failure.code, failure.retryable) == (code, retryable)

    def test_an_error_with_the_renders_id_is_of_the_render(self) -> None:
        answer = {"status": "error", "id": "id-1", "message": "Server error"}
        update = self.fetched(answers(200, self.body(answer)))
        assert (update.state, update.vendor_state) == (RenderState.FAILED, "error")

    @pytest.mark.parametrize(
        ("more", "state"),
        [
            ({"future_links": [A_VIDEO]}, RenderState.RUNNING),
            ({"eta": 12}, RenderState.RUNNING),
            ({"future_links": [], "eta": 0}, RenderState.FAILED),
            ({"future_links": "soon", "eta": True}, RenderState.FAILED),
            ({"output": None}, RenderState.FAILED),
            ({"output": A_VIDEO}, RenderState.FAILED),
            ({"output": [5]}, RenderState.FAILED),
            ({"output": ["file:///etc/passwd"]}, RenderState.FAILED),
            ({"proxy_links": [A_VIDEO]}, RenderState.FAILED),
        ],
    )
    def test_success_without_a_file_runs_on_while_one_is_announced(
        self, more: Mapping[str, Any], state: RenderState
    ) -> None:
        answer = {"status": "success", "id": "id-1", "output": [], **more}
        update = self.fetched(answers(200, self.body(answer)))
        assert (update.state, update.output) == (state, None)

    def test_a_link_to_come_is_no_output(self) -> None:
        update = self.fetched(answers(200, self.body(self.status("id-1", "processing"))))
        assert (update.state, update.output) == (RenderState.RUNNING, None)

    def test_a_look_that_speaks_of_another_render_decides_nothing(self) -> None:
        with pytest.raises(ReadFailed):
            self.fetched(answers(200, self.body(self.status("id-2", "success"))))

    @pytest.mark.parametrize(
        ("external_id", "path"),
        [("id-1", "/api/v7/video-fusion/fetch/id-1"), ("v6:id-1", "/api/v6/video/fetch/id-1")],
    )
    def test_each_version_has_its_own_look_with_the_key_in_its_body(
        self, external_id: str, path: str
    ) -> None:
        with serving(answers(200, self.body(self.status("id-1", "success")))) as server:
            update = self.at(server).fetch(external_id)
        [sent] = server.received
        assert sent.line == f"POST {path} HTTP/1.1"
        assert json.loads(sent.body) == {"key": KEY}
        assert update.external_id == external_id
        assert KEY not in repr(update)

    def test_a_webhook_has_our_token_and_the_version(self) -> None:
        adapter = self.at("http://127.0.0.1:9")
        for track, external_id in ((TOKEN, "90211034"), (f"v6-{TOKEN}", "v6:90211034")):
            for id in ("90211034", 90211034):
                message = self.status("", "success") | {"id": id, "track_id": track}
                [update] = adapter.read_webhook({}, self.body(message))
                assert (update.external_id, update.client_token) == (external_id, TOKEN)
        for nothing in (None, 5, ""):
            message = self.status("id-1", "failed") | {"track_id": nothing}
            [update] = adapter.read_webhook({}, self.body(message))
            assert (update.external_id, update.client_token) == ("id-1", None)

    @pytest.mark.parametrize(
        "body", [b"no JSON", b"\xff", b"[]", b"{}", b'{"status": "success"}', b'{"id": "1"}']
    )
    def test_a_webhook_that_makes_no_sense_is_not_obeyed(self, body: bytes) -> None:
        with pytest.raises(ReadFailed):
            self.at("http://127.0.0.1:9").read_webhook({}, body)

    def test_the_balance_is_read(self) -> None:
        answer = {"status": "success", "data": {"balance": 12.5, "currency": "USD"}}
        with serving(answers(200, self.body(answer))) as server:
            assert self.at(server).account() == AccountStanding(balance=Decimal("12.5"), currency="USD")
        assert server.received[0].line == "POST /api/wallet_balance HTTP/1.1"
        assert json.loads(server.received[0].body) == {"key": KEY}

    @pytest.mark.parametrize(
        ("answer", "status", "kind"),
        [
            ({"status": "success", "data": {"balance": "12", "currency": "USD"}}, 200, ReadFailed),
            ({"status": "success", "data": {"balance": True, "currency": "USD"}}, 200, ReadFailed),
            ({"status": "success", "data": None}, 200, ReadFailed),
            ({"status": "error", "message": "Invalid API key"}, 200, CredentialsRefused),
            ({"status": "error", "message": "Invalid API key"}, 401, CredentialsRefused),
            ({"status": "error"}, 402, BalanceUsedUp),
            ([], 200, ReadFailed),
            (None, 500, ReadFailed),
        ],
    )
    def test_a_balance_that_is_none_is_not_read(
        self, answer: Any, status: int, kind: type[ProviderError]
    ) -> None:
        with serving(answers(status, self.body(answer))) as server, pytest.raises(ProviderError) as failure:
            self.at(server).account()
        assert type(failure.value) is kind

    def test_a_look_that_gets_no_answer_may_be_repeated(self) -> None:
        with serving(closes) as server, pytest.raises(ReadFailed):
            self.at(server).account()
        for call in ("fetch", "account"):
            with pytest.raises(ReadFailed):
                getattr(self.at("http://127.0.0.1:9"), call)(*(["id-1"] if call == "fetch" else []))

    @pytest.mark.parametrize(
        "message",
        [
            "The init_image must be a string",
            "init_image: a list is not allowed",
            "init_image can't be an array",
            "The init_image format is invalid.",
        ],
    )
    def test_an_input_refused_as_a_list_is_sent_once_more_as_one_link(self, message: str) -> None:
        """The vendor's documents say both, and a refusal of the field's form accepted nothing."""
        refusal = self.body({"status": "error", "message": message})
        request = replace(A_REQUEST, mode=Mode.IMAGE, start_image=START)
        for status in (200, 400):
            with serving(answers(status, refusal)) as server, pytest.raises(RequestRefused):
                self.at(server).submit(request, client_token=TOKEN, callback_url=None)
            first, second = (json.loads(call.body) for call in server.received)
            assert first == {**second, "init_image": [START.url]}
            assert second["init_image"] == START.url

    @pytest.mark.parametrize(
        ("status", "message"),
        [
            (200, "Invalid prompt"),
            (400, "Invalid prompt"),
            (500, "init_image"),
            (429, "init_image"),
            (200, ""),
            (200, "NSFW content in init_image"),
            (400, "Queue limit reached, init_image"),
            (200, "The init_image is too large"),
            (400, "The init_image was not found, see our listing"),
            (200, "Failed to read the init_image as a string"),
            (200, "The init_image array can't be read, try again"),
        ],
    )
    def test_no_other_refusal_is_answered_with_a_second_call(self, status: int, message: str) -> None:
        request = replace(A_REQUEST, mode=Mode.IMAGE, start_image=START)
        with serving(answers(status, self.body({"status": "error", "message": message}))) as server:
            with pytest.raises(ProviderError):
                self.at(server).submit(request, client_token=TOKEN, callback_url=None)
            assert len(server.received) == 1


# --- what is asked ---

V7 = "/api/v7/video-fusion/"
V6 = "/api/v6/video/"
SEEDANCE = {"aspect_ratio": "16:9", "resolution": "720p", "camera_fixed": False}
ULTRA = {"model_id": "wan2.2", "resolution": 480, "portrait": False, "output_type": "mp4"}
VEO = {
    "model_id": "veo-3.1", "aspect_ratio": "16:9", "resolution": "720p", "duration": "8",
    "generate_audio": False, "enhance_prompt": False,
}  # fmt: skip
IMAGE: Mapping[str, Any] = {"mode": Mode.IMAGE, "start_image": START}
VIDEO: Mapping[str, Any] = {"mode": Mode.VIDEO, "source_video": SOURCE}
WIRES: list[tuple[str, Mapping[str, Any], str, Mapping[str, Any]]] = [
    ("seedance-t2v", {}, f"{V7}text-to-video", {"model_id": "seedance-t2v", **SEEDANCE}),
    ("seedance-t2v", {**IMAGE, "resolution": "480p", "controls": {"camera_fixed": True}},
     f"{V7}image-to-video",
     {"model_id": "seedance-i2v", **SEEDANCE, "resolution": "480p", "camera_fixed": True,
      "init_image": [START.url]}),
    ("seedance-1-5-pro", {}, f"{V7}text-to-video", {"model_id": "seedance-1-5-pro"}),
    ("seedance-1-5-pro", IMAGE, f"{V7}image-to-video",
     {"model_id": "seedance-1-5-pro", "init_image": [START.url]}),
    ("wan2.6", {}, f"{V7}text-to-video", {"model_id": "wan2.6-t2v"}),
    ("wan2.6", IMAGE, f"{V7}image-to-video", {"model_id": "wan2.6-i2v", "init_image": [START.url]}),
    ("Hailuo-2.3", {"duration_seconds": 6}, f"{V7}text-to-video", {"model_id": "Hailuo-2.3-t2v"}),
    ("Hailuo-2.3", {**IMAGE, "duration_seconds": 10}, f"{V7}image-to-video",
     {"model_id": "Hailuo-2.3-i2v", "duration": "10", "init_image": [START.url]}),
    ("kling-v2-5-turbo", {"ratio": "1:1"}, f"{V7}text-to-video",
     {"model_id": "kling-v2-5-turbo-t2v", "aspect_ratio": "1:1", "duration": "5"}),
    ("kling-v2-5-turbo", {**IMAGE, "duration_seconds": 10}, f"{V7}image-to-video",
     {"model_id": "Kling-V2-5-Turbo-i2v", "duration": "10", "init_image": [START.url]}),
    ("gen4_aleph", {**VIDEO, "ratio": "21:9"}, f"{V7}video-to-video",
     {"model_id": "gen4_aleph", "aspect_ratio": "1584:672", "init_video": [SOURCE.url]}),
    ("ltx-2-3-pro", {"duration_seconds": 8, "resolution": "1080p"}, f"{V7}text-to-video",
     {"model_id": "ltx-2-3-pro-t2v", "duration": "8", "resolution": "1080p"}),
    ("ltx-2-3-pro", {**IMAGE, "duration_seconds": 6, "resolution": "1080p"}, f"{V7}image-to-video",
     {"model_id": "ltx-2-3-pro-i2v", "duration": "6", "resolution": "1080p", "init_image": [START.url]}),
    ("veo-3.1", {"duration_seconds": 8}, f"{V7}text-to-video", VEO),
    ("veo-3.1", {"duration_seconds": 8, "audio": True, "enhance": True, "negative_prompt": "rain"},
     f"{V7}text-to-video",
     {**VEO, "generate_audio": True, "enhance_prompt": True, "negative_prompt": "rain"}),
    ("veo3", {"duration_seconds": 8}, f"{V7}text-to-video", {**VEO, "model_id": "veo3"}),
    ("veo2", {"duration_seconds": 8}, f"{V7}text-to-video",
     {"model_id": "veo2", "aspect_ratio": "16:9", "duration": "8", "enhance_prompt": False}),
    ("sora-2", {"duration_seconds": 12}, f"{V7}text-to-video",
     {"model_id": "sora-2", "aspect_ratio": "16:9", "duration": "12"}),
    ("wan2.2", {"resolution": "480p", "duration_seconds": 10, "ratio": "9:16"}, f"{V6}text2video_ultra",
     {**ULTRA, "num_frames": 120, "fps": 12, "portrait": True}),
    ("text2video_ultra", {"resolution": "480p", "seed": 0, "negative_prompt": "rain"},
     f"{V6}text2video_ultra", {**ULTRA, "num_frames": 81, "fps": 16, "seed": 0, "negative_prompt": "rain"}),
    ("text2video_ultra", {**IMAGE, "resolution": "480p", "duration_seconds": 8}, f"{V6}img2video_ultra",
     {**ULTRA, "num_frames": 120, "fps": 15, "init_image": START.url}),
]  # fmt: skip


def adapter_of(server: RawServer) -> ModelsLabProvider:
    config = ClientConfig(
        allowed_origins=frozenset({server.url}), connect_seconds=0.5, read_seconds=1, total_seconds=1.5
    )
    return ModelsLabProvider(url=f"{server.url}/api/", api_key=KEY, http=Client(config))


@pytest.mark.parametrize(("model", "wish", "path", "fields"), WIRES)
def test_each_wish_is_asked_in_the_models_own_fields(
    model: str, wish: Mapping[str, Any], path: str, fields: Mapping[str, Any]
) -> None:
    with serving(answers(200, b'{"status": "processing", "id": 7}')) as server:
        receipt = adapter_of(server).submit(
            replace(contract.A_REQUEST, model=model, **wish), client_token=TOKEN, callback_url=CALLBACK
        )
    [sent] = server.received
    v6 = path.startswith(V6)
    assert sent.line == f"POST {path} HTTP/1.1"
    assert json.loads(sent.body) == {
        "key": KEY,
        "prompt": "A paper boat",
        "webhook": CALLBACK,
        "track_id": f"v6-{TOKEN}" if v6 else TOKEN,
        **fields,
    }
    assert KEY not in sent.head.decode()
    assert receipt.external_id == ("v6:7" if v6 else "7")


def test_frames_over_frames_a_second_are_the_seconds_asked_for() -> None:
    """Five seconds are the vendor's own pair: eighty frames are fewer than it makes."""
    for seconds, (frames, fps) in FRAMES.items():
        assert 81 <= frames <= 120
        assert fps <= 16
        assert frames / fps == seconds or (seconds, frames, fps) == (5, 81, 16)
    for model in MODELS:
        if model.vendor_model in ("wan2.2", "text2video_ultra"):
            assert set(model.durations) == FRAMES.keys()


@pytest.mark.parametrize(
    ("model", "wish", "feature"),
    [
        ("wan2.2", {"duration_seconds": 9, "resolution": "480p"}, "this duration"),
        ("wan2.2", {"resolution": "720p"}, "this resolution"),
        ("wan2.2", {"resolution": "480p", "ratio": "1:1"}, "this ratio"),
        ("wan2.2", {**IMAGE, "resolution": "480p"}, "image with this model"),
        ("gen4_aleph", {**VIDEO, "ratio": "9:21"}, "this ratio"),
        ("gen4_aleph", {**VIDEO, "source_video": replace(SOURCE, media_type="video/x-msvideo")},
         "this type of video"),
        ("gen4_aleph", {}, "text with this model"),
        ("gen4_aleph", {"mode": Mode.VIDEO}, "these inputs"),
        ("seedance-t2v", {**IMAGE, "end_image": END}, "these inputs"),
        ("seedance-t2v", {"start_image": START}, "these inputs"),
        ("seedance-t2v", {"mode": Mode.FIRST_LAST, "start_image": START, "end_image": END},
         "first_last with this model"),
        ("seedance-t2v", {"seed": 0}, "seed"),
        ("seedance-t2v", {"style": "noir"}, "style"),
        ("seedance-t2v", {"audio": True}, "audio"),
        ("seedance-t2v", {"enhance": True}, "prompt enhancement"),
        ("seedance-t2v", {"negative_prompt": "rain"}, "negative prompt"),
        ("wan2.6", {"controls": {"camera_fixed": True}}, "the control camera_fixed"),
        ("a-model", {}, "text with this model"),
    ],
)  # fmt: skip
def test_what_a_model_cannot_do_is_named_and_not_sent(
    model: str, wish: Mapping[str, Any], feature: str
) -> None:
    with serving(answers(200)) as server:
        with pytest.raises(UnsupportedFeature) as refusal:
            adapter_of(server).submit(
                replace(contract.A_REQUEST, model=model, **wish), client_token=TOKEN, callback_url=CALLBACK
            )
        assert refusal.value.feature == feature
        assert server.received == []


def test_settings_become_an_adapter() -> None:
    with ModelsLab() as vendor:
        values = vendor.environment()
        assert set(values) == set(ModelsLabProvider.settings)
        assert isinstance(ModelsLabProvider.from_settings(values), ModelsLabProvider)
    assert ModelsLabProvider.defaults["MODELSLAB_URL"] == "https://modelslab.com/api"
    assert not ModelsLabProvider.offers("find")
    assert not ModelsLabProvider.offers("cancel")


def test_the_registry_builds_it_from_its_settings(settings: Settings) -> None:
    before = http_client._config
    http_client.configure(ClientConfig(allowed_origins=before.allowed_origins, allow_loopback=True))
    try:
        with ModelsLab() as vendor:
            for setting, value in vendor.environment().items():
                setattr(settings, setting, value)
            assert registry.provider("modelslab").account().balance == Decimal("12.5")
            settings.MODELSLAB_URL = ""
            assert registry.configured("modelslab")
            settings.MODELSLAB_API_KEY = ""
            assert not registry.configured("modelslab")
    finally:
        http_client.configure(before)


# --- against the simulator ---


@pytest.fixture(params=[False, True], ids=["honest", "errors in 200"])
def vendor(request: pytest.FixtureRequest) -> Iterator[ModelsLab]:
    with ModelsLab(seconds=0.05, errors_in_200=request.param) as simulator:
        yield simulator


@pytest.fixture
def inputs() -> Iterator[RawServer]:
    """Where inputs lie."""
    with serving(answers(200, b"a file")) as server:
        yield server


def ours(vendor: ModelsLab, *, key: str | None = None) -> ModelsLabProvider:
    config = ClientConfig(
        allowed_origins=frozenset({vendor.root}), connect_seconds=1, read_seconds=1, total_seconds=2
    )
    return ModelsLabProvider(url=vendor.url, api_key=key or vendor.key, http=Client(config))


@pytest.mark.parametrize("bare", [False, True], ids=["lists", "bare links"])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_whatever_the_catalogue_offers_is_taken(model: VideoModel, bare: bool, inputs: RawServer) -> None:
    with ModelsLab(seconds=60, dead=frozenset(), bare_inputs=bare) as simulator:
        asked = list(wishes(model, inputs.url))
        for request in asked:
            ours(simulator).submit(request, client_token=TOKEN, callback_url="https://studio.example/hook")
        assert len(simulator.jobs) == len(asked)
        assert all("key" not in job.body for job in simulator.jobs.values())
        if not bare:
            assert all(call.status == 200 for call in simulator.requests)


def submitted(vendor: ModelsLab, request: RenderRequest = A_REQUEST, callback: str | None = None) -> str:
    return ours(vendor).submit(request, client_token=TOKEN, callback_url=callback).external_id


def at_the_end(vendor: ModelsLab, external_id: str) -> RenderUpdate:
    """The last word: looks until there is one, two seconds at most."""
    adapter, until = ours(vendor), time.monotonic() + 2
    while True:
        update = adapter.fetch(external_id)
        if update.state is not RenderState.RUNNING or time.monotonic() > until:
            return update
        vendor.wait_closing(0.01)


BOTH_VERSIONS = pytest.mark.parametrize("request_", [A_REQUEST, A_V6_REQUEST], ids=["v7", "v6"])


@BOTH_VERSIONS
def test_a_clip_is_made_and_downloaded(vendor: ModelsLab, request_: RenderRequest) -> None:
    update = at_the_end(vendor, submitted(vendor, request_))
    assert (update.state, update.failure, update.cost) == (RenderState.SUCCEEDED, None, None)
    assert update.output is not None
    assert update.output.is_link
    target = io.BytesIO()
    http = Client(ClientConfig(allowed_origins=frozenset({vendor.root})))
    http.download(OutputSource(url=update.output.url), target, max_bytes=10_000_000)
    assert target.getvalue() == clip()


@BOTH_VERSIONS
@pytest.mark.parametrize(
    ("fault", "kind", "reason"),
    [
        (Fault.RATE_LIMITED, RateLimited, None),
        (Fault.WRONG_KEY, CredentialsRefused, None),
        (Fault.NO_BALANCE, BalanceUsedUp, None),
        (Fault.REFUSED, RequestRefused, FailureCode.INVALID),
        (Fault.MODERATED_AT_SUBMIT, RequestRefused, FailureCode.MODERATED),
        (Fault.SERVER_ERROR, OutcomeUnknown, None),
        (Fault.SERVER_ERROR_AFTER_ACCEPTING, OutcomeUnknown, None),
        (Fault.HANG_UP_AFTER_ACCEPTING, OutcomeUnknown, None),
        (Fault.GARBAGE_AFTER_ACCEPTING, OutcomeUnknown, None),
    ],
)
def test_a_fault_at_submission_is_what_it_means(
    vendor: ModelsLab,
    fault: Fault,
    kind: type[ProviderError],
    reason: FailureCode | None,
    request_: RenderRequest,
) -> None:
    vendor.fault = fault
    with pytest.raises(ProviderError) as failure:
        submitted(vendor, request_)
    assert type(failure.value) is kind
    assert getattr(failure.value, "code", None) is reason
    if fault is Fault.RATE_LIMITED:
        assert failure.value.retry_after == timedelta(seconds=1)
        assert submitted(vendor, request_)
    assert bool(vendor.jobs) == (fault.value.endswith("after_accepting") or fault is Fault.RATE_LIMITED)


@BOTH_VERSIONS
@pytest.mark.parametrize(
    ("fault", "code", "retryable"),
    [
        (Fault.FAILED, FailureCode.VENDOR_FAULT, True),
        (Fault.MODERATED, FailureCode.MODERATED, False),
        (Fault.NO_MEDIA, FailureCode.NO_MEDIA, True),
    ],
)
def test_a_render_that_ends_badly_says_why(
    vendor: ModelsLab, fault: Fault, code: FailureCode, retryable: bool, request_: RenderRequest
) -> None:
    vendor.fault = fault
    failure = at_the_end(vendor, submitted(vendor, request_)).failure
    assert isinstance(failure, RenderFailed)
    assert (failure.code, failure.retryable) == (code, retryable)


@pytest.mark.parametrize(
    ("fault", "kind", "looks"),
    [
        (Fault.STATUS_ERROR, ReadFailed, 2),
        (Fault.STATUS_GARBAGE, ReadFailed, 2),
        (Fault.STATUS_RATE_LIMITED, RateLimited, 1),
    ],
)
def test_a_fault_of_a_look_passes(
    vendor: ModelsLab, fault: Fault, kind: type[ProviderError], looks: int
) -> None:
    vendor.fault = fault
    external_id = submitted(vendor)
    for _ in range(looks):
        with pytest.raises(ProviderError) as failure:
            ours(vendor).fetch(external_id)
        assert type(failure.value) is kind
    assert at_the_end(vendor, external_id).state is RenderState.SUCCEEDED


def test_an_odd_word_is_not_guessed_and_passes(vendor: ModelsLab) -> None:
    vendor.fault = Fault.UNKNOWN_WORD
    external_id = submitted(vendor)
    assert [ours(vendor).fetch(external_id).state for _ in range(2)] == [RenderState.UNKNOWN] * 2
    assert at_the_end(vendor, external_id).state is RenderState.SUCCEEDED


def test_a_stuck_render_goes_on_running_and_a_lost_one_is_gone(vendor: ModelsLab) -> None:
    for fault in (Fault.STUCK, Fault.LOST):
        vendor.fault = fault
        external_id = submitted(vendor)
        vendor.jobs[external_id].began -= 60
        if fault is Fault.STUCK:
            assert ours(vendor).fetch(external_id).state is RenderState.RUNNING
        else:
            with pytest.raises(JobNotFound):
                ours(vendor).fetch(external_id)


@pytest.mark.parametrize("made", [A_REQUEST, A_V6_REQUEST], ids=["v7", "v6"])
def test_a_render_is_known_to_its_own_version_only(vendor: ModelsLab, made: RenderRequest) -> None:
    external_id = submitted(vendor, made)
    other = external_id.removeprefix("v6:") if external_id.startswith("v6:") else f"v6:{external_id}"
    assert ours(vendor).fetch(external_id).external_id == external_id
    for id in (other, "90000000"):
        with pytest.raises(JobNotFound):
            ours(vendor).fetch(id)


def ended(vendor: ModelsLab, external_id: str) -> VideoJob:
    job = vendor.jobs[external_id.removeprefix("v6:")]
    job.began -= 60
    return job


@BOTH_VERSIONS
@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (None, RenderState.SUCCEEDED),
        (Fault.FAILED, RenderState.FAILED),
        (Fault.MODERATED, RenderState.FAILED),
        (Fault.NO_MEDIA, RenderState.FAILED),
        (Fault.UNKNOWN_WORD, RenderState.UNKNOWN),
    ],
)
def test_the_simulators_webhook_says_what_a_look_says(
    vendor: ModelsLab, fault: Fault | None, state: RenderState, request_: RenderRequest
) -> None:
    vendor.fault = fault
    external_id = submitted(vendor, request_)
    headers, body = vendor.webhook(ended(vendor, external_id))
    [update] = ours(vendor).read_webhook(headers, body)
    assert (update.external_id, update.state, update.client_token) == (external_id, state, TOKEN)
    looked = ours(vendor).fetch(external_id)
    assert looked.state is state
    assert getattr(looked.failure, "code", None) == getattr(update.failure, "code", None)


def test_a_webhook_is_posted_to_the_callback_without_the_key(vendor: ModelsLab) -> None:
    with serving(answers(204, b"")) as receiver:
        external_id = submitted(vendor, callback=f"{receiver.url}/hook")
        until = time.monotonic() + 3
        while not vendor.told and time.monotonic() < until:
            vendor.wait_closing(0.01)
    [call] = receiver.received
    [update] = ours(vendor).read_webhook({}, call.body)
    assert (update.external_id, update.client_token) == (external_id, TOKEN)
    assert vendor.key not in call.body.decode()


@pytest.mark.parametrize("model", [model for model in MODELS if model.retires_at], ids=lambda one: one.id)
def test_a_retired_model_is_refused(vendor: ModelsLab, model: VideoModel) -> None:
    with pytest.raises(RequestRefused):
        submitted(vendor, next(wishes(model, vendor.root)))


def test_an_input_that_cannot_be_read_is_refused(vendor: ModelsLab) -> None:
    missing = replace(START, url=f"{vendor.root}/files/nothing.png")
    with pytest.raises(RequestRefused):
        submitted(vendor, replace(A_REQUEST, mode=Mode.IMAGE, start_image=missing))
    assert vendor.jobs == {}


def test_the_sixth_render_waits_until_one_has_ended() -> None:
    with ModelsLab(seconds=60, queue=5) as vendor:
        jobs = [submitted(vendor) for _ in range(5)]
        with pytest.raises(RateLimited) as refusal:
            submitted(vendor)
        assert refusal.value.retry_after == timedelta(seconds=20)
        ended(vendor, jobs[0])
        assert submitted(vendor)


def test_a_wrong_key_is_ours_to_fix(vendor: ModelsLab) -> None:
    for call in ("account", "fetch"):
        with pytest.raises(CredentialsRefused):
            getattr(ours(vendor, key="wrong"), call)(*(["1"] if call == "fetch" else []))
    assert ours(vendor).account() == AccountStanding(balance=Decimal("12.5"), currency="USD")


def test_the_simulator_replaces_an_unknown_v6_model_in_silence_as_the_vendor_does(vendor: ModelsLab) -> None:
    http = Client(ClientConfig(allowed_origins=frozenset({vendor.root})))
    order = {"key": vendor.key, "model_id": "cogvideox", "prompt": "A paper boat"}
    http.post_json(f"{vendor.url}/v6/video/text2video_ultra", order)
    [job] = vendor.jobs.values()
    assert job.body["model_id"] == "wan2.2"


@pytest.mark.parametrize(
    "changes",
    [
        {"duration": "5"},
        {"aspect_ratio": "9:16"},
        {"resolution": "1080p"},
        {"camera_fixed": "yes"},
        {"prompt": ""},
        {"prompt": None},
        {"seed": 1},
        {"webhook": "http://hooks.example.com/a"},
        {"model_id": "seedance-i2v"},
        {"model_id": "veo3"},
        {"track_id": None},
    ],
)
def test_the_simulator_refuses_what_is_no_option_of_the_model(changes: Mapping[str, Any]) -> None:
    with ModelsLab() as vendor:
        http = Client(ClientConfig(allowed_origins=frozenset({vendor.root})))
        order = {"key": vendor.key, "model_id": "seedance-t2v", "prompt": "A boat", **SEEDANCE, **changes}
        answer = http.request("POST", f"{vendor.url}/v7/video-fusion/text-to-video", json=order)
        assert answer.status == 400
        assert answer.json()["status"] == "error"
        assert vendor.jobs == {}


def test_every_fault_is_possible_at_modelslab_but_one() -> None:
    assert ModelsLab.cannot == {Fault.CANCELLED}


def test_every_model_has_a_price() -> None:
    for model in MODELS:
        card = CARDS[model.id]
        assert model.price_unit is PriceUnit.CLIP
        assert card.base_credits or (card.vendor_cost and card.vendor_unit == "call")
        if card.base_seconds is not None:
            assert model.default_duration == card.base_seconds


def test_the_retired_come_last() -> None:
    assert [model.retires_at is None for model in MODELS] == [True] * 10 + [False] * 3


def test_a_silence_after_accepting_leaves_the_outcome_unknown() -> None:
    with ModelsLab() as vendor:
        vendor.fault = Fault.SILENCE_AFTER_ACCEPTING
        config = ClientConfig(allowed_origins=frozenset({vendor.root}), read_seconds=0.5, total_seconds=1)
        adapter = ModelsLabProvider(url=vendor.url, api_key=vendor.key, http=Client(config))
        with pytest.raises(OutcomeUnknown):
            adapter.submit(A_REQUEST, client_token=TOKEN, callback_url=None)
        assert len(vendor.jobs) == 1
