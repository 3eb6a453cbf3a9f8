"""The sandbox: real video without a vendor, and every way in which a vendor can misbehave.

Its API is in `providers/sandbox/__init__.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from json import JSONDecodeError, loads
from typing import Any, ClassVar, Self
from urllib.parse import quote

from providers.contract import (
    CancelOutcome,
    Cost,
    Mode,
    OutputSource,
    RenderRequest,
    RenderState,
    RenderUpdate,
    Submission,
    VideoProvider,
    Webhooks,
)
from providers.errors import (
    FailureCode,
    OutcomeUnknown,
    ProviderError,
    ReadFailed,
    RenderFailed,
    UnsupportedFeature,
)
from providers.facts import ChoiceControl, ContentType, NumberControl, PriceUnit, ProviderLimits, VideoModel
from providers.http import BadStatus, Client, HttpError, UnusableBody, client
from providers.signatures import secrets_of, verify
from providers.submission import read_error, submission_error

FAULTS = (
    "slow",
    "stuck",
    "failed",
    "moderated",
    "moderated_at_submit",
    "rate_limited",
    "server_error",
    "server_error_after_accepting",
    "timeout_after_accepting",
    "malformed_json",
    "malformed_status",
    "unknown_status",
    "unknown_end",
    "done_without_media",
    "truncated_video",
    "expired_link",
    "webhook_late",
    "webhook_twice",
    "webhook_out_of_order",
    "webhook_forged",
    "webhook_before_answer",
    "no_webhook",
    "refuse_cancel",
    "ignore_cancel",
)
"""What `controls.fault` takes; `providers/sandbox/faults.py` says what each does."""

LIMITS = ProviderLimits(concurrent=10_000, per_minute=6_000)

_FAULT = ChoiceControl(name="fault", description="Misbehave on purpose, to test a client.", choices=FAULTS)
_SECONDS = NumberControl(
    name="seconds",
    description="How long the render takes at least, in seconds of real time.",
    minimum=0,
    maximum=86_400,
)

MODELS = (
    VideoModel(
        id="sandbox/motion-1",
        provider="sandbox",
        pretends=True,
        vendor_model="motion-1",
        name="Sandbox Motion 1",
        description="Free moving pictures with your prompt on them, for building and testing.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE, Mode.FIRST_LAST}),
        end_image_alone=True,
        default_duration=5,
        durations=range(2, 16),
        resolutions=("480p", "720p", "1080p", "4K"),
        ratios=("16:9", "9:16", "1:1", "4:5"),
        styles=("realistic", "cinematic", "artistic", "commercial"),
        max_prompt_length=5_000,
        negative_prompt=True,
        audio=True,
        enhance=True,
        seed=True,
        controls=(
            ChoiceControl(
                name="camera",
                description="How the camera moves.",
                choices=("static", "zoom_in", "zoom_out", "pan_left", "pan_right"),
                default="zoom_in",
            ),
            NumberControl(
                name="motion_strength",
                description="How much moves, from 0 (still) to 1.",
                minimum=0,
                maximum=1,
                default=0.5,
            ),
            _FAULT,
            _SECONDS,
        ),
        strengths=frozenset(ContentType) - {ContentType.TALKING_PERSON},
        quality=3,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=4),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="sandbox/motion-fast",
        provider="sandbox",
        pretends=True,
        vendor_model="motion-fast",
        name="Sandbox Motion Fast",
        description="The quickest sandbox model: text only, 720p.",
        modes=frozenset({Mode.TEXT}),
        default_duration=4,
        durations=range(2, 11),
        resolutions=("720p",),
        ratios=("16:9", "9:16"),
        max_prompt_length=1_000,
        controls=(_FAULT, _SECONDS),
        strengths=frozenset({ContentType.TEXT, ContentType.ANIMATION}),
        quality=1,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=2),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="sandbox/motion-pro",
        provider="sandbox",
        pretends=True,
        vendor_model="motion-pro",
        name="Sandbox Motion Pro",
        description="As Motion 1, with longer clips, for accounts on the pro tier.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE, Mode.FIRST_LAST}),
        end_image_alone=True,
        default_duration=8,
        durations=range(4, 31),
        resolutions=("720p", "1080p", "4K"),
        ratios=("16:9", "9:16", "1:1"),
        styles=("realistic", "cinematic"),
        max_prompt_length=5_000,
        negative_prompt=True,
        audio=True,
        seed=True,
        controls=(_FAULT, _SECONDS),
        requires_tier="pro",
        strengths=frozenset(ContentType),
        quality=4,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=8),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="sandbox/classic",
        provider="sandbox",
        pretends=True,
        vendor_model="classic",
        name="Sandbox Classic",
        description="The first sandbox model, retired.",
        modes=frozenset({Mode.TEXT}),
        default_duration=5,
        durations=(5, 10),
        resolutions=("720p",),
        ratios=("16:9",),
        max_prompt_length=1_000,
        available_from=datetime(2025, 1, 1, tzinfo=UTC),
        deprecated_at=datetime(2026, 1, 1, tzinfo=UTC),
        retires_at=datetime(2026, 7, 1, tzinfo=UTC),
        successor="sandbox/motion-1",
        strengths=frozenset(),
        quality=1,
        watermark=True,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=4),
        limits=LIMITS,
    ),
)

# The service's word, ours. Everything else is UNKNOWN.
STATES: Mapping[str, RenderState] = {
    "accepted": RenderState.QUEUED,
    "rendering": RenderState.RUNNING,
    "done": RenderState.SUCCEEDED,
    "error": RenderState.FAILED,
    "stopped": RenderState.CANCELLED,
}
# The service's error code, ours, and whether the same request may succeed later.
FAILURES: Mapping[str, tuple[FailureCode, bool]] = {
    "internal": (FailureCode.VENDOR_FAULT, True),
    "content_policy": (FailureCode.MODERATED, False),
    "input_unreadable": (FailureCode.INPUT_UNREADABLE, False),
}
REFUSALS: Mapping[str, FailureCode] = {
    "content_policy": FailureCode.MODERATED,
    "model_retired": FailureCode.MODEL_UNAVAILABLE,
}
# Controls that the service takes apart from its own options.
OF_THE_SANDBOX = frozenset({"fault", "seconds"})


class SandboxProvider(VideoProvider):
    name = "sandbox"
    settings: ClassVar[Sequence[str]] = ("SANDBOX_URL", "SANDBOX_API_KEY", "SANDBOX_WEBHOOK_SECRET")
    webhooks = Webhooks.SIGNED
    reports_cost = True
    # An order is on disk before it is answered and listed at once; the wait covers one still being read.
    find_is_authoritative_after = timedelta(seconds=10)

    def __init__(
        self, *, url: str, api_key: str, webhook_secrets: Sequence[str], http: Client | None = None
    ) -> None:
        """`webhook_secrets` are tried in turn, to rotate them; `http` replaces the process's client."""
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._webhook_secrets = tuple(webhook_secrets)
        self._http = http

    @classmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        return cls(
            url=values["SANDBOX_URL"],
            api_key=values["SANDBOX_API_KEY"],
            webhook_secrets=secrets_of(values["SANDBOX_WEBHOOK_SECRET"]),
        )

    def submit(self, request: RenderRequest, *, client_token: str, callback_url: str | None) -> Submission:
        order = _order(request) | {"client_reference": client_token, "callback_url": callback_url}
        try:
            answer = self._client.post_json(f"{self._url}/v1/videos", order, headers=self._headers)
        except HttpError as error:
            raise submission_error(self.name, error, refusal=_refusal(error)) from None
        match answer:
            case {"id": str(external_id), "status": str(status)}:
                return Submission(external_id=external_id, vendor_state=status)
            case _:
                raise OutcomeUnknown(self.name)

    def fetch(self, external_id: str) -> RenderUpdate:
        return self._update(self._get(f"/v1/videos/{quote(external_id, safe='')}"))

    def cancel(self, external_id: str) -> CancelOutcome:
        try:
            self._client.post_json(
                f"{self._url}/v1/videos/{quote(external_id, safe='')}/cancel", headers=self._headers
            )
        except BadStatus as error:
            if error.status == 409:
                return CancelOutcome.TOO_LATE
            raise read_error(self.name, error) from None
        except HttpError as error:
            raise read_error(self.name, error) from None
        return CancelOutcome.ACCEPTED

    def find(self, client_token: str, *, request: RenderRequest, since: datetime) -> RenderUpdate | None:
        match self._get(f"/v1/videos?client_reference={quote(client_token, safe='')}"):
            case {"results": []}:
                return None
            case {"results": [video, *_]}:
                return self._update(video)
            case _:
                raise ReadFailed(self.name)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> list[RenderUpdate]:
        event_id = verify(self.name, self._webhook_secrets, headers, body)
        try:
            message = loads(body)
        except (JSONDecodeError, RecursionError):
            raise ReadFailed(self.name) from None
        match message:
            case {"data": dict(video)}:
                return [self._update(video, event_id=event_id)]
            case _:
                raise ReadFailed(self.name)

    @property
    def _client(self) -> Client:
        return self._http or client()

    def _get(self, path: str) -> Any:
        try:
            return self._client.get_json(f"{self._url}{path}", headers=self._headers)
        except HttpError as error:
            raise read_error(self.name, error) from None

    def _update(self, video: Any, *, event_id: str | None = None) -> RenderUpdate:
        match video:
            case {"id": str(external_id), "status": str(word)}:
                pass
            case _:
                raise ReadFailed(self.name)
        state = STATES.get(word, RenderState.UNKNOWN)
        output = _output(video)
        failure: ProviderError | None = None
        if state is RenderState.SUCCEEDED and output is None:
            state = RenderState.FAILED
            failure = RenderFailed(self.name, code=FailureCode.NO_MEDIA, retryable=True)
        elif state is RenderState.FAILED:
            code, retryable = FAILURES.get(_error_code(video), (FailureCode.VENDOR_FAULT, False))
            failure = RenderFailed(self.name, code=code, retryable=retryable)
        progress, reference = video.get("progress"), video.get("client_reference")
        return RenderUpdate(
            external_id=external_id,
            state=state,
            vendor_state=word,
            progress=progress if type(progress) is int and 0 <= progress <= 100 else None,
            output=output if state is RenderState.SUCCEEDED else None,
            failure=failure,
            cost=_cost(video),
            event_id=event_id,
            client_token=reference if isinstance(reference, str) else None,
        )


def _order(request: RenderRequest) -> dict[str, object]:
    if request.mode is Mode.VIDEO:
        raise UnsupportedFeature(SandboxProvider.name, "video to video")
    order: dict[str, object] = {
        "model": request.model,
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "style": request.style,
        "duration": request.duration_seconds,
        "resolution": request.resolution,
        "ratio": request.ratio,
        "first_frame": request.start_image.url if request.start_image else None,
        "last_frame": request.end_image.url if request.end_image else None,
        "audio": request.audio,
        "enhance": request.enhance,
        "seed": request.seed,
    }
    order |= {name: value for name, value in request.controls.items() if name not in OF_THE_SANDBOX}
    order["sandbox"] = {name: value for name, value in request.controls.items() if name in OF_THE_SANDBOX}
    return order


def _refusal(error: HttpError) -> FailureCode:
    if not isinstance(error, BadStatus):
        return FailureCode.INVALID
    try:
        return REFUSALS.get(_error_code(error.answer.json()), FailureCode.INVALID)
    except UnusableBody:
        return FailureCode.INVALID


def _error_code(answer: object) -> str:
    match answer:
        case {"error": {"code": str(code)}}:
            return code
        case _:
            return ""


def _output(video: object) -> OutputSource | None:
    match video:
        case {"video": {"url": str(url), "expires_at": str(expires_at)}}:
            try:
                return OutputSource(url=url, expires_at=datetime.fromisoformat(expires_at))
            except ValueError:
                return OutputSource(url=url)
        case _:
            return None


def _cost(video: object) -> Cost | None:
    match video:
        case {"cost": {"amount": str(amount), "currency": str(currency)}}:
            try:
                return Cost(amount=Decimal(amount), currency=currency)
            except InvalidOperation:
                return None
        case _:
            return None
