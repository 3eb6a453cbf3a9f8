"""Replicate's adapter against Replicate as a local server: every model, mode and option, and every fault."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from providers import registry
from providers.contract import (
    CancelOutcome,
    ControlValue,
    InputMedia,
    Mode,
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
)
from providers.facts import ChoiceControl, NumberControl, SwitchControl, VideoModel
from providers.http import BadStatus, Client, ClientConfig
from providers.video.replicate import MODELS, ReplicateProvider
from tests.providers.sandbox import ended, until
from tests.providers.servers import RawServer, answers, serving
from tests.vendors.replicate import Replicate
from tests.vendors.video import Fault, clip

TOKEN = "attempt-1"


@pytest.fixture
def vendor() -> Iterator[Replicate]:
    with Replicate(seconds=0.2) as running:
        yield running


@pytest.fixture
def files() -> Iterator[RawServer]:
    with serving(answers(200, b"a picture")) as server:
        yield server


def http_of(vendor: Replicate) -> Client:
    config = ClientConfig(allowed_origins=frozenset({vendor.root}), read_seconds=0.5, total_seconds=2)
    return Client(config)


def adapter_of(vendor: Replicate) -> ReplicateProvider:
    return ReplicateProvider(url=vendor.url, api_key=vendor.key, http=http_of(vendor))


def a_request(model: VideoModel, mode: Mode, files: RawServer) -> RenderRequest:
    start, end = (
        InputMedia(url=f"{files.url}/{name}.png?signature=1", media_type="image/png")
        for name in ("start", "end")
    )
    return RenderRequest(
        model=model.vendor_model,
        mode=mode,
        prompt="A paper boat" if model.max_prompt_length else "",
        duration_seconds=model.default_duration,
        resolution=model.resolutions[0],
        ratio=model.default_ratio,
        start_image=start if mode in (Mode.IMAGE, Mode.FIRST_LAST) else None,
        end_image=end if mode is Mode.FIRST_LAST else None,
    )


def values(control: object) -> list[ControlValue]:
    match control:
        case ChoiceControl(choices=choices):
            return [*choices]
        case NumberControl(minimum=low, maximum=high, whole=whole):
            return [int(low), int(high)] if whole else [low, high]
        case SwitchControl():
            return [True, False]
    raise AssertionError(control)


def wishes(model: VideoModel, files: RawServer) -> Iterator[RenderRequest]:
    """Every size and length of every mode, and each option and value of a control by itself."""
    for mode in sorted(model.modes):
        usual = a_request(model, mode, files)
        for resolution in model.resolutions:
            for duration in model.durations_for(mode, resolution):
                for ratio in model.ratios:
                    yield replace(usual, resolution=resolution, duration_seconds=duration, ratio=ratio)
        if model.enhance:
            yield replace(usual, enhance=True)
        if model.seed:
            yield from (replace(usual, seed=seed) for seed in (0, 2**31))
        for control in model.controls:
            for value in values(control):
                yield replace(usual, controls={control.name: value})


def submitted(adapter: VideoProvider, request: RenderRequest, callback: str | None = None) -> str:
    return adapter.submit(request, client_token=TOKEN, callback_url=callback).external_id


def downloaded(vendor: Replicate, update: RenderUpdate) -> bytes:
    assert update.output is not None
    content = io.BytesIO()
    http_of(vendor).download(update.output, content, max_bytes=10_000_000)
    return content.getvalue()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_every_mode_and_option_of_the_catalogue_is_taken(
    vendor: Replicate, files: RawServer, model: VideoModel
) -> None:
    adapter, count = adapter_of(vendor), 0
    for request in wishes(model, files):
        external_id = submitted(adapter, request)
        count += 1
    assert len(vendor.jobs) == count >= 5
    assert {request.status for request in vendor.requests} == {201}
    update = ended(adapter, external_id)
    assert update.state is RenderState.SUCCEEDED
    assert downloaded(vendor, update) == clip()


@pytest.mark.parametrize(
    "change",
    [{"duration_seconds": 10, "resolution": "1080p"}, {"duration_seconds": 10, "resolution": "512p"}],
)
def test_what_the_catalogue_leaves_out_replicate_refuses(
    vendor: Replicate, files: RawServer, change: dict[str, object]
) -> None:
    model = MODELS[0]
    request = replace(a_request(model, Mode.TEXT, files), **change)  # type: ignore[arg-type]
    assert request.duration_seconds not in model.durations_for(Mode.TEXT, request.resolution)
    with pytest.raises(RequestRefused) as refusal:
        submitted(adapter_of(vendor), request)
    assert refusal.value.code is FailureCode.INVALID


def test_a_last_frame_at_512p_is_neither_in_the_catalogue_nor_taken(
    vendor: Replicate, files: RawServer
) -> None:
    request = replace(a_request(MODELS[0], Mode.FIRST_LAST, files), resolution="512p")
    assert not MODELS[0].durations_for(Mode.FIRST_LAST, "512p")
    with pytest.raises(RequestRefused):
        submitted(adapter_of(vendor), request)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.RATE_LIMITED, RateLimited),
        (Fault.WRONG_KEY, CredentialsRefused),
        (Fault.NO_BALANCE, BalanceUsedUp),
        (Fault.REFUSED, RequestRefused),
        (Fault.SERVER_ERROR, OutcomeUnknown),
    ],
)
def test_what_is_not_accepted_says_why(
    vendor: Replicate, files: RawServer, fault: Fault, kind: type[ProviderError]
) -> None:
    vendor.fault = fault
    with pytest.raises(ProviderError) as failure:
        submitted(adapter_of(vendor), a_request(MODELS[0], Mode.TEXT, files))
    assert type(failure.value) is kind
    assert not vendor.jobs
    if isinstance(failure.value, RateLimited):
        assert failure.value.retry_after == timedelta(seconds=1)


@pytest.mark.parametrize(
    "fault",
    [
        Fault.SERVER_ERROR_AFTER_ACCEPTING,
        Fault.SILENCE_AFTER_ACCEPTING,
        Fault.HANG_UP_AFTER_ACCEPTING,
        Fault.GARBAGE_AFTER_ACCEPTING,
    ],
)
def test_what_was_accepted_without_our_hearing_of_it_is_found(
    vendor: Replicate, files: RawServer, fault: Fault
) -> None:
    vendor.fault, since = fault, datetime.now(UTC)
    adapter, request = adapter_of(vendor), a_request(MODELS[0], Mode.IMAGE, files)
    with pytest.raises(OutcomeUnknown):
        submitted(adapter, request)
    # Signed anew, as ours are.
    image = replace(request.start_image, url=f"{files.url}/start.png?signature=2")  # type: ignore[type-var]
    found = adapter.find(TOKEN, request=replace(request, start_image=image), since=since)
    assert found is not None
    assert [found.external_id] == list(vendor.jobs)
    assert adapter.find(TOKEN, request=replace(request, prompt="Another"), since=since) is None
    later = datetime.now(UTC) + timedelta(seconds=1)
    assert adapter.find(TOKEN, request=request, since=later) is None


@pytest.mark.parametrize(
    ("fault", "state", "code"),
    [
        (Fault.FAILED, RenderState.FAILED, FailureCode.VENDOR_FAULT),
        (Fault.MODERATED, RenderState.FAILED, FailureCode.MODERATED),
        (Fault.NO_MEDIA, RenderState.FAILED, FailureCode.NO_MEDIA),
        (Fault.CANCELLED, RenderState.CANCELLED, None),
    ],
)
def test_a_bad_end_says_which(
    vendor: Replicate, files: RawServer, fault: Fault, state: RenderState, code: FailureCode | None
) -> None:
    vendor.fault = fault
    adapter = adapter_of(vendor)
    update = ended(adapter, submitted(adapter, a_request(MODELS[0], Mode.TEXT, files)))
    assert update.state is state
    assert (update.failure.code if isinstance(update.failure, RenderFailed) else None) is code


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.STATUS_ERROR, ReadFailed),
        (Fault.STATUS_GARBAGE, ReadFailed),
        (Fault.STATUS_RATE_LIMITED, RateLimited),
    ],
)
def test_a_look_that_fails_is_tried_again(
    vendor: Replicate, files: RawServer, fault: Fault, kind: type[ProviderError]
) -> None:
    vendor.fault = fault
    adapter = adapter_of(vendor)
    external_id = submitted(adapter, a_request(MODELS[0], Mode.TEXT, files))
    with pytest.raises(kind):
        adapter.fetch(external_id)
    while vendor.jobs[external_id].looks < 2:
        with pytest.raises(kind) if fault is not Fault.STATUS_RATE_LIMITED else nothing():
            adapter.fetch(external_id)
    assert ended(adapter, external_id).state is RenderState.SUCCEEDED


class nothing:  # noqa: N801 - reads like pytest.raises
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_a_word_that_nobody_documented_is_unknown_until_it_goes_away(
    vendor: Replicate, files: RawServer
) -> None:
    vendor.fault = Fault.UNKNOWN_WORD
    adapter = adapter_of(vendor)
    external_id = submitted(adapter, a_request(MODELS[0], Mode.TEXT, files))
    assert adapter.fetch(external_id).state is RenderState.UNKNOWN
    assert ended(adapter, external_id).state is RenderState.SUCCEEDED


def test_what_replicate_has_forgotten_is_not_found(vendor: Replicate, files: RawServer) -> None:
    vendor.fault = Fault.LOST
    adapter = adapter_of(vendor)
    external_id = submitted(adapter, a_request(MODELS[0], Mode.TEXT, files))

    def lost() -> bool:
        try:
            adapter.fetch(external_id)
        except JobNotFound:
            return True
        return False

    assert until(lost)


def test_a_stuck_prediction_goes_on_running(vendor: Replicate, files: RawServer) -> None:
    vendor.fault, vendor.seconds = Fault.STUCK, 0.01
    adapter = adapter_of(vendor)
    external_id = submitted(adapter, a_request(MODELS[0], Mode.TEXT, files))
    assert until(lambda: adapter.fetch(external_id).state is RenderState.RUNNING)


@pytest.mark.parametrize("fault", [Fault.LINK_EXPIRED, Fault.TRUNCATED])
def test_a_file_that_fails_is_seen_by_its_download(vendor: Replicate, files: RawServer, fault: Fault) -> None:
    vendor.fault = fault
    adapter = adapter_of(vendor)
    update = ended(adapter, submitted(adapter, a_request(MODELS[0], Mode.TEXT, files)))
    if fault is Fault.LINK_EXPIRED:
        with pytest.raises(BadStatus):
            downloaded(vendor, update)
        assert downloaded(vendor, update) == clip()
    else:
        assert downloaded(vendor, update) == clip()[: len(clip()) // 2]


@pytest.mark.parametrize("as_list", [False, True])
def test_a_file_needs_the_key(vendor: Replicate, files: RawServer, as_list: bool) -> None:
    vendor.as_list = as_list
    adapter = adapter_of(vendor)
    update = ended(adapter, submitted(adapter, a_request(MODELS[0], Mode.TEXT, files)))
    assert update.output is not None
    assert update.output.expires_at is not None
    with pytest.raises(BadStatus) as refusal:
        http_of(vendor).download(replace(update.output, headers={}), io.BytesIO(), max_bytes=10_000_000)
    assert refusal.value.status == 401


def test_an_input_that_can_not_be_had_fails_the_prediction(vendor: Replicate) -> None:
    with serving(answers(403)) as files:
        adapter = adapter_of(vendor)
        update = ended(adapter, submitted(adapter, a_request(MODELS[0], Mode.IMAGE, files)))
    assert isinstance(update.failure, RenderFailed)
    assert update.failure.code is FailureCode.INPUT_UNREADABLE


def test_data_that_was_removed_is_no_media_any_more(vendor: Replicate, files: RawServer) -> None:
    adapter = adapter_of(vendor)
    external_id = submitted(adapter, a_request(MODELS[0], Mode.TEXT, files))
    before = ended(adapter, external_id)
    vendor.remove_data(external_id)
    update = adapter.fetch(external_id)
    assert isinstance(update.failure, RenderFailed)
    assert update.failure.code is FailureCode.NO_MEDIA
    with pytest.raises(BadStatus):
        downloaded(vendor, before)


def test_a_cancel_stops_what_runs_and_comes_too_late_for_what_has_ended(
    vendor: Replicate, files: RawServer
) -> None:
    adapter = adapter_of(vendor)
    vendor.seconds = 30
    external_id = submitted(adapter, a_request(MODELS[0], Mode.TEXT, files))
    assert adapter.cancel(external_id) is CancelOutcome.ACCEPTED
    assert adapter.cancel(external_id) is CancelOutcome.ACCEPTED
    assert adapter.fetch(external_id).state is RenderState.CANCELLED
    vendor.jobs[external_id].more["deadline_first"] = True
    aborted = adapter.fetch(external_id)
    assert (aborted.state, aborted.vendor_state) == (RenderState.CANCELLED, "aborted")
    vendor.seconds = 0.01
    done = submitted(adapter, a_request(MODELS[0], Mode.TEXT, files))
    ended(adapter, done)
    assert adapter.cancel(done) is CancelOutcome.TOO_LATE
    with pytest.raises(JobNotFound):
        adapter.cancel("nothing")


def test_each_prediction_has_a_deadline(vendor: Replicate, files: RawServer) -> None:
    external_id = submitted(adapter_of(vendor), a_request(MODELS[0], Mode.TEXT, files))
    assert vendor.jobs[external_id].more["deadline"] == 3600


def test_the_list_has_every_page_from_a_moment_on(vendor: Replicate, files: RawServer) -> None:
    vendor.page_size = 2
    adapter = adapter_of(vendor)
    old = submitted(adapter, a_request(MODELS[0], Mode.TEXT, files))
    vendor.jobs[old].created_at -= 3600
    since = datetime.now(UTC) - timedelta(seconds=60)
    made = [submitted(adapter, a_request(MODELS[0], Mode.TEXT, files)) for _ in range(5)]
    assert [one.external_id for one in adapter.listed(since)] == made[::-1]
    looks = [request for request in vendor.requests if request.method == "GET"]
    assert [request.query.get("cursor") for request in looks] == [None, ["2"], ["4"]]


def test_it_tells_of_the_start_and_of_the_end_and_we_believe_it(vendor: Replicate, files: RawServer) -> None:
    adapter = adapter_of(vendor)
    vendor.fault = Fault.WEBHOOK_TWICE
    with serving(answers(204, b"")) as receiver:
        external_id = submitted(adapter, a_request(MODELS[0], Mode.TEXT, files), f"{receiver.url}/hook")
        assert until(lambda: len(receiver.received) == 3)
    updates = [adapter.read_webhook(_headers(one.head), one.body)[0] for one in receiver.received]
    assert [update.external_id for update in updates] == [external_id] * 3
    assert [update.state for update in updates] == [RenderState.RUNNING, *[RenderState.SUCCEEDED] * 2]
    assert all(update.event_id for update in updates)
    assert json.loads(receiver.received[-1].body) == vendor.prediction(vendor.jobs[external_id])


def test_a_strangers_webhook_is_not_believed(vendor: Replicate, files: RawServer) -> None:
    vendor.fault = Fault.WEBHOOK_FORGED
    adapter = adapter_of(vendor)
    with serving(answers(204, b"")) as receiver:
        submitted(adapter, a_request(MODELS[0], Mode.TEXT, files), f"{receiver.url}/hook")
        assert until(lambda: len(receiver.received) == 3)
    for one in receiver.received:
        if b'"error": "No."' in one.body:
            with pytest.raises(BadSignature):
                adapter.read_webhook(_headers(one.head), one.body)
        else:
            assert adapter.read_webhook(_headers(one.head), one.body)


def test_its_settings_lead_the_registry_to_it(
    vendor: Replicate, files: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in vendor.environment().items():
        monkeypatch.setenv(name, value)
    adapter = registry.provider(vendor.name)
    assert isinstance(adapter, ReplicateProvider)
    monkeypatch.setattr(adapter, "_http", http_of(vendor))
    assert [submitted(adapter, a_request(MODELS[0], Mode.TEXT, files))] == list(vendor.jobs)


def _headers(head: bytes) -> dict[str, str]:
    lines = (line.decode().partition(":") for line in head.split(b"\r\n")[1:])
    return {name: value.strip() for name, _, value in lines}
