"""Luma's newer API with Ray 3.2 as a local server. Facts: luma-agents 0.5.0 and Luma's guides of that API."""

import json
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .fields import Check, flag, listed, optional, structured, text, word_of
from .server import Refused, Request, Response, parsed
from .video import OF_WEBHOOKS, Fault, Phase, VideoJob, VideoVendor

BASE = "/v1"
TYPES = ("video", "video_edit", "video_reframe")
RATIOS = ("9:16", "3:4", "1:1", "4:3", "16:9", "21:9")
STRENGTHS = tuple(f"{kind}_{degree}" for kind in ("adhere", "flex", "reimagine") for degree in (1, 2, 3))
WORDS: Mapping[Phase, str] = {
    Phase.QUEUED: "queued",
    Phase.RUNNING: "processing",
    Phase.DONE: "completed",
    Phase.FAILED: "failed",
    Phase.MODERATED: "failed",
    Phase.UNKNOWN: "reticulating",
}
FAILURES: Mapping[Phase, tuple[str, str]] = {
    Phase.FAILED: ("generation_failed", "Generation failed"),
    Phase.MODERATED: ("content_moderated", "The output was flagged by content moderation."),
}
FIELDS: Mapping[str, Check] = {
    "prompt": lambda value: isinstance(value, str) and 1 <= len(value) <= 6_000,
    "model": text,
    "type": word_of(*TYPES),
    "aspect_ratio": optional(word_of(*RATIOS)),
    "source": optional(structured),
    "user_id": optional(text),
    "video": optional(structured),
}
OPTIONS: Mapping[str, Check] = {
    "resolution": optional(word_of("360p", "540p", "720p", "1080p")),
    "duration": optional(word_of("5s", "10s")),
    "loop": optional(flag),
    "hdr": optional(flag),
    "exr_export": optional(flag),
    "start_frame": optional(structured),
    "end_frame": optional(structured),
    "keyframes": optional(listed),
    "keyframe_indexes": optional(listed),
    "edit": optional(structured),
    "source_position": optional(structured),
}
EDIT: Mapping[str, Check] = {
    "auto_controls": optional(flag),
    "strength": optional(word_of(*STRENGTHS)),
    "controls": optional(structured),
    "keyframes": optional(listed),
    "keyframe_indexes": optional(listed),
}
MEDIA = frozenset({"url", "data", "generation_id", "file_id"})
POSITION = frozenset({"x_norm", "y_norm", "w_norm", "h_norm"})


class LumaAgents(VideoVendor):
    name = "luma-agents"
    # It calls nobody, stops nothing by itself, and moderates what it has begun.
    cannot = OF_WEBHOOKS | {Fault.CANCELLED, Fault.MODERATED_AT_SUBMIT}

    def __init__(self, *, key: str = "simulated-key-0123456789", seconds: float = 0.4) -> None:
        super().__init__(key=key, seconds=seconds)
        self.hdr_access = True
        self.reframes_at_1080p = True
        """What not every account may."""
        self.per_minute = 30
        """What it states; it counts only where `counts` is set."""
        self.counts = False
        self.concurrent: int | None = None
        """How many unfinished jobs it takes; None: as many as come. The real one: 10, if not agreed otherwise."""

    @property
    def url(self) -> str:
        return f"{self.root}{BASE}"

    def environment(self) -> dict[str, str]:
        return {"LUMA_AGENTS_API_KEY": self.key, "LUMA_AGENTS_URL": self.url}

    def new_id(self) -> str:
        return str(uuid.uuid4())

    def respond(self, request: Request) -> Response:
        if (file := self.served_file(request)) is not None:
            return file
        if request.headers.get("authorization") != f"Bearer {self.key}":
            raise Refused(401, "unauthorized", "Missing or invalid API key")
        match (request.method, request.path.removeprefix(BASE).split("/")):
            case ("POST", ["", "generations"]):
                return self._named(request, self._submit(request))
            case ("GET", ["", "generations", id]):
                return self._named(request, self.looked_at(id, lambda job: self._json(self._generation(job))))
        raise Refused(404, "not_found", "Not Found")

    def refuse(self, request: Request, refused: Refused) -> Response:
        response = self._json({"detail": refused.message}, status=refused.status)
        if refused.more.get("retry_after") is not None:
            response.headers["Retry-After"] = str(refused.more["retry_after"])
        return self._named(request, response)

    def _named(self, request: Request, response: Response) -> Response:
        """The headers of every answer."""
        response.headers["X-Request-Id"] = request.headers.get("x-request-id") or str(uuid.uuid4())
        response.headers["X-API-Version"] = "2026-04-01"
        return response

    def _submit(self, request: Request) -> Response:
        body = parsed(request)
        _check(body, FIELDS, "", required={"prompt"})
        if body.get("model") != "ray-3.2":
            raise _bad(f"Unknown model: {body.get('model', 'uni-1')}")
        kind, options = body.get("type"), body.get("video") or {}
        if kind not in TYPES:
            raise _bad("type is required for model 'ray-3.2'")
        _check(options, OPTIONS, "video.")
        self._check_together(kind, body, options)
        self._limit()
        for name, reference, is_source in _references(body, options):
            self._check_media(name, reference, is_source=is_source)

        def answer(job: VideoJob) -> Response:
            response = self._json(self._generation(job), status=201)
            recent = sum(time.time() - one.created_at < 60 for one in list(self.jobs.values()))
            response.headers["X-RateLimit-Limit"] = str(self.per_minute)
            response.headers["X-RateLimit-Remaining"] = str(max(0, self.per_minute - recent))
            response.headers["X-RateLimit-Reset"] = str(int(time.time()) + 60)
            return response

        return self.accepted(body, None, answer)

    def _check_together(self, kind: str, body: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """What goes with what. Raises Refused."""
        given = {name for name, value in options.items() if value not in (None, False)}
        frames = given & {"start_frame", "end_frame"}
        longer = options.get("duration") == "10s"
        only: Mapping[str, tuple[str, ...]] = {
            "edit": ("video_edit",),
            "source_position": ("video_reframe",),
            "loop": ("video",),
            "duration": ("video",),
            "keyframes": ("video",),
            "keyframe_indexes": ("video",),
            "end_frame": ("video",),
            "start_frame": ("video", "video_edit"),
            "hdr": ("video", "video_edit"),
            "exr_export": ("video", "video_edit"),
        }
        for name, kinds in only.items():
            _refuse_if(name in given and kind not in kinds, f"video.{name} is not valid for type '{kind}'")
        has_source = body.get("source") is not None
        _refuse_if(has_source != (kind != "video"), "source goes with video_edit and video_reframe")
        _refuse_if(kind == "video_reframe" and body.get("aspect_ratio") is None, "aspect_ratio is required")
        _refuse_if(longer and bool({"hdr", *frames} & given), "10s goes with no frames and no hdr")
        _refuse_if(
            "loop" in given and (longer or bool(given & {"hdr", "end_frame", "keyframes"})),
            "loop is not supported with 10s, hdr, an end frame or keyframes",
        )
        _refuse_if(
            "hdr" in given and options.get("resolution") in ("360p", "540p"), "hdr needs 720p or 1080p"
        )
        _refuse_if("exr_export" in given and "hdr" not in given, "exr_export requires hdr")
        _refuse_if("keyframes" in given and bool(frames), "keyframes exclude start_frame and end_frame")
        _check_anchors(options, 240 if longer else 120)
        extends = any("generation_id" in options[frame] for frame in frames)
        _refuse_if(extends and len(frames) > 1, "interpolation from a generation is not available yet")
        if "edit" in given:
            _check_edit(options["edit"], with_frame=bool(frames))
        if "source_position" in given:
            position = options["source_position"]
            numbers = all(type(value) in (int, float) and -2 <= value <= 2 for value in position.values())
            _refuse_if(position.keys() != POSITION or not numbers, "source_position is not valid")
        if "hdr" in given and not self.hdr_access:
            raise Refused(403, "forbidden", "HDR is not enabled for this account")
        if kind == "video_reframe" and options.get("resolution") == "1080p" and not self.reframes_at_1080p:
            raise _bad("1080p reframing is coming soon")

    def _check_media(self, name: str, reference: Any, *, is_source: bool) -> None:
        _refuse_if(not isinstance(reference, dict), f"{name}: not a media reference")
        given = {key for key, value in reference.items() if value is not None}
        _refuse_if(bool(given - MEDIA - {"media_type"}), f"{name}: unknown field")
        _refuse_if(
            len(given & MEDIA) != 1, f"{name}: provide exactly one of url, data, generation_id, file_id"
        )
        _refuse_if(
            "data" in given and "media_type" not in given, f"{name}: 'media_type' is required with 'data'"
        )
        if is_source and given & {"url", "data"}:
            _refuse_if(
                not str(reference.get("media_type")).startswith("video/"),
                f"{name}: media_type must be video/*",
            )
        if "generation_id" in given:
            job = self.jobs.get(reference["generation_id"])
            _refuse_if(job is None or not job.has_media, f"{name}: there is no such completed generation")
        if "url" in given and not self.reachable(reference["url"]):
            raise Refused(422, "unprocessable", f"{name}: failed to fetch URL")
        if "file_id" in given:
            raise Refused(422, "unprocessable", f"{name}: no such file")

    def _limit(self) -> None:
        jobs = list(self.jobs.values())
        unfinished = sum(job.phase in (Phase.QUEUED, Phase.RUNNING) for job in jobs)
        if self.counts and sum(time.time() - job.created_at < 60 for job in jobs) >= self.per_minute:
            raise Refused(429, "rate_limited", "Rate limit exceeded", retry_after=12)
        if self.concurrent is not None and unfinished >= self.concurrent:
            raise Refused(429, "rate_limited", "Too many concurrent jobs", retry_after=60)

    def _generation(self, job: VideoJob) -> dict[str, Any]:
        code, reason = FAILURES.get(job.phase, (None, None))
        link = f"{self.link(job)}?X-Amz-Expires=3600&X-Amz-Signature={uuid.uuid4().hex}"
        return {
            "id": job.id,
            "type": job.body["type"],
            "state": WORDS[job.phase],
            "model": job.body["model"],
            "created_at": datetime.fromtimestamp(job.created_at, UTC).isoformat().replace("+00:00", "Z"),
            "output": [{"type": "video", "url": link}] if job.has_media else [],
            "failure_reason": reason,
            "failure_code": code,
        }

    def _json(self, body: object, *, status: int = 200) -> Response:
        return Response(
            status=status, headers={"Content-Type": "application/json"}, body=json.dumps(body).encode()
        )


def _check(
    body: Mapping[str, Any],
    fields: Mapping[str, Check],
    where: str,
    *,
    required: frozenset[str] | set[str] = frozenset(),
) -> None:
    for name in sorted(required - body.keys()):
        raise _bad(f"{where}{name} is required")
    for name, value in body.items():
        if name not in fields or not fields[name](value):
            raise _bad(f"Invalid {where}{name}")


def _check_edit(edit: Mapping[str, Any], *, with_frame: bool) -> None:
    _check(edit, EDIT, "video.edit.")
    given = {name for name, value in edit.items() if value not in (None, False)}
    _refuse_if("auto_controls" in given and bool(given & {"strength", "controls"}), "auto_controls go alone")
    _refuse_if("keyframes" in given and with_frame, "edit.keyframes exclude start_frame")
    _check_anchors(edit, 18 * 24)


def _check_anchors(options: Mapping[str, Any], last: int) -> None:
    frames, indexes = options.get("keyframes") or [], options.get("keyframe_indexes") or []
    fine = all(type(index) is int and 0 <= index <= last for index in indexes)
    fine = fine and len(frames) == len(indexes) == len(set(indexes)) and len(frames) <= 64
    _refuse_if(not fine, "keyframe_indexes must be unique and match keyframes")


def _references(body: Mapping[str, Any], options: Mapping[str, Any]) -> list[tuple[str, Any, bool]]:
    """Every medium that the request names, and whether it is the source."""
    found = [("source", body["source"], True)] if body.get("source") is not None else []
    found += [
        (f"video.{name}", options[name], False)
        for name in ("start_frame", "end_frame")
        if options.get(name) is not None
    ]
    for where, holder in (("video", options), ("video.edit", options.get("edit") or {})):
        found += [
            (f"{where}.keyframes[{number}]", frame, False)
            for number, frame in enumerate(holder.get("keyframes") or [])
        ]
    return found


def _refuse_if(bad: bool, message: str) -> None:
    if bad:
        raise _bad(message)


def _bad(message: str) -> Refused:
    return Refused(400, "invalid", message)
