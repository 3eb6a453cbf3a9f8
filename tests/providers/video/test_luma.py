"""Luma's Dream Machine: the contract, its own words, and the adapter against the simulator."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from credits.card_table import CARDS
from credits.pricing import Card, PriceRequest, price
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
from providers.facts import ChoiceControl, VideoModel
from providers.http import BadStatus, Client, ClientConfig
from providers.video.luma import CAMERAS, MODELS, NAME, STATES, STRENGTHS, STYLES, LumaProvider
from tests.providers.contract import A_REQUEST, A_VIDEO, CALLBACK, IMAGE, KEY, TOKEN, VideoProviderContract
from tests.providers.sandbox import until
from tests.providers.servers import RawServer, Received, answers, serving
from tests.vendors import Luma
from tests.vendors.video import ENDED, Fault, clip

SINCE = datetime(2026, 11, 20, 10, tzinfo=UTC)
THEIRS = replace(A_REQUEST, model="ray-2")
END = InputMedia(url="https://store.example/end.png?signature=CANARY", media_type="image/png")
OWN_VIDEO = InputMedia(
    url="https://store.example/source.mp4",
    media_type="video/mp4",
    vendor_id="0b7d4f1e-5c5a-4e0b-9a53-6f2a7d1c9e10",
)
LIVING = [model for model in MODELS if model.retires_at is None]
EVERY_LIVING = pytest.mark.parametrize("model", LIVING, ids=[model.id for model in LIVING])


def generation(external_id: str = "id-1", state: str | None = "completed", **more: Any) -> dict[str, Any]:
    return {
        "id": external_id,
        "generation_type": "video",
        "state": state,
        "failure_reason": None,
        "created_at": "2026-11-20T10:15:02.114000Z",
        "assets": None,
        "model": "ray-2",
        "request": {"generation_type": "video", "prompt": "A paper boat", "callback_url": CALLBACK},
        **more,
    }


class TestLuma(VideoProviderContract):
    kind = LumaProvider
    words = STATES
    request = THEIRS

    def adapter(self, url: str, http: Client) -> VideoProvider:
        return LumaProvider(url=url, api_key=KEY, http=http)

    def accepted(self, external_id: str) -> Any:
        return generation(external_id, "queued")

    def status(self, external_id: str, word: str, *, media: bool = True, url: str = A_VIDEO) -> Any:
        done = word == "completed" and media
        assets = {"video": url, "image": "https://files.example/a.jpg", "progress_video": None}
        return generation(external_id, word, assets=assets if done else None)

    def moderated(self, external_id: str) -> Any:
        return generation(external_id, "failed", failure_reason="Frame moderation failed")

    def webhook(self, external_id: str, word: str) -> tuple[dict[str, str], bytes]:
        return {}, self.body(self.status(external_id, word))

    # --- the request ---

    def sent(self, request: RenderRequest, callback: str | None = CALLBACK) -> tuple[str, Any]:
        """The line and the JSON of what is sent."""
        with serving(answers(201, self.body(self.accepted("id-1")))) as server:
            self.at(server).submit(request, client_token=TOKEN, callback_url=callback)
        [call] = server.received
        assert call.header("authorization") == f"Bearer {KEY}"
        assert call.header("content-type") == "application/json"
        return call.line, json.loads(call.body)

    def refused(self, request: RenderRequest) -> str:
        """What the adapter says that the vendor can't do, before anything is sent."""
        with serving(answers(201, self.body(self.accepted("id-1")))) as server:
            with pytest.raises(UnsupportedFeature) as refusal:
                self.at(server).submit(request, client_token=TOKEN, callback_url=CALLBACK)
            assert not server.received
        self.shows_nothing(refusal.value)
        return refusal.value.feature

    def test_the_sheets_example_is_sent_with_every_default_said(self) -> None:
        request = replace(
            THEIRS, model="ray-flash-2", mode=Mode.IMAGE, prompt="Paper boat, low sun", start_image=IMAGE
        )
        assert self.sent(request) == (
            "POST /generations/video HTTP/1.1",
            {
                "generation_type": "video",
                "model": "ray-flash-2",
                "prompt": "Paper boat, low sun",
                "aspect_ratio": "16:9",
                "resolution": "720p",
                "duration": "5s",
                "loop": False,
                "keyframes": {"frame0": {"type": "image", "url": IMAGE.url}},
                "callback_url": CALLBACK,
            },
        )

    @pytest.mark.parametrize(
        ("change", "frames"),
        [
            ({}, None),
            ({"mode": Mode.IMAGE, "start_image": IMAGE}, {"frame0": "image"}),
            ({"mode": Mode.FIRST_LAST, "end_image": END}, {"frame1": "image"}),
            (
                {"mode": Mode.FIRST_LAST, "start_image": IMAGE, "end_image": END},
                {"frame0": "image", "frame1": "image"},
            ),
            ({"controls": {"task": "extend"}}, {"frame0": "generation"}),
            ({"controls": {"task": "extend_backward"}}, {"frame1": "generation"}),
            ({"controls": {"task": "extend"}, "end_image": END}, {"frame0": "generation", "frame1": "image"}),
            (
                {"controls": {"task": "extend_backward"}, "start_image": IMAGE},
                {"frame0": "image", "frame1": "generation"},
            ),
        ],
    )
    def test_every_mode_has_its_keyframes(
        self, change: dict[str, Any], frames: dict[str, str] | None
    ) -> None:
        if "controls" in change:
            change = {"mode": Mode.VIDEO, "source_video": OWN_VIDEO, **change}
        line, order = self.sent(replace(THEIRS, **change))
        assert line == "POST /generations/video HTTP/1.1"
        entries = {
            "frame0": {
                "image": {"type": "image", "url": IMAGE.url},
                "generation": {"type": "generation", "id": OWN_VIDEO.vendor_id},
            },
            "frame1": {
                "image": {"type": "image", "url": END.url},
                "generation": {"type": "generation", "id": OWN_VIDEO.vendor_id},
            },
        }
        wanted = {name: entries[name][kind] for name, kind in frames.items()} if frames else None
        assert order.get("keyframes") == wanted

    def test_a_video_is_modified_as_far_as_wanted(self) -> None:
        request = replace(
            THEIRS,
            mode=Mode.VIDEO,
            source_video=OWN_VIDEO,
            start_image=IMAGE,
            controls={"strength": "adhere_3"},
        )
        assert self.sent(request) == (
            "POST /generations/video/modify HTTP/1.1",
            {
                "generation_type": "modify_video",
                "model": "ray-2",
                "mode": "adhere_3",
                "media": {"url": OWN_VIDEO.url},
                "first_frame": {"url": IMAGE.url},
                "prompt": "A paper boat",
                "callback_url": CALLBACK,
            },
        )
        _, usual = self.sent(replace(request, controls={}, start_image=None))
        assert (usual["mode"], "first_frame" in usual) == ("flex_2", False)

    def test_a_video_is_reframed_in_the_ratio_asked_for(self) -> None:
        request = replace(
            THEIRS, mode=Mode.VIDEO, source_video=OWN_VIDEO, ratio="9:16", controls={"task": "reframe"}
        )
        assert self.sent(request, callback=None) == (
            "POST /generations/video/reframe HTTP/1.1",
            {
                "generation_type": "reframe_video",
                "model": "ray-2",
                "aspect_ratio": "9:16",
                "media": {"url": OWN_VIDEO.url},
                "prompt": "A paper boat",
            },
        )

    @pytest.mark.parametrize(
        ("style", "model", "concepts"),
        [
            ("cinematic", "ray-2", [{"key": "push_in"}]),
            ("commercial", "ray-2", [{"key": "eye_level"}]),
            ("realistic", "ray-2", [{"key": "handheld"}]),
            ("artistic", "ray-2", None),
            ("cinematic", "ray-flash-2", None),
        ],
    )
    def test_a_style_is_words_and_a_concept(self, style: str, model: str, concepts: object) -> None:
        _, order = self.sent(replace(THEIRS, model=model, style=style))
        assert order["prompt"] == f"A paper boat {STYLES[style]}"
        assert order.get("concepts") == concepts

    def test_a_camera_asked_for_goes_before_the_styles(self) -> None:
        _, order = self.sent(replace(THEIRS, style="cinematic", controls={"camera": "crane_up"}))
        assert order["concepts"] == [{"key": "crane_up"}]

    @pytest.mark.parametrize(
        "change", [{}, {"mode": Mode.IMAGE, "start_image": IMAGE}, {"controls": {"task": "extend"}}]
    )
    def test_a_loop_goes_with_words_a_start_image_and_a_continuation(self, change: dict[str, Any]) -> None:
        if "controls" in change:
            change = {"mode": Mode.VIDEO, "source_video": OWN_VIDEO, "controls": dict(change["controls"])}
        change["controls"] = {**change.get("controls", {}), "loop": True}
        assert self.sent(replace(THEIRS, **change))[1]["loop"] is True

    @pytest.mark.parametrize(
        ("change", "feature"),
        [
            ({"negative_prompt": "rain"}, "a negative prompt"),
            ({"seed": 0}, "a seed"),
            ({"audio": True}, "audio"),
            ({"enhance": True}, "prompt enhancement"),
            ({"style": "noir"}, "the style noir"),
            ({"resolution": "480p"}, "the resolution 480p"),
            ({"duration_seconds": 6}, "a length in seconds of 6"),
            ({"ratio": "4:5"}, "the ratio 4:5"),
            ({"prompt": "Hi"}, "a prompt of 2 characters"),
            ({"prompt": ""}, "a prompt of 0 characters"),
            ({"prompt": "x" * 5_001}, "a prompt of 5001 characters"),
            ({"controls": {"speed": 2}}, "the control speed for a video without a source"),
            ({"controls": {"strength": "flex_1"}}, "the control strength for a video without a source"),
            ({"controls": {"task": "modify"}}, "the control task for a video without a source"),
            ({"controls": {"camera": "upside_down"}}, "the camera upside_down"),
            (
                {"mode": Mode.FIRST_LAST, "end_image": END, "controls": {"loop": True}},
                "a loop that ends in a given image or video",
            ),
            (
                {"mode": Mode.FIRST_LAST, "start_image": IMAGE, "end_image": END, "controls": {"loop": True}},
                "a loop that ends in a given image or video",
            ),
            ({"mode": Mode.VIDEO}, "video to video without a video"),
        ],
    )
    def test_what_the_vendor_cannot_do_is_named(self, change: dict[str, Any], feature: str) -> None:
        assert self.refused(replace(THEIRS, **change)) == feature

    @pytest.mark.parametrize(
        ("controls", "change", "feature"),
        [
            ({"task": "extend_backward", "loop": True}, {}, "a loop that ends in a given image or video"),
            (
                {"task": "extend", "loop": True},
                {"end_image": END},
                "a loop that ends in a given image or video",
            ),
            ({"task": "extend"}, {"start_image": IMAGE}, "an image where the task extend puts the video"),
            ({"task": "extend", "strength": "flex_1"}, {}, "the control strength for extend"),
            ({"task": "reframe", "strength": "flex_1"}, {}, "the control strength for a reframed video"),
            ({"task": "reframe", "loop": True}, {}, "the control loop for a reframed video"),
            ({"camera": "static"}, {}, "the control camera for a modified video"),
            ({"loop": False}, {}, "the control loop for a modified video"),
            ({"strength": "flex_9"}, {}, "the strength flex_9"),
            ({"task": "repaint"}, {}, "the task repaint"),
            ({"task": "modify"}, {"end_image": END}, "an end image of a changed video"),
            ({"task": "extend"}, {"prompt": ""}, "a prompt of 0 characters"),
            (
                {"task": "extend"},
                {"source_video": replace(OWN_VIDEO, vendor_id="")},
                "extending a video that it did not make",
            ),
        ],
    )
    def test_what_it_cannot_do_with_a_video_is_named(
        self, controls: dict[str, Any], change: dict[str, Any], feature: str
    ) -> None:
        request = replace(THEIRS, mode=Mode.VIDEO, source_video=OWN_VIDEO, controls=controls)
        assert self.refused(replace(request, **change)) == feature

    def test_an_image_needs_no_words(self) -> None:
        _, order = self.sent(replace(THEIRS, mode=Mode.IMAGE, prompt="", start_image=IMAGE))
        assert "prompt" not in order

    # --- refusals ---

    @pytest.mark.parametrize(
        ("body", "model", "code"),
        [
            ({"detail": "Contains blacklisted words: CANARY"}, "ray-2", FailureCode.MODERATED),
            ({"detail": "  advanced prompt moderation failed"}, "ray-2", FailureCode.MODERATED),
            ({"detail": "Failed to read user input frames"}, "ray-2", FailureCode.INPUT_UNREADABLE),
            ({"detail": "Prompt processing failed"}, "ray-2", FailureCode.INVALID),
            ({"detail": "Prompt is required"}, "ray-2", FailureCode.INVALID),
            ({"detail": [{"loc": ["body", "model"], "msg": "x"}]}, "ray-2", FailureCode.MODEL_UNAVAILABLE),
            ({"detail": [{"loc": ["body", "prompt"]}, 7, {"loc": 3}]}, "ray-2", FailureCode.INVALID),
            ({"detail": None}, "ray-2", FailureCode.INVALID),
            ({"detail": "Prompt is required"}, "ray-1-6", FailureCode.MODEL_UNAVAILABLE),
        ],
    )
    @pytest.mark.parametrize("status", [400, 422])
    def test_a_refusal_has_our_reason(self, status: int, body: object, model: str, code: FailureCode) -> None:
        with serving(answers(status, self.body(body))) as server, pytest.raises(RequestRefused) as refusal:
            self.at(server).submit(replace(THEIRS, model=model), client_token=TOKEN, callback_url=None)
        assert refusal.value.code is code
        self.shows_nothing(refusal.value)

    def test_an_empty_balance_is_told_from_a_wrong_key(self) -> None:
        assert type(self.submitted(answers(402))) is BalanceUsedUp
        assert type(self.submitted(answers(401))) is CredentialsRefused

    def test_a_receipt_without_a_state_is_a_receipt(self) -> None:
        with serving(answers(201, b'{"id": "id-1"}')) as server:
            receipt = self.at(server).submit(THEIRS, client_token=TOKEN, callback_url=None)
        assert (receipt.external_id, receipt.vendor_state, receipt.per_minute) == ("id-1", "", None)

    # --- what it says of a render ---

    @pytest.mark.parametrize(
        ("reason", "code", "retryable"),
        [
            ("Contains blacklisted words", FailureCode.MODERATED, False),
            ("ADVANCED PROMPT MODERATION FAILED: x", FailureCode.MODERATED, False),
            ("Frame moderation failed", FailureCode.MODERATED, False),
            ("Failed to read user input frames", FailureCode.INPUT_UNREADABLE, True),
            ("Prompt processing failed", FailureCode.VENDOR_FAULT, True),
            ("The moon was full", FailureCode.VENDOR_FAULT, True),
            (None, FailureCode.VENDOR_FAULT, True),
            (7, FailureCode.VENDOR_FAULT, True),
        ],
    )
    def test_a_failure_has_our_code(self, reason: object, code: FailureCode, retryable: bool) -> None:
        answer = generation("id-1", "failed", failure_reason=reason)
        failure = self.fetched(answers(200, self.body(answer))).failure
        assert isinstance(failure, RenderFailed)
        assert (failure.code, failure.retryable) == (code, retryable)

    @pytest.mark.parametrize(
        "assets", [None, {}, {"video": None, "image": "https://x.example/a.jpg"}, [], {"video": ""}]
    )
    def test_done_without_a_video_is_no_success(self, assets: object) -> None:
        update = self.fetched(answers(200, self.body(generation(assets=assets))))
        assert update.state is RenderState.FAILED
        assert isinstance(update.failure, RenderFailed)
        assert update.failure.code is FailureCode.NO_MEDIA

    def test_fields_that_may_be_missing_are_not_missed(self) -> None:
        update = self.fetched(answers(200, b'{"state": "dreaming"}'))
        assert (update.external_id, update.state) == ("id-1", RenderState.RUNNING)

    @pytest.mark.parametrize(
        "body", [b"no JSON", b"[]", b"{}", b"\xff", b'{"state": "dreaming"}', b'{"id": 1, "state": "x"}']
    )
    def test_a_callback_that_makes_no_sense_is_not_obeyed(self, body: bytes) -> None:
        with pytest.raises(ReadFailed):
            self.at("http://127.0.0.1:9").read_webhook({}, body)

    @pytest.mark.parametrize(("cents", "dollars"), [(12_345, "123.45"), (0.5, "0.005"), (0, "0")])
    def test_the_balance_is_in_dollars(self, cents: float, dollars: str) -> None:
        with serving(answers(200, self.body({"credit_balance": cents}))) as server:
            standing = self.at(server).account()
        assert (standing.balance, standing.currency) == (Decimal(dollars), "USD")
        assert server.received[0].line == "GET /credits HTTP/1.1"

    @pytest.mark.parametrize(
        "body", [b"{}", b'{"credit_balance": "9"}', b'{"credit_balance": true}', b'{"credit_balance": NaN}']
    )
    def test_a_balance_that_is_no_number_is_no_balance(self, body: bytes) -> None:
        with serving(answers(200, body)) as server, pytest.raises(ReadFailed):
            self.at(server).account()

    # --- looking up ---

    def looked_up(self, *pages: object, request: RenderRequest = THEIRS) -> RenderUpdate | None:
        with serving(in_turn(*(self.body(page) for page in pages))) as server:
            found = self.at(server).find(TOKEN, request=request, since=SINCE)
        self.lines = [call.line for call in server.received]
        return found

    def test_a_lost_submission_is_found_by_the_token_in_its_callback(self) -> None:
        other = generation("id-2", request={"callback_url": CALLBACK.replace("token-1", "token-2")})
        found = self.looked_up({"generations": [other, generation("id-1", "dreaming")], "has_more": False})
        assert found is not None
        assert (found.external_id, found.state, found.client_token) == ("id-1", RenderState.RUNNING, TOKEN)
        assert self.lines == ["GET /generations?limit=100&offset=0 HTTP/1.1"]

    def test_a_list_is_read_to_its_end(self) -> None:
        first = {"generations": [other_generation(number) for number in range(3)], "has_more": True}
        found = self.looked_up(first, {"generations": [generation()], "has_more": False})
        assert found is not None
        assert self.lines[1] == "GET /generations?limit=100&offset=3 HTTP/1.1"

    def test_a_list_that_does_not_say_if_there_is_more_is_read_until_nothing_comes(self) -> None:
        assert self.looked_up({"generations": [other_generation(1)]}, {"generations": []}) is None
        assert len(self.lines) == 2

    def test_absence_is_proven_by_the_end_of_the_list(self) -> None:
        assert self.looked_up({"generations": [], "has_more": False}) is None
        assert LumaProvider.find_is_authoritative_after == timedelta(seconds=60)

    def test_absence_is_proven_by_older_ones_where_the_newest_come_first(self) -> None:
        page = [other_generation(days) for days in range(100)]
        assert self.looked_up({"generations": page, "has_more": True}) is None
        assert len(self.lines) == 1

    def test_a_list_in_another_order_that_does_not_end_proves_nothing(self) -> None:
        page = [other_generation(days) for days in reversed(range(100))]
        with pytest.raises(ReadFailed):
            self.looked_up(*[{"generations": page, "has_more": True}] * 10)

    @pytest.mark.parametrize(
        "page", [{}, {"generations": None}, {"generations": [1]}, {"generations": [], "has_more": True}, []]
    )
    def test_a_list_that_makes_no_sense_proves_nothing(self, page: object) -> None:
        with pytest.raises(ReadFailed):
            self.looked_up(page)

    def test_where_no_callback_is_kept_the_one_that_asks_for_the_same_is_it(self) -> None:
        same = generation("id-1", "queued", request=self.sent(THEIRS, callback=None)[1])
        different = generation("id-2", request={"prompt": "A paper plane", "model": "ray-2"})
        longer = generation("id-3", request={"prompt": "A paper boat", "duration": "9s"})
        found = self.looked_up({"generations": [different, longer, same], "has_more": False})
        assert found is not None
        assert found.external_id == "id-1"

    @pytest.mark.parametrize(
        "request_",
        [
            replace(THEIRS, mode=Mode.IMAGE, start_image=IMAGE),
            replace(THEIRS, mode=Mode.FIRST_LAST, start_image=IMAGE, end_image=END),
            replace(THEIRS, mode=Mode.VIDEO, source_video=OWN_VIDEO),
            replace(THEIRS, mode=Mode.VIDEO, source_video=OWN_VIDEO, start_image=IMAGE),
            replace(THEIRS, mode=Mode.VIDEO, source_video=OWN_VIDEO, controls={"task": "extend"}),
            THEIRS,
        ],
    )
    def test_the_same_words_with_anothers_picture_or_video_are_not_ours(
        self, request_: RenderRequest
    ) -> None:
        def kept(**inputs: str) -> dict[str, Any]:
            """As the vendor keeps it, with other inputs."""
            text = json.dumps(self.sent(request_, callback=None)[1])
            for ours, theirs in inputs.items():
                text = text.replace(f"{ours}.", f"{theirs}.")
            return generation("id-1", request=json.loads(text))

        # A link is signed anew at each look, and fields without a value may be written out.
        ours = kept()
        text = json.dumps(ours["request"]).replace("CANARY", "signed-anew")
        ours["request"] = {"keyframes": None, "media": None, **json.loads(text)}
        found = self.looked_up({"generations": [ours], "has_more": False}, request=request_)
        assert found is not None
        others = [
            kept(start="anothers"),
            kept(end="anothers"),
            kept(source="anothers"),
            generation("id-2", request=ours["request"] | {"keyframes": {"frame0": {"type": "x"}}}),
            generation("id-3", request=ours["request"] | {"media": {"url": "https://[broken?a=b"}}),
        ]
        others = [one for one in others if one["request"] != kept()["request"]]
        assert len(others) >= 2
        assert self.looked_up({"generations": others, "has_more": False}, request=request_) is None

    def test_a_render_whose_inputs_are_not_kept_may_be_the_one(self) -> None:
        request = replace(THEIRS, mode=Mode.IMAGE, start_image=IMAGE)
        bare = generation("id-1", request={"prompt": request.prompt})
        with pytest.raises(ReadFailed):
            self.looked_up({"generations": [bare], "has_more": False}, request=request)

    def test_of_two_that_ask_for_the_same_none_is_guessed(self) -> None:
        twice = [generation(f"id-{n}", request={"prompt": "A paper boat"}) for n in (1, 2)]
        with pytest.raises(ReadFailed):
            self.looked_up({"generations": twice, "has_more": False})

    def test_a_render_that_keeps_nothing_of_its_request_may_be_the_one(self) -> None:
        with pytest.raises(ReadFailed):
            self.looked_up({"generations": [generation(request=None)], "has_more": False})
        earlier = generation(request=None, created_at="2026-11-19T10:00:00Z")
        assert self.looked_up({"generations": [earlier], "has_more": False}) is None

    def test_renders_are_listed_newest_first_since_then(self) -> None:
        page = [
            generation("old", created_at="2026-11-20T09:59:59Z"),
            generation("first", "queued", created_at="2026-11-20T10:00:00Z"),
            generation("picture", generation_type="image"),
            generation("last", "napping", created_at="2026-11-20T12:00:00.5Z"),
        ]
        with serving(answers(200, self.body({"generations": page, "has_more": False}))) as server:
            found = self.at(server).listed(SINCE)
        assert [(one.external_id, one.state) for one in found] == [
            ("last", RenderState.UNKNOWN),
            ("first", RenderState.QUEUED),
        ]
        assert found[0].created_at == datetime(2026, 11, 20, 12, 0, 0, 500_000, tzinfo=UTC)

    def test_a_list_too_long_is_cut_only_where_the_newest_come_first(self) -> None:
        newest = [other_generation(0, number) for number in range(100)]
        pages = [self.body({"generations": newest, "has_more": True})] * 10
        with serving(in_turn(*pages)) as server:
            assert len(self.at(server).listed(SINCE - timedelta(days=1))) == 1000
        backwards = [other_generation(days) for days in reversed(range(100))]
        pages = [self.body({"generations": backwards, "has_more": True})] * 10
        with serving(in_turn(*pages)) as server, pytest.raises(ReadFailed):
            self.at(server).listed(SINCE)


def other_generation(days_ago: int, number: int = 0) -> dict[str, Any]:
    at = datetime(2026, 11, 21, tzinfo=UTC) - timedelta(days=days_ago)
    return generation(
        f"other-{days_ago}-{number}",
        created_at=at.isoformat(),
        request={"prompt": "Another", "callback_url": "https://studio.example/webhooks/luma/another/"},
    )


def in_turn(*bodies: bytes) -> Any:
    """A behaviour that answers one after the other."""
    rest = list(bodies)

    def behave(connection: Any, request: Received) -> None:
        answers(200, rest.pop(0))(connection, request)

    return behave


# --- the catalogue ---


def test_the_catalogue_offers_what_was_decided() -> None:
    assert [model.id for model in MODELS] == ["luma/ray-2", "luma/ray-flash-2", "luma/ray-1-6"]
    assert {model.id for model in MODELS} <= CARDS.keys()
    assert CARDS["luma/ray-flash-2"] is CARDS["luma/ray-2"] is CARDS["luma/ray-1-6"]
    for model in LIVING:
        camera, strength = (one for one in model.controls if one.name in ("camera", "strength"))
        assert isinstance(camera, ChoiceControl)
        assert isinstance(strength, ChoiceControl)
        assert (tuple(camera.choices), tuple(strength.choices)) == (CAMERAS, STRENGTHS)
        assert not any((model.audio, model.seed, model.negative_prompt, model.enhance, model.watermark))
    longest = max(map(len, STYLES.values()))
    assert LIVING[0].max_prompt_length + 1 + longest == 5_000


@EVERY_LIVING
def test_everything_offered_has_a_price(model: VideoModel) -> None:
    """540p costs what 720p does."""
    draft = CARDS[model.id]
    card = Card(
        id=1,
        subject=model.id,
        version=1,
        resolution_credits=draft.resolution_credits,
        base_seconds=draft.base_seconds,
        style_credits=draft.style_credits,
    )
    prices = {
        (resolution, style): price(
            card,
            PriceRequest(
                duration_seconds=model.max_duration,
                default_duration_seconds=model.default_duration,
                resolution=resolution,
                style=style,
            ),
        ).total
        for resolution in model.resolutions
        for style in (None, *model.styles)
    }
    assert prices["540p", None] == prices["720p", None] == 20
    assert prices["4K", "cinematic"] == 60


# --- against the simulator ---


@pytest.fixture
def luma() -> Iterator[Luma]:
    with Luma(seconds=0.06) as simulator:
        yield simulator


@pytest.fixture
def inputs() -> Iterator[RawServer]:
    """Where inputs lie."""
    with serving(answers(200, b"a picture")) as server:
        yield server


def adapter(luma: Luma) -> LumaProvider:
    patience = 0.5 if luma.fault is Fault.SILENCE_AFTER_ACCEPTING else 10
    config = ClientConfig(
        allowed_origins=frozenset({luma.root}),
        connect_seconds=5,
        read_seconds=patience,
        total_seconds=2 * patience,
    )
    environment = luma.environment()
    return LumaProvider(url=environment["LUMA_URL"], api_key=environment["LUMA_API_KEY"], http=Client(config))


def made(provider: VideoProvider, request: RenderRequest, callback: str | None = None) -> RenderUpdate:
    """Submitted, and looked at until it has ended."""
    receipt = provider.submit(request, client_token=TOKEN, callback_url=callback)

    def look() -> RenderUpdate | None:
        update = provider.fetch(receipt.external_id)
        return update if update.state in (RenderState.SUCCEEDED, RenderState.FAILED) else None

    found = until(look, seconds=10)
    assert found is not None
    return found


def wishes(model: VideoModel, store: str, own: str) -> Iterator[RenderRequest]:
    """Every mode with every value of every option that goes with it."""
    start = InputMedia(url=f"{store}/start.png", media_type="image/png")
    end = InputMedia(url=f"{store}/end.png", media_type="image/png")
    video = InputMedia(url=f"{store}/source.mp4", media_type="video/mp4", vendor_id=own)
    plain = replace(THEIRS, model=model.vendor_model)
    of_modes: dict[Mode, list[dict[str, Any]]] = {
        Mode.TEXT: [{}],
        Mode.IMAGE: [{"start_image": start}],
        Mode.FIRST_LAST: [{"start_image": start, "end_image": end}, {"end_image": end}],
        Mode.VIDEO: [
            {"source_video": video, "controls": {"task": task}}
            for task in ("modify", "reframe", "extend", "extend_backward")
        ],
    }
    for mode in sorted(model.modes):
        for inputs in of_modes[mode]:
            request = replace(plain, mode=mode, **inputs)
            yield request
            yield from (replace(request, style=style) for style in model.styles)
            yield from (replace(request, ratio=ratio) for ratio in model.ratios)
            yield from (
                replace(request, resolution=resolution, duration_seconds=length)
                for resolution in model.resolutions
                for length in model.durations_for(mode, resolution)
            )
    yield from (replace(plain, controls={"camera": camera}) for camera in CAMERAS)
    yield replace(plain, controls={"loop": True})
    for strength in STRENGTHS:
        yield replace(plain, mode=Mode.VIDEO, source_video=video, controls={"strength": strength})


@EVERY_LIVING
def test_every_mode_and_option_is_accepted(model: VideoModel, luma: Luma, inputs: RawServer) -> None:
    provider = adapter(luma)
    own = made(provider, replace(THEIRS, model=model.vendor_model)).external_id
    count = 0
    for request in wishes(model, inputs.url, own):
        provider.submit(request, client_token=TOKEN, callback_url=None)
        count += 1
    assert count > 150
    assert {one.status for one in luma.requests if one.method == "POST"} == {201}


def test_a_retired_model_is_named_as_such(luma: Luma) -> None:
    for named in (False, True):
        luma.names_fields = named
        with pytest.raises(RequestRefused) as refusal:
            adapter(luma).submit(replace(THEIRS, model="ray-1-6"), client_token=TOKEN, callback_url=None)
        assert refusal.value.code is FailureCode.MODEL_UNAVAILABLE


def test_a_clip_is_made_and_can_be_downloaded(luma: Luma) -> None:
    provider = adapter(luma)
    update = made(provider, THEIRS)
    assert update.output is not None
    assert update.output.is_link
    content = io.BytesIO()
    Client(ClientConfig(allowed_origins=frozenset({luma.root}))).download(
        update.output, content, max_bytes=10**8
    )
    assert content.getvalue() == clip()


def test_an_input_that_cannot_be_fetched_is_told_as_that(luma: Luma) -> None:
    gone = InputMedia(url="http://127.0.0.1:9/gone.png", media_type="image/png")
    update = made(adapter(luma), replace(THEIRS, mode=Mode.IMAGE, start_image=gone))
    assert isinstance(update.failure, RenderFailed)
    assert update.failure.code is FailureCode.INPUT_UNREADABLE


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
OF_FILES = {Fault.LINK_EXPIRED, Fault.TRUNCATED}
CALLED = {
    # When it begins and when it has ended.
    Fault.WEBHOOK_TWICE: ["dreaming", "completed", "completed"],
    Fault.WEBHOOK_EARLY: ["completed"],
    None: ["dreaming", "completed"],
}
OTHERS = {Fault.STUCK, Fault.UNKNOWN_WORD, Fault.NO_WEBHOOK, Fault.WEBHOOK_FORGED}


def test_every_fault_is_tried_or_impossible() -> None:
    tried = {
        *NOT_ACCEPTED,
        *PERHAPS,
        *ENDS,
        *LOOKS,
        *OF_FILES,
        *OTHERS,
        *(fault for fault in CALLED if fault),
    }
    assert tried | Luma.cannot == set(Fault)
    assert not tried & Luma.cannot


@pytest.mark.parametrize("fault", NOT_ACCEPTED)
def test_a_fault_at_submission_is_told_from_others(luma: Luma, fault: Fault) -> None:
    luma.fault = fault
    with pytest.raises(ProviderError) as refusal:
        adapter(luma).submit(THEIRS, client_token=TOKEN, callback_url=None)
    assert type(refusal.value) is NOT_ACCEPTED[fault]
    assert not luma.jobs
    if fault is Fault.RATE_LIMITED:
        assert refusal.value.retry_after == timedelta(seconds=1)


@pytest.mark.parametrize("fault", PERHAPS)
@pytest.mark.parametrize("newest_first", [True, False])
def test_a_lost_answer_is_found_or_proven_absent(luma: Luma, fault: Fault, newest_first: bool) -> None:
    luma.newest_first, luma.says_more = newest_first, newest_first
    # Nobody listens there: a callback that fails changes nothing.
    nowhere, luma.tells_dreaming = "http://127.0.0.1:9/webhooks/luma", False
    adapter(luma).submit(THEIRS, client_token="another", callback_url=f"{nowhere}/attempt-token-2/")
    since = datetime.now(UTC)
    luma.fault = fault
    provider = adapter(luma)
    with pytest.raises(OutcomeUnknown):
        provider.submit(THEIRS, client_token=TOKEN, callback_url=f"{nowhere}/{TOKEN}/")
    luma.fault = None
    provider = adapter(luma)
    found = provider.find(TOKEN, request=THEIRS, since=since)
    if fault is Fault.SERVER_ERROR:
        assert found is None
    else:
        assert found is not None
        assert found.external_id == list(luma.jobs)[-1]


@pytest.mark.parametrize("fault", ENDS)
def test_a_bad_end_has_our_code(luma: Luma, fault: Fault) -> None:
    luma.fault = fault
    update = made(adapter(luma), THEIRS)
    assert update.state is RenderState.FAILED
    assert isinstance(update.failure, RenderFailed)
    assert (update.failure.code, update.failure.retryable) == ENDS[fault]


@pytest.mark.parametrize("fault", LOOKS)
def test_a_look_that_fails_decides_nothing(luma: Luma, fault: Fault) -> None:
    luma.fault = fault
    provider = adapter(luma)
    receipt = provider.submit(THEIRS, client_token=TOKEN, callback_url=None)
    until(lambda: luma.jobs[receipt.external_id].phase in ENDED)
    with pytest.raises(ProviderError) as failure:
        provider.fetch(receipt.external_id)
    assert type(failure.value) is LOOKS[fault]
    if fault is not Fault.LOST:
        until(lambda: luma.jobs[receipt.external_id].looks > 1 or _looked(provider, receipt.external_id))
        assert provider.fetch(receipt.external_id).state is RenderState.SUCCEEDED


def _looked(provider: VideoProvider, external_id: str) -> bool:
    try:
        provider.fetch(external_id)
    except ProviderError:
        return False
    return True


def test_a_word_that_nobody_documented_is_unknown_until_it_passes(luma: Luma) -> None:
    luma.fault = Fault.UNKNOWN_WORD
    provider = adapter(luma)
    receipt = provider.submit(THEIRS, client_token=TOKEN, callback_url=None)
    update = provider.fetch(receipt.external_id)
    assert (update.state, update.vendor_state) == (RenderState.UNKNOWN, "daydreaming")
    until(lambda: provider.fetch(receipt.external_id).state is RenderState.SUCCEEDED)


def test_a_stuck_render_goes_on_running(luma: Luma) -> None:
    luma.fault = Fault.STUCK
    provider = adapter(luma)
    receipt = provider.submit(THEIRS, client_token=TOKEN, callback_url=None)
    job = luma.jobs[receipt.external_id]
    job.began -= 10
    assert provider.fetch(receipt.external_id).state is RenderState.RUNNING


def test_a_file_is_asked_for_again_and_may_be_half(luma: Luma) -> None:
    http = Client(ClientConfig(allowed_origins=frozenset({luma.root})))
    luma.fault = Fault.LINK_EXPIRED
    output = made(adapter(luma), THEIRS).output
    assert output is not None
    with pytest.raises(BadStatus):
        http.download(output, io.BytesIO(), max_bytes=10**8)
    assert http.download(output, io.BytesIO(), max_bytes=10**8).bytes == len(clip())
    luma.fault = Fault.TRUNCATED
    output = made(adapter(luma), THEIRS).output
    assert output is not None
    assert http.download(output, io.BytesIO(), max_bytes=10**8).bytes == len(clip()) // 2


@pytest.mark.parametrize("fault", CALLED)
def test_callbacks_say_what_a_look_says(luma: Luma, fault: Fault | None) -> None:
    # Long enough that it is seen to run.
    luma.fault, luma.seconds = fault, 1.0
    provider = adapter(luma)
    with serving(answers(200)) as receiver:
        update = made(provider, THEIRS, f"{receiver.url}/webhooks/luma/{TOKEN}/")
        until(lambda: len(receiver.received) >= len(CALLED[fault]))
    told = [provider.read_webhook({}, call.body)[0] for call in receiver.received]
    assert sorted(one.vendor_state for one in told) == sorted(CALLED[fault])
    assert {one.external_id for one in told} == {update.external_id}
    assert told[-1].output == update.output


def test_a_callback_is_repeated_three_times_and_then_no_more(luma: Luma) -> None:
    luma.tells_dreaming = False
    with serving(answers(204)) as receiver:
        made(adapter(luma), THEIRS, f"{receiver.url}/hook/")
        until(lambda: len(luma.told) == 4)
    assert [status for _, status in luma.told] == [204] * 4


def test_a_forged_callback_is_not_read(luma: Luma) -> None:
    luma.fault = Fault.WEBHOOK_FORGED
    provider = adapter(luma)
    with serving(answers(200)) as receiver:
        made(provider, THEIRS, f"{receiver.url}/hook/")
        until(lambda: len(receiver.received) == 2)
    with pytest.raises(ReadFailed):
        provider.read_webhook({}, receiver.received[0].body)
    assert provider.read_webhook({}, receiver.received[1].body)[0].state is RenderState.SUCCEEDED


def test_without_callbacks_looking_is_enough(luma: Luma) -> None:
    luma.fault = Fault.NO_WEBHOOK
    with serving(answers(200)) as receiver:
        assert made(adapter(luma), THEIRS, f"{receiver.url}/hook/").state is RenderState.SUCCEEDED
    assert not receiver.received


def test_the_vendors_limits_are_told_as_such(luma: Luma) -> None:
    provider = adapter(luma)
    luma.concurrent = 1
    provider.submit(replace(THEIRS), client_token=TOKEN, callback_url=None)
    next(iter(luma.jobs.values())).began += 60
    with pytest.raises(RateLimited):
        provider.submit(THEIRS, client_token=TOKEN, callback_url=None)
    luma.concurrent, luma.per_minute = None, 1
    with pytest.raises(RateLimited) as refusal:
        provider.submit(THEIRS, client_token=TOKEN, callback_url=None)
    assert refusal.value.retry_after == timedelta(seconds=30)
    assert not refusal.value.of_model


def test_it_is_listed_with_its_balance(luma: Luma) -> None:
    luma.balance = 12_345
    provider = adapter(luma)
    since = datetime.now(UTC) - timedelta(seconds=1)
    ids = [provider.submit(THEIRS, client_token=TOKEN, callback_url=None).external_id for _ in range(3)]
    assert [one.external_id for one in provider.listed(since)] == ids[::-1]
    assert provider.account().balance == Decimal("123.45")
    with pytest.raises(UnsupportedFeature):
        provider.cancel(ids[0])
    assert provider.name == NAME
