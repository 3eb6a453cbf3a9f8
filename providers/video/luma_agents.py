"""Luma's newer API: Ray 3.2, over `https://agents.lumalabs.ai/v1`. It shares no key and no word with Dream Machine's.

Source: Luma's own client luma-agents 0.5.0 and Luma's guides of that API.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self
from urllib.parse import quote

from providers.contract import (
    InputMedia,
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
    OutcomeUnknown,
    ProviderError,
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
    Restriction,
    SwitchControl,
    VideoModel,
)
from providers.http import Answer, BadStatus, Client, HttpError, UnusableBody, client
from providers.submission import read_error, submission_error

from .luma import STRENGTHS, STYLES

NAME = "luma-agents"

# The vendor's word, ours. Everything else is UNKNOWN. It never says that a render was cancelled.
STATES: Mapping[str, RenderState] = {
    "queued": RenderState.QUEUED,
    "processing": RenderState.RUNNING,
    "completed": RenderState.SUCCEEDED,
    "failed": RenderState.FAILED,
}
# The vendor's code, ours, and whether the same request may succeed later.
FAILURES: Mapping[str, tuple[FailureCode, bool]] = {
    "generation_failed": (FailureCode.VENDOR_FAULT, True),
    "output_not_found": (FailureCode.NO_MEDIA, True),
    "rate_limited": (FailureCode.VENDOR_FAULT, True),
    "budget_exhausted": (FailureCode.VENDOR_FAULT, False),
    "content_moderated": (FailureCode.MODERATED, False),
    "image_too_large": (FailureCode.INPUT_UNREADABLE, False),
    "unsupported_format": (FailureCode.INPUT_UNREADABLE, False),
    "corrupt_input": (FailureCode.INPUT_UNREADABLE, False),
    "invalid_request": (FailureCode.INVALID, False),
}
# What the vendor answers to media that it can't take or fetch.
OF_INPUTS = frozenset({413, 422})
RESOLUTIONS = ("540p", "720p", "1080p")
HDR_RESOLUTIONS = ("720p", "1080p")
DURATIONS: Mapping[int, str] = {5: "5s", 10: "10s"}
RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9")
# Instead of a strength: the vendor derives from the source what it keeps of it.
AUTO = "auto"
LONGEST_PROMPT = 6_000
LINKS_LAST = timedelta(hours=1)

LIMITS = ProviderLimits(concurrent=10, per_minute=30)

MODELS = (
    VideoModel(
        id="luma-agents/ray-3.2",
        provider=NAME,
        vendor_model="ray-3.2",
        name="Luma Ray 3.2",
        description="Luma's best: fine detail and physics, HDR, and changes of whole videos by words. Ten seconds from"
        " words only.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE, Mode.FIRST_LAST, Mode.VIDEO}),
        source_sets_length=True,
        end_image_alone=True,
        default_duration=5,
        durations=tuple(DURATIONS),
        resolutions=RESOLUTIONS,
        restrictions=(Restriction(modes=frozenset({Mode.IMAGE, Mode.FIRST_LAST}), durations=(5,)),),
        ratios=RATIOS,
        styles=tuple(STYLES),
        max_prompt_length=LONGEST_PROMPT - max(map(len, STYLES.values())) - 1,
        controls=(
            SwitchControl(
                name="loop",
                description="The end leads into the beginning. 5 s only, not with an end image, not in HDR.",
            ),
            SwitchControl(
                name="hdr",
                description="High dynamic range. 5 s only, at 720p or 1080p, not of a reframed video.",
            ),
            ChoiceControl(
                name="task",
                description="What becomes of a source video of at most 18 s: changed by words, framed anew in the"
                " ratio asked for, or continued by 5 s at its end or beginning (only videos that this provider made"
                " itself).",
                choices=("modify", "reframe", "extend", "extend_backward"),
                default="modify",
            ),
            ChoiceControl(
                name="strength",
                description="How far a modified video may leave its source, from adhere_1 to reimagine_3; or auto.",
                choices=(*STRENGTHS, AUTO),
                default="flex_2",
            ),
        ),
        strengths=frozenset(
            {
                ContentType.PERSON,
                ContentType.PRODUCT,
                ContentType.LANDSCAPE,
                ContentType.ACTION,
                ContentType.ANIMATION,
            }
        ),
        quality=5,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=120),
        limits=LIMITS,
    ),
)
_LIVING = frozenset(model.vendor_model for model in MODELS)


class LumaAgentsProvider(VideoProvider):
    name = NAME
    settings: ClassVar[Sequence[str]] = ("LUMA_AGENTS_API_KEY", "LUMA_AGENTS_URL")
    defaults: ClassVar[Mapping[str, str]] = {"LUMA_AGENTS_URL": "https://agents.lumalabs.ai/v1"}
    webhooks = Webhooks.NONE
    notes: ClassVar[Sequence[str]] = (
        "This API of Luma's calls nobody back and lists nothing: a submission whose answer is lost can't be looked up.",
        "There is no call that cancels; a cancelled clip may still be made and billed.",
        "Luma states no cost; its prices depend on resolution, length and HDR, and those of edits are unconfirmed.",
        "HDR needs Luma's permission; how it refuses without is unconfirmed: 403 to such a request counts as a refusal.",
        "Whether videos are reframed at 1080p depends on the account; where not, Luma refuses the request.",
        "Our token of an attempt goes along as X-Request-Id, which Luma's support can find a request by.",
        "A modified or reframed video is as long as its source, whatever length was asked for.",
    )

    def __init__(self, *, url: str, api_key: str, http: Client | None = None) -> None:
        """`http` replaces the process's client."""
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._http = http

    @classmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        return cls(url=values["LUMA_AGENTS_URL"], api_key=values["LUMA_AGENTS_API_KEY"])

    def submit(self, request: RenderRequest, *, client_token: str, callback_url: str | None) -> Submission:
        """The vendor keeps neither `client_token` nor `callback_url`; the token is its name for this one call."""
        order = _order(request)
        headers = self._headers | {"X-Request-Id": client_token}
        try:
            answer = self._client.request("POST", f"{self._url}/generations", headers=headers, json=order)
            if not answer.ok:
                raise BadStatus(answer.host, answer)
            generation = answer.json()
        except HttpError as error:
            raise _submission_error(request, error) from None
        match generation:
            case {"id": str(external_id), "state": str(word)} if external_id:
                return Submission(
                    external_id=external_id, vendor_state=word, per_minute=_requests_per_minute(answer)
                )
            case _:
                raise OutcomeUnknown(self.name)

    def fetch(self, external_id: str) -> RenderUpdate:
        try:
            generation = self._client.get_json(
                f"{self._url}/generations/{quote(external_id, safe='')}", headers=self._headers
            )
        except HttpError as error:
            raise read_error(self.name, error) from None
        return _update(generation)

    @property
    def _client(self) -> Client:
        return self._http or client()


def _order(request: RenderRequest) -> dict[str, object]:
    """The body of a submission. Raises UnsupportedFeature."""
    for feature, wanted in (
        ("a negative prompt", bool(request.negative_prompt)),
        ("a seed", request.seed is not None),
        ("audio", request.audio),
        ("prompt enhancement", request.enhance),
    ):
        _refuse_if(wanted, feature)
    if request.mode is not Mode.VIDEO:
        return _generation(request, "")
    if request.source_video is None:
        raise UnsupportedFeature(NAME, "video to video without a video")
    task = request.controls.get("task", "modify")
    match task:
        case "modify":
            return _modification(request, request.source_video)
        case "reframe":
            return _reframing(request, request.source_video)
        case "extend" | "extend_backward":
            return _generation(request, str(task))
        case _:
            raise UnsupportedFeature(NAME, f"the task {task}")


def _generation(request: RenderRequest, task: str) -> dict[str, object]:
    _take_only(request, "loop", "hdr", *(["task"] if task else []), of=task or "a video without a source")
    frames = _frames(request, task)
    loop, hdr = bool(request.controls.get("loop", False)), _hdr(request)
    longer = request.duration_seconds > 5
    _refuse_if(longer and bool(frames), "more than 5 s from an image or another video")
    _refuse_if(longer and hdr, "more than 5 s of HDR")
    _refuse_if(longer and loop, "a loop of more than 5 s")
    _refuse_if(loop and hdr, "a loop in HDR")
    _refuse_if(loop and "end_frame" in frames, "a loop that ends in a given image or video")
    _refuse_if(request.duration_seconds not in DURATIONS, f"a length of {request.duration_seconds} s")
    return {
        **_common(request, "video"),
        "aspect_ratio": _ratio(request),
        "video": {
            "resolution": _resolution(request),
            "duration": DURATIONS[request.duration_seconds],
            "loop": loop,
            "hdr": hdr,
            **frames,
        },
    }


def _frames(request: RenderRequest, task: str) -> dict[str, object]:
    """What the video begins and ends with."""
    images = {"start_frame": request.start_image, "end_frame": request.end_image}
    frames: dict[str, object] = {
        name: {"url": image.url} for name, image in images.items() if image is not None
    }
    if not task:
        return frames
    _refuse_if(bool(frames), f"an image beside the task {task}")
    if request.source_video is None or not request.source_video.vendor_id:
        raise UnsupportedFeature(NAME, "extending a video that it did not make")
    frame = "start_frame" if task == "extend" else "end_frame"
    return {frame: {"generation_id": request.source_video.vendor_id}}


def _modification(request: RenderRequest, video: InputMedia) -> dict[str, object]:
    _take_only(request, "task", "strength", "hdr", of="a modified video")
    _refuse_if(request.end_image is not None, "an end image of a modified video")
    strength = request.controls.get("strength", "flex_2")
    _refuse_if(strength not in (*STRENGTHS, AUTO), f"the strength {strength}")
    edit = (
        {"auto_controls": True} if strength == AUTO else {"auto_controls": False, "strength": str(strength)}
    )
    options: dict[str, object] = {"resolution": _resolution(request), "hdr": _hdr(request), "edit": edit}
    if request.start_image is not None:
        options["start_frame"] = {"url": request.start_image.url}
    return {**_common(request, "video_edit"), "source": _source(video), "video": options}


def _reframing(request: RenderRequest, video: InputMedia) -> dict[str, object]:
    _take_only(request, "task", of="a reframed video")
    given = request.start_image is not None or request.end_image is not None
    _refuse_if(given, "an image beside a reframed video")
    return {
        **_common(request, "video_reframe"),
        "aspect_ratio": _ratio(request),
        "source": _source(video),
        "video": {"resolution": _resolution(request)},
    }


def _common(request: RenderRequest, kind: str) -> dict[str, object]:
    words = [request.prompt] if request.prompt else []
    if request.style is not None:
        _refuse_if(request.style not in STYLES, f"the style {request.style}")
        words.append(STYLES[request.style])
    prompt = " ".join(words)
    _refuse_if(not 1 <= len(prompt) <= LONGEST_PROMPT, f"a prompt of {len(prompt)} characters")
    return {"model": request.model, "type": kind, "prompt": prompt}


def _source(video: InputMedia) -> dict[str, object]:
    return {"url": video.url, "media_type": video.media_type}


def _ratio(request: RenderRequest) -> str:
    _refuse_if(request.ratio not in RATIOS, f"the ratio {request.ratio}")
    return request.ratio


def _resolution(request: RenderRequest) -> str:
    _refuse_if(request.resolution not in RESOLUTIONS, f"the resolution {request.resolution}")
    return request.resolution


def _hdr(request: RenderRequest) -> bool:
    hdr = bool(request.controls.get("hdr", False))
    _refuse_if(hdr and request.resolution not in HDR_RESOLUTIONS, f"HDR at {request.resolution}")
    return hdr


def _take_only(request: RenderRequest, *names: str, of: str) -> None:
    for name in request.controls:
        _refuse_if(name not in names, f"the control {name} for {of}")


def _refuse_if(wanted: bool, feature: str) -> None:
    if wanted:
        raise UnsupportedFeature(NAME, feature)


def _submission_error(request: RenderRequest, error: HttpError) -> ProviderError:
    refusal = FailureCode.INVALID
    if isinstance(error, BadStatus):
        if error.status == 402:
            return BalanceUsedUp(NAME)
        if error.status == 403 and request.controls.get("hdr"):
            # The account may be good, only not for HDR; if it is not, the next request tells.
            return RequestRefused(NAME, code=FailureCode.INVALID)
        if error.status in OF_INPUTS and (request.start_image or request.end_image or request.source_video):
            refusal = FailureCode.INPUT_UNREADABLE
        elif request.model not in _LIVING or _says(error.answer, "unknown model"):
            refusal = FailureCode.MODEL_UNAVAILABLE
    return submission_error(NAME, error, refusal=refusal)


def _says(answer: Answer, beginning: str) -> bool:
    """Whether the vendor's explanation begins so, whatever its case."""
    try:
        body = answer.json()
    except UnusableBody:
        return False
    match body:
        case {"detail": str(words)}:
            return words.strip().lower().startswith(beginning)
        case _:
            return False


def _requests_per_minute(answer: Answer) -> int | None:
    text = answer.headers.get("X-RateLimit-Limit", "").strip()
    readable = text.isdecimal() and len(text) <= 6
    return int(text) or None if readable else None


def _update(generation: Any) -> RenderUpdate:
    match generation:
        case {"id": str(external_id), "state": str(word)}:
            pass
        case _:
            raise ReadFailed(NAME)
    state = STATES.get(word, RenderState.UNKNOWN)
    output = _output(generation) if state is RenderState.SUCCEEDED else None
    failure: ProviderError | None = None
    if state is RenderState.SUCCEEDED and output is None:
        state = RenderState.FAILED
        failure = RenderFailed(NAME, code=FailureCode.NO_MEDIA, retryable=True)
    elif state is RenderState.FAILED:
        named = generation.get("failure_code")
        code, retryable = FAILURES.get(
            named if isinstance(named, str) else "", (FailureCode.VENDOR_FAULT, False)
        )
        failure = RenderFailed(NAME, code=code, retryable=retryable)
    return RenderUpdate(
        external_id=external_id, state=state, vendor_state=word, output=output, failure=failure
    )


def _output(generation: Mapping[str, Any]) -> OutputSource | None:
    """The first video; beside it there may be other files. Each look signs its link anew."""
    outputs = generation.get("output")
    for output in outputs if isinstance(outputs, list) else []:
        match output:
            case {"type": "video", "url": str(url)} if url:
                return OutputSource(url=url, expires_at=datetime.now(UTC) + LINKS_LAST)
    return None
