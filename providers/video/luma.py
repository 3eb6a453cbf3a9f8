"""Luma's Dream Machine: Ray 2 and Ray 2 Flash, over `https://api.lumalabs.ai/dream-machine/v1`.

Source: Luma's OpenAPI document 1.1.0 and its own client lumaai 1.21.0. Ray 3 is not to be had here, but over Luma's
newer API: `luma_agents.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from json import loads
from math import isfinite
from typing import Any, ClassVar, Self
from urllib.parse import quote

from providers.contract import (
    AccountStanding,
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
    OutcomeUnknown,
    ProviderError,
    ReadFailed,
    RenderFailed,
    UnsupportedFeature,
)
from providers.facts import (
    ChoiceControl,
    ContentType,
    Control,
    PriceUnit,
    ProviderLimits,
    SwitchControl,
    VideoModel,
)
from providers.http import BadStatus, Client, HttpError, UnusableBody, client
from providers.submission import read_error, submission_error

NAME = "luma"

# The vendor's word, ours. Everything else is UNKNOWN. It never says that a render was cancelled.
STATES: Mapping[str, RenderState] = {
    "queued": RenderState.QUEUED,
    "dreaming": RenderState.RUNNING,
    "completed": RenderState.SUCCEEDED,
    "failed": RenderState.FAILED,
}
# How the vendor's reason begins, whatever its case; ours; and whether the same request may succeed later.
FAILURES: Sequence[tuple[str, FailureCode, bool]] = (
    ("contains blacklisted words", FailureCode.MODERATED, False),
    ("advanced prompt moderation failed", FailureCode.MODERATED, False),
    ("frame moderation failed", FailureCode.MODERATED, False),
    # Links to inputs are signed anew for each attempt.
    ("failed to read user input frames", FailureCode.INPUT_UNREADABLE, True),
    ("prompt processing failed", FailureCode.VENDOR_FAULT, True),
)
RESOLUTIONS: Mapping[str, str] = {"540p": "540p", "720p": "720p", "1080p": "1080p", "4K": "4k"}
DURATIONS: Mapping[int, str] = {5: "5s", 9: "9s"}
RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "9:21")
CAMERAS = (
    *("static", "handheld", "pov", "selfie", "over_the_shoulder", "eye_level", "ground_level", "low_angle"),
    *("high_angle", "overhead", "aerial", "aerial_drone", "pan_left", "pan_right", "tilt_up", "tilt_down"),
    *("roll_left", "roll_right", "truck_left", "truck_right", "pedestal_up", "pedestal_down", "crane_up"),
    *("crane_down", "push_in", "pull_out", "zoom_in", "zoom_out", "dolly_zoom", "orbit_left", "orbit_right"),
    *("bolt_cam", "tiny_planet", "elevator_doors"),
)
STRENGTHS = (
    *("adhere_1", "adhere_2", "adhere_3"),
    *("flex_1", "flex_2", "flex_3"),
    *("reimagine_1", "reimagine_2", "reimagine_3"),
)
# The vendor has no field for a style: words after the prompt.
STYLES: Mapping[str, str] = {
    "cinematic": "In a cinematic style: film lighting, shallow depth of field, rich contrast.",
    "commercial": "In a commercial style: bright, clean and polished, the subject in focus.",
    "realistic": "In a realistic style: natural light, true colours, lifelike detail.",
    "artistic": "In an artistic style: painterly, expressive colours and shapes.",
}
# The concept that goes with a style where nobody asked for a camera, on the model whose concepts are known.
CONCEPTS_OF_STYLES: Mapping[str, str] = {
    "cinematic": "push_in",
    "commercial": "eye_level",
    "realistic": "handheld",
}
CONCEPTS_ARE_KNOWN_OF = "ray-2"
SHORTEST_PROMPT, LONGEST_PROMPT = 3, 5_000

# The parts of a request that name pictures and videos.
INPUTS = ("keyframes", "media", "first_frame")

PAGE = 100
PAGES = 10
# By how much the vendor's clock may differ from ours.
SKEW = timedelta(minutes=5)

LIMITS = ProviderLimits(concurrent=10, per_minute=20)

_CONTROLS: Sequence[Control] = (
    ChoiceControl(name="camera", description="How the camera stands or moves.", choices=CAMERAS),
    SwitchControl(
        name="loop",
        description="The end leads into the beginning. Not with an end image, nor in front of another video.",
    ),
    ChoiceControl(
        name="task",
        description="What becomes of a source video: changed by words, framed anew in the ratio asked for, or"
        " continued at its end or beginning (only videos that this provider made itself).",
        choices=("modify", "reframe", "extend", "extend_backward"),
        default="modify",
    ),
    ChoiceControl(
        name="strength",
        description="How far a modified video may leave its source, from adhere_1 to reimagine_3.",
        choices=STRENGTHS,
        default="flex_2",
    ),
)
_EVERY_MODE = frozenset({Mode.TEXT, Mode.IMAGE, Mode.FIRST_LAST, Mode.VIDEO})
_PROMPT_LENGTH = LONGEST_PROMPT - max(map(len, STYLES.values())) - 1

MODELS = (
    VideoModel(
        id="luma/ray-2",
        provider=NAME,
        vendor_model="ray-2",
        name="Luma Ray 2",
        description="Natural, coherent motion from words, images or video, up to 4K.",
        modes=_EVERY_MODE,
        source_sets_length=True,
        end_image_alone=True,
        default_duration=5,
        durations=tuple(DURATIONS),
        resolutions=tuple(RESOLUTIONS),
        ratios=RATIOS,
        styles=tuple(STYLES),
        max_prompt_length=_PROMPT_LENGTH,
        controls=_CONTROLS,
        strengths=frozenset(
            {ContentType.PERSON, ContentType.PRODUCT, ContentType.LANDSCAPE, ContentType.ACTION}
        ),
        quality=4,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=90),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="luma/ray-flash-2",
        provider=NAME,
        vendor_model="ray-flash-2",
        name="Luma Ray 2 Flash",
        description="Ray 2 at a third of its cost and time, with a little less detail.",
        modes=_EVERY_MODE,
        source_sets_length=True,
        end_image_alone=True,
        default_duration=5,
        durations=tuple(DURATIONS),
        resolutions=tuple(RESOLUTIONS),
        ratios=RATIOS,
        styles=tuple(STYLES),
        max_prompt_length=_PROMPT_LENGTH,
        controls=_CONTROLS,
        strengths=frozenset({ContentType.PRODUCT, ContentType.LANDSCAPE}),
        quality=3,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=40),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="luma/ray-1-6",
        provider=NAME,
        vendor_model="ray-1-6",
        name="Luma Ray 1.6",
        description="The model before Ray 2, which replaces it.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE, Mode.FIRST_LAST}),
        end_image_alone=True,
        default_duration=5,
        durations=(5,),
        resolutions=("720p",),
        ratios=RATIOS,
        max_prompt_length=LONGEST_PROMPT,
        strengths=frozenset(),
        quality=2,
        retires_at=datetime(2025, 11, 1, tzinfo=UTC),
        successor="luma/ray-2",
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=60),
        webhook_expected=True,
        limits=LIMITS,
    ),
)
_LIVING = frozenset(model.vendor_model for model in MODELS if model.retires_at is None)


class LumaProvider(VideoProvider):
    name = NAME
    settings: ClassVar[Sequence[str]] = ("LUMA_API_KEY", "LUMA_URL")
    defaults: ClassVar[Mapping[str, str]] = {"LUMA_URL": "https://api.lumalabs.ai/dream-machine/v1"}
    webhooks = Webhooks.TOKEN
    notes: ClassVar[Sequence[str]] = (
        "Luma does not sign its callbacks: each is only a hint, and the render is read again before it counts.",
        "A callback is repeated three times within half a second and then never: after an outage polls find the render.",
        "There is no call that cancels; a cancelled clip may still be made and billed.",
        "Luma states no cost, so that the cost recorded is the rate card's; its price list is unconfirmed.",
        "How Luma says that the balance is empty is unconfirmed: 402 is taken for it.",
        "What a retired model answers is unconfirmed: any refusal of one is taken for its end.",
        "The keys of camera concepts are from a secondary source and unconfirmed, above all for Ray 2 Flash.",
        "In which order Luma lists renders is unconfirmed: a look-up that can't read to the end counts as no answer.",
        "A modified or reframed video is as long as its source, whatever length was asked for.",
    )
    # An order can be listed once it is answered; the wait covers one still being read.
    find_is_authoritative_after = timedelta(seconds=60)

    def __init__(self, *, url: str, api_key: str, http: Client | None = None) -> None:
        """`http` replaces the process's client."""
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._http = http

    @classmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        return cls(url=values["LUMA_URL"], api_key=values["LUMA_API_KEY"])

    def submit(self, request: RenderRequest, *, client_token: str, callback_url: str | None) -> Submission:
        """The vendor keeps the client token only as a part of `callback_url`."""
        path, order = _order(request)
        if callback_url is not None:
            order["callback_url"] = callback_url
        try:
            answer = self._client.post_json(f"{self._url}{path}", order, headers=self._headers)
        except HttpError as error:
            raise _submission_error(request.model, error) from None
        match answer:
            case {"id": str(external_id)} if external_id:
                word = answer.get("state")
                return Submission(external_id=external_id, vendor_state=word if isinstance(word, str) else "")
            case _:
                raise OutcomeUnknown(self.name)

    def fetch(self, external_id: str) -> RenderUpdate:
        return _update(self._get(f"/generations/{quote(external_id, safe='')}"), external_id=external_id)

    def find(self, client_token: str, *, request: RenderRequest, since: datetime) -> RenderUpdate | None:
        """By the token in the callback's address, else by what was asked for where no address is kept."""
        listing = self._list(since)
        for one in listing.generations:
            if client_token in _callback(one):
                return _update(one, client_token=client_token)
        recent = [one for one in listing.generations if not _callback(one) and _is_since(one, since - SKEW)]
        _, order = _order(request)
        asking = [_asks_for(one, order) for one in recent]
        alike = [one for one, asks in zip(recent, asking, strict=True) if asks]
        if None in asking or len(alike) > 1 or not (alike or listing.complete):
            raise ReadFailed(self.name)
        return _update(alike[0], client_token=client_token) if alike else None

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> list[RenderUpdate]:
        try:
            generation = loads(body)
        except (ValueError, RecursionError):
            raise ReadFailed(self.name) from None
        return [_update(generation)]

    def account(self) -> AccountStanding:
        match self._get("/credits"):
            case {"credit_balance": int() | float() as cents} if type(cents) is not bool and isfinite(cents):
                return AccountStanding(balance=Decimal(str(cents)) / 100)
            case _:
                raise ReadFailed(self.name)

    def listed(self, since: datetime) -> Sequence[Listed]:
        listing = self._list(since)
        if not (listing.complete or listing.newest_first):
            raise ReadFailed(self.name)
        found = [
            Listed(
                external_id=one["id"],
                state=STATES.get(str(one.get("state")), RenderState.UNKNOWN),
                created_at=_created_at(one),
            )
            for one in listing.generations
            if isinstance(one.get("id"), str)
            and one.get("generation_type") != "image"
            and _is_since(one, since)
        ]
        oldest = datetime.min.replace(tzinfo=UTC)
        return sorted(found, key=lambda one: one.created_at or oldest, reverse=True)[:1000]

    @property
    def _client(self) -> Client:
        return self._http or client()

    def _get(self, path: str) -> Any:
        try:
            return self._client.get_json(f"{self._url}{path}", headers=self._headers)
        except HttpError as error:
            raise read_error(self.name, error) from None

    def _list(self, since: datetime) -> "_Listing":
        """What the vendor lists, back to `since` at least if it is complete."""
        found: list[dict[str, Any]] = []
        for _ in range(PAGES):
            page = self._get(f"/generations?limit={PAGE}&offset={len(found)}")
            match page:
                case {"generations": [*some]} if all(isinstance(one, dict) for one in some):
                    found += some
                case _:
                    raise ReadFailed(self.name)
            more = page.get("has_more")
            if more is False or (not some and more is None):
                return _Listing(generations=found, complete=True, newest_first=_is_newest_first(found))
            if not some:
                raise ReadFailed(self.name)
            # Few may lie in that order by chance.
            if len(found) >= PAGE and _is_newest_first(found) and not _is_since(found[-1], since - SKEW):
                return _Listing(generations=found, complete=True, newest_first=True)
        return _Listing(generations=found, complete=False, newest_first=_is_newest_first(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listing:
    generations: Sequence[dict[str, Any]]
    complete: bool
    """Whether nothing that is recent enough can be missing."""
    newest_first: bool


def _order(request: RenderRequest) -> tuple[str, dict[str, object]]:
    """The path and the body of a submission without its callback. Raises UnsupportedFeature."""
    for feature, wanted in (
        ("a negative prompt", bool(request.negative_prompt)),
        ("a seed", request.seed is not None),
        ("audio", request.audio),
        ("prompt enhancement", request.enhance),
    ):
        if wanted:
            raise UnsupportedFeature(NAME, feature)
    if request.mode is not Mode.VIDEO:
        return "/generations/video", _generation(request, "")
    if request.source_video is None:
        raise UnsupportedFeature(NAME, "video to video without a video")
    task = request.controls.get("task", "modify")
    match task:
        case "modify":
            return "/generations/video/modify", _modification(request, request.source_video)
        case "reframe":
            return "/generations/video/reframe", _reframing(request, request.source_video)
        case "extend" | "extend_backward":
            return "/generations/video", _generation(request, str(task))
        case _:
            raise UnsupportedFeature(NAME, f"the task {task}")


def _generation(request: RenderRequest, task: str) -> dict[str, object]:
    _take_only(request, "camera", "loop", *(["task"] if task else []), of=task or "a video without a source")
    frames = _frames(request, task)
    loop = bool(request.controls.get("loop", False))
    if loop and "frame1" in frames:
        raise UnsupportedFeature(NAME, "a loop that ends in a given image or video")
    order: dict[str, object] = {
        "generation_type": "video",
        "model": request.model,
        # Without an image the vendor wants words.
        **_prompt(request, required=request.start_image is None and request.end_image is None),
        "aspect_ratio": _word(RATIOS, request.ratio, "the ratio"),
        "resolution": _word(RESOLUTIONS, request.resolution, "the resolution"),
        "duration": _word(DURATIONS, request.duration_seconds, "a length in seconds of"),
        "loop": loop,
    }
    if frames:
        order["keyframes"] = frames
    if (concept := _concept(request)) is not None:
        order["concepts"] = [{"key": concept}]
    return order


def _frames(request: RenderRequest, task: str) -> dict[str, object]:
    """What the video begins and ends with."""
    frames: dict[str, object] = {}
    for frame, image, video_task in (
        ("frame0", request.start_image, "extend"),
        ("frame1", request.end_image, "extend_backward"),
    ):
        if task == video_task:
            if image is not None:
                raise UnsupportedFeature(NAME, f"an image where the task {task} puts the video")
            frames[frame] = {"type": "generation", "id": _own_id(request.source_video)}
        elif image is not None:
            frames[frame] = {"type": "image", "url": image.url}
    return frames


def _modification(request: RenderRequest, video: InputMedia) -> dict[str, object]:
    _take_only(request, "task", "strength", of="a modified video")
    strength = request.controls.get("strength", "flex_2")
    return {
        "generation_type": "modify_video",
        "model": request.model,
        "mode": _word(STRENGTHS, strength, "the strength"),
        "media": {"url": video.url},
        **_first_frame(request),
        **_prompt(request),
    }


def _reframing(request: RenderRequest, video: InputMedia) -> dict[str, object]:
    _take_only(request, "task", of="a reframed video")
    return {
        "generation_type": "reframe_video",
        "model": request.model,
        "aspect_ratio": _word(RATIOS, request.ratio, "the ratio"),
        "media": {"url": video.url},
        **_first_frame(request),
        **_prompt(request),
    }


def _first_frame(request: RenderRequest) -> dict[str, object]:
    if request.end_image is not None:
        raise UnsupportedFeature(NAME, "an end image of a changed video")
    return {"first_frame": {"url": request.start_image.url}} if request.start_image else {}


def _prompt(request: RenderRequest, *, required: bool = False) -> dict[str, object]:
    """The prompt with the words of the style; none where there are no words and none are needed."""
    words = [request.prompt] if request.prompt else []
    if request.style is not None:
        words.append(_word(STYLES, request.style, "the style"))
    prompt = " ".join(words)
    if (prompt or required) and not SHORTEST_PROMPT <= len(prompt) <= LONGEST_PROMPT:
        raise UnsupportedFeature(NAME, f"a prompt of {len(prompt)} characters")
    return {"prompt": prompt} if prompt else {}


def _concept(request: RenderRequest) -> str | None:
    camera = request.controls.get("camera")
    if camera is not None:
        return _word(CAMERAS, camera, "the camera")
    return CONCEPTS_OF_STYLES.get(request.style or "") if request.model == CONCEPTS_ARE_KNOWN_OF else None


def _own_id(video: InputMedia | None) -> str:
    if video is None or not video.vendor_id:
        raise UnsupportedFeature(NAME, "extending a video that it did not make")
    return video.vendor_id


def _take_only(request: RenderRequest, *names: str, of: str) -> None:
    for name in request.controls:
        if name not in names:
            raise UnsupportedFeature(NAME, f"the control {name} for {of}")


def _word(table: Mapping[Any, str] | Sequence[str], value: object, what: str) -> str:
    """The vendor's word for a value of ours. Raises UnsupportedFeature."""
    if value not in table:
        raise UnsupportedFeature(NAME, f"{what} {value}")
    return table[value] if isinstance(table, Mapping) else str(value)


def _submission_error(model: str, error: HttpError) -> ProviderError:
    if isinstance(error, BadStatus) and error.status == 402:
        return BalanceUsedUp(NAME)
    return submission_error(NAME, error, refusal=_refusal(model, error))


def _refusal(model: str, error: HttpError) -> FailureCode:
    """Why the vendor refused: `detail` is a sentence, or the list of fields that FastAPI's services make."""
    if model not in _LIVING:
        return FailureCode.MODEL_UNAVAILABLE
    try:
        answer = error.answer.json() if isinstance(error, BadStatus) else None
    except UnusableBody:
        return FailureCode.INVALID
    match answer:
        case {"detail": str(reason)}:
            code, _ = _failure(reason)
            return (
                code if code in (FailureCode.MODERATED, FailureCode.INPUT_UNREADABLE) else FailureCode.INVALID
            )
        case {"detail": [*fields]} if any(_is_about_the_model(field) for field in fields):
            return FailureCode.MODEL_UNAVAILABLE
        case _:
            return FailureCode.INVALID


def _is_about_the_model(field: object) -> bool:
    match field:
        case {"loc": [*_, "model"]}:
            return True
        case _:
            return False


def _failure(reason: object) -> tuple[FailureCode, bool]:
    words = reason.strip().lower() if isinstance(reason, str) else ""
    for beginning, code, retryable in FAILURES:
        if words.startswith(beginning):
            return code, retryable
    return FailureCode.VENDOR_FAULT, True


def _update(generation: Any, *, external_id: str = "", client_token: str | None = None) -> RenderUpdate:
    """Every field may be missing; without a state it says nothing. Raises ReadFailed."""
    match generation:
        case {"state": str(word)}:
            known = generation.get("id") or external_id
        case _:
            raise ReadFailed(NAME)
    if not isinstance(known, str) or not known:
        raise ReadFailed(NAME)
    state = STATES.get(word, RenderState.UNKNOWN)
    output = _output(generation) if state is RenderState.SUCCEEDED else None
    failure: ProviderError | None = None
    if state is RenderState.SUCCEEDED and output is None:
        state = RenderState.FAILED
        failure = RenderFailed(NAME, code=FailureCode.NO_MEDIA, retryable=True)
    elif state is RenderState.FAILED:
        code, retryable = _failure(generation.get("failure_reason"))
        failure = RenderFailed(NAME, code=code, retryable=retryable)
    return RenderUpdate(
        external_id=known,
        state=state,
        vendor_state=word,
        output=output,
        failure=failure,
        client_token=client_token,
    )


def _output(generation: object) -> OutputSource | None:
    match generation:
        case {"assets": {"video": str(url)}} if url:
            return OutputSource(url=url)
        case _:
            return None


def _callback(generation: object) -> str:
    match generation:
        case {"request": {"callback_url": str(url)}}:
            return url
        case _:
            return ""


def _asks_for(generation: Mapping[str, Any], order: Mapping[str, object]) -> bool | None:
    """Whether the vendor's copy of the request says what ours does; None where it keeps too little to tell.

    Inputs are compared by their paths, for links are signed anew: the same words may go with another's picture.
    """
    asked = generation.get("request")
    if not isinstance(asked, dict):
        return None
    names = ("generation_type", "model", "aspect_ratio", "resolution", "duration", "loop", "mode")
    if asked.get("prompt") != order.get("prompt") or not all(
        asked[name] == order[name] for name in names if asked.get(name) and name in order
    ):
        return False
    told = [(_unsigned(asked.get(name)), _unsigned(order.get(name))) for name in INPUTS]
    if any(theirs != ours for theirs, ours in told if theirs):
        return False
    return True if all(theirs == ours for theirs, ours in told) else None


def _unsigned(value: object) -> object:
    """Inputs with links as paths, without what is empty; None where there are none."""
    match value:
        case dict():
            return {name: one for name in value if (one := _unsigned(value[name])) is not None} or None
        case str() if value.startswith(("https://", "http://")):
            return value.partition("?")[0]
        case _:
            return value or None


def _created_at(generation: Mapping[str, Any]) -> datetime | None:
    try:
        at = datetime.fromisoformat(generation["created_at"])
    except (KeyError, TypeError, ValueError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _is_since(generation: Mapping[str, Any], moment: datetime) -> bool:
    """Whether it was made since then, as far as the vendor says."""
    at = _created_at(generation)
    return at is None or at >= moment


def _is_newest_first(generations: Sequence[Mapping[str, Any]]) -> bool:
    times = list(_times(generations))
    return len(times) == len(generations) > 1 and times == sorted(times, reverse=True)


def _times(generations: Sequence[Mapping[str, Any]]) -> Iterator[datetime]:
    for one in generations:
        if (at := _created_at(one)) is not None:
            yield at
