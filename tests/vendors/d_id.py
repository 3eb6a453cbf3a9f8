"""D-ID's talks as a local server. Facts: D-ID's documentation and a transcription of its API, as of 2026-11."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from math import ceil
from typing import Any, ClassVar

from .fields import Check, flag, listed, number, structured, text, whole, word_of
from .server import Refused, Request, Response, parsed
from .video import Fault, Phase, VideoJob, VideoVendor

JSON = {"Content-Type": "application/json"}
MAGIC: Mapping[str, bytes] = {"png": b"\x89PNG\r\n\x1a\n", "jpg": b"\xff\xd8\xff", "jpeg": b"\xff\xd8\xff"}
CHARACTERS_A_SECOND = 15
STEP_SECONDS = 15
EXPRESSION = word_of("neutral", "happy", "surprise", "serious")


def _length(low: int, high: int) -> Check:
    return lambda value: isinstance(value, str) and low <= len(value) <= high


def _link(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("https://", "http://127.0.0.1"))


FIELDS: Mapping[str, Check] = {
    "source_url": _link,
    "script": structured,
    "config": structured,
    "driver_url": text,
    "face": structured,
    "user_data": _length(0, 1_000),
    "name": text,
    "webhook": _link,
    "result_url": _link,
    "persist": flag,
}
SCRIPT: Mapping[str, Mapping[str, Check]] = {
    "text": {
        "type": text,
        "input": _length(3, 40_000),
        "provider": structured,
        "ssml": flag,
        "subtitles": flag,
    },
    "audio": {"type": text, "audio_url": _link},
}
SPEAKER: Mapping[str, Check] = {
    "type": word_of("microsoft", "elevenlabs", "amazon", "google", "azure-openai", "afflorithmics"),
    "voice_id": _length(1, 200),
    "voice_config": structured,
    "language": text,
}
CONFIG: Mapping[str, Check] = {
    "result_format": word_of("mp4", "gif", "mov", "wav"),
    "stitch": flag,
    "fluent": flag,
    "pad_audio": number(0, 60),
    "output_resolution": whole(1, 4_096),
    "sharpen": flag,
    "motion_factor": number(0, 10),
    "normalization_factor": number(0, 10),
    "align_driver": flag,
    "align_expand_factor": number(0, 10),
    "auto_match": flag,
    "logo": structured,
    "driver_expressions": structured,
}
LOOKS: Mapping[str, Check] = {"expressions": listed, "transition_frames": whole(0, 10_000)}
LOOK: Mapping[str, Check] = {
    "start_frame": whole(0, 10_000_000),
    "expression": EXPRESSION,
    "intensity": number(0, 1),
}

WORDS: Mapping[Phase, str] = {
    Phase.QUEUED: "created",
    Phase.RUNNING: "started",
    Phase.DONE: "done",
    Phase.FAILED: "error",
    Phase.MODERATED: "error",
    Phase.UNKNOWN: "composing",
}
# What a fault is called here: status and kind.
KINDS: Mapping[str, tuple[int, str]] = {
    "rate_limited": (429, "TooManyRequestsError"),
    "wrong_key": (401, "AuthorizationError"),
    "no_balance": (402, "InsufficientCreditsError"),
    "invalid": (400, "ValidationError"),
    "moderated": (451, "TextModerationError"),
    "server_error": (500, "InternalServerError"),
    "not_found": (404, "NotFoundError"),
    "expired": (403, "AccessDenied"),
    "unsupported_media_type": (400, "BadRequestError"),
    "invalid_json": (400, "BadRequestError"),
}


class DId(VideoVendor):
    """`uploads`: whether POST /images is there; a link is then taken by the ending of its path.

    `moderation`: the kind of error of a talk that the content policy ended, and `rejects` whether its word is then
    "rejected".
    """

    name = "d-id"
    cannot: ClassVar[frozenset[Fault]] = frozenset({Fault.CANCELLED})

    def __init__(
        self,
        *,
        key: str = "c2ltdWxhdGVk:simulated-0123456789",
        seconds: float = 0.4,
        uploads: bool = True,
        moderation: str = "ImageModerationError",
        rejects: bool = False,
    ) -> None:
        super().__init__(key=key, seconds=seconds)
        self.uploads = uploads
        self.moderation = moderation
        self.rejects = rejects
        self.pictures: dict[str, tuple[str, bytes]] = {}
        """What was uploaded: its name and content by id."""
        self.remaining = 400
        """Steps of 15 seconds that are paid for."""
        self.page = 100
        """The most talks on a page of the list."""

    def environment(self) -> dict[str, str]:
        return {"D_ID_API_KEY": self.key, "D_ID_URL": self.url}

    def new_id(self) -> str:
        return f"tlk_{self.number():06d}Qx"

    def webhook(self, job: VideoJob) -> tuple[dict[str, str], bytes]:
        return {}, json.dumps(self._talk(job)).encode()

    def forged(self, job: VideoJob) -> tuple[dict[str, str], bytes]:
        """Nothing is signed, so a lie looks as good as the truth."""
        lie = self._talk(job) | {"status": "error", "error": {"kind": "Lie", "description": "A lie."}}
        return {}, json.dumps(lie).encode()

    def respond(self, request: Request) -> Response:
        if (served := self.served_file(request) or self._served_picture(request)) is not None:
            return served
        if request.headers.get("authorization") != f"Basic {self.key}":
            raise Refused(401, "wrong_key", "Unauthorized")
        match (request.method, request.path.split("/")[1:]):
            case ("POST", ["images"]) if self.uploads:
                return self._upload(request)
            case ("POST", ["talks"]):
                return self._create(request)
            case ("GET", ["talks"]):
                return self._list(request)
            case ("GET", ["talks", id]):
                return self.looked_at(id, lambda job: _json(self._talk(job)))
            case ("DELETE", ["talks", id]):
                return self._delete(id)
            case ("GET", ["credits"]):
                return _json(self._credits())
            case _:
                raise Refused(404, "not_found", "not found")

    def refuse(self, request: Request, refused: Refused) -> Response:
        status, request.code = KINDS.get(refused.code, (refused.status, refused.code))
        body: dict[str, Any] = {"kind": request.code, "description": refused.message}
        if request.code == "ValidationError":
            body["details"] = {refused.more.get("field", "body"): {"message": refused.message}}
        headers = dict(JSON)
        if status == 429 and refused.more.get("retry_after") is not None:
            headers["Retry-After"] = str(refused.more["retry_after"])
        return Response(status=status, headers=headers, body=json.dumps(body).encode())

    # --- pictures ---

    def _upload(self, request: Request) -> Response:
        filename, content = _file_of(request, "image")
        ending = filename.rpartition(".")[2].lower()
        if ending not in MAGIC or not content.startswith(MAGIC[ending]):
            raise Refused(400, "invalid", "the image is no JPEG or PNG", field="image")
        id = f"img_{self.number():06d}"
        self.pictures[id] = (filename, content)
        return _json({"id": id, "url": f"{self.root}/pictures/{id}/{filename}"}, 201)

    def _served_picture(self, request: Request) -> Response | None:
        match (request.method, request.path.split("/")[1:]):
            case ("GET", ["pictures", id, _]) if id in self.pictures:
                return Response(headers={"Content-Type": "image/png"}, body=self.pictures[id][1])
            case _:
                return None

    # --- talks ---

    def _create(self, request: Request) -> Response:
        body = parsed(request)
        _checked(body, FIELDS, "", required=("script",))
        self._check_script(body["script"])
        _checked(body.get("config", {}), CONFIG, "config.")
        looks = body.get("config", {}).get("driver_expressions", {})
        _checked(looks, LOOKS, "config.driver_expressions.", required=("expressions",) if looks else ())
        for look in looks.get("expressions", []):
            if not isinstance(look, dict):
                raise _invalid("config.driver_expressions.expressions")
            _checked(look, LOOK, "config.driver_expressions.expressions.", required=tuple(LOOK))
        self._check_picture(body.get("source_url"))
        seconds = len(body["script"].get("input", "")) / CHARACTERS_A_SECOND
        steps = max(1, ceil(seconds / STEP_SECONDS))
        if steps > self.remaining:
            raise Refused(402, "no_balance", "not enough credits")

        def answer(job: VideoJob) -> Response:
            seen = self._talk(job)
            brief = {name: seen[name] for name in ("id", "created_at", "created_by")}
            return _json({**brief, "object": "talk", "status": "created"}, 201)

        response = self.accepted(body, body.get("webhook"), answer, spoken=seconds)
        self.remaining -= steps
        return response

    def _check_script(self, script: Mapping[str, Any]) -> None:
        kind = script.get("type")
        if not isinstance(kind, str) or kind not in SCRIPT:
            raise _invalid("script.type")
        _checked(script, SCRIPT[kind], "script.", required=("input",) if kind == "text" else ("audio_url",))
        speaker = script.get("provider", {})
        _checked(speaker, SPEAKER, "script.provider.", required=("type",) if speaker else ())

    def _check_picture(self, url: object) -> None:
        """None of it: a demo face is used."""
        if url is None:
            return
        # Strictly by the ending where there are uploads; a signed link has its ending in the path.
        ends = str(url) if self.uploads else str(url).partition("?")[0]
        if not ends.lower().endswith((".jpg", ".jpeg", ".png")):
            raise Refused(400, "invalid", "source_url must end with .jpg, .jpeg or .png", field="source_url")
        if not self.reachable(url):
            raise Refused(400, "invalid", "source_url can't be read", field="source_url")

    def _list(self, request: Request) -> Response:
        limit = int(request.query.get("limit", ["100"])[0])
        if unknown := request.query.keys() - {"limit", "token"}:
            raise _invalid(f"query.{min(unknown)}")
        start = int(request.query.get("token", ["0"])[0])
        newest_first = list(reversed(self.jobs.values()))
        end = start + min(limit, self.page)
        page: dict[str, Any] = {"talks": [self._talk(job, brief=True) for job in newest_first[start:end]]}
        return _json(page | ({"token": str(end)} if end < len(newest_first) else {}))

    def _delete(self, id: str) -> Response:
        job = self.jobs.get(id)
        if job is None:
            raise Refused(404, "not_found", "not found")
        if job.phase in (Phase.QUEUED, Phase.RUNNING):
            raise Refused(409, "ConflictError", "the talk is in process")
        del self.jobs[id]
        return _json({"id": id})

    def _credits(self) -> dict[str, Any]:
        lot = {
            "owner_id": "u|1",
            "remaining": self.remaining,
            "total": 400,
            "expire_at": "2027-11-20T10:00:00.000Z",
        }
        return {"credits": [lot], "remaining": self.remaining, "total": 400}

    def _talk(self, job: VideoJob, *, brief: bool = False) -> dict[str, Any]:
        """The talk as it stands; `brief` as in the list, without its links."""
        created = datetime.fromtimestamp(job.created_at, UTC)
        phase = job.phase
        word = WORDS[phase]
        talk: dict[str, Any] = {
            "id": job.id,
            "status": "rejected" if phase is Phase.MODERATED and self.rejects else word,
            "created_at": _time(created),
            "created_by": "u|1",
            "user_id": "u|1",
            "modified_at": _time(created),
            "config": job.body.get("config", {}),
            "source_url": job.body.get("source_url"),
        }
        if "user_data" in job.body:
            talk["user_data"] = job.body["user_data"]
        if phase is not Phase.QUEUED:
            talk["started_at"] = _time(created + timedelta(seconds=1))
        match phase:
            case Phase.FAILED:
                talk["error"] = {
                    "kind": "InternalServerError",
                    "description": "The simulator was told to fail.",
                }
            case Phase.MODERATED:
                talk["error"] = {"kind": self.moderation, "description": "Against the policy."}
            case Phase.DONE:
                talk |= {
                    "duration": job.more["spoken"],
                    "audio_url": f"{self.root}/sounds/{job.id}.wav",
                    "metadata": {"num_frames": round(job.more["spoken"] * 25), "resolution": [512, 512]},
                }
                if job.has_media and not brief:
                    talk["result_url"] = f"{self.link(job)}?Expires=1795000000&Signature={self.number():x}%3D"
        return talk


def _checked(
    body: Mapping[str, Any], fields: Mapping[str, Check], where: str, *, required: tuple[str, ...] = ()
) -> None:
    """Raises Refused for the first field that is missing, unknown or wrong."""
    for name in required:
        if name not in body:
            raise _invalid(where + name)
    for name, value in body.items():
        if name not in fields or not fields[name](value):
            raise _invalid(where + name)


def _invalid(field: str) -> Refused:
    return Refused(400, "invalid", "validation error", field=f"body.{field}")


def _file_of(request: Request, field: str) -> tuple[str, bytes]:
    """The name and content of the one file in a form. Raises Refused."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        raise Refused(400, "unsupported_media_type", "multipart/form-data is needed")
    form = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + request.body)
    for part in form.walk():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if name == field and part.get_filename() and isinstance(content, bytes) and content:
            return str(part.get_filename()), content
    raise _invalid(field)


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(body: object, status: int = 200) -> Response:
    return Response(status=status, headers=dict(JSON), body=json.dumps(body).encode())
