"""Luma's newer API: the contract, its own words, and the adapter against the simulator."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from credits.card_table import CARDS
from providers.contract import InputMedia, Mode, RenderRequest, RenderState, RenderUpdate, VideoProvider
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
from providers.http import BadStatus, Client, ClientConfig
from providers.video.luma import STRENGTHS, STYLES
from providers.video.luma_agents import MODELS, STATES, LumaAgentsProvider
from tests.providers.contract import A_REQUEST, A_VIDEO, CALLBACK, IMAGE, KEY, TOKEN, VideoProviderContract
from tests.providers.sandbox import until
from tests.providers.servers import RawServer, answers, serving
from tests.vendors import LumaAgents
from tests.vendors.video import ENDED, OF_WEBHOOKS, Fault, clip

MODEL = MODELS[0]
THEIRS = replace(A_REQUEST, model="ray-3.2")
END = InputMedia(url="https://store.example/end.png?signature=CANARY", media_type="image/png")
OWN_VIDEO = InputMedia(
    url="https://store.example/source.mp4",
    media_type="video/mp4",
    vendor_id="d290f1ee-6c54-4b01-90e6-d701748f0851",
)
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
OF_VIDEO = replace(THEIRS, mode=Mode.VIDEO, source_video=OWN_VIDEO)
SOURCE = {"url": OWN_VIDEO.url, "media_type": "video/mp4"}


def generation(external_id: str = "id-1", state: str = "completed", **more: Any) -> dict[str, Any]:
    return {
        "id": external_id,
        "type": "video",
        "state": state,
        "model": "ray-3.2",
        "created_at": "2026-11-20T10:15:02Z",
        "output": [],
        "failure_reason": None,
        "failure_code": None,
        **more,
    }


class TestLumaAgents(VideoProviderContract):
    kind = LumaAgentsProvider
    words = STATES
    request = THEIRS
    callback_in_body = False

    def adapter(self, url: str, http: Client) -> VideoProvider:
        return LumaAgentsProvider(url=url, api_key=KEY, http=http)

    def accepted(self, external_id: str) -> Any:
        return generation(external_id, "queued")

    def status(self, external_id: str, word: str, *, media: bool = True, url: str = A_VIDEO) -> Any:
        output = [{"type": "video", "url": url}] if word == "completed" and media else []
        return generation(external_id, word, output=output)

    def moderated(self, external_id: str) -> Any:
        return generation(external_id, "failed", failure_code="content_moderated")

    # --- the request ---

    def sent(self, request: RenderRequest) -> Any:
        with serving(answers(201, self.body(self.accepted("id-1")))) as server:
            self.at(server).submit(request, client_token=TOKEN, callback_url=CALLBACK)
        [call] = server.received
        assert call.line == "POST /generations HTTP/1.1"
        assert call.header("authorization") == f"Bearer {KEY}"
        assert call.header("x-request-id") == TOKEN
        return json.loads(call.body)

    def refused(self, request: RenderRequest) -> str:
        with serving(answers(201, self.body(self.accepted("id-1")))) as server:
            with pytest.raises(UnsupportedFeature) as refusal:
                self.at(server).submit(request, client_token=TOKEN, callback_url=None)
            assert not server.received
        self.shows_nothing(refusal.value)
        return refusal.value.feature

    @pytest.mark.parametrize(
        ("change", "more"),
        [
            ({}, {}),
            ({"duration_seconds": 10}, {"duration": "10s"}),
            ({"resolution": "1080p", "controls": {"hdr": True}}, {"resolution": "1080p", "hdr": True}),
            ({"controls": {"loop": True}}, {"loop": True}),
            ({"mode": Mode.IMAGE, "start_image": IMAGE}, {"start_frame": {"url": IMAGE.url}}),
            (
                {"mode": Mode.IMAGE, "start_image": IMAGE, "controls": {"loop": True}},
                {"loop": True, "start_frame": {"url": IMAGE.url}},
            ),
            (
                {"mode": Mode.FIRST_LAST, "start_image": IMAGE, "end_image": END, "controls": {"hdr": True}},
                {"hdr": True, "start_frame": {"url": IMAGE.url}, "end_frame": {"url": END.url}},
            ),
            ({"mode": Mode.FIRST_LAST, "end_image": END}, {"end_frame": {"url": END.url}}),
            (
                {"mode": Mode.VIDEO, "source_video": OWN_VIDEO, "controls": {"task": "extend", "loop": True}},
                {"loop": True, "start_frame": {"generation_id": OWN_VIDEO.vendor_id}},
            ),
            (
                {"mode": Mode.VIDEO, "source_video": OWN_VIDEO, "controls": {"task": "extend_backward"}},
                {"end_frame": {"generation_id": OWN_VIDEO.vendor_id}},
            ),
        ],
    )
    def test_a_video_is_asked_for_with_every_default_said(
        self, change: dict[str, Any], more: dict[str, Any]
    ) -> None:
        assert self.sent(replace(THEIRS, **change)) == {
            "model": "ray-3.2",
            "type": "video",
            "prompt": "A paper boat",
            "aspect_ratio": "16:9",
            "video": {"resolution": "720p", "duration": "5s", "loop": False, "hdr": False, **more},
        }

    @pytest.mark.parametrize(
        ("controls", "hdr", "edit"),
        [
            ({}, False, {"auto_controls": False, "strength": "flex_2"}),
            ({"strength": "reimagine_3"}, False, {"auto_controls": False, "strength": "reimagine_3"}),
            ({"task": "modify", "strength": "auto", "hdr": True}, True, {"auto_controls": True}),
        ],
    )
    def test_a_video_is_modified(self, controls: dict[str, Any], hdr: bool, edit: dict[str, Any]) -> None:
        request = replace(OF_VIDEO, controls=controls, start_image=IMAGE)
        assert self.sent(request) == {
            "model": "ray-3.2",
            "type": "video_edit",
            "prompt": "A paper boat",
            "source": SOURCE,
            "video": {"resolution": "720p", "hdr": hdr, "edit": edit, "start_frame": {"url": IMAGE.url}},
        }

    def test_a_video_is_reframed(self) -> None:
        assert self.sent(replace(OF_VIDEO, controls={"task": "reframe"}, ratio="9:16")) == {
            "model": "ray-3.2",
            "type": "video_reframe",
            "prompt": "A paper boat",
            "aspect_ratio": "9:16",
            "source": SOURCE,
            "video": {"resolution": "720p"},
        }

    @pytest.mark.parametrize("style", STYLES)
    def test_a_style_is_words(self, style: str) -> None:
        assert self.sent(replace(THEIRS, style=style))["prompt"] == f"A paper boat {STYLES[style]}"

    @pytest.mark.parametrize(
        ("change", "feature"),
        [
            ({"negative_prompt": "rain"}, "a negative prompt"),
            ({"seed": 0}, "a seed"),
            ({"audio": True}, "audio"),
            ({"enhance": True}, "prompt enhancement"),
            ({"style": "noir"}, "the style noir"),
            ({"resolution": "4K"}, "the resolution 4K"),
            ({"duration_seconds": 4}, "a length of 4 s"),
            ({"duration_seconds": 9}, "a length of 9 s"),
            ({"ratio": "9:21"}, "the ratio 9:21"),
            ({"prompt": ""}, "a prompt of 0 characters"),
            ({"prompt": "x" * 6_001}, "a prompt of 6001 characters"),
            ({"controls": {"camera": "static"}}, "the control camera for a video without a source"),
            ({"controls": {"strength": "auto"}}, "the control strength for a video without a source"),
            ({"controls": {"hdr": True}, "resolution": "540p"}, "HDR at 540p"),
            ({"controls": {"hdr": True}, "duration_seconds": 10}, "more than 5 s of HDR"),
            ({"controls": {"loop": True}, "duration_seconds": 10}, "a loop of more than 5 s"),
            ({"controls": {"loop": True, "hdr": True}}, "a loop in HDR"),
            (
                {"controls": {"loop": True}, "mode": Mode.FIRST_LAST, "end_image": END},
                "a loop that ends in a given image or video",
            ),
            (
                {"mode": Mode.IMAGE, "start_image": IMAGE, "duration_seconds": 10},
                "more than 5 s from an image or another video",
            ),
            ({"mode": Mode.VIDEO}, "video to video without a video"),
        ],
    )
    def test_what_the_vendor_cannot_do_is_named(self, change: dict[str, Any], feature: str) -> None:
        assert self.refused(replace(THEIRS, **change)) == feature

    @pytest.mark.parametrize(
        ("controls", "change", "feature"),
        [
            ({"task": "extend"}, {"duration_seconds": 10}, "more than 5 s from an image or another video"),
            ({"task": "extend"}, {"end_image": END}, "an image beside the task extend"),
            ({"task": "extend_backward", "loop": True}, {}, "a loop that ends in a given image or video"),
            ({"task": "extend", "strength": "flex_1"}, {}, "the control strength for extend"),
            (
                {"task": "extend"},
                {"source_video": replace(OWN_VIDEO, vendor_id="")},
                "extending a video that it did not make",
            ),
            ({"task": "reframe", "hdr": True}, {}, "the control hdr for a reframed video"),
            ({"task": "reframe", "loop": False}, {}, "the control loop for a reframed video"),
            ({"task": "reframe"}, {"start_image": IMAGE}, "an image beside a reframed video"),
            ({"loop": True}, {}, "the control loop for a modified video"),
            ({"strength": "flex_9"}, {}, "the strength flex_9"),
            ({}, {"end_image": END}, "an end image of a modified video"),
            ({"hdr": True}, {"resolution": "540p"}, "HDR at 540p"),
            ({"task": "repaint"}, {}, "the task repaint"),
        ],
    )
    def test_what_it_cannot_do_with_a_video_is_named(
        self, controls: dict[str, Any], change: dict[str, Any], feature: str
    ) -> None:
        assert self.refused(replace(OF_VIDEO, controls=controls, **change)) == feature

    # --- refusals ---

    @pytest.mark.parametrize(
        ("status", "change", "kind", "code"),
        [
            (422, {"mode": Mode.IMAGE, "start_image": IMAGE}, RequestRefused, FailureCode.INPUT_UNREADABLE),
            (413, {"mode": Mode.FIRST_LAST, "end_image": END}, RequestRefused, FailureCode.INPUT_UNREADABLE),
            (
                422,
                {"mode": Mode.VIDEO, "source_video": OWN_VIDEO},
                RequestRefused,
                FailureCode.INPUT_UNREADABLE,
            ),
            (422, {}, RequestRefused, FailureCode.INVALID),
            (400, {"mode": Mode.IMAGE, "start_image": IMAGE}, RequestRefused, FailureCode.INVALID),
            (400, {"model": "ray-4"}, RequestRefused, FailureCode.MODEL_UNAVAILABLE),
            (402, {}, BalanceUsedUp, None),
            (403, {}, CredentialsRefused, None),
            (403, {"controls": {"hdr": True}}, RequestRefused, FailureCode.INVALID),
            (403, {"controls": {"hdr": False}}, CredentialsRefused, None),
        ],
    )
    def test_a_refusal_has_our_reason(
        self, status: int, change: dict[str, Any], kind: type[ProviderError], code: FailureCode | None
    ) -> None:
        with (
            serving(answers(status, b'{"detail": "CANARY"}')) as server,
            pytest.raises(ProviderError) as refusal,
        ):
            self.at(server).submit(replace(THEIRS, **change), client_token=TOKEN, callback_url=None)
        assert type(refusal.value) is kind
        assert getattr(refusal.value, "code", None) is code
        self.shows_nothing(refusal.value)

    @pytest.mark.parametrize(
        ("detail", "code"),
        [
            ("Unknown model: ray-3.2", FailureCode.MODEL_UNAVAILABLE),
            ("The model is unknown", FailureCode.INVALID),
            (["Unknown model"], FailureCode.INVALID),
        ],
    )
    def test_a_model_that_is_gone_is_told_from_a_wrong_value(self, detail: object, code: FailureCode) -> None:
        error = self.submitted(answers(400, self.body({"detail": detail})))
        assert isinstance(error, RequestRefused)
        assert error.code is code

    @pytest.mark.parametrize(
        ("header", "limit"),
        [("30", 30), ("0", None), ("", None), ("-3", None), ("many", None), ("1" * 5_000, None), ("³", None)],
    )
    def test_the_accounts_requests_a_minute_come_with_the_receipt(
        self, header: str, limit: int | None
    ) -> None:
        reply = answers(201, self.body(self.accepted("id-1")), X_RateLimit_Limit=header)
        with serving(reply) as server:
            receipt = self.at(server).submit(THEIRS, client_token=TOKEN, callback_url=None)
        assert (receipt.external_id, receipt.vendor_state, receipt.per_minute) == ("id-1", "queued", limit)

    # --- what it says of a render ---

    @pytest.mark.parametrize(
        ("word", "code", "retryable"),
        [
            ("generation_failed", FailureCode.VENDOR_FAULT, True),
            ("output_not_found", FailureCode.NO_MEDIA, True),
            ("rate_limited", FailureCode.VENDOR_FAULT, True),
            ("budget_exhausted", FailureCode.VENDOR_FAULT, False),
            ("content_moderated", FailureCode.MODERATED, False),
            ("image_too_large", FailureCode.INPUT_UNREADABLE, False),
            ("unsupported_format", FailureCode.INPUT_UNREADABLE, False),
            ("corrupt_input", FailureCode.INPUT_UNREADABLE, False),
            ("invalid_request", FailureCode.INVALID, False),
            ("a_new_code", FailureCode.VENDOR_FAULT, False),
            (None, FailureCode.VENDOR_FAULT, False),
            (["generation_failed"], FailureCode.VENDOR_FAULT, False),
        ],
    )
    def test_a_failure_has_our_code(self, word: object, code: FailureCode, retryable: bool) -> None:
        failure = self.fetched(answers(200, self.body(generation(state="failed", failure_code=word)))).failure
        assert isinstance(failure, RenderFailed)
        assert (failure.code, failure.retryable) == (code, retryable)

    @pytest.mark.parametrize(
        "output",
        [
            None,
            [],
            {},
            [7],
            [{"type": "image", "url": A_VIDEO}],
            [{"type": "video", "url": ""}],
            [{"type": "video"}],
        ],
    )
    def test_done_without_a_video_is_no_success(self, output: object) -> None:
        update = self.fetched(answers(200, self.body(generation(output=output))))
        assert isinstance(update.failure, RenderFailed)
        assert (update.state, update.failure.code) == (RenderState.FAILED, FailureCode.NO_MEDIA)

    def test_the_video_is_taken_from_among_other_files_for_an_hour(self) -> None:
        output = [{"type": "exr", "url": "https://x.example/a.exr"}, {"type": "video", "url": A_VIDEO}]
        before = datetime.now(UTC)
        update = self.fetched(answers(200, self.body(generation(output=output))))
        assert update.output is not None
        assert update.output.url == A_VIDEO
        assert update.output.expires_at is not None
        assert timedelta(hours=1) <= update.output.expires_at - before < timedelta(hours=1, minutes=1)

    def test_what_this_api_lacks_is_named(self) -> None:
        adapter = self.at("http://127.0.0.1:9")
        for call in (
            lambda: adapter.find(TOKEN, request=THEIRS, since=SINCE),
            lambda: adapter.listed(SINCE),
            adapter.account,
            lambda: adapter.cancel("id-1"),
        ):
            with pytest.raises(UnsupportedFeature):
                call()
        assert LumaAgentsProvider.find_is_authoritative_after is None


def test_the_catalogue_offers_what_was_decided() -> None:
    assert [model.id for model in MODELS] == ["luma-agents/ray-3.2"]
    assert MODEL.durations_for(Mode.TEXT, "720p") == (5, 10)
    assert (
        list(MODEL.durations_for(Mode.IMAGE, "720p"))
        == list(MODEL.durations_for(Mode.FIRST_LAST, "1080p"))
        == [5]
    )
    assert not any((MODEL.audio, MODEL.seed, MODEL.negative_prompt, MODEL.enhance, MODEL.webhook_expected))
    assert MODEL.max_prompt_length + 1 + max(map(len, STYLES.values())) == 6_000


def test_nothing_is_sold_below_its_cost() -> None:
    """The dearest second: five of HDR at 1080p for 2.40."""
    card = CARDS[MODEL.id]
    assert card.vendor_cost is not None
    assert card.vendor_cost * card.markup * 5 >= 2


# --- against the simulator ---


@pytest.fixture
def luma() -> Iterator[LumaAgents]:
    with LumaAgents(seconds=0.06) as simulator:
        yield simulator


@pytest.fixture
def inputs() -> Iterator[RawServer]:
    """Where inputs lie."""
    with serving(answers(200, b"a picture")) as server:
        yield server


def adapter(luma: LumaAgents) -> LumaAgentsProvider:
    patience = 0.5 if luma.fault is Fault.SILENCE_AFTER_ACCEPTING else 10
    config = ClientConfig(
        allowed_origins=frozenset({luma.root}),
        connect_seconds=5,
        read_seconds=patience,
        total_seconds=2 * patience,
    )
    environment = luma.environment()
    return LumaAgentsProvider(
        url=environment["LUMA_AGENTS_URL"], api_key=environment["LUMA_AGENTS_API_KEY"], http=Client(config)
    )


def submitted(provider: VideoProvider, request: RenderRequest = THEIRS) -> str:
    return provider.submit(request, client_token=TOKEN, callback_url=None).external_id


def made(provider: VideoProvider, request: RenderRequest = THEIRS) -> RenderUpdate:
    external_id = submitted(provider, request)

    def look() -> RenderUpdate | None:
        update = provider.fetch(external_id)
        return update if update.state in (RenderState.SUCCEEDED, RenderState.FAILED) else None

    found = until(look, seconds=10)
    assert found is not None
    return found


def wishes(inputs: str, own: str) -> Iterator[RenderRequest]:
    """Every mode with every value of every option that goes with it."""
    start = InputMedia(url=f"{inputs}/start.png", media_type="image/png")
    end = InputMedia(url=f"{inputs}/end.png", media_type="image/png")
    video = InputMedia(url=f"{inputs}/source.mp4", media_type="video/mp4", vendor_id=own)
    kinds: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
        ({"mode": Mode.TEXT}, [{"loop": True}, {"hdr": True}]),
        ({"mode": Mode.IMAGE, "start_image": start}, [{"loop": True}, {"hdr": True}]),
        ({"mode": Mode.FIRST_LAST, "start_image": start, "end_image": end}, [{"hdr": True}]),
        ({"mode": Mode.FIRST_LAST, "end_image": end}, [{"hdr": True}]),
        (
            {"mode": Mode.VIDEO, "source_video": video},
            [{"strength": one} for one in (*STRENGTHS, "auto")] + [{"hdr": True}],
        ),
        ({"mode": Mode.VIDEO, "source_video": video, "start_image": start}, []),
        ({"mode": Mode.VIDEO, "source_video": video, "controls": {"task": "reframe"}}, []),
        (
            {"mode": Mode.VIDEO, "source_video": video, "controls": {"task": "extend"}},
            [{"loop": True}, {"hdr": True}],
        ),
        (
            {"mode": Mode.VIDEO, "source_video": video, "controls": {"task": "extend_backward"}},
            [{"hdr": True}],
        ),
    ]
    for change, more in kinds:
        request = replace(THEIRS, **change)
        yield from (replace(request, style=style) for style in MODEL.styles)
        yield from (replace(request, ratio=ratio) for ratio in MODEL.ratios)
        yield from (replace(request, resolution=resolution) for resolution in MODEL.resolutions)
        yield from (replace(request, controls={**request.controls, **one}) for one in more)
    for resolution in MODEL.resolutions:
        yield replace(THEIRS, resolution=resolution, duration_seconds=10)


def test_every_mode_and_option_is_accepted(luma: LumaAgents, inputs: RawServer) -> None:
    provider = adapter(luma)
    own = made(provider).external_id
    count = 0
    for request in wishes(inputs.url, own):
        submitted(provider, request)
        count += 1
    assert count > 130
    assert {one.status for one in luma.requests if one.method == "POST"} == {201}


def test_a_clip_is_made_and_can_be_downloaded(luma: LumaAgents) -> None:
    provider = adapter(luma)
    update = made(provider)
    assert update.output is not None
    again = provider.fetch(update.external_id).output
    assert again is not None
    assert again.url != update.output.url, "each look signs anew"
    content = io.BytesIO()
    Client(ClientConfig(allowed_origins=frozenset({luma.root}))).download(again, content, max_bytes=10**8)
    assert content.getvalue() == clip()


def test_an_input_that_cannot_be_fetched_is_told_as_that(luma: LumaAgents) -> None:
    gone = InputMedia(url="http://127.0.0.1:9/gone.png", media_type="image/png")
    with pytest.raises(RequestRefused) as refusal:
        submitted(adapter(luma), replace(THEIRS, mode=Mode.IMAGE, start_image=gone))
    assert refusal.value.code is FailureCode.INPUT_UNREADABLE


def test_an_account_without_hdr_keeps_its_good_name(luma: LumaAgents) -> None:
    luma.hdr_access = False
    with pytest.raises(RequestRefused):
        submitted(adapter(luma), replace(THEIRS, controls={"hdr": True}))
    assert submitted(adapter(luma))


def test_an_account_may_not_reframe_at_1080p(luma: LumaAgents, inputs: RawServer) -> None:
    luma.reframes_at_1080p = False
    video = InputMedia(url=f"{inputs.url}/source.mp4", media_type="video/mp4")
    request = replace(THEIRS, mode=Mode.VIDEO, source_video=video, controls={"task": "reframe"})
    with pytest.raises(RequestRefused) as refusal:
        submitted(adapter(luma), replace(request, resolution="1080p"))
    assert refusal.value.code is FailureCode.INVALID
    assert submitted(adapter(luma), request)


def test_a_model_it_does_not_have_is_named_as_such(luma: LumaAgents) -> None:
    with pytest.raises(RequestRefused) as refusal:
        submitted(adapter(luma), replace(THEIRS, model="ray-3.1"))
    assert refusal.value.code is FailureCode.MODEL_UNAVAILABLE


NOT_ACCEPTED: dict[Fault, type[ProviderError]] = {
    Fault.RATE_LIMITED: RateLimited,
    Fault.WRONG_KEY: CredentialsRefused,
    Fault.NO_BALANCE: BalanceUsedUp,
    Fault.REFUSED: RequestRefused,
}
PERHAPS = [
    Fault.SERVER_ERROR,
    Fault.SERVER_ERROR_AFTER_ACCEPTING,
    Fault.SILENCE_AFTER_ACCEPTING,
    Fault.HANG_UP_AFTER_ACCEPTING,
    Fault.GARBAGE_AFTER_ACCEPTING,
]
ENDS: dict[Fault, tuple[FailureCode, bool]] = {
    Fault.FAILED: (FailureCode.VENDOR_FAULT, True),
    Fault.MODERATED: (FailureCode.MODERATED, False),
    Fault.NO_MEDIA: (FailureCode.NO_MEDIA, True),
}
LOOKS: dict[Fault, type[ProviderError]] = {
    Fault.STATUS_ERROR: ReadFailed,
    Fault.STATUS_GARBAGE: ReadFailed,
    Fault.STATUS_RATE_LIMITED: RateLimited,
    Fault.LOST: JobNotFound,
}
OTHERS = {Fault.STUCK, Fault.UNKNOWN_WORD, Fault.LINK_EXPIRED, Fault.TRUNCATED}


def test_every_fault_is_tried_or_impossible() -> None:
    tried = {*NOT_ACCEPTED, *PERHAPS, *ENDS, *LOOKS, *OTHERS}
    assert tried | LumaAgents.cannot == set(Fault)
    assert not tried & LumaAgents.cannot
    assert LumaAgents.cannot > OF_WEBHOOKS


@pytest.mark.parametrize("fault", [*NOT_ACCEPTED, *PERHAPS])
def test_a_fault_at_submission_is_told_from_others(luma: LumaAgents, fault: Fault) -> None:
    luma.fault = fault
    with pytest.raises(ProviderError) as refusal:
        submitted(adapter(luma))
    assert type(refusal.value) is NOT_ACCEPTED.get(fault, OutcomeUnknown)
    assert bool(luma.jobs) == (fault in PERHAPS[1:])
    if fault is Fault.RATE_LIMITED:
        assert refusal.value.retry_after == timedelta(seconds=1)
        assert submitted(adapter(luma))


@pytest.mark.parametrize("fault", ENDS)
def test_a_bad_end_has_our_code(luma: LumaAgents, fault: Fault) -> None:
    luma.fault = fault
    update = made(adapter(luma))
    assert isinstance(update.failure, RenderFailed)
    assert (update.failure.code, update.failure.retryable) == ENDS[fault]


@pytest.mark.parametrize("fault", LOOKS)
def test_a_look_that_fails_decides_nothing(luma: LumaAgents, fault: Fault) -> None:
    luma.fault = fault
    provider = adapter(luma)
    external_id = submitted(provider)
    until(lambda: luma.jobs[external_id].phase in ENDED)
    failures = []
    for _ in range(3):
        try:
            update = provider.fetch(external_id)
        except ProviderError as error:
            failures.append(type(error))
    assert set(failures) == {LOOKS[fault]}
    assert fault is Fault.LOST or update.state is RenderState.SUCCEEDED


def test_a_word_that_nobody_documented_is_unknown_until_it_passes(luma: LumaAgents) -> None:
    luma.fault = Fault.UNKNOWN_WORD
    provider = adapter(luma)
    external_id = submitted(provider)
    update = provider.fetch(external_id)
    assert (update.state, update.vendor_state) == (RenderState.UNKNOWN, "reticulating")
    until(lambda: provider.fetch(external_id).state is RenderState.SUCCEEDED)


def test_a_stuck_render_goes_on_running(luma: LumaAgents) -> None:
    luma.fault = Fault.STUCK
    provider = adapter(luma)
    external_id = submitted(provider)
    luma.jobs[external_id].began -= 10
    assert provider.fetch(external_id).state is RenderState.RUNNING


def test_a_file_is_asked_for_again_and_may_be_half(luma: LumaAgents) -> None:
    http = Client(ClientConfig(allowed_origins=frozenset({luma.root})))
    luma.fault = Fault.LINK_EXPIRED
    provider = adapter(luma)
    update = made(provider)
    assert update.output is not None
    with pytest.raises(BadStatus):
        http.download(update.output, io.BytesIO(), max_bytes=10**8)
    fresh = provider.fetch(update.external_id).output
    assert fresh is not None
    assert http.download(fresh, io.BytesIO(), max_bytes=10**8).bytes == len(clip())
    luma.fault = Fault.TRUNCATED
    half = made(provider).output
    assert half is not None
    assert http.download(half, io.BytesIO(), max_bytes=10**8).bytes == len(clip()) // 2


def test_the_vendors_limits_are_told_as_such(luma: LumaAgents) -> None:
    provider = adapter(luma)
    luma.per_minute = 1
    assert provider.submit(THEIRS, client_token=TOKEN, callback_url=None).per_minute == 1
    for counts, concurrent, seconds in ((True, None, 12), (False, 1, 60)):
        luma.counts, luma.concurrent = counts, concurrent
        for job in luma.jobs.values():
            job.began += 60
        with pytest.raises(RateLimited) as refusal:
            submitted(provider)
        assert refusal.value.retry_after == timedelta(seconds=seconds)
