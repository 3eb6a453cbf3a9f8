"""fal's queue with MMAudio on it, as a local server. Facts: fal-client 1.0.3 and fal's schema of the model.

A job is accepted whatever its input says: what is wrong with it is the answer to its result, as at fal.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .fields import Check, Problem, flag, number, optional, problems, text, whole
from .server import Audio, Refused, Request, Response, Said, Simulator, parsed, wire

APPLICATION = "/fal-ai/mmaudio-v2"
FIELDS: Mapping[str, Check] = {
    "prompt": text,
    "negative_prompt": text,
    "seed": optional(whole(0, 65_535)),
    "num_steps": whole(4, 50),
    "duration": number(1, 30),
    "cfg_strength": number(0, 20),
}
VIDEO_FIELDS = {
    **FIELDS,
    "video_url": lambda value: isinstance(value, str) and value.startswith(("http://", "https://")),
    "mask_away_clip": flag,
}
JSON = {"Content-Type": "application/json"}
MP4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + bytes(4_000)
FLAC = b"fLaC\x00\x00\x00\x22" + bytes(4_000)


@dataclass(frozen=True, slots=True)
class JobFailure:
    """What the result of a job answers that did not go well."""

    status: int = 500
    kind: str = "internal_server_error"
    field: str = "prompt"
    message: str = "The simulator was told to fail."


@dataclass(slots=True, kw_only=True)
class Job:
    id: str
    route: str
    body: Mapping[str, Any]
    polls: int = 0
    cancelled: bool = False
    outcome: JobFailure | list[Problem] | None = None
    """What went wrong with it, or with its input."""


@dataclass(slots=True)
class Interruptions:
    """What the next requests of each kind are answered with, before it goes on as it should."""

    statuses: list[Said] = field(default_factory=list)
    results: list[Said] = field(default_factory=list)
    files: list[Said] = field(default_factory=list)


class Fal(Simulator):
    """`jobs` is what was accepted; each is done after `polls` looks at its status."""

    def __init__(self, *, key: str = "fal-key:simulated0123456789", polls: int = 2) -> None:
        super().__init__(key=key)
        self.polls = polls
        self.jobs: dict[str, Job] = {}
        self.interrupted = Interruptions()
        self.outcomes: list[JobFailure] = []
        """How the next jobs fail."""
        self.file: bytes | None = None
        """What a finished job's link leads to; None: what the route makes."""
        self.link: str | None = None
        """Where it lies; None: here."""
        self.answers(Audio())

    def respond(self, request: Request) -> Response:
        if request.method == "GET" and request.path.startswith("/files/"):
            return self._file(request)
        if request.headers.get("authorization") != f"Key {self.key}":
            raise Refused(401, "unauthorized", "Authentication is required to access this application.")
        if request.method == "POST" and request.path in (APPLICATION, f"{APPLICATION}/text-to-audio"):
            return self._submit(request)
        if request.path.startswith(f"{APPLICATION}/requests/"):
            id, _, action = request.path.removeprefix(f"{APPLICATION}/requests/").partition("/")
            job = self.jobs.get(id)
            if job is None:
                raise Refused(404, "not_found", "Request not found")
            match (request.method, action):
                case ("GET", "status"):
                    return self._status(request, job)
                case ("GET", ""):
                    return self._result(request, job)
                case ("PUT", "cancel"):
                    return self._cancel(job)
        raise Refused(404, "not_found", f"Application {request.path} not found")

    def refuse(self, request: Request, refused: Refused) -> Response:
        headers = JSON | ({"x-fal-error-type": refused.code} if refused.code else {})
        if refused.more.get("retry_after") is not None:
            headers["Retry-After"] = str(refused.more["retry_after"])
        detail = refused.more.get("problems") or refused.message
        return Response(status=refused.status, headers=headers, body=json.dumps({"detail": detail}).encode())

    def _submit(self, request: Request) -> Response:
        body = parsed(request)
        if (response := wire(self.said(request))) is not None:
            return response
        fields = FIELDS if request.path.endswith("text-to-audio") else VIDEO_FIELDS
        required = {"prompt"} if fields is FIELDS else {"prompt", "video_url"}
        found = problems(body, fields, required)
        job = Job(id=f"7f1c-{self.number():08d}", route=request.path, body=body)
        job.outcome = found or (self.outcomes.pop(0) if self.outcomes else None)
        self.jobs[job.id] = job
        return _json({"request_id": job.id, "queue_position": 0, **self._urls(job)})

    def _status(self, request: Request, job: Job) -> Response:
        if _bad(request, {"logs"}):
            raise Refused(
                422, "", "", problems=[{"loc": ["query"], "msg": "unknown", "type": "extra_forbidden"}]
            )
        if self.interrupted.statuses and (response := wire(self.interrupted.statuses.pop(0))) is not None:
            return response
        job.polls += 1
        body: dict[str, Any] = {"request_id": job.id, **self._urls(job)}
        if job.polls <= self.polls and not job.cancelled:
            waits = job.polls == 1
            body |= (
                {"status": "IN_QUEUE", "queue_position": 0}
                if waits
                else {"status": "IN_PROGRESS", "logs": None}
            )
            return _json(body, status=202)
        body |= {"status": "COMPLETED", "logs": None, "metrics": {"inference_time": 4.2}}
        if isinstance(job.outcome, JobFailure):
            body |= {"error": job.outcome.message, "error_type": job.outcome.kind}
        return _json(body)

    def _result(self, request: Request, job: Job) -> Response:
        if self.interrupted.results and (response := wire(self.interrupted.results.pop(0))) is not None:
            return response
        if job.polls <= self.polls:
            raise Refused(400, "", "Request is still in progress")
        match job.outcome:
            case JobFailure(status=status, kind=kind, field=name, message=message):
                found = [{"loc": ["body", name], "msg": message, "type": kind, "input": None}]
                raise Refused(status, kind, message, problems=found if status == 422 else None)
            case [*found]:
                raise Refused(422, "", "", problems=found)
        if job.route.endswith("text-to-audio"):
            return _json({"audio": self._named(job, "out.flac", "application/octet-stream")})
        return _json({"video": self._named(job, "out.mp4", "video/mp4")})

    def _cancel(self, job: Job) -> Response:
        if job.polls > self.polls:
            return _json({"status": "ALREADY_COMPLETED"}, status=400)
        job.cancelled = True
        return _json({"status": "CANCELLATION_REQUESTED"}, status=202)

    def _file(self, request: Request) -> Response:
        if self.interrupted.files and (response := wire(self.interrupted.files.pop(0))) is not None:
            return response
        made = FLAC if request.path.endswith("flac") else MP4
        return Response(
            headers={"Content-Type": "application/octet-stream"},
            body=made if self.file is None else self.file,
        )

    def _named(self, job: Job, name: str, media_type: str) -> dict[str, Any]:
        url = self.link or f"{self.root}/files/{job.id}/{name}"
        return {"url": url, "content_type": media_type, "file_name": name, "file_size": len(MP4)}

    def _urls(self, job: Job) -> dict[str, str]:
        url = f"{self.root}{APPLICATION}/requests/{job.id}"
        return {"response_url": url, "status_url": f"{url}/status", "cancel_url": f"{url}/cancel"}


def _bad(request: Request, known: set[str]) -> bool:
    return bool(request.query.keys() - known)


def _json(body: object, *, status: int = 200) -> Response:
    return Response(status=status, headers=dict(JSON), body=json.dumps(body).encode())
