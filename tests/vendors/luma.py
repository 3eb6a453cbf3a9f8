"""Luma's Dream Machine as a local server. Facts: its OpenAPI document 1.1.0, as lumaai 1.21.0 speaks it.

How strict the real one is about what its document does not say, nobody has confirmed; this one refuses it.
"""

import json
import threading
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .fields import Check, flag, optional, problems, text, whole, word_of
from .server import Refused, Request, Response, parsed
from .video import Fault, Phase, VideoJob, VideoVendor

BASE = "/dream-machine/v1"
JSON = {"Content-Type": "application/json"}
MODELS = ("ray-2", "ray-flash-2")
RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "21:9", "9:21")
RESOLUTIONS = ("540p", "720p", "1080p", "4k")
DEGREES = tuple(f"{kind}_{degree}" for kind in ("adhere", "flex", "reimagine") for degree in (1, 2, 3))
CONCEPTS = (
    *("static", "handheld", "pov", "selfie", "over_the_shoulder", "eye_level", "ground_level", "low_angle"),
    *("high_angle", "overhead", "aerial", "aerial_drone", "tiny_planet", "elevator_doors", "bolt_cam"),
    *(
        "pan_left",
        "pan_right",
        "tilt_up",
        "tilt_down",
        "roll_left",
        "roll_right",
        "truck_left",
        "truck_right",
    ),
    *("pedestal_up", "pedestal_down", "crane_up", "crane_down", "push_in", "pull_out", "zoom_in", "zoom_out"),
    *("dolly_zoom", "orbit_left", "orbit_right"),
)
WORDS: Mapping[Phase, str] = {
    Phase.QUEUED: "queued",
    Phase.RUNNING: "dreaming",
    Phase.DONE: "completed",
    Phase.FAILED: "failed",
    Phase.MODERATED: "failed",
    Phase.UNKNOWN: "daydreaming",
}
REASONS: Mapping[Phase, str] = {
    Phase.FAILED: "Prompt processing failed",
    Phase.MODERATED: "Advanced prompt moderation failed, please rephrase it",
}
UNREADABLE = "Failed to read user input frames"
RETRIES, RETRY_AFTER_SECONDS = 3, 0.1


def _link(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("https://", "http://127.0.0.1"))


def _media(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"url"} and _link(value["url"])


def _keyframe(value: Any) -> bool:
    match value:
        case {"type": "image", "url": url, **rest}:
            return _link(url) and not rest
        case {"type": "generation", "id": str(), **rest}:
            return not rest
        case _:
            return False


def _keyframes(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() <= {"frame0", "frame1"}
        and all(frame is None or _keyframe(frame) for frame in value.values())
    )


def _concepts(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict) and one.keys() == {"key"} and one["key"] in CONCEPTS for one in value
    )


_MODEL = word_of(*MODELS)
_RATIO = word_of(*RATIOS)
FIELDS: Mapping[str, Mapping[str, Check]] = {
    "video": {
        "generation_type": word_of("video"),
        "model": _MODEL,
        "prompt": text,
        "aspect_ratio": _RATIO,
        "resolution": word_of(*RESOLUTIONS),
        "duration": word_of("5s", "9s"),
        "loop": flag,
        "keyframes": _keyframes,
        "concepts": _concepts,
        "callback_url": _link,
    },
    "video/modify": {
        "generation_type": word_of("modify_video"),
        "model": _MODEL,
        "media": _media,
        "mode": word_of(*DEGREES),
        "first_frame": _media,
        "prompt": text,
        "callback_url": _link,
    },
    "video/reframe": {
        "generation_type": word_of("reframe_video"),
        "model": _MODEL,
        "media": _media,
        "aspect_ratio": _RATIO,
        "first_frame": _media,
        "prompt": text,
        "callback_url": _link,
        **dict.fromkeys(("grid_position_x", "grid_position_y", "x_start", "x_end"), whole(0, 8192)),
        **dict.fromkeys(("y_start", "y_end", "resized_width", "resized_height"), whole(0, 8192)),
    },
    "upscale": {
        "generation_type": word_of("upscale_video"),
        "resolution": word_of(*RESOLUTIONS),
        "callback_url": _link,
    },
    "audio": {
        "generation_type": word_of("add_audio"),
        "prompt": optional(text),
        "negative_prompt": optional(text),
        "callback_url": _link,
    },
}
REQUIRED: Mapping[str, set[str]] = {
    "video": {"model"},
    "video/modify": {"model", "generation_type", "media", "mode"},
    "video/reframe": {"model", "generation_type", "media", "aspect_ratio"},
}


class Luma(VideoVendor):
    """`balance` is in cents."""

    name = "luma"
    cannot = frozenset({Fault.CANCELLED, Fault.MODERATED_AT_SUBMIT})

    def __init__(self, *, key: str = "simulated-key-0123456789", seconds: float = 0.4) -> None:
        super().__init__(key=key, seconds=seconds)
        self.balance = 50_000
        self.concurrent: int | None = None
        """How many unfinished jobs it takes; None: as many as come. The real one: 10."""
        self.per_minute: int | None = None
        """The real one: 20."""
        self.tells_dreaming = True
        """Whether it calls when a job begins, too."""
        # What nobody has confirmed of the real one.
        self.names_fields = False
        """Whether `detail` of a bad field is a list, as FastAPI has it, and not a sentence."""
        self.newest_first = True
        """In which order it lists."""
        self.says_more = True
        """Whether a page of the list says if there are more."""

    @property
    def url(self) -> str:
        return f"{self.root}{BASE}"

    def environment(self) -> dict[str, str]:
        return {"LUMA_API_KEY": self.key, "LUMA_URL": self.url}

    def new_id(self) -> str:
        return str(uuid.uuid4())

    def webhook(self, job: VideoJob) -> tuple[dict[str, str], bytes]:
        return {}, json.dumps(self._generation(job)).encode()

    def tell(self, job: VideoJob, *, forged: bool = False) -> None:
        """A burst: anything but exactly 200 is tried again, three times, almost at once."""
        for again in range(1 + RETRIES):
            if again and self.wait_closing(RETRY_AFTER_SECONDS):
                return
            super().tell(job, forged=forged)
            if next(status for told, status in reversed(self.told) if told is job) == 200:
                return

    def respond(self, request: Request) -> Response:
        if (file := self.served_file(request)) is not None:
            return file
        if not request.path.startswith(f"{BASE}/"):
            raise Refused(404, "not_found", "Not Found")
        if request.headers.get("authorization") != f"Bearer {self.key}":
            raise Refused(401, "unauthorized", "Invalid API key")
        path = request.path.removeprefix(f"{BASE}/")
        match (request.method, path.split("/")):
            case ("GET", ["ping"]):
                return _json({"message": "pong"})
            case ("GET", ["credits"]):
                return _json({"credit_balance": self.balance})
            case ("GET", ["generations"]):
                return self._listed(request)
            case ("GET", ["generations", "concepts", "list"]):
                return _json(CONCEPTS)
            case ("POST", ["generations", "video"]):
                return self._submit(request, "video", self._checked_video)
            case ("POST", ["generations", "video", ("modify" | "reframe") as action]):
                return self._submit(request, f"video/{action}", lambda body: None)
            case ("POST", ["generations", id, ("upscale" | "audio") as action]):
                self._finished(id)
                return self._submit(request, action, lambda body: None, status=200)
            case ("GET", ["generations", id]):
                return self.looked_at(id, lambda job: _json(self._generation(job)))
            case ("DELETE", ["generations", id]) if id in self.jobs:
                del self.jobs[id]
                return Response(status=204)
            case (_, ["generations", *_]) if request.method not in ("GET", "POST", "DELETE"):
                raise Refused(405, "method_not_allowed", "Method Not Allowed")
        raise Refused(404, "not_found", "Not Found")

    def refuse(self, request: Request, refused: Refused) -> Response:
        headers = dict(JSON)
        if refused.more.get("retry_after") is not None:
            headers["Retry-After"] = str(refused.more["retry_after"])
        found = refused.more.get("problems")
        return _json({"detail": found or refused.message}, status=refused.status, headers=headers)

    def _submit(self, request: Request, kind: str, check: Any, *, status: int = 201) -> Response:
        body = parsed(request)
        found = problems(body, FIELDS[kind], REQUIRED.get(kind, set()))
        if found:
            what = ", ".join(str(one["loc"][-1]) for one in found)
            raise Refused(
                422 if self.names_fields else 400,
                "invalid",
                f"Invalid value: {what}",
                problems=found if self.names_fields else None,
            )
        if "prompt" in body and not 3 <= len(body["prompt"] or "") <= 5_000 and kind != "audio":
            raise Refused(400, "invalid", "Prompt must be between 3 and 5000 characters")
        check(body)
        self._limit()
        links = [body[name]["url"] for name in ("media", "first_frame") if name in body]
        links += [frame["url"] for frame in _frames(body).values() if frame["type"] == "image"]
        readable = all(self.reachable(link) for link in links)
        return self.accepted(
            body,
            body.get("callback_url"),
            lambda job: _json(self._generation(job), status=status),
            readable=readable,
        )

    def accepted(self, body: Any, callback: Any, answer: Any, **more: Any) -> Response:
        """As any vendor, and a call when the job begins."""
        known = set(self.jobs)
        try:
            return super().accepted(body, callback, answer, **more)
        finally:
            fresh = [job for id, job in self.jobs.items() if id not in known and job.body is body]
            for job in fresh:
                if callback is not None and self.tells_dreaming and job.fault not in _SAYS_NOTHING_FIRST:
                    threading.Thread(target=self._tell_when_it_begins, args=(job,), daemon=True).start()

    def _tell_when_it_begins(self, job: VideoJob) -> None:
        while job.phase is Phase.QUEUED:
            if self.wait_closing(0.02):
                return
        if job.phase is Phase.RUNNING:
            self.tell(job)

    def _checked_video(self, body: Mapping[str, Any]) -> None:
        """What the vendor says of whole requests. Raises Refused."""
        frames = _frames(body)
        if "keyframes" in body and not frames:
            raise Refused(400, "invalid", "Both keyframes are null")
        if "prompt" not in body and not any(frame["type"] == "image" for frame in frames.values()):
            raise Refused(400, "invalid", "Prompt is required")
        if body.get("loop") and "frame1" in frames:
            raise Refused(400, "invalid", "Loop is not supported with an end frame")
        for frame in frames.values():
            if frame["type"] == "generation":
                self._finished(frame["id"])

    def _finished(self, id: str) -> VideoJob:
        if id not in self.jobs:
            raise Refused(404, "not_found", "Generation not found")
        if not self.jobs[id].has_media:
            raise Refused(400, "invalid", "The generation is not completed")
        return self.jobs[id]

    def _limit(self) -> None:
        jobs = list(self.jobs.values())
        unfinished = sum(job.phase in (Phase.QUEUED, Phase.RUNNING) for job in jobs)
        recent = sum(time.time() - job.created_at < 60 for job in jobs)
        if self.concurrent is not None and unfinished >= self.concurrent:
            raise Refused(429, "rate_limited", "Too many concurrent generations", retry_after=5)
        if self.per_minute is not None and recent >= self.per_minute:
            raise Refused(429, "rate_limited", "Rate limit exceeded", retry_after=30)

    def _listed(self, request: Request) -> Response:
        limit, offset = (int(request.query.get(name, [str(usual)])[0]) for name, usual in _PAGE)
        if not 1 <= limit <= 100 or offset < 0 or request.query.keys() - {"limit", "offset"}:
            raise Refused(422, "invalid", "Invalid page")
        jobs = sorted(self.jobs.values(), key=lambda job: job.created_at, reverse=self.newest_first)
        page = jobs[offset : offset + limit]
        answer: dict[str, Any] = {"generations": [self._generation(job) for job in page]}
        if self.says_more:
            answer |= {"count": len(page), "limit": limit, "offset": offset}
            answer["has_more"] = offset + limit < len(jobs)
        return _json(answer)

    def _generation(self, job: VideoJob) -> dict[str, Any]:
        phase = job.phase
        reason = REASONS.get(phase)
        if phase is Phase.DONE and not job.more["readable"]:
            phase, reason = Phase.FAILED, UNREADABLE
        made = phase is Phase.DONE and job.has_media
        created = datetime.fromtimestamp(job.created_at, UTC).isoformat().replace("+00:00", "Z")
        return {
            "id": job.id,
            "generation_type": "video",
            "state": WORDS[phase],
            "failure_reason": reason,
            "created_at": created,
            "assets": {
                "video": self.link(job),
                "image": f"{self.root}/files/{job.id}.jpg",
                "progress_video": None,
            }
            if made
            else None,
            "model": job.body.get("model"),
            "request": {"generation_type": "video", "keyframes": None, **job.body},
        }


_PAGE = (("limit", 100), ("offset", 0))
_SAYS_NOTHING_FIRST = frozenset({Fault.NO_WEBHOOK, Fault.WEBHOOK_EARLY, Fault.WEBHOOK_FORGED})


def _frames(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: frame for name, frame in (body.get("keyframes") or {}).items() if frame is not None}


def _json(body: object, *, status: int = 200, headers: Mapping[str, str] = JSON) -> Response:
    return Response(status=status, headers=dict(headers), body=json.dumps(body).encode())
