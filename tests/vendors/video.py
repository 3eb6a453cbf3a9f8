"""What every vendor of videos is: jobs that run for a moment, a file at the end, and every way to misbehave."""

import itertools
import json
import re
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar
from urllib.error import HTTPError

import imageio_ffmpeg

from .server import HangUp, Refused, Request, Response, Silence, Simulator

MP4 = {"Content-Type": "video/mp4"}


class Fault(StrEnum):
    """What goes wrong with the next jobs. Each vendor has its own words for each."""

    # The submission is not accepted.
    RATE_LIMITED = "rate_limited"
    """The first submission is answered with "slow down"; the next is taken."""
    WRONG_KEY = "wrong_key"
    NO_BALANCE = "no_balance"
    REFUSED = "refused"
    """As if a value of the request were wrong."""
    MODERATED_AT_SUBMIT = "moderated_at_submit"
    SERVER_ERROR = "server_error"
    """A 500, and nothing was accepted."""
    # It is accepted, and its answer is lost.
    SERVER_ERROR_AFTER_ACCEPTING = "server_error_after_accepting"
    SILENCE_AFTER_ACCEPTING = "silence_after_accepting"
    HANG_UP_AFTER_ACCEPTING = "hang_up_after_accepting"
    GARBAGE_AFTER_ACCEPTING = "garbage_after_accepting"
    # The job ends badly.
    FAILED = "failed"
    MODERATED = "moderated"
    NO_MEDIA = "no_media"
    CANCELLED = "cancelled"
    """The vendor stops it by itself."""
    LOST = "lost"
    """The vendor knows nothing of it any more."""
    STUCK = "stuck"
    # It ends well, after all.
    UNKNOWN_WORD = "unknown_word"
    """The first two looks answer a word that nobody documented."""
    STATUS_ERROR = "status_error"
    """The first two looks answer 500."""
    STATUS_GARBAGE = "status_garbage"
    """The first two looks answer no JSON."""
    STATUS_RATE_LIMITED = "status_rate_limited"
    """The first look answers "slow down"."""
    LINK_EXPIRED = "link_expired"
    """The first download answers 403."""
    TRUNCATED = "truncated"
    """The file is half of itself, whenever it is asked for."""
    # Webhooks.
    NO_WEBHOOK = "no_webhook"
    WEBHOOK_TWICE = "webhook_twice"
    WEBHOOK_EARLY = "webhook_early"
    """It comes before the submission is answered."""
    WEBHOOK_FORGED = "webhook_forged"
    """A stranger tells us first that it has failed."""


AFTER_ACCEPTING = frozenset(
    {
        Fault.SERVER_ERROR_AFTER_ACCEPTING,
        Fault.SILENCE_AFTER_ACCEPTING,
        Fault.HANG_UP_AFTER_ACCEPTING,
        Fault.GARBAGE_AFTER_ACCEPTING,
    }
)
OF_WEBHOOKS = frozenset({Fault.NO_WEBHOOK, Fault.WEBHOOK_TWICE, Fault.WEBHOOK_EARLY, Fault.WEBHOOK_FORGED})


class Phase(StrEnum):
    """Where a job stands, whatever the vendor calls it."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    MODERATED = "moderated"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


ENDED = frozenset({Phase.DONE, Phase.FAILED, Phase.MODERATED, Phase.CANCELLED})


@dataclass(slots=True, kw_only=True)
class VideoJob:
    """One accepted, paid job."""

    id: str
    body: Mapping[str, Any]
    """What was asked for, as JSON."""
    callback: str | None
    created_at: float = field(default_factory=time.time)
    began: float = field(default_factory=time.monotonic)
    seconds: float
    fault: Fault | None
    looks: int = 0
    downloads: int = 0
    cancelled: bool = False
    more: dict[str, Any] = field(default_factory=dict)
    """What a vendor's simulator keeps of it."""

    @property
    def phase(self) -> Phase:
        if self.cancelled:
            return Phase.CANCELLED
        if self.fault is Fault.UNKNOWN_WORD and self.looks <= 2:
            return Phase.UNKNOWN
        passed = _moment() - self.began
        if passed < self.seconds / 4:
            return Phase.QUEUED
        if passed < self.seconds or self.fault is Fault.STUCK:
            return Phase.RUNNING
        ends = {
            Fault.FAILED: Phase.FAILED,
            Fault.MODERATED: Phase.MODERATED,
            Fault.CANCELLED: Phase.CANCELLED,
        }
        return ends.get(self.fault, Phase.DONE) if self.fault is not None else Phase.DONE

    @property
    def has_media(self) -> bool:
        """Whether its answer names a video."""
        return self.phase is Phase.DONE and self.fault is not Fault.NO_MEDIA

    @property
    def percent(self) -> int:
        return (
            100 if self.phase is Phase.DONE else min(99, int(100 * (_moment() - self.began) / self.seconds))
        )


_seen = threading.local()


def _moment() -> float:
    """Now; within `_one_moment` the time that it began."""
    at: float | None = getattr(_seen, "at", None)
    return time.monotonic() if at is None else at


@contextmanager
def _one_moment() -> Iterator[None]:
    """Whatever an answer says of a job, it says of one moment: done, and with its video."""
    _seen.at = time.monotonic()
    try:
        yield
    finally:
        _seen.at = None


def _named(body: Mapping[str, Any]) -> Fault | None:
    """The fault that a prompt asks for: `fault:stuck`."""
    found = re.search(r"fault:(\w+)", json.dumps(body))
    return Fault(found.group(1)) if found is not None else None


@cache
def clip() -> bytes:
    """A real MP4: two seconds of 320x180, H.264 and AAC."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error"]
    command += ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=24:duration=2"]
    command += ["-f", "lavfi", "-i", "sine=frequency=330:duration=2", "-shortest"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    command += ["-movflags", "frag_keyframe+empty_moov", "-f", "mp4", "pipe:1"]
    return subprocess.run(command, capture_output=True, check=True).stdout


class VideoVendor(Simulator):
    """A vendor of videos on a port of this machine.

    A subclass routes requests in `respond`, refuses in the vendor's own form in `refuse`, accepts through `accepted`,
    answers looks through `looked_at`, and downloads through `downloaded`. It shares no code with the adapter.
    """

    name: ClassVar[str]
    """The provider's name in the registry."""
    cannot: ClassVar[frozenset[Fault]] = frozenset()
    """Faults that this vendor has no way to show."""

    def __init__(self, *, key: str = "simulated-key-0123456789", seconds: float = 0.4) -> None:
        super().__init__(key=key)
        self.seconds = seconds
        """How long a job takes."""
        self.fault: Fault | None = None
        """What goes wrong with the jobs to come."""
        self.jobs: dict[str, VideoJob] = {}
        self.refusals = 0
        """Submissions that were refused because of a fault."""
        self.told: list[tuple[VideoJob, int]] = []
        """Webhooks that were sent, and the status that each was answered with."""

    # --- what a subclass says ---

    def environment(self) -> dict[str, str]:
        """The settings that lead the adapter here."""
        raise NotImplementedError

    def webhook(self, job: VideoJob) -> tuple[dict[str, str], bytes]:
        """A delivery that tells where the job stands: headers and body."""
        raise NotImplementedError

    def forged(self, job: VideoJob) -> tuple[dict[str, str], bytes]:
        """A delivery that says that it failed, by somebody who is not the vendor."""
        headers, body = self.webhook(job)
        return headers, body.replace(b'"', b"'", 1)

    def new_id(self) -> str:
        return f"job-{self.number()}"

    # --- what it inherits ---

    def accepted(
        self,
        body: Mapping[str, Any],
        callback: str | None,
        answer: Callable[[VideoJob], Response],
        **more: Any,
    ) -> Response:
        """Take a request that has been checked; the answer to it, or what the fault makes of that. Raises Refused."""
        fault = self.fault or _named(body)
        self._refuse_by(fault)
        job = VideoJob(
            id=self.new_id(), body=body, callback=callback, seconds=self.seconds, fault=fault, more=more
        )
        self.jobs[job.id] = job
        if callback is not None and fault is not Fault.NO_WEBHOOK:
            if fault is Fault.WEBHOOK_EARLY:
                job.began -= job.seconds
                self.tell(job)
            else:
                threading.Thread(target=self._tell_at_the_end, args=(job,), daemon=True).start()
        match fault:
            case Fault.SERVER_ERROR_AFTER_ACCEPTING:
                raise Refused(500, "server_error", "The simulator was told to fail.")
            case Fault.SILENCE_AFTER_ACCEPTING:
                return Response(fault=Silence())
            case Fault.HANG_UP_AFTER_ACCEPTING:
                return Response(fault=HangUp())
            case Fault.GARBAGE_AFTER_ACCEPTING:
                return Response(body=b"<html>accepted, I think", headers={"Content-Type": "text/html"})
        return answer(job)

    def looked_at(self, job_id: str, answer: Callable[[VideoJob], Response]) -> Response:
        """The answer to a look at a job, or what its fault makes of that. Raises Refused."""
        job = self.jobs.get(job_id)
        if job is None or (job.fault is Fault.LOST and time.monotonic() - job.began > job.seconds / 2):
            raise Refused(404, "not_found", "There is no such job.")
        job.looks += 1
        match job.fault:
            case Fault.STATUS_ERROR if job.looks <= 2:
                raise Refused(500, "server_error", "The simulator was told to fail.")
            case Fault.STATUS_GARBAGE if job.looks <= 2:
                return Response(body=b"<html>busy", headers={"Content-Type": "text/html"})
            case Fault.STATUS_RATE_LIMITED if job.looks <= 1:
                raise Refused(429, "rate_limited", "Slow down.", retry_after=1)
        with _one_moment():
            return answer(job)

    def downloaded(self, job: VideoJob) -> Response:
        """The file, or what the job's fault makes of it. Raises Refused."""
        job.downloads += 1
        if job.fault is Fault.LINK_EXPIRED and job.downloads <= 1:
            raise Refused(403, "expired", "The link has expired.")
        return Response(headers=dict(MP4), body=self.content(job))

    def content(self, job: VideoJob) -> bytes:
        """The bytes of its video."""
        return clip()[: len(clip()) // 2] if job.fault is Fault.TRUNCATED else clip()

    def link(self, job: VideoJob) -> str:
        """A plain address of its video, which `served_file` serves."""
        return f"{self.root}/files/{job.id}.mp4"

    def served_file(self, request: Request) -> Response | None:
        """The answer to a GET of a `link`; None where it is none. Raises Refused."""
        name = request.path.removeprefix("/files/").removesuffix(".mp4")
        if request.method != "GET" or not request.path.startswith("/files/") or name not in self.jobs:
            return None
        if "authorization" in request.headers:
            raise Refused(400, "unexpected_header", "Keys don't belong here.")
        return self.downloaded(self.jobs[name])

    def reachable(self, url: object, *, head: bool = False) -> bool:
        """Whether the vendor can read an input at this address: by GET, as a vendor that asks HEAD first, by both."""
        if not isinstance(url, str) or not url.startswith(("https://", "http://127.0.0.1")):
            return False
        for method in ("HEAD", "GET") if head else ("GET",):
            try:
                with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=5) as answer:  # noqa: S310
                    answer.read(1)
            except (HTTPError, OSError):
                return False
        return True

    def tell(self, job: VideoJob, *, forged: bool = False) -> None:
        """Send a webhook now."""
        with _one_moment():
            headers, body = self.forged(job) if forged else self.webhook(job)
        request = urllib.request.Request(  # noqa: S310
            str(job.callback),
            data=body,
            headers={"Content-Type": "application/json", **headers},
            method="POST",
        )
        status = 0
        with suppress(OSError):
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                    status = answer.status
            except HTTPError as error:
                status = error.code
        self.told.append((job, status))

    def big(self, size: int) -> Iterator[bytes]:
        """`size` bytes, piece by piece."""
        piece = bytes(1 << 16)
        return itertools.chain(
            itertools.repeat(piece, size // len(piece)),
            [piece[: size % len(piece)]] if size % len(piece) else [],
        )

    def _refuse_by(self, fault: Fault | None) -> None:
        refusal = (
            {
                Fault.RATE_LIMITED: (429, "rate_limited", "Slow down."),
                Fault.WRONG_KEY: (401, "wrong_key", "The key is wrong."),
                Fault.NO_BALANCE: (402, "no_balance", "The balance is used up."),
                Fault.REFUSED: (422, "invalid", "A value is wrong."),
                Fault.MODERATED_AT_SUBMIT: (422, "moderated", "The prompt is against the policy."),
                Fault.SERVER_ERROR: (500, "server_error", "The simulator was told to fail."),
            }.get(fault)
            if fault is not None
            else None
        )
        if refusal is None or (fault is Fault.RATE_LIMITED and self.refusals):
            return
        self.refusals += 1
        status, code, message = refusal
        raise Refused(status, code, message, retry_after=1)

    def _tell_at_the_end(self, job: VideoJob) -> None:
        if job.fault is Fault.WEBHOOK_FORGED:
            self.tell(job, forged=True)
        while job.phase not in ENDED:
            if self.wait_closing(0.05) or (job.fault is Fault.STUCK):
                return
            if (
                job.fault is Fault.UNKNOWN_WORD
                and job.looks <= 2
                and time.monotonic() - job.began > job.seconds
            ):
                # Nobody looks: it says its odd word once.
                self.tell(job)
                return
        for _ in range(2 if job.fault is Fault.WEBHOOK_TWICE else 1):
            self.tell(job)
