"""Replicate's predictions as a local server. Facts: its OpenAPI description, its documentation and its client 1.0.7.

Files come with the key only, as its description says; what is in `input` and not in the schema is refused.
"""

import base64
import hmac
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from .fields import Check, flag, number, text, whole, word_of
from .server import Refused, Request, Response, parsed
from .video import ENDED, Fault, Phase, VideoJob, VideoVendor

SVD_VERSION = "3f0457e4619daac51203dedb472816fd4af51f3149fa7a9e0b5ffcf1b8172438"
EVENTS = {"start", "output", "logs", "completed"}
STATUS = {
    Phase.QUEUED: "starting",
    Phase.RUNNING: "processing",
    Phase.DONE: "succeeded",
    Phase.FAILED: "failed",
    Phase.MODERATED: "failed",
    Phase.CANCELLED: "canceled",
    Phase.UNKNOWN: "hibernating",
}
TITLES = {
    401: "Unauthenticated",
    402: "Insufficient credit",
    404: "Not found",
    422: "Input validation failed",
}


def uri(value: Any) -> bool:
    return isinstance(value, str) and re.match(r"(https?://|data:)", value) is not None


def one_of(*numbers: int) -> Check:
    return lambda value: type(value) is int and value in numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What one model takes."""

    fields: Mapping[str, Check]
    required: Sequence[str]
    files: Sequence[str] = ()
    version: str | None = None
    """Of a community model."""
    defaults: Mapping[str, Any] = field(default_factory=dict)


_SIBLING = {"prompt": text, "first_frame_image": uri, "duration": one_of(6, 10), "prompt_optimizer": flag}
MODELS: Mapping[str, Input] = {
    "minimax/hailuo-02": Input(
        fields={**_SIBLING, "last_frame_image": uri, "resolution": word_of("512p", "768p", "1080p")},
        required=["prompt"],
        files=["first_frame_image", "last_frame_image"],
        defaults={"duration": 6, "resolution": "1080p"},
    ),
    "minimax/hailuo-2.3": Input(
        fields={**_SIBLING, "resolution": word_of("768p", "1080p")},
        required=["prompt"],
        files=["first_frame_image"],
        defaults={"duration": 6, "resolution": "768p"},
    ),
    "stability-ai/stable-video-diffusion": Input(
        version=SVD_VERSION,
        fields={
            "input_image": uri,
            "video_length": word_of("14_frames_with_svd", "25_frames_with_svd_xt"),
            "sizing_strategy": word_of("maintain_aspect_ratio", "crop_to_16_9"),
            "frames_per_second": whole(5, 30),
            "motion_bucket_id": whole(1, 255),
            "cond_aug": number(0, 1_000),
            "decoding_t": whole(1, 1_000),
            "seed": whole(-(2**63), 2**63),
        },
        required=["input_image"],
        files=["input_image"],
    ),
}


class Replicate(VideoVendor):
    """`models` may be added to; `secret` signs the webhooks."""

    name: ClassVar[str] = "replicate"
    # Content is judged by the models' makers while they run, and said in the text of a failure.
    cannot: ClassVar[frozenset[Fault]] = frozenset({Fault.MODERATED_AT_SUBMIT})

    def __init__(self, *, key: str = "r8_simulated0123456789", seconds: float = 0.4) -> None:
        super().__init__(key=key, seconds=seconds)
        self.models = dict(MODELS)
        self.secret = "whsec_" + base64.b64encode(b"replicate's secret 32 bytes long").decode()
        self.page_size = 100
        self.failure = "The worker ran out of luck."
        """What a failed prediction says."""
        self.as_list = False
        """Whether the output is a list of one."""

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def environment(self) -> dict[str, str]:
        return {
            "REPLICATE_API_KEY": self.key,
            "REPLICATE_URL": self.url,
            "REPLICATE_WEBHOOK_SECRET": self.secret,
        }

    def new_id(self) -> str:
        return f"k3v9x0m2qsrm80cx1b7a{self.number():06d}"

    def respond(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            raise Refused(401, "unauthenticated", "You did not pass a valid authentication token")
        if request.method == "GET" and request.path.startswith("/delivery/"):
            job = self.jobs.get(request.path.split("/")[2])
            if job is None or job.more.get("removed"):
                raise Refused(404, "not_found", "There is no such file.")
            return self.downloaded(job)
        match [request.method, *request.path.removeprefix("/v1/").split("/")]:
            case ["POST", "predictions"]:
                return self._by_version(request)
            case ["POST", "models", owner, name, "predictions"]:
                return self._official(request, f"{owner}/{name}")
            case ["GET", "models", owner, name]:
                return self._model(f"{owner}/{name}")
            case ["GET", "predictions"]:
                return self._list(request)
            case ["GET", "predictions", job_id]:
                return self.looked_at(job_id, self._answer)
            case ["POST", "predictions", job_id, "cancel"]:
                return self._cancel(job_id)
            case ["GET", "webhooks", "default", "secret"]:
                return _json({"key": self.secret})
            case ["GET", "account"]:
                return _json(
                    {"type": "organization", "username": "studio", "name": "Studio", "github_url": ""}
                )
        raise Refused(404, "not_found", "The requested resource could not be found.")

    def refuse(self, request: Request, refused: Refused) -> Response:
        if refused.status == 429:
            detail = f"Request was throttled. Your rate limit resets in ~{refused.more['retry_after']}s."
            return _json({"detail": detail, "status": 429}, status=429)
        body: dict[str, Any] = {"detail": refused.message, "status": refused.status}
        if refused.status in TITLES:
            body["title"] = refused.more.get("title") or TITLES[refused.status]
        if refused.status == 422 and "title" not in refused.more:
            where = refused.more.get("field", "input")
            body["detail"] = f"- {where}: {refused.message}\n"
            body["invalid_fields"] = [{"type": refused.code, "field": where, "description": refused.message}]
        return _json(body, status=refused.status, media_type="application/problem+json")

    def webhook(self, job: VideoJob) -> tuple[dict[str, str], bytes]:
        return self.signed(json.dumps(self.prediction(job)).encode())

    def forged(self, job: VideoJob) -> tuple[dict[str, str], bytes]:
        lie = self.prediction(job) | {"status": "failed", "error": "No."}
        return self.signed(
            json.dumps(lie).encode(), secret="whsec_" + base64.b64encode(b"a stranger").decode()
        )

    def signed(
        self, body: bytes, *, secret: str | None = None, message_id: str | None = None
    ) -> tuple[dict[str, str], bytes]:
        key = base64.b64decode((secret or self.secret).removeprefix("whsec_"))
        message, at = message_id or f"msg_{self.number()}", str(int(time.time()))
        digest = hmac.new(key, f"{message}.{at}.".encode() + body, "sha256").digest()
        signature = f"v1,{base64.b64encode(digest).decode()}"
        return {"webhook-id": message, "webhook-timestamp": at, "webhook-signature": signature}, body

    def remove_data(self, job_id: str) -> None:
        """As an hour after its end."""
        self.jobs[job_id].more["removed"] = True

    def prediction(self, job: VideoJob, *, fresh: bool = False) -> dict[str, Any]:
        """The prediction as it stands, or as it stood when it was made."""
        phase = Phase.QUEUED if fresh else job.phase
        removed = bool(job.more.get("removed"))
        began = datetime.fromtimestamp(job.created_at, UTC)
        status = STATUS[phase]
        if phase is Phase.CANCELLED and job.more.get("deadline_first"):
            status = "aborted"
        url = f"{self.url}/predictions/{job.id}"
        made: dict[str, Any] = {
            "id": job.id,
            "model": job.more["model"],
            "version": job.more["version"],
            "status": status,
            "input": {} if removed else job.body["input"],
            "output": None,
            "error": None,
            "logs": "",
            "created_at": _written(began),
            "data_removed": removed,
            "source": "api",
            "urls": {"get": url, "cancel": f"{url}/cancel", "web": f"https://replicate.com/p/{job.id}"},
        }
        if job.more.get("deadline"):
            made["deadline"] = _written(began + timedelta(seconds=job.more["deadline"]))
        if not fresh and job.has_media and not removed:
            link = f"{self.root}/delivery/{job.id}/out.mp4"
            made["output"] = [link] if self.as_list else link
        if status == "failed":
            moderated = "The prompt was flagged as sensitive (E005)."
            made["error"] = moderated if phase is Phase.MODERATED else job.more.get("error", self.failure)
        if phase not in (Phase.QUEUED, Phase.UNKNOWN) and status != "aborted":
            made["started_at"] = _written(began + timedelta(seconds=job.seconds / 4))
        if phase in ENDED:
            made["completed_at"] = _written(began + timedelta(seconds=job.seconds))
            made["metrics"] = {"predict_time": job.seconds * 0.75, "total_time": job.seconds}
        return made

    def _tell_at_the_end(self, job: VideoJob) -> None:
        if "start" in job.more["events"]:
            while job.phase is Phase.QUEUED:
                if self.wait_closing(0.02):
                    return
            self.tell(job)
        if "completed" in job.more["events"]:
            super()._tell_at_the_end(job)

    def _by_version(self, request: Request) -> Response:
        body = self._body(request, {"version", "input"}, required={"version", "input"})
        wanted = str(body["version"])
        name, _, version = wanted.rpartition(":")
        for model, facts in self.models.items():
            official = facts.version is None and wanted == model
            if official or (facts.version and facts.version in (wanted, version) and name in ("", model)):
                return self._create(request, body, model, facts)
        raise Refused(
            422,
            "version",
            "The specified version does not exist (or perhaps you don't have permission to use it?)",
            title="Invalid version or not permitted",
        )

    def _official(self, request: Request, model: str) -> Response:
        facts = self.models.get(model)
        if facts is None or facts.version is not None:
            raise Refused(404, "not_found", "The requested resource could not be found.")
        return self._create(request, self._body(request, {"input"}, required={"input"}), model, facts)

    def _body(self, request: Request, fields: set[str], *, required: set[str]) -> dict[str, Any]:
        prefer = request.headers.get("prefer")
        if prefer is not None and not re.fullmatch(r"wait(=([1-9]|[1-9][0-9]|60))?", prefer):
            raise Refused(400, "prefer", "The Prefer header is malformed.")
        body = parsed(request)
        for name in sorted(required - body.keys()):
            raise Refused(422, "required", f"{name} is required", field=name)
        for name in body.keys() - fields - {"webhook", "webhook_events_filter", "stream"}:
            raise Refused(
                422, "additional_property_not_allowed", f"Property {name} is not allowed", field=name
            )
        hook = body.get("webhook")
        if hook is not None and not str(hook).startswith(("https://", "http://127.0.0.1")):
            raise Refused(422, "format", "webhook must be an HTTPS URL", field="webhook")
        events = body.get("webhook_events_filter", ["output", "completed"])
        if not isinstance(events, list) or not set(events) <= EVENTS:
            raise Refused(422, "enum", "unknown event", field="webhook_events_filter")
        return body

    def _create(self, request: Request, body: dict[str, Any], model: str, facts: Input) -> Response:
        given = body["input"]
        if not isinstance(given, dict):
            raise Refused(422, "invalid_type", "input must be an object", field="input")
        for name in facts.required:
            if name not in given:
                raise Refused(422, "required", f"{name} is required")
        for name, value in given.items():
            if name not in facts.fields:
                raise Refused(422, "additional_property_not_allowed", f"{name} is not allowed")
            if not facts.fields[name](value):
                raise Refused(422, "invalid", f"{name} is not valid", field=f"input.{name}")
        full = {**facts.defaults, **given}
        if full.get("duration") == 10 and full.get("resolution", "768p") != "768p":
            raise Refused(422, "invalid", "10 seconds are only made at 768p")
        if full.get("resolution") == "512p" and "last_frame_image" in full:
            raise Refused(422, "invalid", "512p takes no last frame")
        return self.accepted(
            body,
            body.get("webhook"),
            self._made,
            model=model,
            version=facts.version or "hidden",
            deadline=_deadline(request.headers.get("cancel-after")),
            events=body.get("webhook_events_filter", ["output", "completed"]),
            **self._unread(facts, given),
        )

    def _unread(self, facts: Input, given: Mapping[str, Any]) -> dict[str, Any]:
        """A file that can't be had fails the prediction, as the worker finds out."""
        for name in facts.files:
            if name in given and not str(given[name]).startswith("data:") and not self.reachable(given[name]):
                return {"error": f"Failed to download the file of {name}"}
        return {}

    def _made(self, job: VideoJob) -> Response:
        if "error" in job.more:
            job.fault = Fault.FAILED
        return _json(self.prediction(job, fresh=True), status=201)

    def _answer(self, job: VideoJob) -> Response:
        return _json(self.prediction(job))

    def _cancel(self, job_id: str) -> Response:
        job = self.jobs.get(job_id)
        if job is None:
            raise Refused(404, "not_found", "There is no such prediction.")
        if job.phase not in ENDED:
            job.cancelled = True
        return _json(self.prediction(job))

    def _list(self, request: Request) -> Response:
        for name in request.query.keys() - {"created_after", "created_before", "source", "cursor"}:
            raise Refused(400, "query", f"{name} is not known")
        after, before = (
            datetime.fromisoformat(request.query[name][0]).timestamp() if name in request.query else default
            for name, default in (("created_after", 0.0), ("created_before", float("inf")))
        )
        newest = [job for job in reversed(self.jobs.values()) if after <= job.created_at < before]
        start = int(request.query.get("cursor", ["0"])[0])
        page = newest[start : start + self.page_size]
        kept = "".join(
            f"&{name}={_quoted(values[0])}" for name, values in request.query.items() if name != "cursor"
        )

        def link(position: int) -> str:
            return f"{self.url}/predictions?cursor={position}{kept}"

        return _json(
            {
                "next": link(start + self.page_size) if start + self.page_size < len(newest) else None,
                "previous": link(max(0, start - self.page_size)) if start else None,
                "results": [self.prediction(job) for job in page],
            }
        )

    def _model(self, model: str) -> Response:
        facts = self.models.get(model)
        if facts is None:
            raise Refused(404, "not_found", "There is no such model.")
        owner, _, name = model.partition("/")
        properties: dict[str, Any] = {each: {} for each in facts.fields}
        return _json(
            {
                "url": f"https://replicate.com/{model}",
                "owner": owner,
                "name": name,
                "description": "",
                "visibility": "public",
                "is_official": facts.version is None,
                "github_url": None,
                "paper_url": None,
                "license_url": None,
                "run_count": 1,
                "cover_image_url": None,
                "default_example": None,
                "latest_version": {
                    "id": facts.version or "c" * 64,
                    "created_at": "2026-01-01T00:00:00Z",
                    "cog_version": "0.14.0",
                    "openapi_schema": {"components": {"schemas": {"Input": {"properties": properties}}}},
                },
            }
        )


def _deadline(value: str | None) -> float | None:
    """Seconds of a Cancel-After header. Raises Refused."""
    if value is None:
        return None
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", value) or re.fullmatch(r"()()(\d+)", value)
    hours, minutes, seconds = (int(one or 0) for one in (found.groups() if found else (0, 0, 0)))
    total = hours * 3600 + minutes * 60 + seconds
    if total < 5:
        raise Refused(400, "cancel_after", "Cancel-After is malformed, or less than 5 seconds.")
    return float(total)


def _quoted(value: str) -> str:
    return value.replace("+", "%2B").replace(":", "%3A")


def _written(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _json(body: object, *, status: int = 200, media_type: str = "application/json") -> Response:
    return Response(status=status, headers={"Content-Type": media_type}, body=json.dumps(body).encode())
