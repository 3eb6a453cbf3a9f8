"""Every fault of the sandbox, asked for as a client developer asks for it: by the control `fault`."""

import json
import time
from datetime import UTC, datetime, timedelta
from io import BytesIO

import av
import pytest

from providers import http
from providers.contract import CancelOutcome, RenderState, Submission, VideoProvider
from providers.errors import (
    BadSignature,
    FailureCode,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    ReadFailed,
    RenderFailed,
    RequestRefused,
)
from providers.http import BadStatus, Client, ClientConfig
from providers.sandbox.faults import Fault
from providers.video.sandbox import SandboxProvider

from .sandbox import A_REQUEST, SINCE, RunningSandbox, a_token, ended, until, with_fault
from .servers import RawServer


def order(sandbox: VideoProvider, fault: str, callback_url: str | None = None) -> Submission:
    return sandbox.submit(with_fault(fault), client_token=a_token(), callback_url=callback_url)


def refusal(sandbox: VideoProvider, fault: str, token: str) -> ProviderError:
    with pytest.raises(ProviderError) as failure:
        sandbox.submit(with_fault(fault), client_token=token, callback_url=None)
    return failure.value


def test_slow_takes_its_time(sandbox: VideoProvider) -> None:
    submission = order(sandbox, Fault.SLOW)
    time.sleep(1)
    assert sandbox.fetch(submission.external_id).state in (RenderState.QUEUED, RenderState.RUNNING)


def test_stuck_never_ends(sandbox: VideoProvider) -> None:
    submission = order(sandbox, Fault.STUCK)
    time.sleep(1)
    update = sandbox.fetch(submission.external_id)
    assert update.state is RenderState.RUNNING
    assert update.progress == 99
    assert sandbox.cancel(submission.external_id) is CancelOutcome.ACCEPTED
    assert sandbox.fetch(submission.external_id).state is RenderState.CANCELLED


@pytest.mark.parametrize(
    ("fault", "code"), [(Fault.FAILED, FailureCode.VENDOR_FAULT), (Fault.MODERATED, FailureCode.MODERATED)]
)
def test_failed_and_moderated_end_without_a_video(
    sandbox: VideoProvider, fault: Fault, code: FailureCode
) -> None:
    update = ended(sandbox, order(sandbox, fault).external_id)
    assert update.state is RenderState.FAILED
    assert isinstance(update.failure, RenderFailed)
    assert update.failure.code is code
    assert update.output is None


def test_moderated_at_submit_accepts_nothing(sandbox: VideoProvider, service: RunningSandbox) -> None:
    token = a_token()
    error = refusal(sandbox, Fault.MODERATED_AT_SUBMIT, token)
    assert isinstance(error, RequestRefused)
    assert error.code is FailureCode.MODERATED
    assert service.audit(token) == []


@pytest.mark.parametrize(
    ("fault", "kind"), [(Fault.RATE_LIMITED, RateLimited), (Fault.SERVER_ERROR, OutcomeUnknown)]
)
def test_a_passing_refusal_accepts_the_next_try(
    sandbox: VideoProvider, service: RunningSandbox, fault: Fault, kind: type[ProviderError]
) -> None:
    token = a_token()
    request = with_fault(fault, motion_strength=round(time.time() % 1, 6))  # no other test's order
    with pytest.raises(kind) as failure:
        sandbox.submit(request, client_token=token, callback_url=None)
    assert failure.value.retry_after == (timedelta(seconds=2) if kind is RateLimited else None)
    assert service.audit(token) == []
    assert sandbox.find(token, request=A_REQUEST, since=SINCE) is None
    other = a_token()
    submission = sandbox.submit(request, client_token=other, callback_url=None)
    assert ended(sandbox, submission.external_id).state is RenderState.SUCCEEDED
    assert len(service.audit(other)) == 1


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR_AFTER_ACCEPTING, Fault.MALFORMED_JSON])
def test_an_acceptance_without_a_usable_answer_is_found_by_its_token(
    sandbox: VideoProvider, service: RunningSandbox, fault: Fault
) -> None:
    token = a_token()
    assert isinstance(refusal(sandbox, fault, token), OutcomeUnknown)
    found = sandbox.find(token, request=A_REQUEST, since=SINCE)
    assert found is not None
    assert found.client_token == token
    assert ended(sandbox, found.external_id).state is RenderState.SUCCEEDED
    assert len(service.audit(token)) == 1


def test_a_time_out_after_accepting_is_found_by_its_token(service: RunningSandbox) -> None:
    impatient = Client(ClientConfig(allowed_origins=frozenset({service.url}), read_seconds=0.5))
    adapter = SandboxProvider(url=service.url, api_key=service.key, webhook_secrets=[], http=impatient)
    token = a_token()
    assert isinstance(refusal(adapter, Fault.TIMEOUT_AFTER_ACCEPTING, token), OutcomeUnknown)
    found = adapter.find(token, request=A_REQUEST, since=SINCE)
    assert found is not None
    assert ended(adapter, found.external_id).state is RenderState.SUCCEEDED


def test_a_malformed_status_is_a_read_that_failed_twice(sandbox: VideoProvider) -> None:
    submission = order(sandbox, Fault.MALFORMED_STATUS)
    for _ in range(2):
        with pytest.raises(ReadFailed):
            sandbox.fetch(submission.external_id)
    assert ended(sandbox, submission.external_id).state is RenderState.SUCCEEDED


def test_an_unknown_status_passes(sandbox: VideoProvider) -> None:
    submission = order(sandbox, Fault.UNKNOWN_STATUS)
    update = until(
        lambda: next(
            (u for u in [sandbox.fetch(submission.external_id)] if u.state is RenderState.UNKNOWN), None
        )
    )
    assert update is not None
    assert update.vendor_state == "defragmenting"
    assert ended(sandbox, submission.external_id).state is RenderState.SUCCEEDED


def test_an_unknown_end_stays(sandbox: VideoProvider) -> None:
    submission = order(sandbox, Fault.UNKNOWN_END)
    until(lambda: sandbox.fetch(submission.external_id).vendor_state == "archived")
    assert sandbox.fetch(submission.external_id).state is RenderState.UNKNOWN


def test_done_without_media_is_a_failure(sandbox: VideoProvider) -> None:
    update = ended(sandbox, order(sandbox, Fault.DONE_WITHOUT_MEDIA).external_id)
    assert update.vendor_state == "done"
    assert isinstance(update.failure, RenderFailed)
    assert update.failure.code is FailureCode.NO_MEDIA


def test_a_truncated_video_downloads_whole_and_does_not_play_to_its_end(sandbox: VideoProvider) -> None:
    update = ended(sandbox, order(sandbox, Fault.TRUNCATED_VIDEO).external_id)
    assert update.output is not None
    file = BytesIO()
    http.client().download(update.output, file, max_bytes=50 << 20)
    file.seek(0)
    with av.open(file, mode="r") as container:
        assert container.streams.video[0].frames == 48, "its index promises them all"
        shown = 0
        try:
            for _ in container.decode(video=0):
                shown += 1
        except av.FFmpegError:
            pass
    assert 0 < shown < 48


def test_an_expired_link_is_renewed_by_the_next_look(sandbox: VideoProvider) -> None:
    submission = order(sandbox, Fault.EXPIRED_LINK)
    update = ended(sandbox, submission.external_id)
    assert update.output is not None
    assert update.output.expires_at is not None
    assert update.output.expires_at < datetime.now(UTC)
    with pytest.raises(BadStatus) as refused:
        http.client().download(update.output, BytesIO(), max_bytes=50 << 20)
    assert refused.value.status == 403
    renewed = sandbox.fetch(submission.external_id)
    assert renewed.output is not None
    assert http.client().download(renewed.output, BytesIO(), max_bytes=50 << 20).bytes > 1_000


def told(receiver: RawServer) -> list[tuple[str, str]]:
    """Every webhook so far: its id and the status it tells."""
    return [
        (call.header("webhook-id") or "", json.loads(call.body)["data"]["status"])
        for call in receiver.received
    ]


def informed(service: RunningSandbox, submission: Submission) -> bool:
    """Whether every webhook that will come has come."""
    answer = service.call("GET", "/v1/_audit").json()
    while not any(row["id"] == submission.external_id for row in answer["results"]):
        answer = service.call("GET", f"/v1/_audit?cursor={answer['next_cursor']}").json()
    return any(row["id"] == submission.external_id and row["informed"] for row in answer["results"])


def test_a_webhook_tells_the_end_once(
    sandbox: VideoProvider, service: RunningSandbox, receiver: RawServer
) -> None:
    submission = sandbox.submit(
        with_fault("expired_link"), client_token=a_token(), callback_url=f"{receiver.url}/hook"
    )
    until(lambda: informed(service, submission))
    [call] = receiver.received
    assert call.line == "POST /hook HTTP/1.1"
    headers = {
        name: call.header(name) or "" for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    }
    [update] = sandbox.read_webhook(headers, call.body)
    assert (update.external_id, update.state) == (submission.external_id, RenderState.SUCCEEDED)
    assert update.event_id == call.header("webhook-id")


def test_a_late_webhook_comes_long_after_the_end(
    sandbox: VideoProvider, service: RunningSandbox, receiver: RawServer
) -> None:
    submission = order(sandbox, Fault.WEBHOOK_LATE, receiver.url)
    ended(sandbox, submission.external_id)
    at = time.monotonic()
    assert told(receiver) == []
    until(lambda: informed(service, submission))
    assert time.monotonic() - at > 8
    assert [status for _, status in told(receiver)] == ["done"]


def test_a_webhook_may_come_twice_with_one_id(
    sandbox: VideoProvider, service: RunningSandbox, receiver: RawServer
) -> None:
    submission = order(sandbox, Fault.WEBHOOK_TWICE, receiver.url)
    until(lambda: informed(service, submission))
    first, second = told(receiver)
    assert first == second


def test_webhooks_may_come_out_of_order(
    sandbox: VideoProvider, service: RunningSandbox, receiver: RawServer
) -> None:
    submission = order(sandbox, Fault.WEBHOOK_OUT_OF_ORDER, receiver.url)
    until(lambda: informed(service, submission))
    assert [status for _, status in told(receiver)] == ["done", "rendering"]


def test_a_forged_webhook_comes_first_and_is_not_believed(
    sandbox: VideoProvider, service: RunningSandbox, receiver: RawServer
) -> None:
    submission = order(sandbox, Fault.WEBHOOK_FORGED, receiver.url)
    until(lambda: informed(service, submission))
    forged, true = receiver.received
    assert b"forged.example" in forged.body
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    with pytest.raises(BadSignature):
        sandbox.read_webhook({name: forged.header(name) or "" for name in names}, forged.body)
    assert sandbox.read_webhook({name: true.header(name) or "" for name in names}, true.body)


def test_a_webhook_may_come_before_the_order_is_answered(sandbox: VideoProvider, receiver: RawServer) -> None:
    submission = order(sandbox, Fault.WEBHOOK_BEFORE_ANSWER, receiver.url)
    assert [status for _, status in told(receiver)] == ["done"]
    assert submission.vendor_state == "done"


def test_no_webhook_may_come_at_all(
    sandbox: VideoProvider, service: RunningSandbox, receiver: RawServer
) -> None:
    submission = order(sandbox, Fault.NO_WEBHOOK, receiver.url)
    until(lambda: informed(service, submission))
    assert ended(sandbox, submission.external_id).state is RenderState.SUCCEEDED
    assert receiver.received == []


def test_a_cancel_stops_a_render(sandbox: VideoProvider, receiver: RawServer) -> None:
    submission = order(sandbox, Fault.SLOW, receiver.url)
    assert sandbox.cancel(submission.external_id) is CancelOutcome.ACCEPTED
    assert ended(sandbox, submission.external_id).state is RenderState.CANCELLED
    until(lambda: told(receiver))
    assert [status for _, status in told(receiver)] == ["stopped"]
    assert sandbox.cancel(submission.external_id) is CancelOutcome.TOO_LATE


def test_a_refused_cancel_is_too_late(sandbox: VideoProvider) -> None:
    submission = order(sandbox, Fault.REFUSE_CANCEL)
    assert sandbox.cancel(submission.external_id) is CancelOutcome.TOO_LATE
    assert ended(sandbox, submission.external_id).state is RenderState.SUCCEEDED


def test_an_ignored_cancel_is_accepted_and_the_video_comes_all_the_same(sandbox: VideoProvider) -> None:
    submission = order(sandbox, Fault.IGNORE_CANCEL)
    assert sandbox.cancel(submission.external_id) is CancelOutcome.ACCEPTED
    assert ended(sandbox, submission.external_id).state is RenderState.SUCCEEDED
