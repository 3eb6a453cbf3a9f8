"""Runway's API, version 2024-11-06: its own Gen-4 and Aleph models, and Google's Veo by the same account.

Facts: the vendor's specification and its official client 5.24.0. There is no list, no webhook and no idempotency
key: a submission whose answer was lost can't be found again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Self
from urllib.parse import quote

from providers.contract import (
    AccountLimits,
    AccountStanding,
    CancelOutcome,
    Cost,
    InputMedia,
    Mode,
    OutputSource,
    RenderRequest,
    RenderState,
    RenderUpdate,
    Submission,
    VideoProvider,
)
from providers.errors import (
    BalanceUsedUp,
    FailureCode,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    ReadFailed,
    RenderFailed,
    RequestRefused,
    UnsupportedFeature,
)
from providers.facts import (
    ChoiceControl,
    ContentType,
    PriceUnit,
    ProviderLimits,
    VideoModel,
)
from providers.http import BadStatus, Client, HttpError, UnusableBody, client
from providers.inputs import data_uri, form, read
from providers.submission import read_error, submission_error

VERSION = "2024-11-06"
# A credit in US dollars.
CREDIT = Decimal("0.01")
# What a 429 speaks of is counted over 24 hours.
DAILY_WAIT = timedelta(hours=1)
MAX_TEXT = 1_000
MAX_SEED = 4_294_967_295

# A data URI may have 5,242,880 characters, and base64 is a third longer.
INLINE_BYTES = 3_300_000
# The vendor takes uploads of 200 MB, but each is held in memory here.
LARGEST_IMAGE = 16 << 20
# A video as the vendor takes them by address.
LARGEST_VIDEO = 32_000_000
UPLOAD_SECONDS = 15.0
EXTENSIONS: Mapping[str, str] = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
}

# What the vendor calls a ratio is the size in pixels.
GEN4_SIZES: Mapping[tuple[str, str], str] = {
    ("16:9", "720p"): "1280:720",
    ("9:16", "720p"): "720:1280",
    ("1:1", "720p"): "960:960",
    ("4:3", "720p"): "1104:832",
    ("3:4", "720p"): "832:1104",
    ("21:9", "720p"): "1584:672",
}
GEN45_TEXT_SIZES: Mapping[tuple[str, str], str] = {
    ("16:9", "720p"): "1280:720",
    ("9:16", "720p"): "720:1280",
}
VEO_SIZES: Mapping[tuple[str, str], str] = {
    ("16:9", "720p"): "1280:720",
    ("9:16", "720p"): "720:1280",
    ("16:9", "1080p"): "1920:1080",
    ("9:16", "1080p"): "1080:1920",
}
ALEPH_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9")

PATHS: Mapping[Mode, str] = {
    Mode.TEXT: "/v1/text_to_video",
    Mode.IMAGE: "/v1/image_to_video",
    Mode.FIRST_LAST: "/v1/image_to_video",
    Mode.VIDEO: "/v1/video_to_video",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Takes:
    """What the vendor takes for one model, beside the prompt and a seed."""

    sizes: Mapping[Mode, Mapping[tuple[str, str], str]]
    """The sizes by mode, each by ratio and resolution; a mode that isn't there is not made."""
    negative_prompt: bool = False
    audio: bool = False
    public_figures: bool = False


_VEO = Takes(
    sizes={Mode.TEXT: VEO_SIZES, Mode.IMAGE: VEO_SIZES, Mode.FIRST_LAST: VEO_SIZES},
    negative_prompt=True,
    audio=True,
)
# A retired model isn't here: nothing is asked of it any more.
TAKES: Mapping[str, Takes] = {
    "gen4_turbo": Takes(sizes={Mode.IMAGE: GEN4_SIZES}, public_figures=True),
    "gen4.5": Takes(sizes={Mode.TEXT: GEN45_TEXT_SIZES, Mode.IMAGE: GEN4_SIZES}, public_figures=True),
    "veo3.1": _VEO,
    "veo3.1_fast": _VEO,
    "aleph2": Takes(
        sizes={
            Mode.VIDEO: {
                (ratio, resolution): ratio for ratio in ALEPH_RATIOS for resolution in ("720p", "1080p")
            }
        },
        public_figures=True,
    ),
}

# The vendor's word, ours. Everything else is UNKNOWN.
STATES: Mapping[str, RenderState] = {
    "PENDING": RenderState.QUEUED,
    "THROTTLED": RenderState.QUEUED,
    "RUNNING": RenderState.RUNNING,
    "SUCCEEDED": RenderState.SUCCEEDED,
    "FAILED": RenderState.FAILED,
    "CANCELLED": RenderState.CANCELLED,
}
# Where there is nothing more to come, and a cost is what was charged.
ENDED = frozenset({RenderState.SUCCEEDED, RenderState.FAILED, RenderState.CANCELLED})
# Where a DELETE means "stop": of a task that has ended it deletes the video.
STOPPABLE = frozenset({RenderState.QUEUED, RenderState.RUNNING})
# The beginning of the vendor's failure code, whole words of it, the longest first; ours, and whether the same request
# may succeed later.
FAILURES: Sequence[tuple[str, FailureCode, bool]] = (
    ("INPUT_PREPROCESSING.SAFETY", FailureCode.MODERATED, False),
    ("INPUT_PREPROCESSING.INTERNAL", FailureCode.VENDOR_FAULT, True),
    ("THIRD_PARTY.UNAVAILABLE", FailureCode.VENDOR_FAULT, True),
    ("INTERNAL.BAD_OUTPUT", FailureCode.VENDOR_FAULT, False),
    ("ASSET.INVALID", FailureCode.INPUT_UNREADABLE, False),
    ("SAFETY", FailureCode.MODERATED, False),
    ("INTERNAL", FailureCode.VENDOR_FAULT, True),
)
# The field that a refusal names first, and what it means if it isn't simply a wrong value.
REFUSALS: Mapping[str, FailureCode] = {
    "model": FailureCode.MODEL_UNAVAILABLE,
    "promptImage": FailureCode.INPUT_UNREADABLE,
    "videoUri": FailureCode.INPUT_UNREADABLE,
}

# The lowest tier: what others have is in `account()`. A task above the limit waits at the vendor; calls a minute
# have no limit there, and this one is ours.
LIMITS = ProviderLimits(concurrent=6, per_minute=60)
_TURBO_LIMITS = ProviderLimits(concurrent=2, per_minute=60, per_day=200)
_OWN_LIMITS = ProviderLimits(concurrent=1, per_minute=60, per_day=50)

_PUBLIC_FIGURES = ChoiceControl(
    name="public_figures",
    description="How strictly pictures of well-known people are refused: auto, or low for less strictly.",
    choices=("auto", "low"),
    default="auto",
)
_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9")
_VISUAL = frozenset(
    {ContentType.PERSON, ContentType.PRODUCT, ContentType.LANDSCAPE, ContentType.ACTION, ContentType.OTHER}
)
_SUNSET = datetime(2026, 7, 30, tzinfo=UTC)
_OUT_OF_THE_SPEC = datetime(2026, 6, 10, tzinfo=UTC)

MODELS = (
    VideoModel(
        id="runway/gen4.5",
        provider="runway",
        vendor_model="gen4.5",
        name="Runway Gen-4.5",
        description="Runway's best: detailed motion that follows the prompt, from text or a first frame. Silent.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE}),
        default_duration=5,
        durations=range(2, 11),
        resolutions=("720p",),
        # From an image it makes all of GEN4_SIZES; from text only these, and a model's ratios are those of all modes.
        ratios=("16:9", "9:16"),
        max_prompt_length=MAX_TEXT,
        seed=True,
        controls=(_PUBLIC_FIGURES,),
        strengths=_VISUAL | {ContentType.ANIMATION},
        quality=5,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=150),
        limits=LIMITS,
        own_limits=_OWN_LIMITS,
    ),
    VideoModel(
        id="runway/gen4_turbo",
        provider="runway",
        vendor_model="gen4_turbo",
        name="Runway Gen-4 Turbo",
        description="Quick and cheap motion from a first frame. Silent.",
        modes=frozenset({Mode.IMAGE}),
        default_duration=5,
        durations=range(2, 11),
        resolutions=("720p",),
        ratios=_RATIOS,
        max_prompt_length=MAX_TEXT,
        seed=True,
        controls=(_PUBLIC_FIGURES,),
        strengths=_VISUAL,
        quality=3,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=40),
        limits=LIMITS,
        own_limits=_TURBO_LIMITS,
    ),
    VideoModel(
        id="runway/veo3.1",
        provider="runway",
        vendor_model="veo3.1",
        name="Veo 3.1 (Runway)",
        description="Google's Veo 3.1 with sound of its own, from text, a first frame, or a first and a last.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE, Mode.FIRST_LAST}),
        default_duration=8,
        durations=(4, 6, 8),
        resolutions=("720p", "1080p"),
        ratios=("16:9", "9:16"),
        max_prompt_length=MAX_TEXT,
        negative_prompt=True,
        audio=True,
        seed=True,
        strengths=_VISUAL | {ContentType.TALKING_PERSON},
        quality=5,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=120),
        limits=LIMITS,
        own_limits=_OWN_LIMITS,
    ),
    VideoModel(
        id="runway/veo3.1_fast",
        provider="runway",
        vendor_model="veo3.1_fast",
        name="Veo 3.1 Fast (Runway)",
        description="As Veo 3.1, sooner and for less, with a little less detail.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE, Mode.FIRST_LAST}),
        default_duration=8,
        durations=(4, 6, 8),
        resolutions=("720p", "1080p"),
        ratios=("16:9", "9:16"),
        max_prompt_length=MAX_TEXT,
        negative_prompt=True,
        audio=True,
        seed=True,
        strengths=_VISUAL | {ContentType.TALKING_PERSON},
        quality=4,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=70),
        limits=LIMITS,
        own_limits=_OWN_LIMITS,
    ),
    VideoModel(
        id="runway/aleph2",
        provider="runway",
        vendor_model="aleph2",
        name="Runway Aleph 2",
        description=(
            "Changes a video by words: what is in it, its light, its style. The result is as long as the source, and"
            " as sharp; a ratio other than the source's is filled in."
        ),
        modes=frozenset({Mode.VIDEO}),
        source_sets_length=True,
        default_duration=5,
        durations=range(2, 31),
        resolutions=("720p", "1080p"),
        ratios=ALEPH_RATIOS,
        max_prompt_length=MAX_TEXT,
        seed=True,
        controls=(_PUBLIC_FIGURES,),
        strengths=_VISUAL,
        quality=4,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=180),
        limits=LIMITS,
        own_limits=_OWN_LIMITS,
    ),
    VideoModel(
        id="runway/gen3a_turbo",
        provider="runway",
        vendor_model="gen3a_turbo",
        name="Runway Gen-3 Alpha Turbo",
        description="Retired; Runway Gen-4 Turbo replaces it.",
        modes=frozenset({Mode.IMAGE}),
        default_duration=5,
        durations=(5, 10),
        resolutions=("768p",),
        # 1280:768 and 768:1280 in truth.
        ratios=("16:9", "9:16"),
        max_prompt_length=MAX_TEXT,
        seed=True,
        deprecated_at=_OUT_OF_THE_SPEC,
        retires_at=_SUNSET,
        successor="runway/gen4_turbo",
        strengths=frozenset(),
        quality=2,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=40),
        limits=LIMITS,
    ),
    VideoModel(
        id="runway/gen4_aleph",
        provider="runway",
        vendor_model="gen4_aleph",
        name="Runway Aleph",
        description="Retired; Runway Aleph 2 replaces it.",
        modes=frozenset({Mode.VIDEO}),
        source_sets_length=True,
        default_duration=5,
        durations=(5,),
        resolutions=("720p",),
        ratios=("16:9", "9:16"),
        max_prompt_length=MAX_TEXT,
        seed=True,
        deprecated_at=_OUT_OF_THE_SPEC,
        retires_at=_SUNSET,
        successor="runway/aleph2",
        strengths=frozenset(),
        quality=3,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=180),
        limits=LIMITS,
    ),
    VideoModel(
        id="runway/veo3",
        provider="runway",
        vendor_model="veo3",
        name="Veo 3 (Runway)",
        description="Retired; Veo 3.1 replaces it.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE}),
        default_duration=8,
        durations=(8,),
        resolutions=("720p", "1080p"),
        ratios=("16:9", "9:16"),
        max_prompt_length=MAX_TEXT,
        audio=True,
        # It left the specification between 2026-07-27 and 2026-08-07.
        deprecated_at=datetime(2026, 7, 27, tzinfo=UTC),
        retires_at=datetime(2026, 8, 7, tzinfo=UTC),
        successor="runway/veo3.1",
        strengths=frozenset(),
        quality=4,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=120),
        limits=LIMITS,
    ),
)


class RunwayProvider(VideoProvider):
    name = "runway"
    settings: ClassVar[Sequence[str]] = ("RUNWAYML_API_KEY", "RUNWAYML_URL")
    # Production, whatever its name says: `api.runwayml.com` takes no keys.
    defaults: ClassVar[Mapping[str, str]] = {"RUNWAYML_URL": "https://api.dev.runwayml.com"}
    reports_cost = True
    gone_when_cancelled = True
    notes: ClassVar[Sequence[str]] = (
        "A key is `key_` and 128 hexadecimal digits; api.dev.runwayml.com is production.",
        "It has neither a list nor webhooks: a submission whose answer was lost can't be found again.",
        (
            "A 429 of a submission is the model's quota of 24 hours. Whether it names a wait is unconfirmed: without one,"
            " the model is left alone for an hour."
        ),
        (
            "What an empty balance answers is unconfirmed: a 402, and a 400 that says there are not enough credits, both"
            " count as that."
        ),
        (
            "A DELETE stops a task, and deletes one that has ended, so it is looked at first. One that ends in between is"
            " deleted all the same. What was stopped can't be read any more: that it is not known any more counts as"
            " cancelled, and what it cost is only in the vendor's totals of the day."
        ),
        (
            "A task that its policy on inputs ended is charged as one that succeeded, and too many of them suspend the"
            " account."
        ),
        (
            "Aleph 2 makes a video as long as its source and charges for that, at least for 2 s; that its sources may"
            " have 2 to 30 s, 30 frames a second and 1080p is unconfirmed."
        ),
        (
            "Images of more than 3.3 MB and videos are uploaded first; that uploads need bought credits and at least 512"
            " bytes is unconfirmed. A source video of more than 32 MB and an image of more than 16 MiB are refused."
        ),
        "That Veo takes a seed is only in the official client, not in the specification of August 2026.",
        "Prices of Veo depend on sound and are from April 2026; that of Aleph 2 is from a secondary source.",
    )

    def __init__(self, *, url: str, api_key: str, http: Client | None = None) -> None:
        """`http` replaces the process's client."""
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}", "X-Runway-Version": VERSION}
        self._http = http

    @classmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        return cls(url=values["RUNWAYML_URL"], api_key=values["RUNWAYML_API_KEY"])

    def submit(self, request: RenderRequest, *, client_token: str, callback_url: str | None) -> Submission:
        order = _order(request) | self._media(request)
        try:
            answer = self._client.post_json(f"{self._url}{PATHS[request.mode]}", order, headers=self._headers)
        except HttpError as error:
            raise _submission_error(error) from None
        match answer:
            case {"id": str(external_id)} if external_id:
                # The receipt has no status; what was taken waits.
                return Submission(external_id=external_id, vendor_state="PENDING")
            case _:
                raise OutcomeUnknown(self.name)

    def fetch(self, external_id: str) -> RenderUpdate:
        return _update(self._get(_path(external_id)))

    def cancel(self, external_id: str) -> CancelOutcome:
        """Looks first: a DELETE of a task that has ended deletes its video.

        What was stopped can't be read any more, so `fetch` raises JobNotFound for it from then on.
        """
        if self.fetch(external_id).state not in STOPPABLE:
            return CancelOutcome.TOO_LATE
        try:
            answer = self._client.request("DELETE", f"{self._url}{_path(external_id)}", headers=self._headers)
            # Gone already is what was wished for.
            if not answer.ok and answer.status != 404:
                raise BadStatus(answer.host, answer)
        except HttpError as error:
            raise read_error(self.name, error) from None
        return CancelOutcome.ACCEPTED

    def account(self) -> AccountStanding:
        match self._get("/v1/organization"):
            case {"creditBalance": int() | float() as credits, "tier": {"models": dict(models)}}:
                return AccountStanding(
                    balance=_dollars(credits),
                    limits={name: _limits(limits) for name, limits in models.items()},
                )
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

    def _media(self, request: RenderRequest) -> dict[str, object]:
        """The inputs as the vendor takes them. Our links answer GET only, and it asks HEAD first."""
        match request.mode:
            case Mode.IMAGE:
                return {"promptImage": self._image(request.start_image)}
            case Mode.FIRST_LAST:
                images = (("first", request.start_image), ("last", request.end_image))
                return {
                    "promptImage": [
                        {"uri": self._image(image), "position": position} for position, image in images
                    ]
                }
            case Mode.VIDEO:
                assert request.source_video is not None, "checked with the request"
                video = request.source_video
                # Kept by nobody but the call, which lets go of it.
                uri = self._uploaded(video, read(self.name, self._client, video, max_bytes=LARGEST_VIDEO))
                return {"videoUri": uri}
            case _:
                return {}

    def _image(self, image: InputMedia | None) -> str:
        assert image is not None, "checked with the request"
        content = read(self.name, self._client, image, max_bytes=LARGEST_IMAGE)
        return data_uri(image, content) if len(content) <= INLINE_BYTES else self._uploaded(image, content)

    def _uploaded(self, media: InputMedia, content: bytes) -> str:
        """The vendor's own address of a file that it keeps for a day. Raises as a submission that was not sent."""
        filename = f"input.{EXTENSIONS[media.media_type]}"
        try:
            match self._client.post_json(
                f"{self._url}/v1/uploads",
                {"filename": filename, "type": "ephemeral"},
                headers=self._headers,
            ):
                case {"uploadUrl": str(url), "fields": dict(fields), "runwayUri": str(uri)}:
                    pass
                case _:
                    raise NotSent(self.name)
            body, content_type = form(
                {str(name): str(value) for name, value in fields.items()},
                name="file",
                filename=filename,
                content=content,
                media_type=media.media_type,
            )
            # It is in the body now: one copy is enough while that is sent.
            del content
        except HttpError as error:
            raise _upload_error(error) from None
        try:
            # To the vendor's store: the key is not for it.
            answer = self._client.request(
                "POST", url, headers={"Content-Type": content_type}, body=body, total_seconds=UPLOAD_SECONDS
            )
        except HttpError:
            raise NotSent(self.name) from None
        if not answer.ok:
            raise NotSent(self.name)
        return uri


def _path(external_id: str) -> str:
    return f"/v1/tasks/{quote(external_id, safe='')}"


def _order(request: RenderRequest) -> dict[str, object]:
    """What is asked for, without inputs. Raises UnsupportedFeature."""
    takes = TAKES.get(request.model)
    if takes is None:
        raise _unsupported("this model")
    sizes = takes.sizes.get(request.mode)
    if sizes is None:
        raise _unsupported(f"the mode {request.mode.value} of this model")
    size = sizes.get((request.ratio, request.resolution))
    if size is None:
        raise _unsupported(f"{request.ratio} at {request.resolution} in the mode {request.mode.value}")
    _check_options(request, takes)
    _check_inputs(request)
    order: dict[str, object] = {"model": request.model, "promptText": request.prompt}
    if not request.prompt:
        if request.mode is Mode.TEXT or request.model == "gen4.5":
            raise _unsupported("a request without a prompt")
        del order["promptText"]
    if request.mode is Mode.VIDEO:
        # The result is as long as its source.
        order["targetAspectRatio"] = size
    else:
        order |= {"ratio": size, "duration": request.duration_seconds}
    if request.negative_prompt:
        order["negativePrompt"] = request.negative_prompt
    if takes.audio:
        # Left out it is on, and costs more.
        order["audio"] = request.audio
    if request.seed is not None:
        order["seed"] = request.seed
    if "public_figures" in request.controls:
        order["contentModeration"] = {"publicFigureThreshold": request.controls["public_figures"]}
    return order


def _check_options(request: RenderRequest, takes: Takes) -> None:
    for given, taken, feature in (
        (request.style is not None, False, "style"),
        (request.enhance, False, "prompt enhancement"),
        (bool(request.negative_prompt), takes.negative_prompt, "negative prompt"),
        (request.audio, takes.audio, "audio"),
    ):
        if given and not taken:
            raise _unsupported(feature)
    for control in request.controls:
        if not (control == "public_figures" and takes.public_figures):
            raise _unsupported(f"the control {control}")
    for name, text in (("prompt", request.prompt), ("negative prompt", request.negative_prompt)):
        # An emoji counts as two.
        if len(text.encode("utf-16-le", "surrogatepass")) // 2 > MAX_TEXT:
            raise _unsupported(f"a {name} of more than {MAX_TEXT:,} UTF-16 units")
    if request.seed is not None and not 0 <= request.seed <= MAX_SEED:
        raise _unsupported(f"a seed that is not from 0 to {MAX_SEED:,}")


def _check_inputs(request: RenderRequest) -> None:
    wanted = {
        Mode.TEXT: frozenset[str](),
        Mode.IMAGE: frozenset({"start image"}),
        Mode.FIRST_LAST: frozenset({"start image", "end image"}),
        Mode.VIDEO: frozenset({"source video"}),
    }[request.mode]
    for name, media, kind in (
        ("start image", request.start_image, "image/"),
        ("end image", request.end_image, "image/"),
        ("source video", request.source_video, "video/"),
    ):
        if (media is not None) != (name in wanted):
            which = "without its" if media is None else "with a"
            raise _unsupported(f"the mode {request.mode.value} {which} {name}")
        if media is not None and not (media.media_type in EXTENSIONS and media.media_type.startswith(kind)):
            raise _unsupported(f"a {name} of this media type")


def _unsupported(feature: str) -> UnsupportedFeature:
    return UnsupportedFeature(RunwayProvider.name, feature)


def _submission_error(error: HttpError) -> ProviderError:
    name = RunwayProvider.name
    if isinstance(error, BadStatus):
        if error.status == 429:
            return RateLimited(name, retry_after=error.retry_after or DAILY_WAIT, of_model=True)
        if _balance_used_up(error):
            return BalanceUsedUp(name)
        if error.status == 400:
            return RequestRefused(name, code=_refusal(error))
    return submission_error(name, error)


def _upload_error(error: HttpError) -> ProviderError:
    name = RunwayProvider.name
    if isinstance(error, BadStatus) and _balance_used_up(error):
        return BalanceUsedUp(name)
    found = submission_error(name, error, refusal=FailureCode.INPUT_UNREADABLE)
    # Nothing that costs money was asked for.
    return NotSent(name) if isinstance(found, OutcomeUnknown) else found


def _balance_used_up(error: BadStatus) -> bool:
    if error.status == 402:
        return True
    match _body(error):
        case {"issues": [_, *_]}:
            # A value is wrong, whatever else is said.
            return False
        case {"error": str(text)} if error.status == 400:
            said = text.casefold()
            return "credits" in said and any(word in said for word in ("enough", "insufficient", "out of"))
        case _:
            return False


def _refusal(error: BadStatus) -> FailureCode:
    match _body(error):
        case {"issues": [{"path": [str(field), *_]}, *_]}:
            return REFUSALS.get(field, FailureCode.INVALID)
        case _:
            return FailureCode.INVALID


def _body(error: BadStatus) -> object:
    try:
        return error.answer.json()
    except UnusableBody:
        return None


def _update(task: object) -> RenderUpdate:
    name = RunwayProvider.name
    match task:
        case {"id": str(external_id), "status": str(word)}:
            pass
        case _:
            raise ReadFailed(name)
    state = STATES.get(word, RenderState.UNKNOWN)
    output: OutputSource | None = None
    failure: ProviderError | None = None
    match state, task:
        case RenderState.SUCCEEDED, {"output": [str(url), *_]} if url:
            output = OutputSource(url=url)
        case RenderState.SUCCEEDED, _:
            state = RenderState.FAILED
            failure = RenderFailed(name, code=FailureCode.NO_MEDIA, retryable=True)
        case RenderState.FAILED, _:
            code, retryable = _failure(task)
            failure = RenderFailed(name, code=code, retryable=retryable)
    return RenderUpdate(
        external_id=external_id,
        state=state,
        vendor_state=word,
        progress=_percent(task),
        output=output,
        failure=failure,
        cost=_cost(task) if state in ENDED else None,
    )


def _failure(task: object) -> tuple[FailureCode, bool]:
    match task:
        case {"failureCode": str(word)} if word:
            for prefix, code, retryable in FAILURES:
                if word == prefix or word.startswith(f"{prefix}."):
                    return code, retryable
            return FailureCode.VENDOR_FAULT, False
        case _:
            # No code is a fault of the vendor's.
            return FailureCode.VENDOR_FAULT, True


def _percent(task: object) -> int | None:
    match task:
        case {"progress": int() | float() as share} if not isinstance(share, bool) and 0 <= share <= 1:
            return round(share * 100)
        case _:
            return None


def _cost(task: object) -> Cost | None:
    """The final charge; what is only estimated is none."""
    match task:
        case {"cost": {"credits": int() | float() as credits}} if (amount := _dollars(credits)) is not None:
            return Cost(amount=amount, currency="USD") if amount >= 0 else None
        case _:
            return None


def _dollars(credits: float) -> Decimal | None:
    if isinstance(credits, bool):
        return None
    amount = Decimal(str(credits))
    return amount * CREDIT if amount.is_finite() else None


def _limits(limits: object) -> AccountLimits:
    def limit(name: str) -> int | None:
        found = limits.get(name) if isinstance(limits, dict) else None
        return found if type(found) is int else None

    return AccountLimits(concurrent=limit("maxConcurrentGenerations"), per_day=limit("maxDailyGenerations"))
