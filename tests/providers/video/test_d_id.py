"""D-ID's adapter against the contract, against its simulator, and what is its own."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from providers.contract import (
    AccountStanding,
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
from providers.facts import ChoiceControl
from providers.http import Client, ClientConfig
from providers.video.d_id import MODELS, PICTURE_BYTES, STATES, DIdProvider
from tests.providers import servers
from tests.providers.contract import A_VIDEO, CALLBACK, KEY, TOKEN, VideoProviderContract
from tests.providers.sandbox import ended, until
from tests.providers.servers import Behaviour, RawServer, Received, answers, serving
from tests.vendors.d_id import DId
from tests.vendors.server import Request
from tests.vendors.video import AFTER_ACCEPTING, ENDED, Fault, clip

PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)
JPEG = b"\xff\xd8\xff\xe0" + bytes(200)
UPLOADED = "https://pictures.example/img_1/start.png"
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
[MODEL] = MODELS

A_TALK = RenderRequest(
    model="talk",
    mode=Mode.IMAGE,
    prompt="Good morning from the harbour.",
    duration_seconds=15,
    resolution="720p",
    ratio="1:1",
    start_image=InputMedia(url="https://store.example/start.png?signature=CANARY", media_type="image/png"),
)


def calls(server: RawServer, path: str) -> list[Received]:
    return [call for call in server.received if call.line.split(" ")[1].partition("?")[0] == path]


def at_store_and_vendor(talks: Behaviour, images: Behaviour) -> Behaviour:
    """One server that is our store, the vendor's uploads and its talks."""

    def behave(connection: socket.socket, request: Received) -> None:
        path = request.line.split(" ")[1]
        if path.startswith("/store/"):
            answers(200, PNG, Content_Type="image/png")(connection, request)
        elif path == "/images":
            images(connection, request)
        else:
            talks(connection, request)

    return behave


UPLOADS = answers(201, json.dumps({"id": "img_1", "url": UPLOADED}).encode())


class TestDId(VideoProviderContract):
    kind = DIdProvider
    words = STATES
    request = A_TALK

    def adapter(self, url: str, http: Client) -> VideoProvider:
        return DIdProvider(url=url, api_key=KEY, http=http)

    def accepted(self, external_id: str) -> Any:
        return {
            "id": external_id,
            "object": "talk",
            "created_at": "2026-11-20T10:00:00.000Z",
            "created_by": "u|1",
            "status": "created",
        }

    def status(self, external_id: str, word: str, *, media: bool = True, url: str = A_VIDEO) -> Any:
        talk: dict[str, Any] = {
            "id": external_id,
            "status": word,
            "user_data": TOKEN,
            "created_at": "2026-11-20T10:00:00.000Z",
            "source_url": UPLOADED,
            "metadata": {"num_frames": 310, "resolution": [512, 512]},
        }
        if word == "done":
            talk["duration"] = 12.4
            talk |= {"result_url": url} if media else {}
        if word in ("error", "rejected"):
            talk["error"] = {"kind": "InternalServerError", "description": "vendor-text-CANARY"}
        return talk

    def moderated(self, external_id: str) -> Any:
        kind = {"kind": "CelebrityRecognizedError", "description": "vendor-text-CANARY"}
        return self.status(external_id, "error") | {"error": kind}

    def webhook(self, external_id: str, word: str) -> tuple[dict[str, str], bytes]:
        return {}, json.dumps(self.status(external_id, word)).encode()

    # What a submission is: our picture is read and uploaded first.

    def talk_at(self, server: RawServer) -> RenderRequest:
        picture = InputMedia(url=f"{server.url}/store/start.png?signature=CANARY", media_type="image/png")
        return replace(self.request, start_image=picture)

    def submitted(self, behaviour: Behaviour, *, images: Behaviour = UPLOADS) -> ProviderError:
        """The vendor wants a link that ends in .png: the upload comes before the one call that is paid for."""
        with serving(at_store_and_vendor(behaviour, images)) as server:
            with pytest.raises(ProviderError) as failure:
                self.at(server).submit(self.talk_at(server), client_token=TOKEN, callback_url=CALLBACK)
            assert len(calls(server, "/images")) == 1
            assert len(calls(server, "/talks")) == (images is UPLOADS), "a submission is sent once"
        self.shows_nothing(failure.value)
        return failure.value

    def test_a_submission_carries_the_request_and_answers_the_vendors_id(self) -> None:
        """The picture is uploaded before it."""
        talks = answers(201, self.body(self.accepted("id-1")))
        with serving(at_store_and_vendor(talks, UPLOADS)) as server:
            receipt = self.at(server).submit(self.talk_at(server), client_token=TOKEN, callback_url=CALLBACK)
        assert (receipt.external_id, receipt.vendor_state) == ("id-1", "created")
        [sent] = calls(server, "/talks")
        assert sent.header("authorization") == f"Basic {KEY}"
        assert KEY not in sent.body.decode()
        assert json.loads(sent.body) == {
            "source_url": UPLOADED,
            "script": {
                "type": "text",
                "input": "Good morning from the harbour.",
                "ssml": False,
                "provider": {"type": "microsoft", "voice_id": "en-US-JennyNeural"},
            },
            "config": {"stitch": True, "result_format": "mp4"},
            "user_data": TOKEN,
            "webhook": CALLBACK,
        }
        [upload] = calls(server, "/images")
        assert upload.header("authorization") == f"Basic {KEY}"
        assert PNG in upload.body
        assert b'name="image"; filename="start.png"' in upload.body

    @pytest.mark.parametrize(
        "feature",
        [
            {"mode": Mode.TEXT, "start_image": None},
            {"start_image": None},
            {"mode": Mode.VIDEO, "source_video": InputMedia(url="https://a/b.mp4", media_type="video/mp4")},
            {"mode": Mode.FIRST_LAST, "end_image": A_TALK.start_image},
            {"end_image": A_TALK.start_image},
            {"source_video": InputMedia(url="https://a/b.mp4", media_type="video/mp4")},
            {"start_image": InputMedia(url="https://a/b.webp", media_type="image/webp")},
            {"negative_prompt": "no-rain"},
            {"style": "cinematic"},
            {"seed": 0},
            {"enhance": True},
            {"prompt": "Hi"},
            {"controls": {"camera": "left"}},
        ],
        ids=lambda feature: "+".join(feature),
    )
    def test_what_a_talk_has_no_field_for_is_named_before_anything_is_sent(
        self, feature: dict[str, Any]
    ) -> None:
        with serving(answers(200, self.body(self.accepted("id-1")))) as server:
            adapter, request = self.at(server), replace(self.talk_at(server), **feature)
            with pytest.raises(UnsupportedFeature) as refusal:
                adapter.submit(request, client_token=TOKEN, callback_url=None)
        assert refusal.value.feature
        assert not server.received

    def test_an_option_the_vendor_cannot_express_is_named_before_anything_is_sent(self) -> None:
        """The picture goes as a file, not as a link; all else is in the table above."""
        with serving(at_store_and_vendor(answers(200, self.body(self.accepted("id-1"))), UPLOADS)) as server:
            self.at(server).submit(self.talk_at(server), client_token=TOKEN, callback_url=None)
        assert [PNG in call.body for call in calls(server, "/images")] == [True]
        assert "webhook" not in json.loads(calls(server, "/talks")[0].body)

    # --- the picture ---

    @pytest.mark.parametrize("status", [404, 405])
    def test_where_there_are_no_uploads_our_own_link_is_sent(self, status: int) -> None:
        talks = answers(201, self.body(self.accepted("id-1")))
        with serving(at_store_and_vendor(talks, answers(status))) as server:
            request = self.talk_at(server)
            self.at(server).submit(request, client_token=TOKEN, callback_url=None)
        assert request.start_image is not None
        assert json.loads(calls(server, "/talks")[0].body)["source_url"] == request.start_image.url

    @pytest.mark.parametrize(
        ("images", "kind", "code"),
        [
            (answers(500), NotSent, None),
            (answers(503), NotSent, None),
            (answers(409), NotSent, None),
            (servers.closes, NotSent, None),
            (servers.resets, NotSent, None),
            (servers.stays_silent, NotSent, None),
            (answers(201, b"no JSON"), NotSent, None),
            (answers(201, b"{}"), NotSent, None),
            (answers(201, b'{"url": ""}'), NotSent, None),
            (answers(201, b'{"url": 5}'), NotSent, None),
            (answers(401), CredentialsRefused, None),
            (answers(403), CredentialsRefused, None),
            (answers(402), BalanceUsedUp, None),
            (answers(429, Retry_After="9"), RateLimited, None),
            (answers(400), RequestRefused, FailureCode.INPUT_UNREADABLE),
            (answers(413), RequestRefused, FailureCode.INPUT_UNREADABLE),
            (answers(415), RequestRefused, FailureCode.INPUT_UNREADABLE),
            (answers(403, b'{"kind": "PermissionError"}'), RequestRefused, FailureCode.MODEL_UNAVAILABLE),
            (answers(410), NotSent, None),
            (answers(451), RequestRefused, FailureCode.MODERATED),
            (answers(400, b'{"kind": "ImageModerationError"}'), RequestRefused, FailureCode.MODERATED),
        ],
    )
    def test_an_upload_that_fails_has_cost_nothing(
        self, images: Behaviour, kind: type[ProviderError], code: FailureCode | None
    ) -> None:
        error = self.submitted(answers(201, self.body(self.accepted("id-1"))), images=images)
        assert type(error) is kind
        assert getattr(error, "code", None) is code

    @pytest.mark.parametrize("behaviour", [answers(404), answers(403), servers.closes])
    def test_a_picture_that_our_store_does_not_give_is_not_sent(self, behaviour: Behaviour) -> None:
        with serving(behaviour) as server:
            with pytest.raises(NotSent):
                self.at(server).submit(self.talk_at(server), client_token=TOKEN, callback_url=None)
            assert len(server.received) == 1

    def test_a_picture_that_is_too_large_is_not_uploaded(self) -> None:
        with serving(answers(200, bytes(PICTURE_BYTES + 1))) as server:
            with pytest.raises(UnsupportedFeature):
                self.at(server).submit(self.talk_at(server), client_token=TOKEN, callback_url=None)
            assert len(server.received) == 1

    def test_a_jpeg_is_called_one(self) -> None:
        talks = answers(201, self.body(self.accepted("id-1")))
        with serving(at_store_and_vendor(talks, UPLOADS)) as server:
            request = self.talk_at(server)
            assert request.start_image is not None
            jpeg = replace(request.start_image, media_type="image/jpeg")
            self.at(server).submit(replace(request, start_image=jpeg), client_token=TOKEN, callback_url=None)
        [upload] = calls(server, "/images")
        assert b'filename="start.jpg"' in upload.body
        assert b"Content-Type: image/jpeg" in upload.body

    # --- refusals and ends ---

    @pytest.mark.parametrize(
        ("status", "kind", "error", "code"),
        [
            (400, "BadRequestError", RequestRefused, FailureCode.INVALID),
            (400, "ValidationError", RequestRefused, FailureCode.INVALID),
            (400, "TextModerationError", RequestRefused, FailureCode.MODERATED),
            (451, "CelebrityRecognizedError", RequestRefused, FailureCode.MODERATED),
            (451, "AnythingElse", RequestRefused, FailureCode.MODERATED),
            (403, "AudioModerationError", RequestRefused, FailureCode.MODERATED),
            (402, "InsufficientCreditsError", BalanceUsedUp, None),
            (403, "InsufficientCreditsError", BalanceUsedUp, None),
            (401, "AuthorizationError", CredentialsRefused, None),
            (403, "PermissionError", RequestRefused, FailureCode.MODEL_UNAVAILABLE),
            (401, "PermissionError", CredentialsRefused, None),
            (403, "AuthorizationError", CredentialsRefused, None),
            (404, "NotFoundError", RequestRefused, FailureCode.INVALID),
            (410, "GoneError", RequestRefused, FailureCode.MODEL_UNAVAILABLE),
            (409, "ConflictError", OutcomeUnknown, None),
            (429, "TextModerationError", RateLimited, None),
            (500, "TextModerationError", OutcomeUnknown, None),
            (504, "", OutcomeUnknown, None),
        ],
    )
    def test_a_refusal_is_told_by_its_status_and_kind(
        self, status: int, kind: str, error: type[ProviderError], code: FailureCode | None
    ) -> None:
        body = self.body({"kind": kind, "description": "vendor-text-CANARY"})
        refusal = self.submitted(answers(status, body))
        assert type(refusal) is error
        assert getattr(refusal, "code", None) is code

    @pytest.mark.parametrize(
        ("word", "error", "code", "retryable"),
        [
            ("error", {"kind": "InternalServerError"}, FailureCode.VENDOR_FAULT, True),
            ("error", {"kind": "ANewError"}, FailureCode.VENDOR_FAULT, True),
            ("error", None, FailureCode.VENDOR_FAULT, True),
            ("error", {"kind": "InsufficientCreditsError"}, FailureCode.VENDOR_FAULT, False),
            ("error", {"kind": "ValidationError"}, FailureCode.INVALID, False),
            ("error", {"kind": "BadRequestError"}, FailureCode.INVALID, False),
            ("error", {"kind": "ImageModerationError"}, FailureCode.MODERATED, False),
            ("error", {"kind": "audio_moderation"}, FailureCode.MODERATED, False),
            ("rejected", {"kind": "CelebrityRecognizedError"}, FailureCode.MODERATED, False),
            ("rejected", {"kind": "ANewError"}, FailureCode.INVALID, False),
            ("rejected", None, FailureCode.INVALID, False),
        ],
    )
    def test_an_end_is_told_by_its_word_and_kind(
        self, word: str, error: Any, code: FailureCode, retryable: bool
    ) -> None:
        talk = self.status("id-1", word) | {"error": error}
        failure = self.fetched(answers(200, self.body(talk))).failure
        assert isinstance(failure, RenderFailed)
        assert (failure.code, failure.retryable) == (code, retryable)
        self.shows_nothing(failure)

    def test_an_empty_link_is_no_media(self) -> None:
        talk = self.status("id-1", "done", url="")
        failure = self.fetched(answers(200, self.body(talk))).failure
        assert isinstance(failure, RenderFailed)
        assert failure.code is FailureCode.NO_MEDIA

    def test_the_client_token_comes_back(self) -> None:
        assert self.fetched(answers(200, self.body(self.status("id-1", "started")))).client_token == TOKEN

    @pytest.mark.parametrize("body", [b"no JSON", b"[]", b'{"id": 5}', b"\xff\xfe", b'{"id": "x"}'])
    def test_a_webhook_that_makes_no_sense_is_not_obeyed(self, body: bytes) -> None:
        with pytest.raises(ReadFailed):
            self.at("http://127.0.0.1:9").read_webhook({}, body)

    # --- the list and the balance ---

    @pytest.mark.parametrize(
        ("answer", "balance"),
        [
            ({"credits": [], "remaining": 61, "total": 64}, Decimal(61)),
            ({"remaining": 1.5}, Decimal("1.5")),
            ({"remaining": "12"}, Decimal(12)),
            ({"credits": [{"remaining": 2}, {"remaining": 3}, {}, 7]}, Decimal(5)),
            ({"credits": [], "total": 64}, None),
            ({"remaining": True}, None),
            ({"remaining": "NaN"}, None),
            ({}, None),
        ],
    )
    def test_the_balance_is_read_in_either_form(self, answer: Any, balance: Decimal | None) -> None:
        with serving(answers(200, self.body(answer))) as server:
            standing = self.at(server).account()
        assert standing == AccountStanding(balance=balance, currency="credits")
        assert server.received[0].line == "GET /credits HTTP/1.1"

    @pytest.mark.parametrize("answer", [b"[]", b"no JSON", b'{"error": "busy"}'])
    def test_a_list_that_makes_no_sense_is_not_proof_of_absence(self, answer: bytes) -> None:
        with serving(answers(200, answer)) as server, pytest.raises(ReadFailed):
            self.at(server).find(TOKEN, request=A_TALK, since=SINCE)

    def test_a_list_without_an_end_is_left_after_a_thousand(self) -> None:
        page = {"talks": [self.status("id-1", "done") | {"user_data": "another"}] * 100}

        def behave(connection: socket.socket, request: Received) -> None:
            token = f"t/{len(server.received)}"
            answers(200, self.body({**page, "token": token}))(connection, request)

        with serving(behave) as server:
            assert self.at(server).find(TOKEN, request=A_TALK, since=SINCE) is None
            assert len(server.received) == 10
            assert server.received[1].line == "GET /talks?limit=100&token=t%2F1 HTTP/1.1"

    def test_a_list_that_turns_in_a_circle_is_left(self) -> None:
        page = self.body({"talks": [], "token": "same"})
        with serving(answers(200, page)) as server:
            assert self.at(server).find(TOKEN, request=A_TALK, since=SINCE) is None
            assert len(server.received) == 2

    def test_what_is_listed_is_newest_first_and_not_older_than_asked(self) -> None:
        def talk(id: str, created: str) -> Any:
            return self.status(id, "started") | {"created_at": created}

        page = {
            "talks": [
                talk("old", "2026-11-19T23:59:59.999Z"),
                talk("first", "2026-11-20T00:00:00.000Z"),
                talk("last", "2026-11-20T12:00:00.000Z"),
                talk("no time", "soon"),
                {"id": 5},
            ]
        }
        with serving(answers(200, self.body(page))) as server:
            found = self.at(server).listed(SINCE)
        assert [one.external_id for one in found] == ["last", "first"]
        assert (found[0].state, found[0].client_token) == (RenderState.RUNNING, TOKEN)


# --- against the simulator ---


@pytest.fixture
def vendor() -> Iterator[DId]:
    with DId(key="c2ltdWxhdGVk:another-key", seconds=0.2) as simulator:
        yield simulator


@pytest.fixture
def pictures() -> Iterator[RawServer]:
    """Our store: a picture behind a signed link."""

    def behave(connection: socket.socket, request: Received) -> None:
        jpeg = ".jpg" in request.line
        body, kind = (JPEG, "image/jpeg") if jpeg else (PNG, "image/png")
        answers(200, body, Content_Type=kind)(connection, request)

    with serving(behave) as server:
        yield server


def adapter(vendor: DId, *stores: RawServer) -> VideoProvider:
    origins = frozenset({vendor.root, *(store.url for store in stores)})
    patience = 0.5 if vendor.fault is Fault.SILENCE_AFTER_ACCEPTING else 2.0
    config = ClientConfig(
        allowed_origins=origins, connect_seconds=1.0, read_seconds=patience, total_seconds=6.0
    )
    values = vendor.environment()
    return DIdProvider(url=values["D_ID_URL"], api_key=values["D_ID_API_KEY"], http=Client(config))


def wish(pictures: RawServer, *, ending: str = "png", **more: Any) -> RenderRequest:
    kind = {"png": "image/png", "jpg": "image/jpeg"}[ending]
    picture = InputMedia(url=f"{pictures.url}/o/a/start.{ending}?X-Amz-Signature=1", media_type=kind)
    return replace(A_TALK, start_image=picture, **more)


def rendered(vendor: DId, pictures: RawServer, request: RenderRequest) -> RenderUpdate:
    provider = adapter(vendor, pictures)
    receipt = provider.submit(request, client_token=TOKEN, callback_url=None)
    return ended(provider, receipt.external_id, seconds=5)


def last(vendor: DId, path: str) -> Request:
    return [request for request in vendor.requests if request.path == path][-1]


OPTIONS: list[dict[str, Any]] = [
    {},
    *(
        {"controls": {control.name: value}}
        for control in MODEL.controls
        for value in (control.choices if isinstance(control, ChoiceControl) else (True, False))
    ),
    *({"duration_seconds": seconds, "prompt": "x" * seconds * 15} for seconds in MODEL.durations),
    *({"ratio": ratio} for ratio in MODEL.ratios),
    {"audio": True},
    {"prompt": "Selamat <pagi> & “halo” 🙂"},
    {"ending": "jpg"},
]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: str(option)[:60])
def test_the_vendor_takes_every_option_of_the_catalogue(
    vendor: DId, pictures: RawServer, option: dict[str, Any]
) -> None:
    provider = adapter(vendor, pictures)
    receipt = provider.submit(wish(pictures, **option), client_token=TOKEN, callback_url=None)
    assert receipt.external_id in vendor.jobs
    assert last(vendor, "/talks").status == 201


@pytest.mark.parametrize("uploads", [True, False])
def test_a_talk_is_made_and_can_be_downloaded(pictures: RawServer, tmp_path: Path, uploads: bool) -> None:
    with DId(seconds=0.1, uploads=uploads) as vendor:
        update = rendered(vendor, pictures, wish(pictures))
        assert (update.state, update.vendor_state) == (RenderState.SUCCEEDED, "done")
        assert update.client_token == TOKEN
        assert update.output is not None
        assert update.output.is_link
        http = Client(ClientConfig(allowed_origins=frozenset({vendor.root})))
        with (tmp_path / "video.mp4").open("wb") as file:
            http.download(update.output, file, max_bytes=10**7)
        assert (tmp_path / "video.mp4").read_bytes() == clip()
        assert [content for _, content in vendor.pictures.values()] == ([PNG] if uploads else [])


def test_controls_are_the_vendors_own_fields(vendor: DId, pictures: RawServer) -> None:
    controls = {"voice": "id-ID-GadisNeural", "expression": "happy", "stitch": False}
    adapter(vendor, pictures).submit(wish(pictures, controls=controls), client_token=TOKEN, callback_url=None)
    sent = last(vendor, "/talks").json
    assert sent["script"]["provider"] == {"type": "microsoft", "voice_id": "id-ID-GadisNeural"}
    assert sent["config"] == {
        "stitch": False,
        "result_format": "mp4",
        "driver_expressions": {
            "expressions": [{"start_frame": 0, "expression": "happy", "intensity": 1}],
            "transition_frames": 20,
        },
    }


REFUSALS: dict[Fault, tuple[type[ProviderError], FailureCode | None]] = {
    Fault.RATE_LIMITED: (RateLimited, None),
    Fault.WRONG_KEY: (CredentialsRefused, None),
    Fault.NO_BALANCE: (BalanceUsedUp, None),
    Fault.REFUSED: (RequestRefused, FailureCode.INVALID),
    Fault.MODERATED_AT_SUBMIT: (RequestRefused, FailureCode.MODERATED),
    Fault.SERVER_ERROR: (OutcomeUnknown, None),
    **dict.fromkeys(AFTER_ACCEPTING, (OutcomeUnknown, None)),
}


@pytest.mark.parametrize("fault", REFUSALS)
def test_a_submission_that_goes_wrong_is_told_apart(vendor: DId, pictures: RawServer, fault: Fault) -> None:
    vendor.fault = fault
    kind, code = REFUSALS[fault]
    with pytest.raises(ProviderError) as failure:
        adapter(vendor, pictures).submit(wish(pictures), client_token=TOKEN, callback_url=None)
    assert type(failure.value) is kind
    assert getattr(failure.value, "code", None) is code
    assert bool(vendor.jobs) is (fault in AFTER_ACCEPTING)
    if fault is Fault.RATE_LIMITED:
        assert failure.value.retry_after == timedelta(seconds=1)


@pytest.mark.parametrize("fault", sorted(AFTER_ACCEPTING))
def test_a_talk_whose_receipt_was_lost_is_found_by_its_token(
    vendor: DId, pictures: RawServer, fault: Fault
) -> None:
    vendor.fault = fault
    vendor.page = 2
    provider = adapter(vendor, pictures)
    with pytest.raises(OutcomeUnknown):
        provider.submit(wish(pictures), client_token=TOKEN, callback_url=None)
    vendor.fault = None
    provider = adapter(vendor, pictures)
    for number in range(4):
        provider.submit(wish(pictures), client_token=f"other-{number}", callback_url=None)
    [lost] = [job for job in vendor.jobs.values() if job.body["user_data"] == TOKEN]
    until(lambda: lost.phase in ENDED)
    found = provider.find(TOKEN, request=wish(pictures), since=SINCE)
    assert found is not None
    assert (found.external_id, found.client_token) == (lost.id, TOKEN)
    # The list has no links; a look at the talk does.
    assert found.output is not None
    assert provider.find("nobody's", request=wish(pictures), since=SINCE) is None
    listed = provider.listed(datetime.now(UTC) - timedelta(minutes=5))
    assert {one.client_token for one in listed} == {TOKEN, *(f"other-{number}" for number in range(4))}


@pytest.mark.parametrize(
    ("fault", "code", "retryable"),
    [
        (Fault.FAILED, FailureCode.VENDOR_FAULT, True),
        (Fault.MODERATED, FailureCode.MODERATED, False),
        (Fault.NO_MEDIA, FailureCode.NO_MEDIA, True),
    ],
)
def test_a_talk_that_ends_badly_says_why(
    vendor: DId, pictures: RawServer, fault: Fault, code: FailureCode, retryable: bool
) -> None:
    vendor.fault = fault
    failure = rendered(vendor, pictures, wish(pictures)).failure
    assert isinstance(failure, RenderFailed)
    assert (failure.code, failure.retryable) == (code, retryable)


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        (Fault.UNKNOWN_WORD, RenderState.UNKNOWN),
        (Fault.STATUS_ERROR, ReadFailed),
        (Fault.STATUS_GARBAGE, ReadFailed),
        (Fault.STATUS_RATE_LIMITED, RateLimited),
    ],
)
def test_a_look_that_goes_wrong_decides_nothing(
    vendor: DId, pictures: RawServer, fault: Fault, seen: Any
) -> None:
    vendor.fault = fault
    provider = adapter(vendor, pictures)
    id = provider.submit(wish(pictures), client_token=TOKEN, callback_url=None).external_id
    if isinstance(seen, RenderState):
        assert provider.fetch(id).state is seen
    else:
        with pytest.raises(seen):
            provider.fetch(id)
    if fault is not Fault.STATUS_RATE_LIMITED:
        vendor.jobs[id].looks = 2
    assert ended(provider, id, seconds=5).state is RenderState.SUCCEEDED


def test_a_talk_that_the_vendor_lost_is_not_found(vendor: DId, pictures: RawServer) -> None:
    vendor.fault = Fault.LOST
    provider = adapter(vendor, pictures)
    id = provider.submit(wish(pictures), client_token=TOKEN, callback_url=None).external_id

    def gone() -> bool:
        try:
            provider.fetch(id)
        except JobNotFound:
            return True
        return False

    assert until(gone, seconds=5)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (None, ["done"]),
        (Fault.WEBHOOK_TWICE, ["done", "done"]),
        (Fault.WEBHOOK_EARLY, ["done"]),
        # Nothing is signed: the lie is read like the truth, and only a hint like it.
        (Fault.WEBHOOK_FORGED, ["error", "done"]),
        (Fault.FAILED, ["error"]),
    ],
)
def test_whatever_a_webhook_says_a_look_says_what_is_true(
    vendor: DId, pictures: RawServer, fault: Fault | None, words: list[str]
) -> None:
    vendor.fault = fault
    with serving(answers(204, b"")) as receiver:
        provider = adapter(vendor, pictures)
        id = provider.submit(
            wish(pictures), client_token=TOKEN, callback_url=f"{receiver.url}/webhooks/t/"
        ).external_id
        until(lambda: len(receiver.received) == len(words))
    told = [update for one in receiver.received for update in provider.read_webhook({}, one.body)]
    assert [update.vendor_state for update in told] == words
    assert {(update.external_id, update.client_token) for update in told} == {(id, TOKEN)}
    assert ended(provider, id, seconds=5).vendor_state == words[-1]


def test_a_link_that_has_expired_is_replaced_by_the_next_look(vendor: DId, pictures: RawServer) -> None:
    vendor.fault = Fault.LINK_EXPIRED
    provider = adapter(vendor, pictures)
    first = rendered(vendor, pictures, wish(pictures))
    second = provider.fetch(first.external_id)
    assert first.output is not None
    assert second.output is not None
    assert first.output.url != second.output.url
    http = Client(ClientConfig(allowed_origins=frozenset({vendor.root})))
    assert [http.request("GET", one.output.url).status for one in (first, second) if one.output] == [403, 200]


def test_the_balance_goes_down_by_steps_of_15_seconds(vendor: DId, pictures: RawServer) -> None:
    provider = adapter(vendor, pictures)
    before = provider.account().balance
    provider.submit(
        wish(pictures, prompt="x" * 240, duration_seconds=30), client_token=TOKEN, callback_url=None
    )
    after = provider.account().balance
    assert before is not None
    assert after is not None
    assert before - after == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"bogus": 1}, "body.bogus"),
        ({"source_url": "https://store.example/a.png?signed=1"}, "source_url"),
        ({"source_url": "http://127.0.0.1:9/a.png"}, "source_url"),
        ({"script": {"type": "text", "input": "Hi"}}, "body.script.input"),
        ({"script": {"type": "song"}}, "body.script.type"),
        (
            {"script": {"type": "text", "input": "Hello", "provider": {"type": "x"}}},
            "body.script.provider.type",
        ),
        ({"config": {"stitch": "true"}}, "body.config.stitch"),
        ({"config": {"driver_expressions": {"expressions": [{"start_frame": 0}]}}}, None),
        ({"user_data": "x" * 1_001}, "body.user_data"),
        ({"webhook": "ftp://example.com"}, "body.webhook"),
    ],
)
def test_the_simulator_refuses_what_the_vendor_does(vendor: DId, change: Any, field: str | None) -> None:
    good = {"script": {"type": "text", "input": "Hello there"}, "config": {"stitch": True}}
    http = Client(ClientConfig(allowed_origins=frozenset({vendor.root})))
    headers = {"Authorization": f"Basic {vendor.key}"}
    assert http.request("POST", f"{vendor.url}/talks", json=good, headers=headers).status == 201
    answer = http.request("POST", f"{vendor.url}/talks", json=good | change, headers=headers)
    assert (answer.status, answer.json()["kind"]) == (400, "ValidationError")
    assert field is None or field in answer.json()["details"]


@pytest.mark.parametrize(
    ("method", "path", "header", "status"),
    [
        ("POST", "/talks", "Bearer {key}", 401),
        ("GET", "/credits", "Basic wrong", 401),
        ("PUT", "/talks", "Basic {key}", 404),
        ("POST", "/v1/talks", "Basic {key}", 404),
        ("POST", "/images", "Basic {key}", 400),
        ("DELETE", "/talks/nobody", "Basic {key}", 404),
        ("GET", "/talks?limit=5&order=up", "Basic {key}", 400),
    ],
)
def test_the_simulator_knows_its_key_and_paths(
    vendor: DId, method: str, path: str, header: str, status: int
) -> None:
    http = Client(ClientConfig(allowed_origins=frozenset({vendor.root})))
    headers = {"Authorization": header.format(key=vendor.key)}
    assert http.request(method, vendor.url + path, headers=headers, json={}).status == status


def test_a_talk_can_be_deleted_once_it_has_ended(vendor: DId, pictures: RawServer) -> None:
    provider = adapter(vendor, pictures)
    http = Client(ClientConfig(allowed_origins=frozenset({vendor.root})))
    headers = {"Authorization": f"Basic {vendor.key}"}
    vendor.seconds = 60
    id = provider.submit(wish(pictures), client_token=TOKEN, callback_url=None).external_id
    assert http.request("DELETE", f"{vendor.url}/talks/{id}", headers=headers).status == 409
    vendor.jobs[id].began -= 60
    ended(provider, id, seconds=5)
    assert http.request("DELETE", f"{vendor.url}/talks/{id}", headers=headers).ok
    with pytest.raises(JobNotFound):
        provider.fetch(id)


def test_the_settings_lead_to_the_vendors_own_address() -> None:
    values = {**DIdProvider.defaults, "D_ID_API_KEY": "key"}
    assert set(values) == set(DIdProvider.settings)
    assert isinstance(DIdProvider.from_settings(values), DIdProvider)
    assert DIdProvider.defaults["D_ID_URL"] == "https://api.d-id.com"
