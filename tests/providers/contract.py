"""What every video provider's adapter must do, whatever its vendor.

Subclass, supply a few answers, inherit the hard cases. The vendor here is a scripted server on a real socket.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from providers.contract import (
    CancelOutcome,
    InputMedia,
    Mode,
    RenderRequest,
    RenderState,
    RenderUpdate,
    VideoProvider,
    Webhooks,
)
from providers.errors import (
    Accepted,
    BadSignature,
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
from providers.http import Client, ClientConfig

from . import servers
from .forgeries import Forgery
from .servers import Behaviour, RawServer, answers, serving

KEY = "vendor-key-CANARY"
VENDOR_TEXT = "vendor-text-CANARY"
TOKEN = "attempt-token-1"
A_VIDEO = "https://files.example/a.mp4?signature=CANARY"
CALLBACK = "https://studio.example/webhooks/vendor/attempt-token-1/"

BIG = 300_000_000

A_REQUEST = RenderRequest(
    model="a-model",
    mode=Mode.TEXT,
    prompt="A paper boat",
    duration_seconds=5,
    resolution="720p",
    ratio="16:9",
)
IMAGE = InputMedia(url="https://store.example/start.png?signature=CANARY", media_type="image/png")


class VideoProviderContract:
    """Subclass as `TestSomething` and supply the parts below."""

    kind: ClassVar[type[VideoProvider]]
    words: ClassVar[Mapping[str, RenderState]]
    """Every status word of the vendor's documentation, and ours for it."""
    request: ClassVar[RenderRequest] = A_REQUEST
    key_in_body: ClassVar[bool] = False
    """Whether the vendor wants its key there."""
    callback_in_body: ClassVar[bool] = True
    """Whether the vendor is told with each submission where to call."""
    has_words: ClassVar[bool] = True
    """Whether the vendor says in a word where a render stands, so that it may be one that we don't know."""

    def adapter(self, url: str, http: Client) -> VideoProvider:
        """The adapter, its vendor at `url`, its key KEY."""
        raise NotImplementedError

    def accepted(self, external_id: str) -> Any:
        """The vendor's JSON for an accepted submission."""
        raise NotImplementedError

    def status(self, external_id: str, word: str, *, media: bool = True, url: str = A_VIDEO) -> Any:
        """The vendor's JSON for a render with this status word, with its video at `url` if it is done and `media`."""
        raise NotImplementedError

    def moderated(self, external_id: str) -> Any:
        """The vendor's JSON for a render that its content policy ended; None where it has no such answer."""
        return None

    def done(self, url: str, size: int) -> Iterable[bytes]:
        """The vendor's JSON, piece by piece, for a finished render of `size` bytes that can be had at `url`.

        An adapter whose vendor puts the video itself into its answer puts it there.
        """
        word = next(word for word, state in self.words.items() if state is RenderState.SUCCEEDED)
        return [self.body(self.status("id-1", word, url=url))]

    def webhook(self, external_id: str, word: str) -> tuple[dict[str, str], bytes]:
        """A true webhook: headers and body."""
        raise NotImplementedError

    def forgeries(self) -> list[Forgery]:
        """Webhooks that must not be believed."""
        raise NotImplementedError

    # --- what is inherited ---

    def at(self, server: RawServer | str) -> VideoProvider:
        url = server if isinstance(server, str) else server.url
        config = ClientConfig(
            allowed_origins=frozenset({url}), connect_seconds=0.5, read_seconds=0.5, total_seconds=1.5
        )
        return self.adapter(url, Client(config))

    def submitted(self, behaviour: Behaviour) -> ProviderError:
        with serving(behaviour) as server:
            with pytest.raises(ProviderError) as failure:
                self.at(server).submit(self.request, client_token=TOKEN, callback_url=CALLBACK)
            assert len(server.received) == 1, "a submission is sent once"
        self.shows_nothing(failure.value)
        return failure.value

    def fetched(self, behaviour: Behaviour) -> RenderUpdate:
        with serving(behaviour) as server:
            return self.at(server).fetch("id-1")

    def shows_nothing(self, error: ProviderError) -> None:
        assert "CANARY" not in f"{error} {error!r} {vars(error)}"
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None

    def body(self, value: Any) -> bytes:
        return json.dumps(value).encode()

    def test_a_submission_carries_the_request_and_answers_the_vendors_id(self) -> None:
        with serving(answers(200, self.body(self.accepted("id-1")))) as server:
            receipt = self.at(server).submit(self.request, client_token=TOKEN, callback_url=CALLBACK)
        assert receipt.external_id == "id-1"
        sent = server.received[0]
        assert (KEY in sent.head.decode(), KEY in sent.body.decode()) == (
            not self.key_in_body,
            self.key_in_body,
        )
        assert self.request.prompt in sent.body.decode()
        assert (CALLBACK in sent.body.decode()) == self.callback_in_body

    def test_a_refused_connection_is_not_sent(self) -> None:
        with pytest.raises(NotSent) as failure:
            self.at(f"http://127.0.0.1:{servers.refused_port()}").submit(
                self.request, client_token=TOKEN, callback_url=None
            )
        assert failure.value.accepted is Accepted.NO

    @pytest.mark.parametrize(
        "behaviour",
        [
            servers.closes,
            servers.resets,
            servers.stays_silent,
            servers.breaks_off,
            servers.talks_garbage,
            answers(200, b"{}"),
            answers(200, b"[]"),
            answers(200, b"null"),
            answers(200, b'"done"'),
            answers(200, f"<p>{VENDOR_TEXT}".encode()),
            answers(500, f'{{"error": "{VENDOR_TEXT}"}}'.encode()),
            answers(502),
            answers(503),
            answers(504),
        ],
    )
    def test_a_submission_that_may_have_been_read_is_unknown(self, behaviour: Behaviour) -> None:
        error = self.submitted(behaviour)
        assert isinstance(error, OutcomeUnknown)
        assert error.accepted is Accepted.MAYBE

    def test_a_rate_limit_names_its_wait(self) -> None:
        error = self.submitted(answers(429, VENDOR_TEXT.encode(), Retry_After="9"))
        assert isinstance(error, RateLimited)
        assert error.retry_after == timedelta(seconds=9)

    @pytest.mark.parametrize("status", [400, 404, 422])
    def test_a_refused_request_is_not_accepted(self, status: int) -> None:
        error = self.submitted(answers(status, f'{{"error": "{VENDOR_TEXT}"}}'.encode()))
        assert isinstance(error, RequestRefused)
        assert isinstance(error.code, FailureCode)

    @pytest.mark.parametrize("status", [401, 402, 403])
    def test_refused_credentials_are_ours_to_fix(self, status: int) -> None:
        assert isinstance(self.submitted(answers(status, VENDOR_TEXT.encode())), CredentialsRefused)

    def test_every_documented_word_is_known(self) -> None:
        for word, state in self.words.items():
            update = self.fetched(answers(200, self.body(self.status("id-1", word))))
            assert (update.state, update.vendor_state) == (state, word)
            assert update.external_id == "id-1"
            assert (update.output is not None) == (state is RenderState.SUCCEEDED)
            assert (update.failure is not None) == (state is RenderState.FAILED)
            assert update.event_id is None

    @pytest.mark.parametrize("word", ["defragmenting", "", "DONE ", "succeeded?", "unknown"])
    def test_a_word_that_nobody_documented_is_not_guessed(self, word: str) -> None:
        if not self.has_words:
            return
        update = self.fetched(answers(200, self.body(self.status("id-1", word))))
        assert update.state is RenderState.UNKNOWN
        assert update.vendor_state == word
        assert update.output is None
        assert update.failure is None

    def test_done_without_media_is_a_failure_of_its_own(self) -> None:
        word = next(word for word, state in self.words.items() if state is RenderState.SUCCEEDED)
        update = self.fetched(answers(200, self.body(self.status("id-1", word, media=False))))
        assert update.state is RenderState.FAILED
        assert isinstance(update.failure, RenderFailed)
        assert update.failure.code is FailureCode.NO_MEDIA

    def test_what_the_content_policy_ended_says_so(self) -> None:
        answer = self.moderated("id-1")
        if answer is None:
            return
        update = self.fetched(answers(200, self.body(answer)))
        assert update.state is RenderState.FAILED
        assert isinstance(update.failure, RenderFailed)
        assert update.failure.code is FailureCode.MODERATED
        assert not update.failure.retryable
        self.shows_nothing(update.failure)

    def test_a_video_of_300_megabytes_is_downloaded_in_flat_memory(self) -> None:
        with servers.streaming(self.done, BIG) as url:
            adapter = self.at(url)
            http = Client(ClientConfig(allowed_origins=frozenset({url}), read_seconds=5, total_seconds=60))
            before = servers.reset_peak_memory()
            output = adapter.fetch("id-1").output
            assert output is not None
            sink = servers.Sink()
            downloaded = http.download(output, sink, max_bytes=BIG, total_seconds=60)
            assert downloaded.bytes == sink.bytes == BIG
            assert servers.peak_memory() - before < 32 * 2**20

    @pytest.mark.parametrize(
        ("behaviour", "kind"),
        [
            (answers(404), JobNotFound),
            (answers(401), CredentialsRefused),
            (answers(429, Retry_After="1"), RateLimited),
            (answers(500, VENDOR_TEXT.encode()), ReadFailed),
            (answers(200, VENDOR_TEXT.encode()), ReadFailed),
            (answers(200, b"{}"), ReadFailed),
            (answers(200, b"[1]"), ReadFailed),
            (answers(200, b"null"), ReadFailed),
            (servers.closes, ReadFailed),
            (servers.stays_silent, ReadFailed),
        ],
    )
    def test_a_status_call_that_fails_decides_nothing(
        self, behaviour: Behaviour, kind: type[ProviderError]
    ) -> None:
        with pytest.raises(ProviderError) as failure:
            self.fetched(behaviour)
        assert type(failure.value) is kind
        self.shows_nothing(failure.value)

    @pytest.mark.parametrize("external_id", ["../../v1/keys", "a/b?c=d", "id 1#x", "é"])
    def test_an_id_is_never_a_path(self, external_id: str) -> None:
        with serving(answers(404)) as server:
            with pytest.raises(ProviderError):
                self.at(server).fetch(external_id)
            path = server.received[0].line.split(" ")[1]
        with serving(answers(404)) as server:
            with pytest.raises(ProviderError):
                self.at(server).fetch("id-1")
            usual = server.received[0].line.split(" ")[1]
        assert path.count("/") == usual.count("/")
        assert path.count("?") == usual.count("?")

    def test_a_cancel_the_vendor_lacks_is_named(self) -> None:
        with serving(answers(202, self.body(self.accepted("id-1")))) as server:
            outcome: CancelOutcome | str
            try:
                outcome = self.at(server).cancel("id-1")
            except UnsupportedFeature as refusal:
                outcome = refusal.feature
        assert (outcome, len(server.received)) in [(CancelOutcome.ACCEPTED, 1), ("cancel", 0)]

    def test_an_option_the_vendor_cannot_express_is_named_before_anything_is_sent(self) -> None:
        """Or it is sent: never dropped in silence."""
        video = InputMedia(url="https://store.example/source.mp4", media_type="video/mp4")
        for request, trace in [
            (replace(self.request, mode=Mode.VIDEO, source_video=video), video.url),
            (replace(self.request, mode=Mode.IMAGE, start_image=IMAGE), IMAGE.url),
            (replace(self.request, negative_prompt="no-rain"), "no-rain"),
            (replace(self.request, style="cinematic"), "cinematic"),
            (replace(self.request, seed=424_242), "424242"),
        ]:
            with serving(answers(200, self.body(self.accepted("id-1")))) as server:
                refused = ""
                try:
                    self.at(server).submit(request, client_token=TOKEN, callback_url=None)
                except UnsupportedFeature as refusal:
                    refused = refusal.feature
            sent = b"".join(call.body for call in server.received).decode()
            assert (trace in sent) != bool(refused), trace

    def test_a_true_webhook_says_what_a_status_call_says(self) -> None:
        adapter = self.at("http://127.0.0.1:9")
        if self.kind.webhooks is Webhooks.NONE:
            with pytest.raises(UnsupportedFeature):
                adapter.read_webhook({}, b"{}")
            return
        for word, state in self.words.items():
            headers, body = self.webhook("id-1", word)
            [update] = adapter.read_webhook(headers, body)
            assert (update.external_id, update.state, update.vendor_state) == ("id-1", state, word)
            assert adapter.read_webhook(headers, body) == [update] or update.failure is not None
        if self.has_words:
            headers, body = self.webhook("id-1", "defragmenting")
            assert adapter.read_webhook(headers, body)[0].state is RenderState.UNKNOWN

    def test_a_forged_webhook_is_refused_before_it_is_read(self) -> None:
        if self.kind.webhooks is not Webhooks.SIGNED:
            return
        adapter = self.at("http://127.0.0.1:9")
        forgeries = self.forgeries()
        assert len(forgeries) >= 12
        for forgery in forgeries:
            for body in (forgery.body, b"{{{ no JSON"):
                with pytest.raises(BadSignature) as refusal:
                    adapter.read_webhook(forgery.headers, body)
                self.shows_nothing(refusal.value)
