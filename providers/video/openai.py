"""OpenAI's Videos API (v1, openai-python 3.52 and the API description 2.3.0): Sora 2, and gateways of the same shape.

OpenAI closed the API and both models on 24 September 2026. The setting OPENAI_VIDEOS_MODELS, names separated by commas
and read when the process starts, adds models that a gateway at OPENAI_VIDEOS_URL runs in the same shape. What gateways
do differently is taken too: ids and states of their own, a link to the video in the object.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, ClassVar, Self
from urllib.parse import quote, urlencode

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from providers import inputs
from providers.contract import (
    InputMedia,
    Listed,
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
    BalanceUsedUp,
    FailureCode,
    JobNotFound,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    ReadFailed,
    RenderFailed,
    UnsupportedFeature,
)
from providers.facts import ChoiceControl, ContentType, PriceUnit, ProviderLimits, Restriction, VideoModel
from providers.http import BadStatus, Client, HttpError, UnusableBody, client, origin
from providers.signatures import secrets_of, verify
from providers.submission import read_error, submission_error

NAME = "openai"
# By the minute in the lowest paid tier; how many may run at once is not published, so that is a bound of our own.
LIMITS = ProviderLimits(concurrent=50, per_minute=25)
SHUT_DOWN = datetime(2026, 9, 24, tzinfo=UTC)

# The size of a picture, and with it of a start image, by resolution and ratio.
SIZES: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("720p", "16:9"): "1280x720",
        ("720p", "9:16"): "720x1280",
        ("1080p", "16:9"): "1920x1080",
        ("1080p", "9:16"): "1080x1920",
    }
)
IMAGES = frozenset({"image/jpeg", "image/png", "image/webp"})
# Of the whole data URL: a third of it is base64's.
MAX_IMAGE_BYTES = (20 * 2**20 - 100) // 4 * 3
# What is made of an earlier video, and where.
OPERATIONS: Mapping[str, str] = {"extend": "/videos/extensions", "edit": "/videos/edits"}

# The API's word, ours; the last three are gateways'. Everything else is UNKNOWN.
STATES: Mapping[str, RenderState] = {
    "queued": RenderState.QUEUED,
    "in_progress": RenderState.RUNNING,
    "completed": RenderState.SUCCEEDED,
    "failed": RenderState.FAILED,
    "pending": RenderState.QUEUED,
    "cancelled": RenderState.CANCELLED,
    "expired": RenderState.FAILED,
}
# Codes are not enumerated: one that has one of these words in it speaks of the content.
OF_THE_CONTENT = ("moderation", "policy", "safety")
# Worth another try.
OF_THE_SERVER = frozenset({"server_error", "internal_error"})
# Where gateways put the link.
LINKS = ("url", "video_url", "output")
PAGE = 100
PAGES = 10

_SORA = VideoModel(
    id="openai/sora-2",
    provider=NAME,
    vendor_model="sora-2",
    name="Sora 2",
    description="OpenAI closed it in September 2026; Runway Gen-4.5 takes its place.",
    # It continued its own videos too; no model that takes its place does that.
    modes=frozenset({Mode.TEXT, Mode.IMAGE}),
    default_duration=4,
    durations=(4, 8, 12),
    resolutions=("720p",),
    ratios=("16:9", "9:16"),
    max_prompt_length=32_000,
    deprecated_at=datetime(2026, 3, 24, tzinfo=UTC),
    retires_at=SHUT_DOWN,
    successor="runway/gen4.5",
    strengths=frozenset({ContentType.PERSON, ContentType.ACTION, ContentType.LANDSCAPE}),
    quality=5,
    price_unit=PriceUnit.SECOND,
    expected_seconds=timedelta(minutes=3),
    limits=LIMITS,
)
RETIRED = (
    _SORA,
    replace(
        _SORA,
        id="openai/sora-2-pro",
        vendor_model="sora-2-pro",
        name="Sora 2 Pro",
        resolutions=("720p", "1080p"),
        expected_seconds=timedelta(minutes=6),
    ),
)
_SIZES_OF = {model.vendor_model: model.resolutions for model in RETIRED}


def gateway_models(names: str) -> tuple[VideoModel, ...]:
    """The models of the setting OPENAI_VIDEOS_MODELS. Raises ImproperlyConfigured."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}", name):
            raise ImproperlyConfigured("OPENAI_VIDEOS_MODELS has a name that is none")
        if wanted.count(name) > 1:
            raise ImproperlyConfigured(f"OPENAI_VIDEOS_MODELS has {name} twice")
    return tuple(
        replace(
            _SORA,
            id=f"{NAME}/{name}",
            vendor_model=name,
            name=name,
            description="A model of the gateway that the operator of this installation chose.",
            modes=frozenset({Mode.TEXT, Mode.IMAGE, Mode.VIDEO}),
            durations=(4, 8, 12, 16, 20),
            restrictions=(Restriction(modes=frozenset({Mode.TEXT, Mode.IMAGE}), durations=(4, 8, 12)),),
            resolutions=_SIZES_OF.get(name, _SORA.resolutions),
            controls=(
                ChoiceControl(
                    name="operation",
                    description="What becomes of an earlier video: it goes on for so long, or is changed.",
                    choices=tuple(OPERATIONS),
                    default="extend",
                ),
            ),
            deprecated_at=None,
            retires_at=None,
            successor=None,
            quality=3,
        )
        for name in wanted
    )


_LIVING = gateway_models(settings.ENVIRONMENT.str("OPENAI_VIDEOS_MODELS", ""))
MODELS: tuple[VideoModel, ...] = (
    *_LIVING,
    # A gateway may run Sora still.
    *(model for model in RETIRED if model.id not in {living.id for living in _LIVING}),
)


class OpenAIProvider(VideoProvider):
    name = NAME
    settings: ClassVar[Sequence[str]] = ("OPENAI_VIDEOS_API_KEY", "OPENAI_VIDEOS_URL")
    optional: ClassVar[Sequence[str]] = ("OPENAI_VIDEOS_WEBHOOK_SECRET", "OPENAI_VIDEOS_MODELS")
    defaults: ClassVar[Mapping[str, str]] = {"OPENAI_VIDEOS_URL": "https://api.openai.com/v1"}
    webhooks = Webhooks.SIGNED
    webhooks_of_account = True
    notes: ClassVar[Sequence[str]] = (
        "OpenAI closed this API on 24 September 2026; it is here for gateways that speak the same shape.",
        "A model of OPENAI_VIDEOS_MODELS can't be used until it has a price: `manage.py publish_rate_card`.",
        "A start image has to have the very size of the video in pixels, and is refused otherwise.",
        "Webhooks come to one address of the project, which is registered at the vendor, and name the video only.",
        "Codes of failures are not enumerated: those that speak of moderation, policy or safety count as such.",
        "There is no cancel; the size 1792x1024 of Sora 2 Pro is not offered; its 1080p is unconfirmed.",
        "Lengths of 16 and 20 seconds are offered for extensions only; for new videos they are unconfirmed.",
        "Whether gateways extend and edit videos, or list them, is unconfirmed: where not, they refuse.",
        "Whether failed videos are charged is unconfirmed.",
        "It tells no inputs, so a lost submission with a picture or a video is never looked up by its words.",
    )

    def __init__(
        self, *, url: str, api_key: str, webhook_secrets: Sequence[str] = (), http: Client | None = None
    ) -> None:
        """`webhook_secrets` are tried in turn, to rotate them; `http` replaces the process's client."""
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._webhook_secrets = tuple(map(_secret, webhook_secrets))
        self._http = http

    @classmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        return cls(
            url=values["OPENAI_VIDEOS_URL"],
            api_key=values["OPENAI_VIDEOS_API_KEY"],
            webhook_secrets=secrets_of(values.get("OPENAI_VIDEOS_WEBHOOK_SECRET", "")),
        )

    def submit(self, request: RenderRequest, *, client_token: str, callback_url: str | None) -> Submission:
        path, order = _order(request)
        if request.start_image is not None:
            order["input_reference"] = {"image_url": self._inlined(request.start_image)}
        try:
            answer = self._client.post_json(f"{self._url}{path}", order, headers=self._headers)
        except HttpError as error:
            raise _submission_error(error, of_a_video=request.mode is Mode.VIDEO) from None
        match answer:
            case {"id": str(external_id), "status": str(word)} if external_id:
                return Submission(external_id=external_id, vendor_state=word)
            case _:
                raise OutcomeUnknown(self.name)

    def fetch(self, external_id: str) -> RenderUpdate:
        return self._update(self._get(f"/videos/{quote(external_id, safe='')}"))

    def find(self, client_token: str, *, request: RenderRequest, since: datetime) -> RenderUpdate | None:
        """By the words of a video made of words alone.

        The vendor says nothing of inputs: with the same words and another picture it could be another customer's.
        """
        if any((request.start_image, request.end_image, request.source_video)):
            return None
        found = [video for video in self._videos(since) if _is_of(video, request)]
        return self._update(found[0]) if len(found) == 1 else None

    def listed(self, since: datetime) -> Sequence[Listed]:
        return [
            Listed(
                external_id=video["id"],
                state=STATES.get(video["status"], RenderState.UNKNOWN),
                created_at=_time(video.get("created_at")),
            )
            for video in self._videos(since)
        ]

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> list[RenderUpdate]:
        event_id = verify(self.name, self._webhook_secrets, headers, body)
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            raise ReadFailed(self.name) from None
        match message:
            case {"type": str(kind), "data": {"id": str(external_id)}} if kind.startswith("video."):
                # It says no more: the rest is fetched.
                video = {"id": external_id, "status": kind.removeprefix("video.")}
                return [self._update(video, event_id=event_id)]
            case {"type": str(kind)} if not kind.startswith("video."):
                # The project's endpoint may be told of other things.
                return []
            case _:
                raise ReadFailed(self.name)

    @property
    def verifies_webhooks(self) -> bool:
        return bool(self._webhook_secrets)

    @property
    def _client(self) -> Client:
        return self._http or client()

    def _inlined(self, image: InputMedia) -> str:
        """The picture as a data URL. Raises NotSent or UnsupportedFeature."""
        if image.media_type not in IMAGES:
            raise UnsupportedFeature(self.name, "a start image that is no JPEG, PNG or WebP")
        content = inputs.read(self.name, self._client, image, max_bytes=MAX_IMAGE_BYTES)
        return inputs.data_uri(image, content)

    def _get(self, path: str) -> Any:
        try:
            return self._client.get_json(f"{self._url}{path}", headers=self._headers)
        except HttpError as error:
            raise _read_error(error) from None

    def _videos(self, since: datetime) -> Iterator[dict[str, Any]]:
        """Those created from `since` on, newest first, at most 1,000. Raises as `fetch`."""
        # Their time is in whole seconds.
        first = since.replace(microsecond=0)
        query: dict[str, object] = {"limit": PAGE, "order": "desc"}
        for _ in range(PAGES):
            try:
                page = self._get(f"/videos?{urlencode(query)}")
            except JobNotFound:
                # A gateway without a list: that proves nothing.
                raise ReadFailed(self.name) from None
            match page:
                case {"data": [*videos]}:
                    pass
                case _:
                    raise ReadFailed(self.name)
            last, older = "", False
            for video in videos:
                match video:
                    case {"id": str(external_id), "status": str()}:
                        last = external_id
                        created_at = _time(video.get("created_at"))
                        older = older or (created_at is not None and created_at < first)
                        if created_at is not None and created_at >= first:
                            yield video
            if older or not last or page.get("has_more") is not True:
                return
            query["after"] = last

    def _update(self, video: Any, *, event_id: str | None = None) -> RenderUpdate:
        match video:
            case {"id": str(external_id), "status": str(word)} if external_id:
                pass
            case _:
                raise ReadFailed(self.name)
        state = STATES.get(word, RenderState.UNKNOWN)
        output = self._output(video) if state is RenderState.SUCCEEDED else None
        failure: ProviderError | None = None
        if state is RenderState.SUCCEEDED and output is None:
            state = RenderState.FAILED
            failure = RenderFailed(self.name, code=FailureCode.NO_MEDIA, retryable=True)
        elif state is RenderState.FAILED:
            failure = _failure(video.get("error"))
        progress = video.get("progress")
        return RenderUpdate(
            external_id=external_id,
            state=state,
            vendor_state=word,
            progress=progress if type(progress) is int and 0 <= progress <= 100 else None,
            output=output,
            failure=failure,
            event_id=event_id,
        )

    def _output(self, video: Mapping[str, Any]) -> OutputSource | None:
        """Where it can be had: a gateway's own link, else its content; None once that has expired."""
        expires_at = _time(video.get("expires_at"))
        if expires_at is not None and expires_at <= datetime.now(UTC):
            return None
        for name in LINKS:
            match video.get(name):
                case str(link) | [str(link)] if link.startswith(("https://", "http://")):
                    headers = self._headers if _same_origin(link, self._url) else {}
                    return OutputSource(url=link, headers=headers, expires_at=expires_at)
        return OutputSource(
            url=f"{self._url}/videos/{quote(video['id'], safe='')}/content",
            headers=self._headers,
            expires_at=expires_at,
        )


def _order(request: RenderRequest) -> tuple[str, dict[str, object]]:
    """The path and the fields that say what is wanted, a start image apart. Raises UnsupportedFeature."""
    for feature, wished in (
        ("a negative prompt", bool(request.negative_prompt)),
        ("a style", request.style is not None),
        ("a seed", request.seed is not None),
        ("audio", request.audio),
        ("prompt enhancement", request.enhance),
        ("an end image", request.end_image is not None),
        (
            "a start image beside a source video",
            request.mode is Mode.VIDEO and request.start_image is not None,
        ),
        ("a source video", request.mode is not Mode.VIDEO and request.source_video is not None),
        ("a request without a prompt", not request.prompt),
    ):
        if wished:
            raise UnsupportedFeature(NAME, feature)
    for name in request.controls:
        if name != "operation" or request.mode is not Mode.VIDEO:
            raise UnsupportedFeature(NAME, f"the control {name}")
    if request.mode is Mode.VIDEO:
        return _change(request)
    size = SIZES.get((request.resolution, request.ratio))
    if size is None:
        raise UnsupportedFeature(NAME, f"such a size (it makes {', '.join(SIZES.values())})")
    return "/videos", {
        "model": request.model,
        "prompt": request.prompt,
        "seconds": str(request.duration_seconds),
        "size": size,
    }


def _change(request: RenderRequest) -> tuple[str, dict[str, object]]:
    """What is made of an earlier video, which keeps its model and its size."""
    if request.source_video is None or not request.source_video.vendor_id:
        raise UnsupportedFeature(NAME, "a source video that it did not make itself")
    operation = request.controls.get("operation", "extend")
    if operation not in OPERATIONS:
        raise UnsupportedFeature(NAME, f"an operation other than {' or '.join(OPERATIONS)}")
    order: dict[str, object] = {"prompt": request.prompt, "video": {"id": request.source_video.vendor_id}}
    if operation == "extend":
        order["seconds"] = str(request.duration_seconds)
    return OPERATIONS[str(operation)], order


def _is_of(video: Mapping[str, Any], request: RenderRequest) -> bool:
    """Whether it can be what was asked for: by its prompt, and by what else the object tells."""
    if video.get("prompt") != request.prompt or video.get("remixed_from_video_id"):
        return False
    wanted = {
        "model": request.model,
        "seconds": str(request.duration_seconds),
        "size": SIZES.get((request.resolution, request.ratio)),
    }
    # Gateways leave fields out, and write seconds as numbers. A model comes back by the name of its version.
    return all(
        video.get(name) is None or _same(str(video[name]), str(value), prefix=name == "model")
        for name, value in wanted.items()
    )


def _same(said: str, wanted: str, *, prefix: bool) -> bool:
    if prefix:
        return said == wanted or re.fullmatch(rf"{re.escape(wanted)}-\d{{4}}-\d\d-\d\d", said) is not None
    return said in (wanted, f"{wanted}.0")


def _failure(error: object) -> RenderFailed:
    code = _text(error, "code").lower()
    if any(word in code for word in OF_THE_CONTENT):
        return RenderFailed(NAME, code=FailureCode.MODERATED, retryable=False)
    return RenderFailed(NAME, code=FailureCode.VENDOR_FAULT, retryable=code in OF_THE_SERVER)


def _submission_error(error: HttpError, *, of_a_video: bool) -> ProviderError:
    if not isinstance(error, BadStatus):
        return submission_error(NAME, error)
    said = _error_of(error)
    code, param = _text(said, "code").lower(), _text(said, "param")
    if error.status == 402 or (error.status == 429 and code == "insufficient_quota"):
        return BalanceUsedUp(NAME)
    if error.status == 429:
        return RateLimited(NAME, retry_after=_wait(error))
    refusal = FailureCode.INVALID
    if any(word in code for word in OF_THE_CONTENT):
        refusal = FailureCode.MODERATED
    elif code == "model_not_found" or param == "model":
        refusal = FailureCode.MODEL_UNAVAILABLE
    elif param.startswith(("input_reference", "video")) or (error.status == 404 and of_a_video):
        refusal = FailureCode.INPUT_UNREADABLE
    elif error.status == 404:
        # A model that was shut down, or a gateway without this API.
        refusal = FailureCode.MODEL_UNAVAILABLE
    return submission_error(NAME, error, refusal=refusal)


def _read_error(error: HttpError) -> ProviderError:
    if isinstance(error, BadStatus) and error.status == 429:
        if _text(_error_of(error), "code") == "insufficient_quota":
            return BalanceUsedUp(NAME)
        return RateLimited(NAME, retry_after=_wait(error))
    return read_error(NAME, error)


def _wait(error: BadStatus) -> timedelta | None:
    """How long a call that was refused for now shall wait."""
    milliseconds = error.answer.headers.get("retry-after-ms", "")
    if error.retry_after is None and milliseconds.isdecimal():
        return min(timedelta(milliseconds=int(milliseconds[:9])), timedelta(hours=1))
    return error.retry_after


def _error_of(error: BadStatus) -> object:
    try:
        answer = error.answer.json()
    except UnusableBody:
        return None
    return answer.get("error") if isinstance(answer, dict) else None


def _text(value: object, name: str) -> str:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def _time(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _secret(secret: str) -> str:
    """As the signatures' code has it; one without the prefix stands for its own bytes."""
    return secret if secret.startswith("whsec_") else f"whsec_{b64encode(secret.encode()).decode()}"


def _same_origin(first: str, second: str) -> bool:
    try:
        return origin(first) == origin(second)
    except ValueError:
        return False
