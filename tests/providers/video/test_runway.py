"""Runway's adapter against the contract, against its simulator, and what is its own."""

import io
import json
import re
import socket
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from generations import polling
from generations.models import Attempt, Generation
from providers import http, registry
from providers.catalogue import MODELS
from providers.contract import (
    AccountLimits,
    AccountStanding,
    CancelOutcome,
    Cost,
    InputMedia,
    Mode,
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
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    ReadFailed,
    RenderFailed,
    RequestRefused,
    UnsupportedFeature,
)
from providers.http import Answer, Client, ClientConfig
from providers.video.runway import INLINE_BYTES, LARGEST_VIDEO, STATES, TAKES, RunwayProvider
from tests.generations.conftest import Worker, api_of, followed, post, with_credits
from tests.providers import contract
from tests.providers.contract import A_VIDEO, KEY, TOKEN, VideoProviderContract
from tests.providers.forgeries import Forgery
from tests.providers.servers import Behaviour, Received, answers, serving
from tests.vendors.runway import Runway
from tests.vendors.video import Fault, clip

ID = "5f0c1d2e-7a41-4b6e-9c35-2d1f0a9b8c7d"
CREATED = {"createdAt": "2026-11-20T10:15:02.114Z"}


def png() -> bytes:
    """A picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\x00\x80\x40\x20")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


PNG = png()
# Its data URI would have more than 5,242,880 characters.
BIG_PNG = PNG + bytes(3_950_000)
LARGEST_INLINE = PNG + bytes(INLINE_BYTES - len(PNG))


def presigned(connection: socket.socket, request: Received) -> None:
    """A store whose links are signed for GET only."""
    method, path, _ = request.line.split(" ")
    name = path.partition("?")[0]
    content = {"/a.png": PNG, "/big.png": BIG_PNG, "/inline.png": LARGEST_INLINE, "/a.mp4": clip()}.get(
        name, b""
    )
    status = 403 if method != "GET" else 200 if content else 404
    answers(status, content if status == 200 else b"")(connection, request)


@pytest.fixture(scope="module")
def shelf() -> Iterator[str]:
    with serving(presigned) as server:
        yield server.url


@pytest.fixture
def vendor() -> Iterator[Runway]:
    with Runway(seconds=0.1) as running:
        yield running


def adapter_at(url: str, key: str = KEY, read_seconds: float = 5) -> RunwayProvider:
    config = ClientConfig(allow_loopback=True, read_seconds=read_seconds)
    return RunwayProvider(url=url, api_key=key, http=Client(config))


@pytest.fixture
def adapter(vendor: Runway) -> RunwayProvider:
    return adapter_at(vendor.url, vendor.key, read_seconds=0.5)


TEXT = RenderRequest(
    model="gen4.5",
    mode=Mode.TEXT,
    prompt="A paper boat",
    duration_seconds=5,
    resolution="720p",
    ratio="16:9",
)


def picture(shelf: str, name: str = "a.png") -> InputMedia:
    return InputMedia(url=f"{shelf}/{name}?signature=CANARY", media_type="image/png")


def film(shelf: str) -> InputMedia:
    return InputMedia(url=f"{shelf}/a.mp4?signature=CANARY", media_type="video/mp4")


def wish(shelf: str, model: str, mode: Mode, **more: Any) -> RenderRequest:
    inputs: dict[Mode, dict[str, Any]] = {
        Mode.TEXT: {},
        Mode.IMAGE: {"start_image": picture(shelf)},
        Mode.FIRST_LAST: {"start_image": picture(shelf), "end_image": picture(shelf)},
        Mode.VIDEO: {"source_video": film(shelf)},
    }
    return replace(TEXT, **{"model": model, "mode": mode, **inputs[mode], **more})


def submit(adapter: VideoProvider, request: RenderRequest) -> str:
    return adapter.submit(request, client_token=TOKEN, callback_url=None).external_id


def until_ended(adapter: VideoProvider, external_id: str) -> RenderUpdate:
    for _ in range(2_000):
        update = adapter.fetch(external_id)
        if update.state not in (RenderState.QUEUED, RenderState.RUNNING, RenderState.UNKNOWN):
            return update
    raise AssertionError("it does not end")


class TestRunway(VideoProviderContract):
    kind = RunwayProvider
    words = STATES
    request = TEXT
    callback_in_body = False

    def adapter(self, url: str, http: Client) -> VideoProvider:
        return RunwayProvider(url=url, api_key=KEY, http=http)

    def accepted(self, external_id: str) -> Any:
        return {"id": external_id, "estimatedCost": {"credits": 60}}

    def status(self, external_id: str, word: str, *, media: bool = True, url: str = A_VIDEO) -> Any:
        task = {"id": external_id, "status": word, **CREATED}
        match word:
            case "SUCCEEDED":
                return task | {"output": [url] if media else [], "cost": {"credits": 60}}
            case "FAILED":
                return task | {"failure": "CANARY", "failureCode": "INTERNAL", "cost": {"credits": 0}}
            case "CANCELLED":
                return task | {"cost": {"credits": 60}}
            case "RUNNING":
                return task | {"progress": 0.42, "estimatedCost": {"credits": 60}}
            case _:
                return task | {"estimatedCost": {"credits": 60}}

    def moderated(self, external_id: str) -> Any:
        return self.status(external_id, "FAILED") | {
            "failure": "text-CANARY",
            "failureCode": "SAFETY.INPUT.IMAGE",
        }

    def forgeries(self) -> list[Forgery]:
        """There are no webhooks."""
        return []

    def test_a_cancel_the_vendor_lacks_is_named(self) -> None:
        """It has one, of two calls: a look, and only then a DELETE, which deletes what has ended."""
        with serving(_task_then(204, "RUNNING")) as server:
            assert self.at(server).cancel("id-1") is CancelOutcome.ACCEPTED
        assert [call.line for call in server.received] == [
            "GET /v1/tasks/id-1 HTTP/1.1",
            "DELETE /v1/tasks/id-1 HTTP/1.1",
        ]

    def test_an_option_the_vendor_cannot_express_is_named_before_anything_is_sent(self) -> None:
        """Here an image goes as its bytes, so that its address can't be what is looked for."""
        for request, trace in [
            (replace(self.request, mode=Mode.VIDEO), ""),
            (replace(self.request, negative_prompt="no-rain"), ""),
            (replace(self.request, style="cinematic"), ""),
            (replace(self.request, seed=424_242), '"seed": 424242'),
        ]:
            with serving(answers(200, self.body(self.accepted("id-1")))) as server:
                refused = ""
                try:
                    self.at(server).submit(request, client_token=TOKEN, callback_url=None)
                except UnsupportedFeature as refusal:
                    refused = refusal.feature
            sent = b"".join(call.body for call in server.received).decode()
            assert (bool(trace) and trace in sent) != bool(refused), request
            assert not (refused and server.received)

    # What is its own

    def failed(self, code: str | None) -> RenderFailed:
        answer = self.status("id-1", "FAILED")
        answer.pop("failureCode")
        answer |= {"failureCode": code} if code is not None else {}
        failure = self.fetched(answers(200, self.body(answer))).failure
        assert isinstance(failure, RenderFailed)
        self.shows_nothing(failure)
        return failure

    @pytest.mark.parametrize(
        ("word", "ours", "retryable"),
        [
            ("SAFETY.INPUT.IMAGE", FailureCode.MODERATED, False),
            ("SAFETY.OUTPUT.VIDEO.X", FailureCode.MODERATED, False),
            ("SAFETY.A_NEW_KIND", FailureCode.MODERATED, False),
            ("INPUT_PREPROCESSING.SAFETY.TEXT", FailureCode.MODERATED, False),
            ("INPUT_PREPROCESSING.INTERNAL", FailureCode.VENDOR_FAULT, True),
            ("INTERNAL.BAD_OUTPUT.CODE01", FailureCode.VENDOR_FAULT, False),
            ("INTERNAL", FailureCode.VENDOR_FAULT, True),
            ("INTERNAL.SOMETHING", FailureCode.VENDOR_FAULT, True),
            ("ASSET.INVALID", FailureCode.INPUT_UNREADABLE, False),
            ("THIRD_PARTY.UNAVAILABLE", FailureCode.VENDOR_FAULT, True),
            (None, FailureCode.VENDOR_FAULT, True),
            ("", FailureCode.VENDOR_FAULT, True),
            ("SAFETYNET.BROKEN", FailureCode.VENDOR_FAULT, False),
            ("INTERNALS", FailureCode.VENDOR_FAULT, False),
        ],
    )
    def test_a_failure_is_read_by_the_beginning_of_its_code(
        self, word: str | None, ours: FailureCode, retryable: bool
    ) -> None:
        failure = self.failed(word)
        assert (failure.code, failure.retryable) == (ours, retryable)

    @pytest.mark.parametrize(
        ("cost", "ours"),
        [
            ({"credits": 25}, Decimal("0.25")),
            ({"credits": 0}, Decimal(0)),
            ({"credits": 12.5}, Decimal("0.125")),
            ({"credits": -1}, None),
            ({"credits": True}, None),
            ({"credits": "25"}, None),
            ({}, None),
            (None, None),
        ],
    )
    def test_credits_are_cents(self, cost: object, ours: Decimal | None) -> None:
        answer = self.status("id-1", "SUCCEEDED") | {"cost": cost}
        update = self.fetched(answers(200, self.body(answer)))
        assert update.cost == (None if ours is None else Cost(amount=ours, currency="USD"))

    @pytest.mark.parametrize("word", sorted(STATES))
    def test_only_a_final_charge_is_a_cost(self, word: str) -> None:
        answer = self.status("id-1", word)
        if "estimatedCost" in answer:
            answer["cost"] = {"credits": 0}
        cost = self.fetched(answers(200, self.body(answer))).cost
        assert (cost is not None) == (word in ("SUCCEEDED", "FAILED", "CANCELLED"))

    @pytest.mark.parametrize(
        ("progress", "percent"),
        [(0, 0), (0.42, 42), (1, 100), (1.01, None), (-0.1, None), ("0.4", None), (True, None), (None, None)],
    )
    def test_a_share_is_a_percent(self, progress: object, percent: int | None) -> None:
        answer = self.status("id-1", "RUNNING") | {"progress": progress}
        assert self.fetched(answers(200, self.body(answer))).progress == percent

    @pytest.mark.parametrize("output", [[], None, [""], [5], "https://files.example/a.mp4", {}])
    def test_output_without_an_address_is_no_media(self, output: object) -> None:
        answer = self.status("id-1", "SUCCEEDED") | {"output": output}
        failure = self.fetched(answers(200, self.body(answer))).failure
        assert isinstance(failure, RenderFailed)
        assert failure.code is FailureCode.NO_MEDIA

    def test_a_video_is_fetched_without_the_key(self) -> None:
        output = self.fetched(answers(200, self.body(self.status("id-1", "SUCCEEDED")))).output
        assert output is not None
        assert (output.url, dict(output.headers), output.is_link) == (A_VIDEO, {}, True)

    @pytest.mark.parametrize(
        ("status", "body", "kind"),
        [
            (402, {}, BalanceUsedUp),
            (400, {"error": "You do not have enough credits to run this task."}, BalanceUsedUp),
            (400, {"error": "Insufficient credits"}, BalanceUsedUp),
            (
                400,
                {"error": "not enough credits", "issues": [{"code": "x", "path": ["seed"], "message": ""}]},
                RequestRefused,
            ),
            (400, {"error": "The prompt is about credits."}, RequestRefused),
            (401, {"error": "x"}, CredentialsRefused),
            (405, {}, RequestRefused),
        ],
    )
    def test_an_empty_balance_is_told_apart(self, status: int, body: object, kind: type[Exception]) -> None:
        """What the vendor answers then is unconfirmed."""
        assert type(self.submitted(answers(status, self.body(body)))) is kind

    @pytest.mark.parametrize(
        ("path", "code"),
        [
            (["model"], FailureCode.MODEL_UNAVAILABLE),
            (["promptImage", 0, "uri"], FailureCode.INPUT_UNREADABLE),
            (["videoUri"], FailureCode.INPUT_UNREADABLE),
            (["promptText"], FailureCode.INVALID),
            ([], FailureCode.INVALID),
            ([0], FailureCode.INVALID),
        ],
    )
    def test_a_refusal_is_read_by_the_field_that_it_names(
        self, path: list[object], code: FailureCode
    ) -> None:
        body = {"error": "CANARY", "issues": [{"code": "custom", "path": path, "message": "CANARY"}]}
        error = self.submitted(answers(400, self.body(body)))
        assert isinstance(error, RequestRefused)
        assert error.code is code

    def test_a_daily_quota_without_a_wait_is_left_alone_for_an_hour(self) -> None:
        error = self.submitted(answers(429, b'{"error": "x"}'))
        assert isinstance(error, RateLimited)
        assert (error.retry_after, error.of_model) == (timedelta(hours=1), True)

    def test_every_call_names_the_version(self) -> None:
        with serving(answers(404)) as server:
            for call in (
                lambda: self.at(server).fetch("a"),
                lambda: self.at(server).cancel("a"),
                lambda: self.at(server).account(),
                lambda: submit(self.at(server), TEXT),
            ):
                with pytest.raises(ProviderError):
                    call()
        assert [one.header("x-runway-version") for one in server.received] == ["2024-11-06"] * 4

    # Cancel

    @pytest.mark.parametrize("word", ["SUCCEEDED", "FAILED", "CANCELLED", "DEFRAGMENTING"])
    def test_a_task_that_may_have_ended_is_never_deleted(self, word: str) -> None:
        with serving(_task_then(204, word)) as server:
            assert self.at(server).cancel("id-1") is CancelOutcome.TOO_LATE
        assert len(server.received) == 1

    @pytest.mark.parametrize(
        ("status", "outcome"),
        [
            (204, CancelOutcome.ACCEPTED),
            (404, CancelOutcome.ACCEPTED),
            (500, ReadFailed),
            (401, CredentialsRefused),
        ],
    )
    @pytest.mark.parametrize("word", ["PENDING", "THROTTLED", "RUNNING"])
    def test_a_task_that_goes_on_is_stopped(self, word: str, status: int, outcome: Any) -> None:
        with serving(_task_then(status, word)) as server:
            if isinstance(outcome, CancelOutcome):
                assert self.at(server).cancel("id-1") is outcome
            else:
                with pytest.raises(outcome):
                    self.at(server).cancel("id-1")
        assert len(server.received) == 2

    def test_a_cancel_of_what_is_not_known_is_job_not_found(self) -> None:
        with serving(answers(404)) as server, pytest.raises(JobNotFound):
            self.at(server).cancel("id-1")
        assert len(server.received) == 1

    # Uploads

    @pytest.mark.parametrize(
        ("first", "second", "kind"),
        [
            (answers(401), None, CredentialsRefused),
            (answers(402), None, BalanceUsedUp),
            (answers(400, b'{"error": "not enough credits"}'), None, BalanceUsedUp),
            (answers(400), None, RequestRefused),
            (answers(429), None, RateLimited),
            (answers(500), None, NotSent),
            (answers(200, b"[]"), None, NotSent),
            (answers(200, b"<p>"), None, NotSent),
            (None, answers(403), NotSent),
            (None, answers(500), NotSent),
            (None, answers(302, Location="https://elsewhere.example/"), NotSent),
        ],
    )
    def test_an_upload_that_fails_has_asked_for_nothing(
        self, shelf: str, first: Behaviour | None, second: Behaviour | None, kind: type[ProviderError]
    ) -> None:
        def behave(connection: socket.socket, request: Received) -> None:
            ticket = {"uploadUrl": f"{server.url}/put", "fields": {"key": "k"}, "runwayUri": "runway://a"}
            if "/v1/uploads" in request.line:
                (first or answers(200, json.dumps(ticket).encode()))(connection, request)
            else:
                (second or answers(204, b""))(connection, request)

        with serving(behave) as server, pytest.raises(ProviderError) as failure:
            submit(adapter_at(server.url), wish(shelf, "aleph2", Mode.VIDEO))
        assert type(failure.value) is kind
        self.shows_nothing(failure.value)
        assert not any("video_to_video" in call.line for call in server.received)

    def test_an_upload_is_the_fields_and_then_the_file_without_the_key(self, shelf: str) -> None:
        with serving(_uploads()) as server:
            submit(adapter_at(server.url), wish(shelf, "aleph2", Mode.VIDEO))
        ticket, upload, order = server.received
        assert json.loads(ticket.body) == {"filename": "input.mp4", "type": "ephemeral"}
        assert upload.header("authorization") is None
        names = re.findall(rb'; name="([^"]+)"', upload.body)
        assert names == [b"key", b"policy", b"file"]
        assert clip() in upload.body
        assert json.loads(order.body)["videoUri"] == "runway://up-1"

    def test_a_video_is_held_once_while_it_is_uploaded(self) -> None:
        content, held = bytes(LARGEST_VIDEO), list[int]()

        class Weighing(Client):
            def request(self, method: str, url: str, **more: Any) -> Answer:
                if url.endswith("/put"):
                    assert len(more["body"]) > LARGEST_VIDEO
                    held.append(tracemalloc.get_traced_memory()[0])
                    return Answer(host="store", status=204, headers={}, body=b"")
                return super().request(method, url, **more)

        with serving(answers(200, content)) as store, serving(_uploads()) as server:
            allowed = frozenset({store.url, server.url})
            http = Weighing(ClientConfig(allowed_origins=allowed, read_seconds=5, total_seconds=15))
            provider = RunwayProvider(url=server.url, api_key=KEY, http=http)
            tracemalloc.start()
            try:
                submit(provider, wish(store.url, "aleph2", Mode.VIDEO))
            finally:
                tracemalloc.stop()
        [most] = held
        assert LARGEST_VIDEO <= most < 1.5 * LARGEST_VIDEO

    def test_a_video_that_is_too_large_is_refused_before_anything_is_sent(self) -> None:
        with serving(answers(200, bytes(32_000_001))) as store, serving(_uploads()) as server:
            with pytest.raises(UnsupportedFeature):
                submit(adapter_at(server.url), wish(store.url, "aleph2", Mode.VIDEO))
            assert server.received == []
        assert any("32 MB" in note for note in RunwayProvider.notes)

    @pytest.mark.parametrize(("name", "status"), [("none.png", NotSent), ("a.png", None)])
    def test_an_input_that_cannot_be_read_is_not_sent(self, shelf: str, name: str, status: Any) -> None:
        request = wish(shelf, "gen4_turbo", Mode.IMAGE, start_image=picture(shelf, name))
        with serving(answers(200, self.body(self.accepted("id-1")))) as server:
            if status is None:
                submit(adapter_at(server.url), request)
            else:
                with pytest.raises(status) as failure:
                    submit(adapter_at(server.url), request)
                self.shows_nothing(failure.value)
        assert len(server.received) == (status is None)

    # The account

    def test_the_account_says_its_balance_and_the_limits_of_each_model(self) -> None:
        body = {
            "creditBalance": 5_001,
            "tier": {
                "maxMonthlyCreditSpend": 10_000,
                "models": {
                    "gen4_turbo": {"maxConcurrentGenerations": 2, "maxDailyGenerations": 200},
                    "aleph2": {"maxConcurrentGenerations": None, "maxDailyGenerations": None},
                },
            },
            "usage": {"models": {"gen4_turbo": {"dailyGenerations": 12}}},
        }
        with serving(answers(200, self.body(body))) as server:
            assert self.at(server).account() == AccountStanding(
                balance=Decimal("50.01"),
                currency="USD",
                limits={
                    "gen4_turbo": AccountLimits(concurrent=2, per_day=200),
                    "aleph2": AccountLimits(),
                },
            )
        assert server.received[0].line == "GET /v1/organization HTTP/1.1"

    @pytest.mark.parametrize(
        "body", [b"{}", b"[]", b'{"creditBalance": "5", "tier": {"models": {}}}', b"<p>"]
    )
    def test_an_account_that_makes_no_sense_is_a_failed_read(self, body: bytes) -> None:
        with serving(answers(200, body)) as server, pytest.raises(ReadFailed):
            self.at(server).account()

    def test_it_offers_neither_look_up_nor_list_nor_webhooks(self) -> None:
        offered = {
            call for call in ("cancel", "find", "read_webhook", "account", "listed") if self.kind.offers(call)
        }
        assert offered == {"cancel", "account"}


def _task_then(status: int, word: str) -> Behaviour:
    """A task with this word; its DELETE answers the status."""

    def behave(connection: socket.socket, request: Received) -> None:
        if request.line.startswith("DELETE"):
            answers(status, b"")(connection, request)
        else:
            body = json.dumps({"id": "id-1", "status": word, "output": [A_VIDEO], **CREATED}).encode()
            answers(200, body)(connection, request)

    return behave


def _uploads() -> Behaviour:
    """A vendor that takes an upload, and then whatever is asked for."""

    def behave(connection: socket.socket, request: Received) -> None:
        url = f"http://{request.header('host')}/put"
        fields = {"key": "k", "policy": "p"}
        ticket = {"uploadUrl": url, "fields": fields, "runwayUri": "runway://up-1"}
        answer = ticket if "/v1/uploads" in request.line else {"id": "id-1", "estimatedCost": {"credits": 1}}
        answers(204 if "/put" in request.line else 200, json.dumps(answer).encode())(connection, request)

    return behave


# What is sent, exactly

URI = contract.IMAGE.url  # stands for the data URI in the table below
EXACT: list[tuple[str, Mode, dict[str, Any], str, dict[str, Any]]] = [
    (
        "gen4_turbo",
        Mode.IMAGE,
        {"prompt": "Slow push-in, water ripples, low sun", "seed": 42},
        "/v1/image_to_video",
        {
            "model": "gen4_turbo",
            "promptImage": URI,
            "promptText": "Slow push-in, water ripples, low sun",
            "ratio": "1280:720",
            "duration": 5,
            "seed": 42,
        },
    ),
    (
        "gen4_turbo",
        Mode.IMAGE,
        {"prompt": "", "ratio": "21:9", "controls": {"public_figures": "low"}},
        "/v1/image_to_video",
        {
            "model": "gen4_turbo",
            "promptImage": URI,
            "ratio": "1584:672",
            "duration": 5,
            "contentModeration": {"publicFigureThreshold": "low"},
        },
    ),
    (
        "gen4.5",
        Mode.TEXT,
        {"ratio": "9:16", "duration_seconds": 10, "seed": 0},
        "/v1/text_to_video",
        {
            "model": "gen4.5",
            "promptText": "A paper boat",
            "ratio": "720:1280",
            "duration": 10,
            "seed": 0,
        },
    ),
    (
        "gen4.5",
        Mode.IMAGE,
        {"ratio": "4:3", "duration_seconds": 2},
        "/v1/image_to_video",
        {
            "model": "gen4.5",
            "promptImage": URI,
            "promptText": "A paper boat",
            "ratio": "1104:832",
            "duration": 2,
        },
    ),
    (
        "veo3.1",
        Mode.TEXT,
        {"resolution": "1080p", "duration_seconds": 8, "audio": True, "negative_prompt": "rain"},
        "/v1/text_to_video",
        {
            "model": "veo3.1",
            "promptText": "A paper boat",
            "ratio": "1920:1080",
            "duration": 8,
            "audio": True,
            "negativePrompt": "rain",
        },
    ),
    (
        "veo3.1_fast",
        Mode.FIRST_LAST,
        {"resolution": "1080p", "ratio": "9:16", "duration_seconds": 4, "seed": 4_294_967_295},
        "/v1/image_to_video",
        {
            "model": "veo3.1_fast",
            "promptImage": [{"uri": URI, "position": "first"}, {"uri": URI, "position": "last"}],
            "promptText": "A paper boat",
            "ratio": "1080:1920",
            "duration": 4,
            "audio": False,
            "seed": 4_294_967_295,
        },
    ),
    (
        "aleph2",
        Mode.VIDEO,
        {"ratio": "2:3", "seed": 7, "controls": {"public_figures": "auto"}},
        "/v1/video_to_video",
        {
            "model": "aleph2",
            "videoUri": "runway://",
            "promptText": "A paper boat",
            "targetAspectRatio": "2:3",
            "seed": 7,
            "contentModeration": {"publicFigureThreshold": "auto"},
        },
    ),
]


@pytest.mark.parametrize(("model", "mode", "more", "path", "body"), EXACT)
def test_what_is_sent_is_exactly_this(
    vendor: Runway,
    adapter: RunwayProvider,
    shelf: str,
    model: str,
    mode: Mode,
    more: dict[str, Any],
    path: str,
    body: dict[str, Any],
) -> None:
    submit(adapter, wish(shelf, model, mode, **more))
    sent = vendor.requests[-1]
    text = re.sub(r'"data:image/png;base64,[A-Za-z0-9+/=]+"', json.dumps(URI), sent.body.decode())
    text = re.sub(r'"runway://[0-9a-f]+"', '"runway://"', text)
    assert (sent.method, sent.path, sent.status) == ("POST", path, 200)
    assert json.loads(text) == body


def test_a_large_image_is_uploaded_and_a_small_one_goes_along(
    vendor: Runway, adapter: RunwayProvider, shelf: str
) -> None:
    request = wish(shelf, "veo3.1", Mode.FIRST_LAST, end_image=picture(shelf, "big.png"), duration_seconds=4)
    submit(adapter, request)
    first, last = vendor.requests[-1].json["promptImage"]
    assert first["uri"].startswith("data:image/png;base64,")
    assert last["uri"].startswith("runway://")
    [upload] = vendor.uploads.values()
    assert (upload.filename, upload.content) == ("input.png", BIG_PNG)


def test_the_largest_image_that_goes_along_is_within_the_vendors_limit(
    vendor: Runway, adapter: RunwayProvider, shelf: str
) -> None:
    submit(adapter, wish(shelf, "gen4_turbo", Mode.IMAGE, start_image=picture(shelf, "inline.png")))
    assert vendor.requests[-1].status == 200
    assert vendor.uploads == {}


# What is refused before anything is sent

EMOJI = "🙂"


@pytest.mark.parametrize(
    ("model", "mode", "more", "feature"),
    [
        ("gen3a_turbo", Mode.IMAGE, {}, "this model"),
        ("gen4_turbo", Mode.TEXT, {}, "the mode text of this model"),
        ("gen4_turbo", Mode.FIRST_LAST, {}, "the mode first_last of this model"),
        ("aleph2", Mode.IMAGE, {}, "the mode image of this model"),
        ("gen4.5", Mode.TEXT, {"ratio": "1:1"}, "1:1 at 720p in the mode text"),
        ("gen4.5", Mode.TEXT, {"resolution": "1080p"}, "16:9 at 1080p in the mode text"),
        ("veo3.1", Mode.TEXT, {"ratio": "1:1"}, "1:1 at 720p in the mode text"),
        ("gen4.5", Mode.TEXT, {"style": "cinematic"}, "style"),
        ("gen4.5", Mode.TEXT, {"enhance": True}, "prompt enhancement"),
        ("gen4.5", Mode.TEXT, {"audio": True}, "audio"),
        ("gen4.5", Mode.TEXT, {"negative_prompt": "rain"}, "negative prompt"),
        ("gen4.5", Mode.TEXT, {"prompt": ""}, "a request without a prompt"),
        ("gen4.5", Mode.IMAGE, {"prompt": ""}, "a request without a prompt"),
        ("veo3.1", Mode.TEXT, {"prompt": ""}, "a request without a prompt"),
        ("gen4.5", Mode.TEXT, {"controls": {"camera": "left"}}, "the control camera"),
        ("veo3.1", Mode.TEXT, {"controls": {"public_figures": "low"}}, "the control public_figures"),
        ("gen4.5", Mode.TEXT, {"seed": 2**32}, "a seed that is not from 0 to 4,294,967,295"),
        ("gen4.5", Mode.TEXT, {"seed": -1}, "a seed that is not from 0 to 4,294,967,295"),
        ("gen4.5", Mode.TEXT, {"prompt": EMOJI * 501}, "a prompt of more than 1,000 UTF-16 units"),
        (
            "veo3.1",
            Mode.TEXT,
            {"negative_prompt": EMOJI * 501},
            "a negative prompt of more than 1,000 UTF-16 units",
        ),
        ("gen4.5", Mode.IMAGE, {"start_image": None}, "the mode image without its start image"),
        ("veo3.1", Mode.FIRST_LAST, {"start_image": None}, "the mode first_last without its start image"),
        ("aleph2", Mode.VIDEO, {"source_video": None}, "the mode video without its source video"),
        ("aleph2", Mode.VIDEO, {"start_image": contract.IMAGE}, "the mode video with a start image"),
        ("gen4.5", Mode.TEXT, {"start_image": contract.IMAGE}, "the mode text with a start image"),
        (
            "gen4_turbo",
            Mode.IMAGE,
            {"start_image": InputMedia(url=URI, media_type="image/gif")},
            "a start image of this media type",
        ),
        (
            "aleph2",
            Mode.VIDEO,
            {"source_video": InputMedia(url=URI, media_type="image/png")},
            "a source video of this media type",
        ),
    ],
)
def test_what_it_cannot_express_is_refused_by_name(
    vendor: Runway,
    adapter: RunwayProvider,
    shelf: str,
    model: str,
    mode: Mode,
    more: dict[str, Any],
    feature: str,
) -> None:
    with pytest.raises(UnsupportedFeature) as refusal:
        submit(adapter, wish(shelf, model, mode, **more))
    assert refusal.value.feature == feature
    assert vendor.requests == []


@pytest.mark.parametrize("prompt", [EMOJI * 500, "x" * 1_000, "é" * 1_000])
def test_the_longest_prompts_are_taken(vendor: Runway, adapter: RunwayProvider, prompt: str) -> None:
    submit(adapter, replace(TEXT, prompt=prompt))
    assert vendor.requests[-1].json["promptText"] == prompt


def test_every_living_model_of_the_catalogue_is_in_the_tables_with_its_modes_and_sizes() -> None:
    ours = {one.vendor_model: one for one in MODELS.values() if one.provider == "runway"}
    assert {name for name, one in ours.items() if one.retires_at is None} == TAKES.keys()
    for name, takes in TAKES.items():
        model = ours[name]
        assert model.modes == takes.sizes.keys()
        assert (model.negative_prompt, model.audio) == (takes.negative_prompt, takes.audio)
        assert bool(model.controls) == takes.public_figures
        for mode in model.modes:
            pairs = {(ratio, resolution) for ratio in model.ratios for resolution in model.resolutions}
            assert pairs <= takes.sizes[mode].keys()


# Against the simulator


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        (Fault.RATE_LIMITED, RateLimited, None),
        (Fault.WRONG_KEY, CredentialsRefused, None),
        (Fault.NO_BALANCE, BalanceUsedUp, None),
        (Fault.REFUSED, RequestRefused, FailureCode.INVALID),
        (Fault.SERVER_ERROR, OutcomeUnknown, None),
        (Fault.SERVER_ERROR_AFTER_ACCEPTING, OutcomeUnknown, None),
        (Fault.SILENCE_AFTER_ACCEPTING, OutcomeUnknown, None),
        (Fault.HANG_UP_AFTER_ACCEPTING, OutcomeUnknown, None),
        (Fault.GARBAGE_AFTER_ACCEPTING, OutcomeUnknown, None),
    ],
)
def test_a_submission_that_goes_wrong_at_the_vendor_has_our_name(
    vendor: Runway, adapter: RunwayProvider, fault: Fault, kind: type[ProviderError], code: FailureCode | None
) -> None:
    vendor.fault = fault
    with pytest.raises(ProviderError) as failure:
        submit(adapter, TEXT)
    assert type(failure.value) is kind
    assert getattr(failure.value, "code", None) is code
    assert len(vendor.jobs) == (fault.endswith("after_accepting"))


@pytest.mark.parametrize(
    ("fault", "state", "code", "cost"),
    [
        (None, RenderState.SUCCEEDED, None, "0.60"),
        (Fault.FAILED, RenderState.FAILED, FailureCode.VENDOR_FAULT, "0.00"),
        # Inputs that don't pass are charged.
        (Fault.MODERATED, RenderState.FAILED, FailureCode.MODERATED, "0.60"),
        (Fault.NO_MEDIA, RenderState.FAILED, FailureCode.NO_MEDIA, "0.60"),
        (Fault.CANCELLED, RenderState.CANCELLED, None, "0.00"),
        (Fault.UNKNOWN_WORD, RenderState.SUCCEEDED, None, "0.60"),
        (Fault.LINK_EXPIRED, RenderState.SUCCEEDED, None, "0.60"),
    ],
)
def test_how_a_task_ends_at_the_vendor_has_our_word(
    vendor: Runway,
    adapter: RunwayProvider,
    fault: Fault | None,
    state: RenderState,
    code: FailureCode | None,
    cost: str,
) -> None:
    vendor.fault = fault
    external_id = submit(adapter, TEXT)
    update = until_ended(adapter, external_id)
    assert (update.state, getattr(update.failure, "code", None)) == (state, code)
    assert update.cost == Cost(amount=Decimal(cost), currency="USD")
    if state is not RenderState.SUCCEEDED:
        return
    if fault is Fault.LINK_EXPIRED:
        with pytest.raises(http.BadStatus):
            downloaded(adapter, update)
        update = adapter.fetch(external_id)
    assert downloaded(adapter, update) == clip()


def downloaded(adapter: RunwayProvider, update: RenderUpdate) -> bytes:
    content = io.BytesIO()
    assert update.output is not None
    adapter._client.download(update.output, content, max_bytes=10_000_000)
    return content.getvalue()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.STATUS_ERROR, ReadFailed),
        (Fault.STATUS_GARBAGE, ReadFailed),
        (Fault.STATUS_RATE_LIMITED, RateLimited),
    ],
)
def test_a_look_that_goes_wrong_is_looked_again(
    vendor: Runway, adapter: RunwayProvider, fault: Fault, kind: type[ProviderError]
) -> None:
    vendor.fault = fault
    external_id = submit(adapter, TEXT)
    seen: list[type] = []
    for _ in range(2):
        try:
            adapter.fetch(external_id)
        except ProviderError as error:
            seen.append(type(error))
    assert seen in ([kind], [kind, kind])
    assert until_ended(adapter, external_id).state is RenderState.SUCCEEDED


def test_an_unknown_word_is_unknown_until_a_known_one_comes(vendor: Runway, adapter: RunwayProvider) -> None:
    vendor.fault = Fault.UNKNOWN_WORD
    external_id = submit(adapter, TEXT)
    assert adapter.fetch(external_id).state is RenderState.UNKNOWN


def test_a_lost_task_is_not_found_and_a_stuck_one_runs(vendor: Runway, adapter: RunwayProvider) -> None:
    vendor.fault, vendor.seconds = Fault.LOST, 0.001
    with pytest.raises(JobNotFound):
        adapter.fetch(submit(adapter, TEXT))
    vendor.fault = Fault.STUCK
    assert adapter.fetch(submit(adapter, TEXT)).state is RenderState.RUNNING


def test_a_truncated_video_is_half_of_it(vendor: Runway, adapter: RunwayProvider) -> None:
    vendor.fault = Fault.TRUNCATED
    update = until_ended(adapter, submit(adapter, TEXT))
    assert downloaded(adapter, update) == clip()[: len(clip()) // 2]


def test_the_simulator_has_an_answer_to_every_fault_that_it_can_show() -> None:
    """Those above, and none besides."""
    tested = {
        Fault.RATE_LIMITED,
        Fault.WRONG_KEY,
        Fault.NO_BALANCE,
        Fault.REFUSED,
        Fault.SERVER_ERROR,
        Fault.SERVER_ERROR_AFTER_ACCEPTING,
        Fault.SILENCE_AFTER_ACCEPTING,
        Fault.HANG_UP_AFTER_ACCEPTING,
        Fault.GARBAGE_AFTER_ACCEPTING,
        Fault.FAILED,
        Fault.MODERATED,
        Fault.NO_MEDIA,
        Fault.CANCELLED,
        Fault.LOST,
        Fault.STUCK,
        Fault.UNKNOWN_WORD,
        Fault.STATUS_ERROR,
        Fault.STATUS_GARBAGE,
        Fault.STATUS_RATE_LIMITED,
        Fault.LINK_EXPIRED,
        Fault.TRUNCATED,
    }
    assert tested == set(Fault) - Runway.cannot


def test_what_is_above_the_limit_at_once_waits_at_the_vendor(vendor: Runway, adapter: RunwayProvider) -> None:
    vendor.seconds = 30
    first, second = (adapter.fetch(submit(adapter, TEXT)) for _ in range(2))
    assert (first.vendor_state, second.vendor_state) == ("PENDING", "THROTTLED")
    assert {first.state, second.state} == {RenderState.QUEUED}


@pytest.mark.parametrize(("says", "wait"), [(True, timedelta(minutes=30)), (False, timedelta(hours=1))])
def test_the_quota_of_a_day_is_of_one_model_only(
    vendor: Runway, adapter: RunwayProvider, says: bool, wait: timedelta
) -> None:
    vendor.daily["gen4.5"], vendor.says_retry_after = 1, says
    submit(adapter, TEXT)
    with pytest.raises(RateLimited) as failure:
        submit(adapter, TEXT)
    assert (failure.value.of_model, failure.value.retry_after) == (True, wait)
    submit(adapter, replace(TEXT, model="veo3.1", duration_seconds=4))


def test_a_retired_model_is_unavailable(vendor: Runway, adapter: RunwayProvider, monkeypatch: Any) -> None:
    monkeypatch.setitem(TAKES, "gen3.5", TAKES["gen4.5"])
    with pytest.raises(RequestRefused) as failure:
        submit(adapter, replace(TEXT, model="gen3.5"))
    assert failure.value.code is FailureCode.MODEL_UNAVAILABLE


def test_the_vendor_asks_head_of_a_link_and_ours_answer_none(vendor: Runway, shelf: str) -> None:
    """Why inputs go as bytes or uploads."""
    http = Client(ClientConfig(allow_loopback=True))
    answer = http.request(
        "POST",
        f"{vendor.url}/v1/image_to_video",
        json={"model": "gen4_turbo", "promptImage": f"{shelf}/a.png", "ratio": "1280:720"},
        headers={"Authorization": f"Bearer {vendor.key}", "X-Runway-Version": "2024-11-06"},
    )
    assert (answer.status, answer.json()["issues"][0]["path"]) == (400, ["promptImage"])


GOOD = {"model": "gen4_turbo", "promptImage": "data:image/png;base64,iVBORw0KGgo=", "ratio": "1280:720"}
GOOD_VEO = {"model": "veo3.1", "promptText": "A boat", "ratio": "1280:720"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("image_to_video", {**GOOD, "ratio": "16:9"}),
        ("image_to_video", {**GOOD, "duration": 11}),
        ("image_to_video", {**GOOD, "duration": "5"}),
        ("image_to_video", {**GOOD, "duration": 5.0}),
        ("image_to_video", {**GOOD, "seed": 2**32}),
        ("image_to_video", {**GOOD, "promptText": ""}),
        ("image_to_video", {**GOOD, "promptText": EMOJI * 501}),
        ("image_to_video", {**GOOD, "audio": True}),
        ("image_to_video", {**GOOD, "negativePrompt": "x"}),
        ("image_to_video", {**GOOD, "watermark": False}),
        ("image_to_video", {**GOOD, "contentModeration": {"publicFigureThreshold": "high"}}),
        ("image_to_video", {**GOOD, "promptImage": [{"uri": "x", "position": "last"}]}),
        ("image_to_video", {**GOOD, "promptImage": "data:image/gif;base64,R0lGODlh"}),
        ("image_to_video", {**GOOD, "promptImage": "data:image/png;base64,AAAA"}),
        ("image_to_video", {**GOOD, "promptImage": "runway://nothing"}),
        ("image_to_video", {**GOOD, "promptImage": "http://10.0.0.1/a.png"}),
        ("image_to_video", {"model": "gen4_turbo", "ratio": "1280:720"}),
        ("image_to_video", {**GOOD, "model": "gen3a_turbo"}),
        ("text_to_video", {**GOOD_VEO, "model": "gen4_turbo"}),
        ("text_to_video", {**GOOD_VEO, "duration": 5}),
        ("text_to_video", {**GOOD_VEO, "ratio": "960:960"}),
        ("text_to_video", {**GOOD_VEO, "audio": "yes"}),
        ("text_to_video", {**GOOD_VEO, "promptImage": GOOD["promptImage"]}),
        ("text_to_video", {"model": "gen4.5", "promptText": "A boat", "ratio": "1280:720"}),
        ("text_to_video", {"model": "gen4.5", "promptText": "A boat", "ratio": "960:960", "duration": 5}),
        ("video_to_video", {"model": "aleph2", "promptText": "A boat"}),
        ("video_to_video", {"model": "aleph2", "videoUri": "runway://nothing", "ratio": "1280:720"}),
        ("video_to_video", {"model": "aleph2", "videoUri": "data:video/mp4;base64,AAAA"}),
    ],
)
def test_the_simulator_refuses_what_the_vendor_does_not_take(
    vendor: Runway, path: str, body: dict[str, Any]
) -> None:
    answer = _raw(vendor, "POST", f"/v1/{path}", body)
    assert answer.status == 400
    assert {"error", "issues"} <= answer.json().keys()
    assert vendor.jobs == {}


def _raw(vendor: Runway, method: str, path: str, body: object = None, **headers: str) -> http.Answer:
    own = {"Authorization": f"Bearer {vendor.key}", "X-Runway-Version": "2024-11-06"}
    sent = own | {name.replace("_", "-"): value for name, value in headers.items()}
    return Client(ClientConfig(allow_loopback=True)).request(
        method, f"{vendor.url}{path}", json=body, headers=sent
    )


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/v1/organization", {"Authorization": "Bearer wrong"}, 401),
        ("GET", "/v1/organization", {"Authorization": "Key key"}, 401),
        ("GET", "/v1/organization", {"X_Runway_Version": "2023-01-01"}, 400),
        ("POST", "/v1/organization", {}, 405),
        ("GET", "/v1/image_to_video", {}, 405),
        ("GET", "/v1/tasks", {}, 404),
        ("GET", "/v1/tasks/nothing", {}, 404),
        ("DELETE", "/v1/tasks/nothing", {}, 404),
        ("GET", "/v1/organization", {}, 200),
    ],
)
def test_the_simulator_refuses_other_keys_versions_and_routes(
    vendor: Runway, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    assert _raw(vendor, method, path, **headers).status == status


# Cancel against the simulator, and through the stages


def test_what_was_stopped_is_gone(vendor: Runway, adapter: RunwayProvider) -> None:
    vendor.seconds = 30
    external_id = submit(adapter, TEXT)
    assert adapter.cancel(external_id) is CancelOutcome.ACCEPTED
    for look in (adapter.fetch, adapter.cancel):
        with pytest.raises(JobNotFound):
            look(external_id)


def test_a_cancel_that_comes_too_late_deletes_no_video(vendor: Runway, adapter: RunwayProvider) -> None:
    external_id = submit(adapter, TEXT)
    until_ended(adapter, external_id)
    assert adapter.cancel(external_id) is CancelOutcome.TOO_LATE
    assert downloaded(adapter, adapter.fetch(external_id)) == clip()
    assert not vendor.deleted


@pytest.fixture
def by_settings(vendor: Runway, settings: Settings) -> Iterator[Runway]:
    """The adapter that the registry makes leads to the simulator."""
    for name, value in vendor.environment().items():
        setattr(settings, name, value)
    before = http._config
    http.configure(ClientConfig(allowed_origins=before.allowed_origins, allow_loopback=True))
    yield vendor
    http.configure(before)


def test_the_registry_builds_it_from_its_settings(by_settings: Runway, settings: Settings) -> None:
    assert registry.provider("runway").account().balance == Decimal(50)
    settings.RUNWAYML_URL = ""
    assert registry.configured("runway")
    settings.RUNWAYML_API_KEY = ""
    assert not registry.configured("runway")


def test_a_clip_that_is_cancelled_ends_as_cancelled(
    by_settings: Runway,
    transactional_db: None,
    empty_redis: Any,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was stopped can't be read any more: "not known" is then the vendor's word for it."""
    monkeypatch.setattr(polling, "AFTER_FAILURE", 0.02)
    monkeypatch.setattr(polling, "CLOSEST", 0.1)
    monkeypatch.setattr(polling, "next_poll", lambda **_: timedelta(seconds=0.1))
    by_settings.seconds = 60
    owner = with_credits()
    api = api_of(owner)
    worker = Worker()
    try:
        made = post(
            api, "generations/", {"model": "runway/gen4.5", "prompt": "A boat", "duration_seconds": 2}
        ).json()
        worker.until(lambda: Attempt.objects.filter(external_id__isnull=False).exists())
        assert post(api, f"generations/{made['id']}/cancel/").json()["outcome"] == "asked"
        ended = followed(api, worker, made["id"])
    finally:
        worker.stop()
    assert ended["status"] == "cancelled"
    [job] = by_settings.jobs.values()
    assert job.cancelled
    deletes = [one.status for one in by_settings.requests if one.method == "DELETE"]
    looks = [one.status for one in by_settings.requests if one.method == "GET"]
    attempt = Attempt.objects.get()
    assert deletes == [204]
    assert (looks.count(404), looks[-1]) == (1, 404)
    assert attempt.state == "cancelled"
    assert Generation.objects.get(id=made["id"]).status == "cancelled"
