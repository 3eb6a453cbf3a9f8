"""xAI's video adapter against the contract, against its simulator, and what is its own."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from providers.contract import (
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
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    ReadFailed,
    RenderFailed,
    RequestRefused,
    UnsupportedFeature,
)
from providers.facts import VideoModel
from providers.http import Client, ClientConfig
from providers.video.xai import MODELS, STATES, XaiProvider
from tests.providers.contract import A_VIDEO, CALLBACK, KEY, TOKEN, VideoProviderContract
from tests.providers.sandbox import ended, until
from tests.providers.servers import RawServer, answers, serving
from tests.vendors.video import AFTER_ACCEPTING, Fault, clip
from tests.vendors.xai_video import XaiVideo

BASE, NEWER = MODELS
START = InputMedia(url="https://media.example.com/first.png?signed=1", media_type="image/png")
END = InputMedia(url="https://media.example.com/last.png?signed=1", media_type="image/png")
SOURCE = InputMedia(url="https://media.example.com/source.mp4?signed=1", media_type="video/mp4")

A_WISH = RenderRequest(
    model="grok-imagine-video",
    mode=Mode.TEXT,
    prompt="A red tram turns a corner in light rain",
    duration_seconds=8,
    resolution="720p",
    ratio="16:9",
)


class TestXai(VideoProviderContract):
    kind = XaiProvider
    words = STATES
    request = A_WISH
    callback_in_body = False

    def adapter(self, url: str, http: Client) -> VideoProvider:
        return XaiProvider(url=url, api_key=KEY, http=http)

    def accepted(self, external_id: str) -> Any:
        return {"request_id": external_id}

    def status(self, external_id: str, word: str, *, media: bool = True, url: str = A_VIDEO) -> Any:
        answer: dict[str, Any] = {"status": word, "progress": 100 if word == "done" else 40}
        if word == "done":
            answer["video"] = {"url": url if media else "", "duration": 8, "respect_moderation": True}
            answer |= {"model": "grok-imagine-video", "usage": {"cost_in_usd_ticks": 5_600_000_000}}
        if word == "failed":
            answer["error"] = {"code": "internal_error", "message": "vendor-text-CANARY"}
        return answer

    def moderated(self, external_id: str) -> Any:
        blocked = {"url": "", "duration": 0, "respect_moderation": False}
        return self.status(external_id, "done") | {"video": blocked}

    def sent(self, request: RenderRequest) -> tuple[str, Any]:
        """The path and body that the request makes."""
        with serving(answers(200, self.body(self.accepted("id-1")))) as server:
            self.at(server).submit(request, client_token=TOKEN, callback_url=CALLBACK)
        [call] = server.received
        assert call.header("authorization") == f"Bearer {KEY}"
        return call.line.split(" ")[1], json.loads(call.body)

    # --- requests ---

    @pytest.mark.parametrize(
        ("change", "path", "body"),
        [
            (
                {},
                "/videos/generations",
                {
                    "model": "grok-imagine-video",
                    "prompt": "A red tram turns a corner in light rain",
                    "duration": 8,
                    "aspect_ratio": "16:9",
                    "resolution": "720p",
                    "generate_audio": False,
                },
            ),
            (
                {"audio": True, "resolution": "480p", "ratio": "2:3", "duration_seconds": 15},
                "/videos/generations",
                {
                    "model": "grok-imagine-video",
                    "prompt": "A red tram turns a corner in light rain",
                    "duration": 15,
                    "aspect_ratio": "2:3",
                    "resolution": "480p",
                    "generate_audio": True,
                },
            ),
            (
                {"mode": Mode.IMAGE, "start_image": START},
                "/videos/generations",
                {
                    "model": "grok-imagine-video",
                    "prompt": "A red tram turns a corner in light rain",
                    "duration": 8,
                    "aspect_ratio": "16:9",
                    "resolution": "720p",
                    "generate_audio": False,
                    "image": {"url": START.url},
                },
            ),
            (
                {
                    "model": "grok-imagine-video-1.5",
                    "mode": Mode.FIRST_LAST,
                    "start_image": START,
                    "end_image": END,
                    "resolution": "1080p",
                },
                "/videos/generations",
                {
                    "model": "grok-imagine-video-1.5",
                    "prompt": "A red tram turns a corner in light rain",
                    "duration": 8,
                    "aspect_ratio": "16:9",
                    "resolution": "1080p",
                    "generate_audio": False,
                    "image": {"url": START.url},
                    "last_frame": {"url": END.url},
                },
            ),
            (
                {"mode": Mode.VIDEO, "source_video": SOURCE},
                "/videos/edits",
                {
                    "model": "grok-imagine-video",
                    "prompt": "A red tram turns a corner in light rain",
                    "video": {"url": SOURCE.url},
                },
            ),
            (
                {"mode": Mode.VIDEO, "source_video": SOURCE, "controls": {"task": "edit"}},
                "/videos/edits",
                {
                    "model": "grok-imagine-video",
                    "prompt": "A red tram turns a corner in light rain",
                    "video": {"url": SOURCE.url},
                },
            ),
            (
                {
                    "mode": Mode.VIDEO,
                    "source_video": SOURCE,
                    "controls": {"task": "extend"},
                    "duration_seconds": 6,
                },
                "/videos/extensions",
                {
                    "model": "grok-imagine-video",
                    "prompt": "A red tram turns a corner in light rain",
                    "video": {"url": SOURCE.url},
                    "duration": 6,
                },
            ),
        ],
    )
    def test_each_mode_is_its_own_request(self, change: dict[str, Any], path: str, body: Any) -> None:
        assert self.sent(replace(A_WISH, **change)) == (path, body)

    @pytest.mark.parametrize(
        "change",
        [
            {"negative_prompt": "rain"},
            {"style": "cinematic"},
            {"seed": 0},
            {"enhance": True},
            {"controls": {"camera": "left"}},
            {"controls": {"task": "edit"}},
            {"mode": Mode.IMAGE},
            {"start_image": START},
            {"source_video": SOURCE},
            {"mode": Mode.FIRST_LAST, "start_image": START, "end_image": END},
            {"model": NEWER.vendor_model, "mode": Mode.FIRST_LAST, "start_image": START},
            {"model": NEWER.vendor_model, "mode": Mode.FIRST_LAST, "end_image": END},
            {"model": NEWER.vendor_model, "mode": Mode.IMAGE, "start_image": START, "end_image": END},
            {"model": NEWER.vendor_model, "mode": Mode.VIDEO, "source_video": SOURCE},
            {"mode": Mode.VIDEO},
            {"mode": Mode.VIDEO, "source_video": SOURCE, "start_image": START},
            {"mode": Mode.VIDEO, "source_video": SOURCE, "end_image": END},
            {"mode": Mode.VIDEO, "source_video": SOURCE, "audio": True},
            {"mode": Mode.VIDEO, "source_video": SOURCE, "controls": {"task": "reverse"}},
        ],
        ids=lambda change: "+".join(change),
    )
    def test_what_has_no_field_is_named_before_anything_is_sent(self, change: dict[str, Any]) -> None:
        with serving(answers(200, self.body(self.accepted("id-1")))) as server:
            adapter, request = self.at(server), replace(A_WISH, **change)
            with pytest.raises(UnsupportedFeature) as refusal:
                adapter.submit(request, client_token=TOKEN, callback_url=None)
        assert refusal.value.feature
        assert not server.received

    # --- refusals ---

    @pytest.mark.parametrize("nested", [False, True])
    @pytest.mark.parametrize(
        ("status", "code", "message", "error", "reason"),
        [
            (400, "invalid-argument", "resolution is not supported", RequestRefused, FailureCode.INVALID),
            (400, "invalid-argument", "Incorrect API key provided: xa***", CredentialsRefused, None),
            (400, "invalid_api_key", "No.", CredentialsRefused, None),
            (400, "x", "It violates our usage guidelines.", RequestRefused, FailureCode.MODERATED),
            (403, "x", "It violates our usage guidelines.", RequestRefused, FailureCode.MODERATED),
            (401, "unauthenticated", "No key.", CredentialsRefused, None),
            (403, "permission-denied", "The team is blocked.", CredentialsRefused, None),
            (403, "permission-denied", "You have used all available credits.", BalanceUsedUp, None),
            (402, "payment-required", "Pay.", BalanceUsedUp, None),
            (404, "not-found", "There is no such model.", RequestRefused, FailureCode.MODEL_UNAVAILABLE),
            (415, "x", "", RequestRefused, FailureCode.INVALID),
            (422, "x", "duration: invalid type", RequestRefused, FailureCode.INVALID),
            (429, "resource-exhausted", "credits", RateLimited, None),
            (500, "internal-error", "usage guidelines", OutcomeUnknown, None),
        ],
    )
    def test_a_refusal_is_read_in_both_forms(
        self,
        nested: bool,
        status: int,
        code: str,
        message: str,
        error: type[ProviderError],
        reason: FailureCode | None,
    ) -> None:
        body: dict[str, Any] = {"code": code, "error": f"{message} vendor-text-CANARY"}
        if nested:
            body = {"error": {"message": body["error"], "type": "t", "param": None, "code": code}}
        refusal = self.submitted(answers(status, self.body(body)))
        assert type(refusal) is error
        assert getattr(refusal, "code", None) is reason

    def test_a_wrong_key_may_be_a_400_at_a_look_too(self) -> None:
        body = self.body({"code": "invalid-argument", "error": "Incorrect API key provided."})
        with pytest.raises(CredentialsRefused):
            self.fetched(answers(400, body))
        with pytest.raises(ReadFailed):
            self.fetched(answers(400, self.body({"code": "invalid-argument", "error": "No."})))

    # --- looks ---

    @pytest.mark.parametrize(
        ("body", "progress"),
        [
            (b"", None),
            (b"no JSON", None),
            (b"[]", None),
            (b'{"status": "done", "video": {"url": "https://x/y.mp4"}}', None),
            (b'{"status": "pending", "progress": 37}', 37),
        ],
    )
    def test_a_202_is_pending_whatever_its_body_is(self, body: bytes, progress: int | None) -> None:
        update = self.fetched(answers(202, body))
        assert (update.state, update.vendor_state) == (RenderState.RUNNING, "pending")
        assert update.external_id == "id-1"
        assert (update.progress, update.output, update.cost) == (progress, None, None)

    def test_an_empty_200_decides_nothing(self) -> None:
        with pytest.raises(ReadFailed):
            self.fetched(answers(200, b""))

    @pytest.mark.parametrize("null", [True, False])
    def test_without_a_status_a_link_means_done(self, null: bool) -> None:
        answer = self.status("id-1", "done") | {"status": None}
        if not null:
            del answer["status"]
        update = self.fetched(answers(200, self.body(answer)))
        assert (update.state, update.vendor_state) == (RenderState.SUCCEEDED, "done")
        assert update.output is not None

    @pytest.mark.parametrize(
        "answer",
        [
            {"video": {"url": ""}},
            {"video": None},
            {"status": None},
            {"status": 5, "video": {"url": A_VIDEO}},
            {"progress": 9},
        ],
    )
    def test_without_a_status_and_a_link_nothing_is_decided(self, answer: Any) -> None:
        with pytest.raises(ReadFailed):
            self.fetched(answers(200, self.body(answer)))

    @pytest.mark.parametrize("url", ["", A_VIDEO])
    @pytest.mark.parametrize("named", [True, False])
    def test_what_is_blocked_has_failed_and_is_charged(self, url: str, named: bool) -> None:
        answer = self.moderated("id-1")
        answer["video"]["url"] = url
        if not named:
            del answer["status"]
        update = self.fetched(answers(200, self.body(answer)))
        assert update.state is RenderState.FAILED
        assert isinstance(update.failure, RenderFailed)
        assert (update.failure.code, update.failure.retryable) == (FailureCode.MODERATED, False)
        assert update.output is None
        assert update.cost == Cost(amount=Decimal("0.56"), currency="USD")

    @pytest.mark.parametrize(
        ("code", "ours", "retryable"),
        [
            ("invalid_argument", FailureCode.INVALID, False),
            ("failed_precondition", FailureCode.INVALID, False),
            ("permission_denied", FailureCode.VENDOR_FAULT, False),
            ("service_unavailable", FailureCode.VENDOR_FAULT, True),
            ("internal_error", FailureCode.VENDOR_FAULT, True),
            ("a_new_code", FailureCode.VENDOR_FAULT, False),
            (None, FailureCode.VENDOR_FAULT, False),
        ],
    )
    def test_a_failure_has_our_code(self, code: str | None, ours: FailureCode, retryable: bool) -> None:
        answer = self.status("id-1", "failed") | {"error": {"code": code, "message": "vendor-text-CANARY"}}
        failure = self.fetched(answers(200, self.body(answer))).failure
        assert isinstance(failure, RenderFailed)
        assert (failure.code, failure.retryable) == (ours, retryable)
        self.shows_nothing(failure)

    @pytest.mark.parametrize(
        ("ticks", "amount"),
        [
            (5_600_000_000, Decimal("0.56")),
            (1, Decimal("0.0000000001")),
            (0, Decimal(0)),
            (-1, None),
            (True, None),
            ("5600000000", None),
            (5.6, None),
            (None, None),
        ],
    )
    def test_ten_billion_ticks_are_a_dollar(self, ticks: object, amount: Decimal | None) -> None:
        answer = self.status("id-1", "done") | {"usage": {"cost_in_usd_ticks": ticks}}
        cost = self.fetched(answers(200, self.body(answer))).cost
        assert (cost.amount if cost else None) == amount

    @pytest.mark.parametrize("word", [*STATES, "defragmenting"])
    def test_nothing_is_charged_before_the_end(self, word: str) -> None:
        answer = self.status("id-1", word) | {"usage": {"cost_in_usd_ticks": 0}}
        update = self.fetched(answers(200, self.body(answer)))
        assert (update.cost is not None) == (update.state in (RenderState.SUCCEEDED, RenderState.FAILED))

    @pytest.mark.parametrize("progress", [-1, 101, "50", None, 3.5, [], True])
    def test_an_odd_percent_is_no_percent(self, progress: object) -> None:
        answer = self.status("id-1", "pending") | {"progress": progress}
        assert self.fetched(answers(200, self.body(answer))).progress is None

    def test_what_the_vendor_lacks_is_not_offered(self) -> None:
        for call in ("cancel", "find", "read_webhook", "account", "listed"):
            assert not self.kind.offers(call)


# --- against the simulator ---


@pytest.fixture
def vendor() -> Iterator[XaiVideo]:
    with XaiVideo(key="xai-another-key", seconds=0.2) as simulator:
        yield simulator


@pytest.fixture
def inputs() -> Iterator[RawServer]:
    """Our store: whatever is asked for is there."""
    with serving(answers(200, b"\x89PNG", Content_Type="image/png")) as server:
        yield server


def adapter(vendor: XaiVideo) -> VideoProvider:
    patience = 0.5 if vendor.fault is Fault.SILENCE_AFTER_ACCEPTING else 2.0
    config = ClientConfig(
        allowed_origins=frozenset({vendor.root}),
        connect_seconds=1.0,
        read_seconds=patience,
        total_seconds=6.0,
    )
    values = vendor.environment()
    return XaiProvider(url=values["XAI_URL"], api_key=values["XAI_API_KEY"], http=Client(config))


def wish(model: VideoModel, mode: Mode, inputs: RawServer, **more: Any) -> RenderRequest:
    def media(name: str, media_type: str) -> InputMedia:
        return InputMedia(url=f"{inputs.url}/{name}?signed=1", media_type=media_type)

    given: dict[str, Any] = {}
    if mode in (Mode.IMAGE, Mode.FIRST_LAST):
        given["start_image"] = media("first.png", "image/png")
    if mode is Mode.FIRST_LAST:
        given["end_image"] = media("last.png", "image/png")
    if mode is Mode.VIDEO:
        given["source_video"] = media("source.mp4", "video/mp4")
    return replace(A_WISH, model=model.vendor_model, mode=mode, **{**given, **more})


def rendered(vendor: XaiVideo, request: RenderRequest) -> RenderUpdate:
    provider = adapter(vendor)
    receipt = provider.submit(request, client_token=TOKEN, callback_url=None)
    return ended(provider, receipt.external_id, seconds=5)


COMBINATIONS = [
    (model, mode, resolution)
    for model in MODELS
    for mode in sorted(model.modes)
    for resolution in model.resolutions
]


@pytest.mark.parametrize(
    ("model", "mode", "resolution"),
    COMBINATIONS,
    ids=[f"{m.vendor_model}-{o}-{r}" for m, o, r in COMBINATIONS],
)
def test_the_vendor_takes_whatever_the_catalogue_offers(
    vendor: XaiVideo, inputs: RawServer, model: VideoModel, mode: Mode, resolution: str
) -> None:
    provider = adapter(vendor)
    durations = model.durations_for(mode, resolution)
    tasks = [{"task": task} for task in ("edit", "extend")] if mode is Mode.VIDEO else [{}]
    asked = [
        {"duration_seconds": seconds, "controls": controls}
        for seconds, controls in itertools.product((durations[0], durations[-1]), tasks)
    ]
    if mode is not Mode.VIDEO:
        asked += [{"ratio": ratio, "audio": True} for ratio in model.ratios]
    for change in asked:
        request = wish(model, mode, inputs, resolution=resolution, **change)
        receipt = provider.submit(request, client_token=TOKEN, callback_url=CALLBACK)
        assert receipt.external_id in vendor.jobs
    assert {request.status for request in vendor.requests} == {200}


def test_an_extension_is_no_longer_than_ten_seconds() -> None:
    assert (min(BASE.durations_for(Mode.VIDEO, "720p")), max(BASE.durations_for(Mode.VIDEO, "720p"))) == (
        1,
        10,
    )
    assert max(BASE.durations_for(Mode.IMAGE, "720p")) == 15


@pytest.mark.parametrize("names_status", [True, False])
@pytest.mark.parametrize("pending", ["empty", "json"])
def test_a_video_is_made_and_can_be_downloaded(tmp_path: Path, names_status: bool, pending: Any) -> None:
    with XaiVideo(seconds=60, names_status=names_status, pending=pending) as vendor:
        provider = adapter(vendor)
        id = provider.submit(A_WISH, client_token=TOKEN, callback_url=None).external_id
        first = provider.fetch(id)
        assert (first.state, first.vendor_state) == (RenderState.RUNNING, "pending")
        assert (first.progress is None) == (pending == "empty")
        vendor.jobs[id].began -= 60
        update = ended(provider, id, seconds=5)
        assert (update.state, update.vendor_state) == (RenderState.SUCCEEDED, "done")
        assert update.output is not None
        assert update.output.is_link
        http = Client(ClientConfig(allowed_origins=frozenset({vendor.root})))
        with (tmp_path / "video.mp4").open("wb") as file:
            http.download(update.output, file, max_bytes=10**7)
        assert (tmp_path / "video.mp4").read_bytes() == clip()


@pytest.mark.parametrize(
    ("model", "mode", "more", "cost"),
    [
        (BASE, Mode.TEXT, {"resolution": "480p"}, "0.40"),
        (BASE, Mode.TEXT, {"resolution": "720p"}, "0.56"),
        (BASE, Mode.IMAGE, {"resolution": "720p"}, "0.562"),
        (BASE, Mode.VIDEO, {"controls": {"task": "edit"}}, "0.40"),
        (BASE, Mode.VIDEO, {"controls": {"task": "extend"}, "duration_seconds": 6}, "0.47"),
        (NEWER, Mode.TEXT, {"resolution": "1080p"}, "2.00"),
        (NEWER, Mode.FIRST_LAST, {"resolution": "720p"}, "1.14"),
    ],
)
def test_the_vendors_cost_is_exact(
    vendor: XaiVideo, inputs: RawServer, model: VideoModel, mode: Mode, more: dict[str, Any], cost: str
) -> None:
    assert rendered(vendor, wish(model, mode, inputs, **more)).cost == Cost(
        amount=Decimal(cost), currency="USD"
    )


REFUSALS: dict[Fault, tuple[type[ProviderError], FailureCode | None]] = {
    Fault.RATE_LIMITED: (RateLimited, None),
    Fault.WRONG_KEY: (CredentialsRefused, None),
    Fault.NO_BALANCE: (BalanceUsedUp, None),
    Fault.REFUSED: (RequestRefused, FailureCode.INVALID),
    Fault.MODERATED_AT_SUBMIT: (RequestRefused, FailureCode.MODERATED),
    Fault.SERVER_ERROR: (OutcomeUnknown, None),
    **dict.fromkeys(AFTER_ACCEPTING, (OutcomeUnknown, None)),
}


@pytest.mark.parametrize("form", ["flat", "nested"])
@pytest.mark.parametrize("wrong_key", [400, 401])
@pytest.mark.parametrize("fault", [fault for fault in REFUSALS if fault is not Fault.SILENCE_AFTER_ACCEPTING])
def test_a_submission_that_goes_wrong_is_told_apart(fault: Fault, form: Any, wrong_key: Any) -> None:
    kind, code = REFUSALS[fault]
    with XaiVideo(error_form=form, wrong_key=wrong_key) as vendor:
        vendor.fault = fault
        with pytest.raises(ProviderError) as failure:
            adapter(vendor).submit(A_WISH, client_token=TOKEN, callback_url=None)
        assert type(failure.value) is kind
        assert getattr(failure.value, "code", None) is code
        assert bool(vendor.jobs) is (fault in AFTER_ACCEPTING)
        if fault is Fault.RATE_LIMITED:
            assert failure.value.retry_after == timedelta(seconds=1)


def test_silence_after_a_submission_leaves_it_unknown(vendor: XaiVideo) -> None:
    vendor.fault = Fault.SILENCE_AFTER_ACCEPTING
    with pytest.raises(OutcomeUnknown):
        adapter(vendor).submit(A_WISH, client_token=TOKEN, callback_url=None)
    assert len(vendor.jobs) == 1


@pytest.mark.parametrize(
    ("fault", "code", "retryable", "charged"),
    [
        (Fault.FAILED, FailureCode.VENDOR_FAULT, True, False),
        (Fault.MODERATED, FailureCode.MODERATED, False, True),
        (Fault.NO_MEDIA, FailureCode.NO_MEDIA, True, True),
    ],
)
def test_a_video_that_ends_badly_says_why(
    vendor: XaiVideo, fault: Fault, code: FailureCode, retryable: bool, charged: bool
) -> None:
    vendor.fault = fault
    update = rendered(vendor, A_WISH)
    assert isinstance(update.failure, RenderFailed)
    assert (update.failure.code, update.failure.retryable) == (code, retryable)
    assert (update.cost is not None) == charged


def test_a_video_that_ran_out_of_time_has_failed() -> None:
    with XaiVideo(seconds=0.1, failure="expired") as vendor:
        vendor.fault = Fault.FAILED
        update = rendered(vendor, A_WISH)
    assert (update.state, update.vendor_state) == (RenderState.FAILED, "expired")
    assert isinstance(update.failure, RenderFailed)
    assert not update.failure.retryable


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        (Fault.UNKNOWN_WORD, RenderState.UNKNOWN),
        (Fault.STATUS_ERROR, ReadFailed),
        (Fault.STATUS_GARBAGE, ReadFailed),
        (Fault.STATUS_RATE_LIMITED, RateLimited),
    ],
)
def test_a_look_that_goes_wrong_decides_nothing(vendor: XaiVideo, fault: Fault, seen: Any) -> None:
    vendor.fault = fault
    provider = adapter(vendor)
    id = provider.submit(A_WISH, client_token=TOKEN, callback_url=None).external_id
    if isinstance(seen, RenderState):
        assert provider.fetch(id).state is seen
    else:
        with pytest.raises(seen):
            provider.fetch(id)
    vendor.jobs[id].looks = 2
    assert ended(provider, id, seconds=5).state is RenderState.SUCCEEDED


def test_a_video_that_the_vendor_lost_is_not_found(vendor: XaiVideo) -> None:
    vendor.fault = Fault.LOST
    provider = adapter(vendor)
    id = provider.submit(A_WISH, client_token=TOKEN, callback_url=None).external_id

    def gone() -> bool:
        try:
            provider.fetch(id)
        except JobNotFound:
            return True
        return False

    assert until(gone, seconds=5)


GOOD = {"model": "grok-imagine-video", "prompt": "A tram"}


@pytest.mark.parametrize(
    ("route", "change", "status"),
    [
        ("generations", {"bogus": 1}, 400),
        ("generations", {"seed": 5}, 400),
        ("generations", {"video": {"url": "{inputs}/a.mp4"}}, 400),
        ("generations", {"duration": 16}, 400),
        ("generations", {"duration": "8"}, 422),
        ("generations", {"generate_audio": "yes"}, 422),
        ("generations", {"image": "{inputs}/a.png"}, 422),
        ("generations", {"image": {"url": "http://127.0.0.1:9/a.png"}}, 400),
        ("generations", {"image": {"uri": "{inputs}/a.png"}}, 400),
        ("generations", {"aspect_ratio": "21:9"}, 400),
        ("generations", {"resolution": "1080p"}, 400),
        ("generations", {"last_frame": {"url": "{inputs}/a.png"}}, 400),
        ("generations", {"prompt": ""}, 400),
        ("generations", {"prompt": "x" * 4_097}, 400),
        ("generations", {"model": "grok-imagine-video-0"}, 404),
        ("generations", {"reference_images": []}, 400),
        ("edits", {}, 400),
        ("edits", {"video": {"url": "{inputs}/a.mp4"}, "duration": 5}, 400),
        ("edits", {"video": {"url": "{inputs}/a.mp4"}, "resolution": "720p"}, 400),
        ("edits", {"video": {"url": "{inputs}/a.mp4"}, "model": "grok-imagine-video-1.5"}, 400),
        ("extensions", {"video": {"url": "{inputs}/a.mp4"}, "duration": 11}, 400),
        ("remixes", {"video": {"url": "{inputs}/a.mp4"}}, 405),
    ],
)
def test_the_simulator_refuses_what_the_vendor_does(
    vendor: XaiVideo, inputs: RawServer, route: str, change: dict[str, Any], status: int
) -> None:
    body = json.loads(json.dumps(GOOD | change).replace("{inputs}", inputs.url))
    http = Client(ClientConfig(allowed_origins=frozenset({vendor.root})))
    headers = {"Authorization": f"Bearer {vendor.key}"}
    assert http.request("POST", f"{vendor.url}/videos/generations", json=GOOD, headers=headers).ok
    answer = http.request("POST", f"{vendor.url}/videos/{route}", json=body, headers=headers)
    assert answer.status == status
    assert set(answer.json()) == {"code", "error"}


def test_a_video_that_is_too_long_is_not_edited(inputs: RawServer) -> None:
    with XaiVideo(source_seconds=9.0) as vendor:
        with pytest.raises(RequestRefused):
            adapter(vendor).submit(wish(BASE, Mode.VIDEO, inputs), client_token=TOKEN, callback_url=None)
        extended = wish(BASE, Mode.VIDEO, inputs, controls={"task": "extend"})
        adapter(vendor).submit(extended, client_token=TOKEN, callback_url=None)
        assert vendor.requests[-1].path == "/v1/videos/extensions"


def test_the_simulator_takes_no_other_key_and_no_key_with_its_files(vendor: XaiVideo) -> None:
    http = Client(ClientConfig(allowed_origins=frozenset({vendor.root})))
    assert http.request("GET", f"{vendor.url}/models", headers={"Authorization": "Bearer no"}).status == 401
    id = adapter(vendor).submit(A_WISH, client_token=TOKEN, callback_url=None).external_id
    link = f"{vendor.root}/files/{id}.mp4"
    assert http.request("GET", link).ok
    assert http.request("GET", link, headers={"Authorization": f"Bearer {vendor.key}"}).status == 400


def test_the_settings_are_not_those_of_the_language_models() -> None:
    values = {**XaiProvider.defaults, "XAI_API_KEY": "key"}
    assert set(values) == set(XaiProvider.settings) == {"XAI_API_KEY", "XAI_URL"}
    assert isinstance(XaiProvider.from_settings(values), XaiProvider)
    assert XaiProvider.defaults["XAI_URL"] == "https://api.x.ai/v1"
