"""Replicate's own client against the simulator, and the same wish through it and through our adapter."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic.v1 import ValidationError
from replicate.client import Client
from replicate.exceptions import ReplicateError
from replicate.webhook import Webhooks, WebhookSigningSecret, WebhookValidationError

from providers.contract import ControlValue, Mode, RenderRequest
from providers.errors import ProviderError
from providers.video.replicate import MODELS, SHAPES
from tests.providers.sandbox import until
from tests.providers.servers import RawServer
from tests.vendors.replicate import Replicate
from tests.vendors.video import Fault, clip

from .test_replicate_simulated import TOKEN, a_request, adapter_of, files, submitted, vendor

__all__ = ["files", "vendor"]

HAILUO = "minimax/hailuo-02"
INPUT = {"prompt": "A paper boat", "duration": 6, "resolution": "768p", "prompt_optimizer": False}


@pytest.fixture
def client(vendor: Replicate, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    opened = Client(api_token=vendor.key, base_url=vendor.root, timeout=httpx.Timeout(5))
    opened.poll_interval = 0.02
    yield opened
    opened._client.close()


def test_the_official_client_creates_waits_and_reads(vendor: Replicate, client: Any) -> None:
    prediction = client.models.predictions.create(model=HAILUO, input=INPUT)
    assert (prediction.status, prediction.model, prediction.version) == ("starting", HAILUO, "hidden")
    assert prediction.input == INPUT
    prediction.wait()
    assert prediction.status == "succeeded"
    assert prediction.metrics["total_time"] > 0
    assert client._client.get(prediction.output).content == clip()
    assert client.predictions.get(prediction.id).completed_at


def test_the_official_client_runs_a_version(vendor: Replicate, client: Any) -> None:
    version = SHAPES["stability-ai/stable-video-diffusion"].version
    for name in (version, f"stability-ai/stable-video-diffusion:{version}"):
        made = client.predictions.create(version=name, input={"input_image": "data:image/png;base64,AA"})
        assert (made.model, made.version) == ("stability-ai/stable-video-diffusion", version)
    assert client.predictions.create(version=HAILUO, input=INPUT).model == HAILUO


def test_the_official_client_lists_and_cancels(vendor: Replicate, client: Any) -> None:
    vendor.page_size, vendor.seconds = 2, 30
    made = [client.models.predictions.create(model=HAILUO, input=INPUT).id for _ in range(3)]
    first = client.predictions.list()
    assert [one.id for one in first] == made[:0:-1]
    rest = client.predictions.list(first.next)
    assert [one.id for one in rest] == made[:1]
    assert (rest.next, first.previous) == (None, None)
    assert client.predictions.cancel(made[0]).status == "canceled"
    assert client.predictions.get(made[0]).status == "canceled"


def test_the_official_client_does_not_know_what_aborted_is(vendor: Replicate, client: Any) -> None:
    made = client.models.predictions.create(model=HAILUO, input=INPUT)
    job = vendor.jobs[made.id]
    job.cancelled, job.more["deadline_first"] = True, True
    with pytest.raises(ValidationError):
        client.predictions.get(made.id)


def test_the_official_client_reads_models_and_the_account(client: Any) -> None:
    model = client.models.get(HAILUO)
    assert (model.owner, model.name) == ("minimax", "hailuo-02")
    schema = model.latest_version.openapi_schema["components"]["schemas"]["Input"]["properties"]
    assert set(schema) == set(SHAPES[HAILUO].properties) | {"first_frame_image", "last_frame_image"}
    assert client.accounts.current().username == "studio"


def test_the_official_client_believes_the_simulators_webhooks(vendor: Replicate, client: Any) -> None:
    secret = client.webhooks.default.secret()
    assert secret.key == vendor.secret
    headers, body = vendor.signed(b'{"id": "a"}')
    Webhooks.validate(headers=headers, body=body.decode(), secret=secret, tolerance=300)
    with pytest.raises(WebhookValidationError):
        Webhooks.validate(headers=headers, body='{"id": "b"}', secret=secret)
    vector = WebhookSigningSecret(key="whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3")
    known = {
        "webhook-id": "msg_test_1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": "v1,nZx/eaDc8x6VgQ/aOYzv4VxU3wGnjrx5oXPWE66NXk0=",
    }
    Webhooks.validate(headers=known, body='{"id":"abc123","status":"succeeded"}', secret=vector)


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (lambda c: c.models.predictions.create(model=HAILUO, input={}), 422),
        (lambda c: c.models.predictions.create(model=HAILUO, input=INPUT | {"image": "https://a"}), 422),
        (lambda c: c.models.predictions.create(model=HAILUO, input={"prompt": "x", "duration": 10}), 422),
        (lambda c: c.models.predictions.create(model=HAILUO, input=INPUT, webhook="ftp://a"), 422),
        (
            lambda c: c.models.predictions.create(model=HAILUO, input=INPUT, webhook_events_filter=["end"]),
            422,
        ),
        (
            lambda c: c.models.predictions.create(model=HAILUO, input=INPUT, webhook_completed="https://a"),
            422,
        ),
        (lambda c: c.models.predictions.create(model="eminimax/hailuo-02", input=INPUT), 404),
        (lambda c: c.models.predictions.create(model="stability-ai/stable-video-diffusion", input={}), 404),
        (lambda c: c.predictions.create(version="a" * 64, input={}), 422),
        (lambda c: c.predictions.get("nothing"), 404),
        (lambda c: c.predictions.cancel("nothing"), 404),
    ],
)
def test_the_official_client_is_refused_what_replicate_does_not_take(
    client: Any, call: Any, status: int
) -> None:
    with pytest.raises(ReplicateError) as failure:
        call(client)
    assert failure.value.status == status
    assert failure.value.detail


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.RATE_LIMITED, 429),
        (Fault.WRONG_KEY, 401),
        (Fault.NO_BALANCE, 402),
        (Fault.REFUSED, 422),
        (Fault.SERVER_ERROR, 500),
    ],
)
def test_what_the_official_client_fails_at_ours_fails_at(
    vendor: Replicate, client: Any, files: RawServer, fault: Fault, status: int
) -> None:
    vendor.fault = fault
    with pytest.raises(ReplicateError) as failure:
        client.models.predictions.create(model=HAILUO, input=INPUT)
    assert failure.value.status == status
    vendor.refusals = 0
    with pytest.raises(ProviderError):
        submitted(adapter_of(vendor), a_request(MODELS[0], Mode.TEXT, files))
    assert [request.status for request in vendor.requests] == [status, status]


@pytest.mark.parametrize(
    ("model", "mode", "more"),
    [(model, mode, more) for model in MODELS for mode in sorted(model.modes) for more in (False, True)],
    ids=str,
)
def test_our_adapter_and_the_official_client_ask_the_same(
    vendor: Replicate, client: Any, files: RawServer, model: Any, mode: Mode, more: bool
) -> None:
    """Bytes too, once keys and spaces are set in order; ours adds its deadline, in a header."""
    request: RenderRequest = a_request(model, mode, files)
    if more:
        controls: dict[str, ControlValue] = {}
        if model.controls:
            controls = {"frames": "25", "fps": 12, "sizing": "crop_to_16_9"}
        request = replace(request, enhance=model.enhance, seed=7 if model.seed else None, controls=controls)
    hook = "https://studio.example/hook" if more else None
    submitted(adapter_of(vendor), request, hook)
    wish: dict[str, Any] = {
        "duration": 6,
        "resolution": "768p",
        "prompt": "A paper boat",
        "prompt_optimizer": more,
    }
    if request.start_image is not None:
        wish["first_frame_image"] = request.start_image.url
    if request.end_image is not None:
        wish["last_frame_image"] = request.end_image.url
    where: dict[str, Any] = {"model": model.vendor_model}
    if model.controls:
        assert request.start_image is not None
        where = {"version": SHAPES[model.vendor_model].version}
        wish = {
            "input_image": request.start_image.url,
            "video_length": "25_frames_with_svd_xt" if more else "14_frames_with_svd",
            "frames_per_second": 12 if more else 8,
            "sizing_strategy": "crop_to_16_9" if more else "maintain_aspect_ratio",
            "motion_bucket_id": 127,
            "cond_aug": 0.02,
            "decoding_t": 7,
        } | ({"seed": 7} if more else {})
    params: dict[str, Any] = (
        {"webhook": hook, "webhook_events_filter": ["start", "completed"]} if hook else {}
    )
    client.predictions.create(**where, input=wish, **params)

    ours, theirs = vendor.requests
    assert (ours.method, ours.path, ours.query) == (theirs.method, theirs.path, theirs.query)
    assert ours.status == theirs.status == 201
    assert json.dumps(ours.json, sort_keys=True).encode() == json.dumps(theirs.json, sort_keys=True).encode()
    for name in ("authorization", "content-type"):
        assert ours.headers[name] == theirs.headers[name]
    assert "prefer" not in ours.headers


def test_our_adapter_and_the_official_client_look_and_cancel_the_same(
    vendor: Replicate, client: Any, files: RawServer
) -> None:
    adapter = adapter_of(vendor)
    external_id = submitted(adapter, a_request(MODELS[0], Mode.TEXT, files))
    assert until(lambda: adapter.fetch(external_id).output)
    del vendor.requests[:]
    adapter.fetch(external_id)
    theirs = client.predictions.get(external_id)
    adapter.cancel(external_id)
    client.predictions.cancel(external_id)
    sent = [(one.method, one.path, one.body, one.headers["authorization"]) for one in vendor.requests]
    assert sent[0] == sent[1]
    assert sent[2] == sent[3]
    output = adapter.fetch(external_id).output
    assert output is not None
    assert output.url == theirs.output
    assert TOKEN not in str(sent)
