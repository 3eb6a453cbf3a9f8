"""Veo at the Gemini API, by API key: a closed contract, kept for its resellers and for what was recorded of it.

Google took the last model off on 2026-10-22; Veo goes on at Google Cloud (`vertex`). Source: the vendor's REST
guide and google-genai 1.75 and 2.34, whose shapes of requests are used.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, ClassVar, Self
from urllib.parse import quote

from providers.contract import (
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
    JobNotFound,
    NotSent,
    OutcomeUnknown,
    ReadFailed,
    RenderFailed,
    RequestRefused,
    UnsupportedFeature,
)
from providers.facts import ContentType, PriceUnit, ProviderLimits, Restriction, VideoModel
from providers.http import Client, HttpError, client, origin
from providers.signatures import secrets_of

from . import veo_operations
from .google_errors import read_failure, submission_failure
from .google_events import read_event, webhook_config

LIMITS = ProviderLimits(concurrent=10, per_minute=10)
SILENT = frozenset({"veo-2.0-generate-001"})
"""Models whose videos have no sound; all others' have, asked for or not."""
_EVERYTHING = frozenset(ContentType) - {ContentType.TEXT}
_ONLY_EIGHT = (
    Restriction(resolutions=("1080p", "4K"), durations=(8,)),
    Restriction(modes=frozenset({Mode.FIRST_LAST, Mode.VIDEO}), durations=(8,)),
    Restriction(modes=frozenset({Mode.VIDEO}), resolutions=("1080p", "4K")),
)

MODELS: tuple[VideoModel, ...] = (
    VideoModel(
        id="gemini-veo/veo-3.1-preview",
        provider="gemini-veo",
        vendor_model="veo-3.1-generate-preview",
        name="Veo 3.1 Preview (Gemini API)",
        description="Closed. Veo 3.1 on Google Cloud makes the same videos.",
        modes=frozenset(Mode),
        default_duration=8,
        durations=(4, 6, 8),
        resolutions=("720p", "1080p", "4K"),
        restrictions=_ONLY_EIGHT,
        ratios=("16:9", "9:16"),
        max_prompt_length=veo_operations.MOST_LETTERS,
        negative_prompt=True,
        audio=True,
        enhance=True,
        strengths=_EVERYTHING,
        quality=5,
        retires_at=datetime(2026, 10, 22, tzinfo=UTC),
        successor="vertex/veo-3.1",
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=90),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="gemini-veo/veo-3",
        provider="gemini-veo",
        vendor_model="veo-3.0-generate-001",
        name="Veo 3 (Gemini API)",
        description="Closed. Replaced by Veo 3.1 on Google Cloud.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE}),
        default_duration=8,
        durations=(4, 6, 8),
        resolutions=("720p", "1080p"),
        restrictions=(Restriction(resolutions=("1080p",), durations=(8,)),),
        ratios=("16:9", "9:16"),
        max_prompt_length=veo_operations.MOST_LETTERS,
        negative_prompt=True,
        audio=True,
        enhance=True,
        strengths=_EVERYTHING,
        quality=4,
        retires_at=datetime(2026, 6, 30, tzinfo=UTC),
        successor="vertex/veo-3.1",
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=90),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="gemini-veo/veo-3-fast",
        provider="gemini-veo",
        vendor_model="veo-3.0-fast-generate-001",
        name="Veo 3 Fast (Gemini API)",
        description="Closed. Replaced by Veo 3.1 Fast on Google Cloud.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE}),
        default_duration=8,
        durations=(4, 6, 8),
        resolutions=("720p", "1080p"),
        restrictions=(Restriction(resolutions=("1080p",), durations=(8,)),),
        ratios=("16:9", "9:16"),
        max_prompt_length=veo_operations.MOST_LETTERS,
        negative_prompt=True,
        audio=True,
        enhance=True,
        strengths=_EVERYTHING,
        quality=3,
        retires_at=datetime(2026, 6, 30, tzinfo=UTC),
        successor="vertex/veo-3.1-fast",
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=60),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="gemini-veo/veo-2",
        provider="gemini-veo",
        vendor_model="veo-2.0-generate-001",
        name="Veo 2 (Gemini API)",
        description="Closed. Without sound; replaced by Veo 3.1 on Google Cloud.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE}),
        default_duration=8,
        durations=range(5, 9),
        resolutions=("720p",),
        ratios=("16:9", "9:16"),
        max_prompt_length=veo_operations.MOST_LETTERS,
        negative_prompt=True,
        enhance=True,
        strengths=frozenset({ContentType.LANDSCAPE, ContentType.PRODUCT}),
        quality=3,
        retires_at=datetime(2026, 6, 30, tzinfo=UTC),
        successor="vertex/veo-3.1",
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=60),
        webhook_expected=True,
        limits=LIMITS,
    ),
)


class GeminiVeoProvider(VideoProvider):
    name = "gemini-veo"
    settings: ClassVar[Sequence[str]] = ("GEMINI_VEO_API_KEY", "GEMINI_VEO_URL")
    optional: ClassVar[Sequence[str]] = ("GEMINI_VEO_WEBHOOK_SECRET",)
    defaults: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"GEMINI_VEO_URL": "https://generativelanguage.googleapis.com/v1beta"}
    )
    webhooks = Webhooks.TOKEN
    notes: ClassVar[Sequence[str]] = (
        (
            "Google closed this API for Veo in June and October 2026: every model is retired, and a submission to Google "
            "itself answers that the model is gone."
        ),
        "Google's older guide names a seed and its client refused one: no seed is sent (unconfirmed).",
        (
            "How its webhooks are signed and laid out is unconfirmed: a Standard Webhooks signature is checked where "
            "there is one and GEMINI_VEO_WEBHOOK_SECRET is set; otherwise the token in our URL speaks for them."
        ),
        "Veo 3 makes sound whether it is asked for or not.",
        "A continued video comes with the earlier one in front of it, seven seconds longer.",
    )

    def __init__(
        self, *, url: str, api_key: str, webhook_secrets: Sequence[str] = (), http: Client | None = None
    ) -> None:
        """`webhook_secrets` are tried in turn, to rotate them; `http` replaces the process's client."""
        self._url = url.rstrip("/")
        self._headers = {"x-goog-api-key": api_key}
        self._webhook_secrets = tuple(webhook_secrets)
        self._http = http

    @classmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        return cls(
            url=values["GEMINI_VEO_URL"],
            api_key=values["GEMINI_VEO_API_KEY"],
            webhook_secrets=secrets_of(values.get("GEMINI_VEO_WEBHOOK_SECRET", "")),
        )

    def submit(self, request: RenderRequest, *, client_token: str, callback_url: str | None) -> Submission:
        self._check(request)
        instance = veo_operations.instance(self.name, request, self._client)
        if request.source_video is not None:
            instance["video"] = {"uri": self._earlier(request.source_video.vendor_id)}
        order: dict[str, object] = {
            "instances": [instance],
            "parameters": veo_operations.parameters(request),
        }
        if callback_url is not None:
            order["webhookConfig"] = webhook_config(callback_url, client_token)
        url = f"{self._url}/models/{quote(request.model, safe='')}:predictLongRunning"
        try:
            answer = self._client.post_json(url, order, headers=self._headers)
        except HttpError as error:
            raise submission_failure(self.name, error) from None
        match answer:
            case {"name": str(operation)} if operation:
                return Submission(external_id=operation, vendor_state=veo_operations.RUNNING)
            case _:
                raise OutcomeUnknown(self.name)

    def fetch(self, external_id: str) -> RenderUpdate:
        operation = veo_operations.read(self.name, self._get(external_id))
        output = self._output(operation.media)
        if operation.state is RenderState.SUCCEEDED and output is None:
            failure = RenderFailed(self.name, code=FailureCode.NO_MEDIA, retryable=True)
            return RenderUpdate(
                external_id=external_id,
                state=RenderState.FAILED,
                vendor_state=operation.word,
                failure=failure,
            )
        return RenderUpdate(
            external_id=external_id,
            state=operation.state,
            vendor_state=operation.word,
            output=output,
            failure=operation.failure,
        )

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> list[RenderUpdate]:
        event = read_event(self.name, self._webhook_secrets, headers, body)
        if "done" not in event.data:
            # What has happened is told by a look.
            return [
                RenderUpdate(
                    external_id=event.id,
                    state=RenderState.RUNNING,
                    vendor_state=event.kind,
                    event_id=event.delivery,
                    client_token=event.token,
                )
            ]
        operation = veo_operations.read(self.name, event.data)
        return [
            RenderUpdate(
                external_id=event.id,
                state=operation.state,
                vendor_state=operation.word,
                output=self._output(operation.media),
                failure=operation.failure,
                event_id=event.delivery,
                client_token=event.token,
            )
        ]

    @property
    def _client(self) -> Client:
        return self._http or client()

    def _check(self, request: RenderRequest) -> None:
        veo_operations.check(self.name, request)
        if request.seed is not None:
            raise UnsupportedFeature(self.name, "seed")
        if request.audio and request.model in SILENT:
            raise UnsupportedFeature(self.name, "sound")
        for control in request.controls:
            raise UnsupportedFeature(self.name, control)

    def _get(self, operation: str) -> Any:
        try:
            return self._client.get_json(f"{self._url}/{_path(operation)}", headers=self._headers)
        except HttpError as error:
            raise read_failure(self.name, error) from None

    def _earlier(self, operation: str) -> str:
        """The address of an earlier video of ours, asked for before anything is paid."""
        try:
            output = self.fetch(operation).output
        except JobNotFound:
            output = None
        except ReadFailed:
            raise NotSent(self.name) from None
        if output is None:
            raise RequestRefused(self.name, code=FailureCode.INPUT_UNREADABLE)
        return output.url

    def _output(self, media: Mapping[str, Any] | None) -> OutputSource | None:
        url = media.get("uri") if media is not None else None
        if not isinstance(url, str) or not url:
            return None
        # The key is for the API's own host; a reseller's files may be elsewhere.
        return OutputSource(url=url, headers=self._headers if _same_origin(url, self._url) else {})


def _path(operation: str) -> str:
    """A name `models/…/operations/…` as a path; any other as one segment, so that none leads elsewhere."""
    match operation.split("/"):
        case ["models", model, "operations", number] if not {model, number} & {"", ".", ".."}:
            return f"models/{quote(model, safe='')}/operations/{quote(number, safe='')}"
        case _:
            return quote(operation, safe="")


def _same_origin(first: str, second: str) -> bool:
    try:
        return origin(first) == origin(second)
    except ValueError:
        return False
