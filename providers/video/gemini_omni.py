"""Gemini Omni's videos through the Interactions API. Source: the vendor's API reference and google-genai 3.4, 2026-11.

An interaction is asked for in the background and looked at until it has ended; its video is a content of its last
model output, by address or inline.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, ClassVar, Self
from urllib.parse import quote

from providers.contract import (
    CancelOutcome,
    ControlValue,
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
from providers.facts import ChoiceControl, ContentType, PriceUnit, ProviderLimits, VideoModel
from providers.http import BadStatus, Client, HttpError, client, origin
from providers.signatures import secrets_of

from .google_errors import FAILURES, read_failure, submission_failure
from .google_events import TOKEN_KEY, read_event, token_in, webhook_config

LIMITS = ProviderLimits(concurrent=10, per_minute=10)
# An answer with a video inside, although asked not to have it there.
MOST_ANSWER_BYTES = 1 << 29
# For it to arrive.
LOOK_SECONDS = 40.0

RESOLUTIONS: Mapping[str, str] = {"720p": "720p", "1080p": "1080p", "4K": "4k"}
RATIOS = frozenset({"16:9", "9:16"})
# The service's word, ours. Everything else is UNKNOWN.
STATES: Mapping[str, RenderState] = {
    "queued": RenderState.QUEUED,
    "in_progress": RenderState.RUNNING,
    "completed": RenderState.SUCCEEDED,
    "failed": RenderState.FAILED,
    "incomplete": RenderState.FAILED,
    "budget_exceeded": RenderState.FAILED,
    # It wants an answer that a video doesn't need: there is nobody to give it.
    "requires_action": RenderState.FAILED,
    "requires_continuation": RenderState.FAILED,
    "cancelled": RenderState.CANCELLED,
}
ENDED = frozenset({RenderState.SUCCEEDED, RenderState.FAILED, RenderState.CANCELLED})

_TASK = ChoiceControl(
    name="task",
    description="What becomes of a source video: changed by the prompt, continued, or enlarged.",
    choices=("edit", "extend", "upscale"),
    default="edit",
)
_STRENGTHS = frozenset(
    {ContentType.PRODUCT, ContentType.LANDSCAPE, ContentType.ANIMATION, ContentType.TEXT, ContentType.PERSON}
)

MODELS: tuple[VideoModel, ...] = (
    VideoModel(
        id="gemini-omni/1.2-flash",
        provider="gemini-omni",
        vendor_model="gemini-omni-1.2-flash",
        name="Gemini Omni 1.2 Flash",
        description="Up to 15 seconds from words or a picture, and changes to videos by words.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE, Mode.VIDEO}),
        source_sets_length=True,
        default_duration=8,
        durations=range(3, 16),
        resolutions=("720p", "1080p", "4K"),
        ratios=("16:9", "9:16"),
        max_prompt_length=4_000,
        seed=True,
        controls=(_TASK,),
        strengths=_STRENGTHS,
        quality=4,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=75),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="gemini-omni/1.1-flash",
        provider="gemini-omni",
        vendor_model="gemini-omni-1.1-flash",
        name="Gemini Omni 1.1 Flash",
        description="The first of its kind; 1.2 is finer and cheaper.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE, Mode.VIDEO}),
        source_sets_length=True,
        default_duration=8,
        durations=range(3, 16),
        resolutions=("720p", "1080p", "4K"),
        ratios=("16:9", "9:16"),
        max_prompt_length=4_000,
        seed=True,
        controls=(_TASK,),
        strengths=_STRENGTHS,
        quality=3,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=75),
        webhook_expected=True,
        limits=LIMITS,
    ),
)


class GeminiOmniProvider(VideoProvider):
    name = "gemini-omni"
    settings: ClassVar[Sequence[str]] = ("GEMINI_OMNI_API_KEY", "GEMINI_OMNI_URL")
    optional: ClassVar[Sequence[str]] = ("GEMINI_OMNI_WEBHOOK_SECRET",)
    defaults: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"GEMINI_OMNI_URL": "https://generativelanguage.googleapis.com/v1beta"}
    )
    webhooks = Webhooks.TOKEN
    notes: ClassVar[Sequence[str]] = (
        (
            "GEMINI_OMNI_API_KEY is a key of the same kind as GEMINI_API_KEY; GEMINI_OMNI_URL has the API's version in "
            "it, v1beta or v1 (that Omni is served by both is unconfirmed)."
        ),
        (
            "How its webhooks are signed and laid out is unconfirmed: a Standard Webhooks signature is checked where "
            "there is one and GEMINI_OMNI_WEBHOOK_SECRET is set; otherwise the token in our URL speaks for them."
        ),
        (
            'A length is sent as "8s" (unconfirmed); lengths of 3 to 15 seconds are the vendor\'s for 1.2 and taken for '
            "1.1 too."
        ),
        "An interaction that is completed with words and no video counts as refused by the content policy.",
        "Files are kept for about two days and prices are of a preview's list (both unconfirmed).",
        "Whether its videos have sound is not documented: sound is not offered.",
        "Pictures and videos are given as our signed links.",
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
            url=values["GEMINI_OMNI_URL"],
            api_key=values["GEMINI_OMNI_API_KEY"],
            webhook_secrets=secrets_of(values.get("GEMINI_OMNI_WEBHOOK_SECRET", "")),
        )

    def submit(self, request: RenderRequest, *, client_token: str, callback_url: str | None) -> Submission:
        order = _order(request) | {"labels": {TOKEN_KEY: client_token}}
        if callback_url is not None:
            order["webhook_config"] = webhook_config(callback_url, client_token)
        try:
            answer = self._client.post_json(f"{self._url}/interactions", order, headers=self._headers)
        except HttpError as error:
            raise submission_failure(self.name, error, with_source=request.source_video is not None) from None
        match answer:
            case {"id": str(external_id), "status": str(status)} if external_id:
                return Submission(external_id=external_id, vendor_state=status)
            case _:
                raise OutcomeUnknown(self.name)

    def fetch(self, external_id: str) -> RenderUpdate:
        try:
            interaction = self._client.json_without_media(
                "GET",
                self._address(external_id),
                headers=self._headers,
                max_bytes=MOST_ANSWER_BYTES,
                total_seconds=LOOK_SECONDS,
            )
        except HttpError as error:
            raise read_failure(self.name, error) from None
        return self._update(interaction)

    def cancel(self, external_id: str) -> CancelOutcome:
        url = f"{self._address(external_id)}/cancel"
        try:
            answer = self._client.post_json(url, headers=self._headers)
        except BadStatus as error:
            failure = read_failure(self.name, error)
            # Only what still runs in the background can be cancelled.
            if error.status in (400, 409) and isinstance(failure, ReadFailed):
                return CancelOutcome.TOO_LATE
            raise failure from None
        except HttpError as error:
            raise read_failure(self.name, error) from None
        match answer:
            case {"status": "cancelled"}:
                return CancelOutcome.ACCEPTED
            case {"status": str(word)} if STATES.get(word) in ENDED:
                return CancelOutcome.TOO_LATE
            case _:
                return CancelOutcome.ACCEPTED

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> list[RenderUpdate]:
        event = read_event(self.name, self._webhook_secrets, headers, body)
        if "status" in event.data and (event.data["status"] != "completed" or "steps" in event.data):
            return [self._update(event.data, event_id=event.delivery, token=event.token)]
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

    @property
    def _client(self) -> Client:
        return self._http or client()

    def _address(self, external_id: str) -> str:
        return f"{self._url}/interactions/{quote(external_id, safe='')}"

    def _update(
        self, interaction: Any, *, event_id: str | None = None, token: str | None = None
    ) -> RenderUpdate:
        match interaction:
            case {"id": str(external_id), "status": str(word)}:
                pass
            case _:
                raise ReadFailed(self.name)
        state = STATES.get(word, RenderState.UNKNOWN)
        output: OutputSource | None = None
        failure: ProviderError | None = None
        if state is RenderState.SUCCEEDED:
            output = self._output(external_id, interaction)
        if state is RenderState.FAILED or (state is RenderState.SUCCEEDED and output is None):
            state, failure = RenderState.FAILED, self._failure(interaction, word)
        return RenderUpdate(
            external_id=external_id,
            state=state,
            vendor_state=word,
            output=output,
            failure=failure,
            event_id=event_id,
            client_token=token or token_in(interaction.get("labels")),
        )

    def _output(self, external_id: str, interaction: Mapping[str, Any]) -> OutputSource | None:
        for content in _contents(_last_output(interaction)):
            match content:
                case {"type": "video", "uri": str(url)} if url:
                    headers = self._headers if _same_origin(url, self._url) else {}
                    return OutputSource(url=url, headers=headers)
                case {"type": "video", "data": str(data)} if data:
                    if _first_with_data(interaction) is not content:
                        # The first of that name in the answer is what a download finds.
                        raise ReadFailed(self.name)
                    return OutputSource(
                        url=self._address(external_id), headers=self._headers, base64_field="data"
                    )
        return None

    def _failure(self, interaction: Mapping[str, Any], word: str) -> RenderFailed:
        step = _last_output(interaction)
        match step:
            case {"error": {"code": int(code)}}:
                ours, again = FAILURES.get(code, (FailureCode.VENDOR_FAULT, False))
                return RenderFailed(self.name, code=ours, retryable=again)
        if word != "completed":
            return RenderFailed(self.name, code=FailureCode.VENDOR_FAULT, retryable=word == "incomplete")
        if any(content.get("type") == "text" for content in _contents(step)):
            return RenderFailed(self.name, code=FailureCode.MODERATED, retryable=False)
        return RenderFailed(self.name, code=FailureCode.NO_MEDIA, retryable=True)


def _order(request: RenderRequest) -> dict[str, object]:
    _check(request)
    config: dict[str, object] = {"video_config": {"task": _task(request)}}
    if request.seed is not None:
        config["seed"] = request.seed
    order: dict[str, object] = {
        "model": request.model,
        "input": _input(request),
        "background": True,
        "store": True,
        "response_format": {
            "type": "video",
            "aspect_ratio": request.ratio,
            "resolution": RESOLUTIONS[request.resolution],
            "duration": f"{request.duration_seconds}s",
            "delivery": "uri",
        },
        "generation_config": config,
    }
    if request.source_video is not None and request.source_video.vendor_id:
        order["previous_interaction_id"] = request.source_video.vendor_id
    return order


def _check(request: RenderRequest) -> None:
    name = GeminiOmniProvider.name
    wishes = {
        "negative prompt": request.negative_prompt,
        "style": request.style,
        "end image": request.end_image,
        "prompt enhancement": request.enhance,
        "sound": request.audio,
        f"the resolution {request.resolution}": request.resolution not in RESOLUTIONS,
        f"the ratio {request.ratio}": request.ratio not in RATIOS,
        "a task without a source video": request.source_video is None and _TASK.name in request.controls,
    }
    for feature, wished in wishes.items():
        if wished:
            raise UnsupportedFeature(name, feature)
    for control in request.controls.keys() - {_TASK.name}:
        raise UnsupportedFeature(name, control)
    if _task(request) == "extend" and not (request.source_video and request.source_video.vendor_id):
        raise UnsupportedFeature(name, "a source video that it did not make")


def _task(request: RenderRequest) -> ControlValue:
    if request.source_video is not None:
        return request.controls.get(_TASK.name, "edit")
    return "text_to_video" if request.start_image is None else "image_to_video"


def _input(request: RenderRequest) -> str | list[dict[str, object]]:
    """Words alone, or a step of words and what they are about, as the official client sends it.

    What an earlier interaction made needs no second mention.
    """
    blocks = [{"type": "text", "text": request.prompt}] if request.prompt else []
    if request.start_image is not None:
        blocks.append(
            {"type": "image", "uri": request.start_image.url, "mime_type": request.start_image.media_type}
        )
    if request.source_video is not None and not request.source_video.vendor_id:
        blocks.append(
            {"type": "video", "uri": request.source_video.url, "mime_type": request.source_video.media_type}
        )
    match blocks:
        case [{"type": "text", "text": text}]:
            return text
        case _:
            return [{"type": "user_input", "content": blocks}]


def _steps(interaction: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    steps = interaction.get("steps")
    yield from (step for step in (steps if isinstance(steps, list) else []) if isinstance(step, dict))


def _last_output(interaction: Mapping[str, Any]) -> Mapping[str, Any]:
    outputs = [step for step in _steps(interaction) if step.get("type") == "model_output"]
    return outputs[-1] if outputs else {}


def _contents(step: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    contents = step.get("content")
    return [one for one in (contents if isinstance(contents, list) else []) if isinstance(one, dict)]


def _first_with_data(interaction: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next((one for step in _steps(interaction) for one in _contents(step) if "data" in one), None)


def _same_origin(first: str, second: str) -> bool:
    try:
        return origin(first) == origin(second)
    except ValueError:
        return False
