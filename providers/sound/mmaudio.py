"""MMAudio at fal: sounds for a silent clip, or from words alone. Facts: fal-client 1.0.3 and fal's schema, 2026-11.

fal keeps a job: it is submitted, asked about until it has ended, and its result is fetched, all within one call. The
weights are CC-BY-NC 4.0, so the operator has to accept that beside giving a key.
"""

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NoReturn, Self

from providers.catalogue.sound import SoundKind
from providers.contract import Cost, InputMedia, OutputSource
from providers.errors import (
    FailureCode,
    JobNotFound,
    OutcomeUnknown,
    ReadFailed,
    RenderFailed,
    UnsupportedFeature,
)
from providers.http import Answer, BadStatus, Client, HttpError, UnusableBody, origin
from providers.submission import GONE, submission_error

from .contract import EffectRequest, MadeSound, SoundProvider
from .files import MOST_BYTES, NoSound, arriving, keep
from .limits import model_for
from .transport import CALL_SECONDS, client_for

# It is poor at both, and a film has its own.
NEGATIVE = "music, speech"
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 2.0
ASK_SECONDS = 15.0
CANCEL_SECONDS = 5.0
# Of a status or a result that can be had later: the vendor's own client asks again then too.
PASSING = frozenset({408, 409, 425, 429, 502, 503, 504})

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A job that fal has accepted, and until when (monotonic) we wait for it."""

    id: str
    url: str
    """Where its result is; its status and its end are below."""
    ends_at: float


class MMAudioProvider(SoundProvider):
    name = "mmaudio"
    settings: ClassVar[Sequence[str]] = ("FAL_API_KEY", "MMAUDIO_LICENCE_ACCEPTED", "FAL_URL")
    defaults: ClassVar[Mapping[str, str]] = MappingProxyType({"FAL_URL": "https://queue.fal.run"})

    def __init__(
        self,
        *,
        key: str,
        url: str,
        http: Client | None = None,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
        job_seconds: float = CALL_SECONDS,
    ) -> None:
        """`job_seconds` bounds a whole call; `http` replaces the client, for other bounds."""
        self._url = url.rstrip("/")
        self._http = http or client_for(url)
        self._headers = {"Authorization": f"Key {key}"}
        self._first_wait_seconds = first_wait_seconds
        self._job_seconds = job_seconds

    @classmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        key, _accepted, url = (values[name] for name in cls.settings)
        return cls(key=key, url=url)

    def make_effect(self, request: EffectRequest, target: Path) -> MadeSound:
        model = model_for(
            self.name, request.model, SoundKind.EFFECT, text=request.text, seconds=request.seconds
        )
        seconds = round(model.seconds_made(request.seconds), 2)
        body: dict[str, object] = {
            "prompt": request.text,
            "negative_prompt": NEGATIVE,
            "duration": seconds,
        }
        route = request.model
        if request.video is None:
            route = f"{route}/text-to-audio"
        else:
            body["video_url"] = _video_url(request.video)
        job = self._submit(route, body)
        self._wait(job)
        source = self._result(job)
        path, media_type = self._fetch(job, source, target)
        cost = Cost(amount=model.cost(seconds=seconds), currency="USD")
        return MadeSound(path=path, media_type=media_type, cost=cost, request_id=job.id)

    def _submit(self, route: str, body: Mapping[str, object]) -> _Job:
        ends_at = time.monotonic() + self._job_seconds
        try:
            answer = self._http.request(
                "POST",
                f"{self._url}/{route}",
                json=body,
                headers=self._headers,
                total_seconds=self._job_seconds,
            )
            if not answer.ok:
                raise BadStatus(answer.host, answer)
            accepted = answer.json()
        except BadStatus as error:
            refused = submission_error(self.name, error, refusal=_failure(error.answer)[0])
            raise refused from None
        except HttpError as error:
            raise submission_error(self.name, error) from None
        match accepted:
            case {"request_id": str(id)} if _ID.fullmatch(id):
                pass
            case _:
                raise OutcomeUnknown(self.name)
        # Jobs are below the application, whatever the route was; what the vendor says wins if it is the same host.
        url = f"{self._url}/{'/'.join(route.split('/')[:2])}/requests/{id}"
        named = accepted.get("response_url")
        if isinstance(named, str) and _same_origin(named, self._url):
            url = named
        return _Job(id=id, url=url, ends_at=ends_at)

    def _wait(self, job: _Job) -> None:
        """Returns once the job has ended, well or not."""
        wait = self._first_wait_seconds
        while True:
            self._rest(job, wait)
            wait = min(wait * 1.5, LONGEST_WAIT_SECONDS)
            match self._ask(job, f"{job.url}/status"):
                case {"status": "COMPLETED"}:
                    return

    def _result(self, job: _Job) -> OutputSource:
        """Where the sound lies. The result of a job that failed is an answer with the status of its failure."""
        while (result := self._ask(job, job.url, of_the_job=True)) is None:
            self._rest(job, LONGEST_WAIT_SECONDS)
        match result:
            case {"video": {"url": str(url)}} | {"audio": {"url": str(url)}}:
                return OutputSource(url=url)
            case _:
                raise RenderFailed(self.name, code=FailureCode.NO_MEDIA, retryable=True)

    def _ask(self, job: _Job, url: str, *, of_the_job: bool = False) -> Mapping[str, Any] | None:
        """What is answered now; None where asking later may help.

        Raises what a status that will not change means: with `of_the_job` it is the job's own failure.
        """
        try:
            answer = self._http.request("GET", url, headers=self._headers, total_seconds=ASK_SECONDS)
            if answer.ok:
                body = answer.json()
                return body if isinstance(body, dict) else None
        except HttpError:
            return None
        if answer.status in PASSING or (answer.status >= 500 and not of_the_job):
            return None
        if answer.status in GONE:
            raise JobNotFound(self.name)
        if of_the_job and answer.status not in (401, 403):
            code, retryable = _failure(answer)
            raise RenderFailed(self.name, code=code, retryable=retryable)
        raise ReadFailed(self.name)

    def _rest(self, job: _Job, seconds: float) -> None:
        if time.monotonic() + seconds > job.ends_at:
            self._give_up(job)
        time.sleep(seconds)

    def _give_up(self, job: _Job) -> NoReturn:
        """Nobody waits for it any more: it should cost nothing."""
        with suppress(HttpError):
            self._http.request(
                "PUT", f"{job.url}/cancel", headers=self._headers, total_seconds=CANCEL_SECONDS
            )
        raise RenderFailed(self.name, code=FailureCode.VENDOR_FAULT, retryable=True)

    def _fetch(self, job: _Job, source: OutputSource, target: Path) -> tuple[Path, str]:
        """The file, without our key: it lies on another host."""
        with arriving(target) as part:
            try:
                with part.open("wb") as file:
                    rest = max(job.ends_at - time.monotonic(), ASK_SECONDS)
                    self._http.download(source, file, max_bytes=MOST_BYTES, total_seconds=rest)
                return keep(part, target)
            except HttpError:
                raise ReadFailed(self.name) from None
            except NoSound:
                raise RenderFailed(self.name, code=FailureCode.NO_MEDIA, retryable=True) from None


def _video_url(video: InputMedia) -> str:
    if not video.media_type.startswith("video/"):
        raise UnsupportedFeature(MMAudioProvider.name, f"{video.media_type} as a picture")
    return video.url


def _failure(answer: Answer) -> tuple[FailureCode, bool]:
    """Why the vendor failed a job or refused it, and whether the same may succeed later."""
    kind = answer.headers.get("x-fal-error-type", "")
    field = ""
    try:
        body = answer.json()
    except UnusableBody:
        body = None
    match body:
        case {"detail": [{"loc": [*_, str(field)], "type": str(kind)}, *_]}:
            pass
        case {"error_type": str(kind)}:
            pass
    if kind == "content_policy_violation":
        return FailureCode.MODERATED, False
    if answer.status >= 500:
        return FailureCode.VENDOR_FAULT, True
    if field == "video_url":
        return FailureCode.INPUT_UNREADABLE, False
    return FailureCode.INVALID, False


def _same_origin(first: str, second: str) -> bool:
    try:
        return origin(first) == origin(second)
    except ValueError:
        return False
