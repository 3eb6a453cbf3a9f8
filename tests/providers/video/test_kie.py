"""Kie's adapter against the contract, against its simulator, and what is its own."""

import base64
import hashlib
import hmac
import io
import json
import time
import urllib.error
import urllib.request
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
    Cost,
    InputMedia,
    Mode,
    OutputSource,
    RenderRequest,
    RenderState,
    RenderUpdate,
    VideoProvider,
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
from providers.facts import PriceUnit, VideoModel
from providers.http import Client, ClientConfig
from providers.video.kie import MODELS, STATES, VEO_MODELS, KieProvider
from tests.providers import contract
from tests.providers.contract import A_VIDEO, CALLBACK, KEY, TOKEN, VENDOR_TEXT, VideoProviderContract
from tests.providers.forgeries import Forgery
from tests.providers.servers import RawServer, answers, serving
from tests.vendors.kie import Kie
from tests.vendors.video import Fault, VideoJob, clip

from .wishes import wishes

SECRET = "hmac-key-of-the-console"
OLD_SECRET = "hmac-key-of-last-month"
BY_ID = {model.id: model for model in MODELS}
LIVING = [model for model in MODELS if model.retires_at is None]
A_REQUEST = replace(contract.A_REQUEST, model="bytedance/seedance-2")
START = InputMedia(url="https://store.example/start.png?signature=s", media_type="image/png")
END = InputMedia(url="https://store.example/end.png?signature=e", media_type="image/png")
SOURCE = InputMedia(url="https://store.example/source.mp4?signature=v", media_type="video/mp4")
DONE = RenderState.SUCCEEDED


def signature(secret: str, text: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


def signed(secret: str, task_id: str, *, late: float = 0) -> dict[str, str]:
    at = str(int(time.time() - late))
    return {"X-Webhook-Timestamp": at, "X-Webhook-Signature": signature(secret, f"{task_id}.{at}")}


def record(task_id: str, state: str, **changes: Any) -> dict[str, Any]:
    """`data` as the sheet of the vendor has it."""
    return {
        "taskId": task_id,
        "model": "bytedance/seedance-2",
        "state": state,
        "param": '{"model":"bytedance/seedance-2"}',
        "resultJson": None,
        "failCode": "",
        "failMsg": "",
        "costTime": 152000,
        "createTime": 1765000000000,
        "updateTime": 1765000152000,
        "completeTime": 1765000152000,
        **changes,
    }


def envelope(code: int, message: str = "success", data: Any = None) -> dict[str, Any]:
    return {"code": code, "msg": message, "data": data}


class TestKie(VideoProviderContract):
    kind = KieProvider
    words = STATES
    request = A_REQUEST

    def adapter(self, url: str, http: Client) -> VideoProvider:
        return KieProvider(url=url, api_key=KEY, webhook_secrets=[OLD_SECRET, SECRET], http=http)

    def accepted(self, external_id: str) -> Any:
        return envelope(200, data={"taskId": external_id})

    def status(self, external_id: str, word: str, *, media: bool = True, url: str = A_VIDEO) -> Any:
        result = json.dumps({"resultUrls": [url] if media else []}) if word == "success" else None
        return envelope(200, data=record(external_id, word, resultJson=result))

    def moderated(self, external_id: str) -> Any:
        text = f"{VENDOR_TEXT}: flagged by our content policy"
        return envelope(200, data=record(external_id, "fail", failCode="400", failMsg=text))

    def webhook(self, external_id: str, word: str) -> tuple[dict[str, str], bytes]:
        message = self.status(external_id, word)
        if word == "fail":
            message |= {"code": 501, "msg": "failed"}
        return signed(SECRET, external_id), self.body(message)

    def forgeries(self) -> list[Forgery]:
        good, body = self.webhook("id-1", "success")
        at, seal = good["X-Webhook-Timestamp"], good["X-Webhook-Signature"]
        digest = hmac.new(SECRET.encode(), f"id-1.{at}".encode(), hashlib.sha256)
        _, other = self.webhook("id-2", "success")

        def changed(**headers: str) -> dict[str, str]:
            return good | {f"X-Webhook-{name.capitalize()}": value for name, value in headers.items()}

        return [
            Forgery("no headers at all", {}, body),
            Forgery("no signature", {"X-Webhook-Timestamp": at}, body),
            Forgery("no timestamp", {"X-Webhook-Signature": seal}, body),
            Forgery("an empty signature", changed(signature=""), body),
            Forgery("an empty timestamp", changed(timestamp=""), body),
            Forgery("another task", good, other),
            Forgery("another secret", signed("another", "id-1"), body),
            Forgery("the empty secret", signed("", "id-1"), body),
            Forgery("the key of the API", signed(KEY, "id-1"), body),
            Forgery("six minutes old", signed(SECRET, "id-1", late=360), body),
            Forgery("six minutes ahead", signed(SECRET, "id-1", late=-360), body),
            Forgery("another time", changed(timestamp=str(int(at) + 1)), body),
            Forgery("a time that is no number", changed(timestamp="now"), body),
            Forgery("a time that is not a number", changed(timestamp="nan"), body),
            Forgery("a time in other digits", changed(timestamp="١٢٣"), body),
            Forgery("a time without end", changed(timestamp="9" * 5_000), body),
            Forgery("a time with a sign", changed(timestamp=f"+{at}"), body),
            Forgery("in hex", changed(signature=digest.hexdigest()), body),
            Forgery("cut short", changed(signature=seal[:-4]), body),
            Forgery("one letter more", changed(signature=f"{seal}="), body),
            Forgery("no ASCII", changed(signature="ü" * 44), body),
            Forgery("time and id swapped", changed(signature=signature(SECRET, f"{at}.id-1")), body),
            Forgery("the id alone", changed(signature=signature(SECRET, "id-1")), body),
            Forgery("no id in the body", signed(SECRET, ""), b'{"code": 200, "data": {}}'),
            Forgery("an id that is no text", signed(SECRET, "5"), b'{"code": 200, "data": {"taskId": 5}}'),
        ]

    def test_a_webhook_by_either_secret_is_believed(self) -> None:
        adapter = self.at("http://127.0.0.1:9")
        _, body = self.webhook("id-1", "success")
        for secret in (OLD_SECRET, SECRET):
            headers = {name.upper(): value for name, value in signed(secret, "id-1", late=290).items()}
            assert adapter.read_webhook(headers, body)[0].state is DONE

    def test_without_a_secret_webhooks_are_taken_as_they_come(self) -> None:
        adapter = KieProvider(url="http://127.0.0.1:9", api_key=KEY)
        _, body = self.webhook("id-1", "fail")
        [update] = adapter.read_webhook({}, body)
        assert (update.external_id, update.state) == ("id-1", RenderState.FAILED)
        for nonsense in (
            b"no JSON",
            b"[]",
            b"{}",
            b'{"code": 200, "data": null}',
            b'{"code": 200, "data": {}}',
        ):
            with pytest.raises(ReadFailed):
                adapter.read_webhook({}, nonsense)

    def test_a_webhook_may_spell_the_id_as_other_apis_of_kie_do(self) -> None:
        data = record("id-1", "generating")
        data["task_id"] = data.pop("taskId")
        body = self.body(envelope(200, data=data))
        [update] = self.at("http://127.0.0.1:9").read_webhook(signed(SECRET, "id-1"), body)
        assert (update.external_id, update.state) == ("id-1", RenderState.RUNNING)

    @pytest.mark.parametrize(
        ("code", "info", "state"),
        [
            (200, {"resultUrls": [A_VIDEO]}, RenderState.SUCCEEDED),
            (200, {"resultUrls": []}, RenderState.FAILED),
            (400, None, RenderState.FAILED),
            (422, None, RenderState.FAILED),
            (500, None, RenderState.FAILED),
            (501, None, RenderState.FAILED),
            (202, None, RenderState.UNKNOWN),
        ],
    )
    def test_a_webhook_of_the_veo_api_has_its_own_form(
        self, code: int, info: Any, state: RenderState
    ) -> None:
        body = self.body(envelope(code, data={"taskId": "id-1", "info": info}))
        [update] = self.at("http://127.0.0.1:9").read_webhook(signed(SECRET, "id-1"), body)
        assert (update.external_id, update.state) == ("veo:id-1", state)
        assert update.vendor_state == str(code)

    @pytest.mark.parametrize(
        ("code", "message", "kind", "reason"),
        [
            (400, VENDOR_TEXT, RequestRefused, FailureCode.INVALID),
            (400, f"{VENDOR_TEXT} Content Policy", RequestRefused, FailureCode.MODERATED),
            (401, VENDOR_TEXT, CredentialsRefused, None),
            (402, "not enough credits", BalanceUsedUp, None),
            (404, VENDOR_TEXT, RequestRefused, FailureCode.INVALID),
            (422, VENDOR_TEXT, RequestRefused, FailureCode.INVALID),
            (429, VENDOR_TEXT, RateLimited, None),
            (433, VENDOR_TEXT, BalanceUsedUp, None),
            (451, VENDOR_TEXT, RequestRefused, FailureCode.INPUT_UNREADABLE),
            (455, VENDOR_TEXT, RateLimited, None),
            (500, "The interface is temporarily Paused", RequestRefused, FailureCode.MODEL_UNAVAILABLE),
            (500, "This field is required", RequestRefused, FailureCode.INVALID),
            (500, "Invalid n_frames", RequestRefused, FailureCode.INVALID),
            (500, VENDOR_TEXT, OutcomeUnknown, None),
            (501, VENDOR_TEXT, OutcomeUnknown, None),
            (505, VENDOR_TEXT, RequestRefused, FailureCode.MODEL_UNAVAILABLE),
            (599, VENDOR_TEXT, OutcomeUnknown, None),
            (0, VENDOR_TEXT, OutcomeUnknown, None),
            (-1, VENDOR_TEXT, OutcomeUnknown, None),
        ],
    )
    @pytest.mark.parametrize("honest", [False, True])
    @pytest.mark.parametrize("field", ["msg", "message"])
    def test_the_code_decides_whatever_the_http_status(
        self,
        code: int,
        message: str,
        kind: type[ProviderError],
        reason: FailureCode | None,
        honest: bool,
        field: str,
    ) -> None:
        status = code if honest and code >= 400 else 200
        error = self.submitted(answers(status, self.body({"code": code, field: message, "data": None})))
        assert type(error) is kind
        assert getattr(error, "code", None) is reason

    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [
            (500, 200, OutcomeUnknown),
            (502, 422, OutcomeUnknown),
            (401, 200, CredentialsRefused),
            (422, 501, OutcomeUnknown),
            (400, 402, BalanceUsedUp),
            (429, 200, RateLimited),
            (302, 200, OutcomeUnknown),
        ],
    )
    def test_of_code_and_status_the_worse_counts(self, status: int, code: int, kind: type) -> None:
        answer = self.accepted("id-1") | {"code": code}
        assert type(self.submitted(answers(status, self.body(answer)))) is kind

    @pytest.mark.parametrize(
        ("code", "header", "seconds"), [(429, None, 10), (455, None, 180), (429, "3", 3), (455, "90", 90)]
    )
    def test_a_wait_that_kie_does_not_name_is_ours(self, code: int, header: str | None, seconds: int) -> None:
        headers = {"Retry_After": header} if header else {}
        error = self.submitted(answers(200, self.body(envelope(code, VENDOR_TEXT)), **headers))
        assert error.retry_after == timedelta(seconds=seconds)

    def test_a_refusal_at_the_edge_is_ours_to_fix(self) -> None:
        error = self.submitted(answers(403, b"error code: 1010", Content_Type="text/plain"))
        assert type(error) is CredentialsRefused

    @pytest.mark.parametrize("data", [None, [], {}, {"taskId": ""}, {"taskId": 5}, {"recordId": "r"}])
    def test_a_receipt_without_an_id_is_no_receipt(self, data: Any) -> None:
        assert type(self.submitted(answers(200, self.body(envelope(200, data=data))))) is OutcomeUnknown

    @pytest.mark.parametrize(
        ("code", "message", "kind"),
        [
            (401, VENDOR_TEXT, CredentialsRefused),
            (402, VENDOR_TEXT, BalanceUsedUp),
            (404, VENDOR_TEXT, JobNotFound),
            (422, "recordInfo is Null", JobNotFound),
            (422, VENDOR_TEXT, ReadFailed),
            (429, VENDOR_TEXT, RateLimited),
            (433, VENDOR_TEXT, BalanceUsedUp),
            (455, VENDOR_TEXT, RateLimited),
            (500, VENDOR_TEXT, ReadFailed),
            (501, VENDOR_TEXT, ReadFailed),
        ],
    )
    @pytest.mark.parametrize("honest", [False, True])
    def test_the_code_of_a_look_decides_too(
        self, code: int, message: str, kind: type[ProviderError], honest: bool
    ) -> None:
        with pytest.raises(ProviderError) as failure:
            self.fetched(answers(code if honest else 200, self.body(envelope(code, message))))
        assert type(failure.value) is kind
        self.shows_nothing(failure.value)

    def test_a_look_that_speaks_of_another_task_decides_nothing(self) -> None:
        with pytest.raises(ReadFailed):
            self.fetched(answers(200, self.body(self.status("id-2", "success"))))

    @pytest.mark.parametrize(
        ("code", "text", "ours", "retryable"),
        [
            ("500", "", FailureCode.VENDOR_FAULT, True),
            (501, "", FailureCode.VENDOR_FAULT, True),
            ("422", "", FailureCode.INVALID, False),
            ("400", "", FailureCode.INVALID, False),
            ("451", "", FailureCode.INPUT_UNREADABLE, False),
            ("500", "Violates our Policy", FailureCode.MODERATED, False),
            ("500", "NSFW", FailureCode.MODERATED, False),
            ("777", "", FailureCode.VENDOR_FAULT, False),
            (None, None, FailureCode.VENDOR_FAULT, False),
        ],
    )
    def test_a_failure_has_our_code(self, code: Any, text: Any, ours: FailureCode, retryable: bool) -> None:
        answer = envelope(200, data=record("id-1", "fail", failCode=code, failMsg=text))
        failure = self.fetched(answers(200, self.body(answer))).failure
        assert isinstance(failure, RenderFailed)
        assert (failure.code, failure.retryable) == (ours, retryable)

    @pytest.mark.parametrize(
        "result",
        [None, "", "null", "no JSON", "[]", "{}", '{"resultUrls": null}', '{"resultUrls": [5]}',
         '{"resultUrls": ["file:///etc/passwd"]}', '{"resultObject": {"a": 1}}', {"resultUrls": [A_VIDEO]}],
    )  # fmt: skip
    def test_a_success_that_names_no_link_has_no_media(self, result: Any) -> None:
        answer = envelope(200, data=record("id-1", "success", resultJson=result))
        failure = self.fetched(answers(200, self.body(answer))).failure
        assert isinstance(failure, RenderFailed)
        assert failure.code is FailureCode.NO_MEDIA

    @pytest.mark.parametrize(
        ("credits", "cost"),
        [(30, "0.150"), (17.5, "0.0875"), (0, "0"), (0.1, "0.0005"), (None, None), (-1, None), ("30", None),
         (True, None), (float("nan"), None), (float("inf"), None)],
    )  # fmt: skip
    def test_consumed_credits_are_the_cost(self, credits: Any, cost: str | None) -> None:
        answer = json.dumps(envelope(200, data=record("id-1", "success", creditsConsumed=credits)))
        told = self.fetched(answers(200, answer.encode())).cost
        assert told == (Cost(amount=Decimal(cost), currency="USD") if cost is not None else None)

    @pytest.mark.parametrize("word", [*STATES, "defragmenting"])
    def test_nothing_is_charged_before_the_end(self, word: str) -> None:
        answer = json.dumps(envelope(200, data=record("id-1", word, creditsConsumed=0)))
        cost = self.fetched(answers(200, answer.encode())).cost
        assert (cost is not None) == (STATES.get(word) in (RenderState.SUCCEEDED, RenderState.FAILED))

    @pytest.mark.parametrize(
        ("progress", "ours"), [(40, 40), (100, 100), (101, None), ("4", None), (True, None)]
    )
    def test_a_percent_is_a_percent(self, progress: Any, ours: int | None) -> None:
        answer = envelope(200, data=record("id-1", "generating", progress=progress))
        assert self.fetched(answers(200, self.body(answer))).progress == ours

    @pytest.mark.parametrize(
        ("flag", "state"),
        [(0, RenderState.RUNNING), (1, DONE), (2, RenderState.FAILED), (3, RenderState.FAILED),
         (4, RenderState.UNKNOWN), (None, RenderState.UNKNOWN)],
    )  # fmt: skip
    def test_a_veo_task_is_looked_up_by_its_own_route(self, flag: Any, state: RenderState) -> None:
        data = {"taskId": "id-1", "successFlag": flag, "response": {"resultUrls": [A_VIDEO]}}
        with serving(answers(200, self.body(envelope(200, data=data)))) as server:
            update = self.at(server).fetch("veo:id-1")
        assert server.received[0].line == "GET /api/v1/veo/record-info?taskId=id-1 HTTP/1.1"
        assert (update.external_id, update.state, update.vendor_state) == ("veo:id-1", state, str(flag))

    def test_every_call_has_a_user_agent_of_its_own_and_the_key_in_its_header(self) -> None:
        with serving(answers(200, self.body(envelope(200, data=1250)))) as server:
            standing = self.at(server).account()
        assert standing == AccountStanding(balance=Decimal("6.250"), currency="USD")
        [sent] = server.received
        assert sent.line == "GET /api/v1/chat/credit HTTP/1.1"
        agent = sent.header("user-agent")
        assert agent
        assert "python" not in agent
        assert sent.header("authorization") == f"Bearer {KEY}"

    @pytest.mark.parametrize("data", [None, "1250", {}, -1, True])
    def test_a_balance_that_is_no_number_is_none(self, data: Any) -> None:
        with serving(answers(200, self.body(envelope(200, data=data)))) as server, pytest.raises(ReadFailed):
            self.at(server).account()


# --- what is asked ---

SEEDANCE_2 = {
    "prompt": "A paper boat", "aspect_ratio": "16:9", "resolution": "720p", "duration": 5,
    "generate_audio": False, "web_search": False, "return_last_frame": False, "nsfw_checker": True,
}  # fmt: skip
SEEDANCE_1_5 = {
    "prompt": "A paper boat", "aspect_ratio": "16:9", "resolution": "720p", "duration": 5,
    "generate_audio": False, "fixed_lens": False, "nsfw_checker": True,
}  # fmt: skip
WAN = {
    "prompt": "A paper boat", "ratio": "16:9", "resolution": "720p", "duration": 5,
    "prompt_extend": False, "watermark": False, "nsfw_checker": True,
}  # fmt: skip
GROK_1_5 = {"prompt": "A paper boat", "aspect_ratio": "16:9", "resolution": "720p", "duration": 5}
OMNI = {"prompt": "A paper boat", "aspect_ratio": "16:9", "resolution": "720p", "duration": "8"}
KLING = {"prompt": "A paper boat", "sound": False, "duration": "5"}
SORA = {
    "prompt": "A paper boat", "aspect_ratio": "landscape", "n_frames": "10", "remove_watermark": True,
}  # fmt: skip
VEO = {
    "model": "veo3", "prompt": "A paper boat", "generationType": "TEXT_2_VIDEO", "aspectRatio": "16:9",
    "resolution": "720p", "duration": 8, "enableTranslation": False, "callBackUrl": CALLBACK,
}  # fmt: skip
IMAGE: Mapping[str, Any] = {"mode": Mode.IMAGE, "start_image": START}
BOTH: Mapping[str, Any] = {"mode": Mode.FIRST_LAST, "start_image": START, "end_image": END}
VIDEO: Mapping[str, Any] = {"mode": Mode.VIDEO, "source_video": SOURCE}
WIRES: list[tuple[str, Mapping[str, Any], str, Mapping[str, Any]]] = [
    ("kie/seedance-2", {}, "bytedance/seedance-2", SEEDANCE_2),
    ("kie/seedance-2", IMAGE, "bytedance/seedance-2", {**SEEDANCE_2, "first_frame_url": START.url}),
    (
        "kie/seedance-2",
        {**BOTH, "resolution": "4K", "audio": True, "controls": {"web_search": True}},
        "bytedance/seedance-2",
        {**SEEDANCE_2, "resolution": "4k", "generate_audio": True, "web_search": True,
         "first_frame_url": START.url, "last_frame_url": END.url},
    ),
    ("kie/seedance-2", VIDEO, "bytedance/seedance-2", {**SEEDANCE_2, "reference_video_urls": [SOURCE.url]}),
    ("kie/seedance-1.5-pro", {}, "bytedance/seedance-1.5-pro", SEEDANCE_1_5),
    ("kie/seedance-1.5-pro", IMAGE, "bytedance/seedance-1.5-pro", {**SEEDANCE_1_5, "input_urls": [START.url]}),
    (
        "kie/seedance-1.5-pro",
        {**BOTH, "controls": {"fixed_lens": True}},
        "bytedance/seedance-1.5-pro",
        {**SEEDANCE_1_5, "fixed_lens": True, "input_urls": [START.url, END.url]},
    ),
    ("kie/kling-2.6", {"audio": True}, "kling-2.6/text-to-video",
     {**KLING, "sound": True, "aspect_ratio": "16:9"}),
    ("kie/kling-2.6", {**IMAGE, "duration_seconds": 10}, "kling-2.6/image-to-video",
     {**KLING, "duration": "10", "image_urls": [START.url]}),
    (
        "kie/wan-2.7",
        {"negative_prompt": "rain", "seed": 7, "enhance": True},
        "wan/2-7-text-to-video",
        {**WAN, "negative_prompt": "rain", "seed": 7, "prompt_extend": True},
    ),
    ("kie/wan-2.7", {}, "wan/2-7-text-to-video", WAN),
    ("kie/grok-imagine", {"duration_seconds": 6}, "grok-imagine/text-to-video",
     {**GROK_1_5, "duration": 6, "mode": "normal"}),
    ("kie/grok-imagine", {"duration_seconds": 30, "controls": {"mode": "fun"}}, "grok-imagine/text-to-video",
     {**GROK_1_5, "duration": 30, "mode": "fun"}),
    ("kie/grok-imagine-1.5", {}, "grok-imagine-video-1-5-preview", GROK_1_5),
    ("kie/grok-imagine-1.5", IMAGE, "grok-imagine-video-1-5-preview", {**GROK_1_5, "image_urls": [START.url]}),
    ("kie/gemini-omni", {"duration_seconds": 8, "seed": 0}, "gemini-omni-video", {**OMNI, "seed": 0}),
    ("kie/gemini-omni", {**IMAGE, "duration_seconds": 8}, "gemini-omni-video",
     {**OMNI, "image_urls": [START.url]}),
    (
        "kie/gemini-omni",
        {**VIDEO, "duration_seconds": 8, "start_image": START},
        "gemini-omni-video",
        {**OMNI, "image_urls": [START.url], "video_list": [{"url": SOURCE.url, "start": 0, "ends": 8}]},
    ),
    ("kie/sora-2-text-to-video", {"duration_seconds": 10}, "sora-2-text-to-video", SORA),
    ("kie/sora-2-image-to-video", {**IMAGE, "duration_seconds": 15, "ratio": "9:16"}, "sora-2-image-to-video",
     {**SORA, "n_frames": "15", "aspect_ratio": "portrait", "image_urls": [START.url]}),
]  # fmt: skip


def sent(request: RenderRequest) -> tuple[str, Any]:
    """Path and JSON of a submission."""
    with serving(answers(200, b'{"code": 200, "data": {"taskId": "id-1"}}')) as server:
        adapter_of(server).submit(request, client_token=TOKEN, callback_url=CALLBACK)
    [call] = server.received
    return call.line.split(" ")[1], json.loads(call.body)


def adapter_of(server: RawServer | str) -> KieProvider:
    url = server if isinstance(server, str) else server.url
    config = ClientConfig(
        allowed_origins=frozenset({url}), connect_seconds=0.5, read_seconds=1, total_seconds=1.5
    )
    return KieProvider(url=url, api_key=KEY, http=Client(config))


@pytest.mark.parametrize(("id", "wish", "model", "fields"), WIRES)
def test_each_wish_is_asked_in_the_models_own_fields(
    id: str, wish: Mapping[str, Any], model: str, fields: Mapping[str, Any]
) -> None:
    path, body = sent(replace(contract.A_REQUEST, model=BY_ID[id].vendor_model, **wish))
    assert path == "/api/v1/jobs/createTask"
    assert body == {"model": model, "callBackUrl": CALLBACK, "input": fields}
    assert type(body["input"].get("duration")) is type(fields.get("duration"))


@pytest.mark.parametrize(
    ("wish", "fields"),
    [
        ({"audio": True}, {}),
        (
            {"resolution": "4K", "controls": {"translate": True}},
            {"resolution": "4k", "enableTranslation": True},
        ),
        (IMAGE, {"generationType": "FIRST_AND_LAST_FRAMES_2_VIDEO", "imageUrls": [START.url]}),
        (BOTH, {"generationType": "FIRST_AND_LAST_FRAMES_2_VIDEO", "imageUrls": [START.url, END.url]}),
    ],
)
def test_veo_is_asked_by_its_own_route(wish: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    request = replace(contract.A_REQUEST, model="veo3", duration_seconds=8, **wish)
    assert sent(request) == ("/api/v1/veo/generate", {**VEO, **fields})


@pytest.mark.parametrize(
    ("model", "wish", "feature"),
    [
        ("bytedance/seedance-2", {"prompt": "ab"}, "a prompt of fewer than 3 characters"),
        ("bytedance/seedance-2", {**VIDEO, "start_image": START}, "these inputs"),
        ("bytedance/seedance-2", {"mode": Mode.FIRST_LAST, "end_image": END}, "these inputs"),
        ("bytedance/seedance-2", {"mode": Mode.IMAGE}, "these inputs"),
        ("bytedance/seedance-2", {"start_image": START}, "these inputs"),
        ("bytedance/seedance-2", {"seed": 0}, "seed"),
        ("bytedance/seedance-2", {"style": "noir"}, "style"),
        ("bytedance/seedance-2", {"negative_prompt": "rain"}, "negative prompt"),
        ("bytedance/seedance-2", {"enhance": True}, "prompt enhancement"),
        ("bytedance/seedance-2", {"controls": {"fixed_lens": True}}, "the control fixed_lens"),
        ("bytedance/seedance-1.5-pro", VIDEO, "video with this model"),
        ("kling-2.6", BOTH, "first_last with this model"),
        ("kling-2.6", {**IMAGE, "start_image": replace(START, media_type="image/webp")}, "this type of image"),
        ("wan/2-7-text-to-video", IMAGE, "image with this model"),
        ("wan/2-7-text-to-video", {"audio": True}, "audio"),
        ("wan/2-7-text-to-video", {"negative_prompt": "x" * 501}, "a negative prompt of more than 500 characters"),
        ("sora-2-text-to-video", {"ratio": "1:1"}, "this ratio"),
        ("veo3", VIDEO, "video with this model"),
        ("veo3_fast", {"seed": 1}, "seed"),
        ("veo3", {"controls": {"web_search": True}}, "the control web_search"),
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


def test_settings_become_an_adapter_with_every_secret() -> None:
    values = {
        "KIE_API_KEY": KEY,
        "KIE_URL": "https://api.kie.ai/",
        "KIE_WEBHOOK_SECRET": f" {OLD_SECRET}, {SECRET},",
    }
    adapter = KieProvider.from_settings(values)
    body = json.dumps(envelope(200, data=record("id-1", "generating"))).encode()
    for secret in (OLD_SECRET, SECRET):
        assert adapter.read_webhook(signed(secret, "id-1"), body)
    with pytest.raises(BadSignature):
        adapter.read_webhook(signed("", "id-1"), body)
    unsigned = KieProvider.from_settings({**values, "KIE_WEBHOOK_SECRET": ""})
    assert unsigned.read_webhook({}, body)
    assert KieProvider.defaults["KIE_URL"] == "https://api.kie.ai"


def test_the_registry_builds_it_from_its_settings(settings: Settings) -> None:
    before = http_client._config
    http_client.configure(ClientConfig(allowed_origins=before.allowed_origins, allow_loopback=True))
    try:
        with Kie() as vendor:
            for setting, value in vendor.environment().items():
                setattr(settings, setting, value)
            assert registry.provider("kie").account().balance == Decimal("6.25")
            settings.KIE_URL = ""
            assert registry.configured("kie")
            settings.KIE_API_KEY = ""
            assert not registry.configured("kie")
    finally:
        http_client.configure(before)


# --- against the simulator ---


@pytest.fixture
def kie() -> Iterator[Kie]:
    with Kie(seconds=0.05, secret=SECRET) as vendor:
        yield vendor


@pytest.fixture
def inputs() -> Iterator[RawServer]:
    """Where inputs lie."""
    with serving(answers(200, b"a file")) as server:
        yield server


def ours(vendor: Kie, *, key: str | None = None) -> KieProvider:
    config = ClientConfig(
        allowed_origins=frozenset({vendor.root}), connect_seconds=1, read_seconds=1, total_seconds=2
    )
    return KieProvider(
        url=vendor.root, api_key=key or vendor.key, webhook_secrets=[vendor.secret], http=Client(config)
    )


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_whatever_the_catalogue_offers_is_taken(model: VideoModel, inputs: RawServer) -> None:
    with Kie(seconds=60, paused=frozenset()) as vendor:
        vendor.tell = lambda job, *, forged=False: None  # type: ignore[method-assign]
        adapter = ours(vendor)
        asked = list(wishes(model, inputs.url))
        for request in asked:
            adapter.submit(request, client_token=TOKEN, callback_url="https://studio.example/hook")
        assert len(vendor.jobs) == len(asked)
        assert all(call.status == 200 for call in vendor.requests)


def submitted(vendor: Kie, model: str = "bytedance/seedance-2", callback: str | None = None) -> str:
    length = 8 if model in VEO_MODELS else 5
    request = replace(contract.A_REQUEST, model=model, duration_seconds=length)
    return ours(vendor).submit(request, client_token=TOKEN, callback_url=callback).external_id


def at_the_end(vendor: Kie, external_id: str) -> RenderUpdate:
    """The last word: looks until there is one, two seconds at most."""
    adapter, until = ours(vendor), time.monotonic() + 2
    while True:
        update = adapter.fetch(external_id)
        waits = update.state in (RenderState.QUEUED, RenderState.RUNNING)
        if not waits or time.monotonic() > until:
            return update
        vendor.wait_closing(0.01)


@pytest.mark.parametrize("model", ["bytedance/seedance-2", "veo3_fast"])
def test_a_clip_is_made_and_downloaded(kie: Kie, model: str) -> None:
    update = at_the_end(kie, submitted(kie, model))
    assert (update.state, update.failure) == (RenderState.SUCCEEDED, None)
    assert update.output is not None
    assert update.output.is_link
    target = io.BytesIO()
    http = Client(ClientConfig(allowed_origins=frozenset({kie.root})))
    http.download(OutputSource(url=update.output.url), target, max_bytes=10_000_000)
    assert target.getvalue() == clip()
    if model not in VEO_MODELS:
        assert update.cost == Cost(amount=Decimal("0.0875"), currency="USD")


@pytest.mark.parametrize("honest", [False, True])
@pytest.mark.parametrize("model", ["bytedance/seedance-2", "veo3"])
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
    fault: Fault, kind: type[ProviderError], reason: FailureCode | None, model: str, honest: bool
) -> None:
    with Kie(honest=honest) as vendor:
        vendor.fault = fault
        with pytest.raises(ProviderError) as failure:
            submitted(vendor, model)
        assert type(failure.value) is kind
        assert getattr(failure.value, "code", None) is reason
        assert bool(vendor.jobs) == fault.value.endswith("after_accepting")


@pytest.mark.parametrize("model", ["bytedance/seedance-2", "veo3"])
@pytest.mark.parametrize(
    ("fault", "code", "retryable"),
    [
        (Fault.FAILED, FailureCode.VENDOR_FAULT, True),
        (Fault.MODERATED, FailureCode.MODERATED, False),
        (Fault.NO_MEDIA, FailureCode.NO_MEDIA, True),
    ],
)
def test_a_render_that_ends_badly_says_why(
    kie: Kie, fault: Fault, code: FailureCode, retryable: bool, model: str
) -> None:
    kie.fault = fault
    failure = at_the_end(kie, submitted(kie, model)).failure
    assert isinstance(failure, RenderFailed)
    assert (failure.code, failure.retryable) == (code, retryable)


@pytest.mark.parametrize("honest", [False, True])
@pytest.mark.parametrize("model", ["bytedance/seedance-2", "veo3"])
@pytest.mark.parametrize(
    ("fault", "kind", "looks"),
    [
        (Fault.STATUS_ERROR, ReadFailed, 2),
        (Fault.STATUS_GARBAGE, ReadFailed, 2),
        (Fault.STATUS_RATE_LIMITED, RateLimited, 1),
    ],
)
def test_a_fault_of_a_look_passes(
    fault: Fault, kind: type[ProviderError], looks: int, model: str, honest: bool
) -> None:
    with Kie(seconds=0.01, honest=honest) as vendor:
        vendor.fault = fault
        external_id = submitted(vendor, model)
        for _ in range(looks):
            with pytest.raises(ProviderError) as failure:
                ours(vendor).fetch(external_id)
            assert type(failure.value) is kind
        assert at_the_end(vendor, external_id).state is RenderState.SUCCEEDED


@pytest.mark.parametrize("model", ["bytedance/seedance-2", "veo3"])
def test_an_odd_word_is_not_guessed_and_passes(kie: Kie, model: str) -> None:
    kie.fault = Fault.UNKNOWN_WORD
    external_id = submitted(kie, model)
    assert [ours(kie).fetch(external_id).state for _ in range(2)] == [RenderState.UNKNOWN] * 2
    assert at_the_end(kie, external_id).state is RenderState.SUCCEEDED


@pytest.mark.parametrize("honest", [False, True])
@pytest.mark.parametrize("external_id", ["task_nobody_made", "veo:task_nobody_made"])
def test_a_task_that_kie_does_not_know_is_not_found(external_id: str, honest: bool) -> None:
    with Kie(honest=honest) as vendor, pytest.raises(JobNotFound):
        ours(vendor).fetch(external_id)


def test_a_stuck_render_goes_on_running_and_a_lost_one_is_gone() -> None:
    with Kie(seconds=0.001) as vendor:
        for fault in (Fault.STUCK, Fault.LOST):
            vendor.fault = fault
            external_id = submitted(vendor)
            vendor.jobs[external_id].began -= 60
            if fault is Fault.STUCK:
                assert ours(vendor).fetch(external_id).state is RenderState.RUNNING
            else:
                with pytest.raises(JobNotFound):
                    ours(vendor).fetch(external_id)


@pytest.mark.parametrize("model", ["bytedance/seedance-2", "veo3"])
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
    kie: Kie, fault: Fault | None, state: RenderState, model: str
) -> None:
    kie.fault = fault
    external_id = submitted(kie, model)
    job = ended(kie, external_id)
    headers, body = kie.webhook(job)
    [update] = ours(kie).read_webhook(headers, body)
    assert (update.external_id, update.state) == (external_id, state)
    looked = ours(kie).fetch(external_id)
    assert looked.state is state
    assert getattr(looked.failure, "code", None) == getattr(update.failure, "code", None)
    with pytest.raises(BadSignature):
        ours(kie).read_webhook(*kie.forged(job))


def ended(vendor: Kie, external_id: str) -> VideoJob:
    job = vendor.jobs[external_id.removeprefix("veo:")]
    job.began -= 60
    return job


def test_a_webhook_is_posted_to_the_callback(kie: Kie) -> None:
    with serving(answers(204, b"")) as receiver:
        external_id = submitted(kie, callback=f"{receiver.url}/hook")
        until = time.monotonic() + 3
        while not kie.told and time.monotonic() < until:
            kie.wait_closing(0.01)
    [call] = receiver.received
    headers = {name: str(call.header(name)) for name in ("X-Webhook-Timestamp", "X-Webhook-Signature")}
    [update] = ours(kie).read_webhook(headers, call.body)
    assert (update.external_id, update.state) == (external_id, RenderState.SUCCEEDED)


@pytest.mark.parametrize("id", ["kie/sora-2-text-to-video", "kie/sora-2-image-to-video"])
def test_a_paused_model_is_not_available(kie: Kie, id: str, inputs: RawServer) -> None:
    request = next(wishes(BY_ID[id], inputs.url))
    with pytest.raises(RequestRefused) as refusal:
        ours(kie).submit(request, client_token=TOKEN, callback_url=None)
    assert refusal.value.code is FailureCode.MODEL_UNAVAILABLE


def test_an_input_that_kie_cannot_read_is_refused(kie: Kie) -> None:
    for model, code in (
        ("bytedance/seedance-2", FailureCode.INVALID),
        ("veo3", FailureCode.INPUT_UNREADABLE),
    ):
        missing = replace(START, url=f"{kie.root}/files/nothing.png")
        request = replace(
            contract.A_REQUEST, model=model, mode=Mode.IMAGE, duration_seconds=8, start_image=missing
        )
        with pytest.raises(RequestRefused) as refusal:
            ours(kie).submit(request, client_token=TOKEN, callback_url=None)
        assert refusal.value.code is code


def test_grok_imagine_wants_a_callback(kie: Kie) -> None:
    with pytest.raises(RequestRefused) as refusal:
        submitted(kie, "grok-imagine/text-to-video")
    assert refusal.value.code is FailureCode.INVALID


def test_the_twenty_first_submission_in_ten_seconds_is_told_to_wait() -> None:
    with Kie(per_ten_seconds=20) as vendor:
        for _ in range(20):
            submitted(vendor)
        with pytest.raises(RateLimited):
            submitted(vendor)


def test_the_simulator_turns_away_bare_libraries_and_wrong_keys(kie: Kie) -> None:
    bare = urllib.request.Request(  # noqa: S310
        f"{kie.root}/api/v1/chat/credit", headers={"Authorization": f"Bearer {kie.key}"}
    )
    with pytest.raises(urllib.error.HTTPError) as failure:
        urllib.request.urlopen(bare, timeout=5)  # noqa: S310
    assert (failure.value.code, failure.value.read()) == (403, b"error code: 1010")
    with pytest.raises(CredentialsRefused):
        ours(kie, key="wrong").account()
    assert ours(kie).account().balance == Decimal("6.25")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"duration": "5"}, 422),
        ({"duration": 16}, 422),
        ({"resolution": "4K"}, 422),
        ({"ratio": "16:9"}, 422),
        ({"prompt": "ab"}, 422),
        ({"prompt": None}, 422),
        ({"generate_audio": "false"}, 422),
        ({"last_frame_url": "https://store.example/a.png"}, 422),
        ({"first_frame_url": "https://store.example/a.png", "reference_video_urls": []}, 422),
        ({"first_frame_url": "ftp://store.example/a.png"}, 422),
    ],
)
def test_the_simulator_refuses_what_kie_refuses(kie: Kie, changes: Mapping[str, Any], code: int) -> None:
    order = {"model": "bytedance/seedance-2", "input": {**SEEDANCE_2, **changes}}
    http = Client(ClientConfig(allowed_origins=frozenset({kie.root})))
    headers = {"Authorization": f"Bearer {kie.key}", "User-Agent": "a test"}
    answer = http.post_json(f"{kie.root}/api/v1/jobs/createTask", order, headers=headers)
    assert (answer["code"], answer["data"]) == (code, None)
    assert kie.jobs == {}


def test_every_fault_is_possible_at_kie_but_one() -> None:
    assert Kie.cannot == {Fault.CANCELLED}


def test_living_models_have_a_place_before_the_retired() -> None:
    assert [model.retires_at is None for model in MODELS] == [True] * len(LIVING) + [False] * 2


def test_every_model_has_a_price() -> None:
    for model in MODELS:
        card = CARDS[model.id]
        assert card.base_credits or card.vendor_cost
        if card.base_credits is None:
            assert card.vendor_unit == ("call" if model.price_unit is PriceUnit.CLIP else "second")


def test_a_silence_after_accepting_leaves_the_outcome_unknown() -> None:
    with Kie() as vendor:
        vendor.fault = Fault.SILENCE_AFTER_ACCEPTING
        config = ClientConfig(allowed_origins=frozenset({vendor.root}), read_seconds=0.5, total_seconds=1)
        adapter = KieProvider(url=vendor.root, api_key=vendor.key, http=Client(config))
        with pytest.raises(OutcomeUnknown):
            adapter.submit(A_REQUEST, client_token=TOKEN, callback_url=None)
        assert len(vendor.jobs) == 1
