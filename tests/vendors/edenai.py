"""Eden AI's version 3 as a local server. Facts: its documentation of 2026-05 to 2026-09 and its open-source adapters.

Where nobody knows what it does, an attribute says which of the answers it gives.
"""

import base64
import hashlib
import json
import re
import struct
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email import message_from_bytes
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from .fields import Check, flag, listed, problems, structured, text, whole
from .server import Refused, Request, Response, parsed
from .video import Fault, Phase, VideoJob, VideoVendor

JSON = {"Content-Type": "application/json"}
JOBS = "/v3/universal-ai/async"
FEATURE = "video/generation_async"
LARGEST_UPLOAD = 100_000_000
KEPT = timedelta(days=7)

# The key that signs webhooks: its public half as support would hand it out, modulus and private exponent.
PUBLIC_KEY = """\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAhn9wd9CXwmQ4ymFnEWKi
vzgOlr0OSJLLxXUdb6vv64ZlS0OUgZA2wFTozKVP5kWsPPhm+44/MpfhYnqbyIJf
d8S73sdfVZB1zu35ETeIvA++/rUn5BlDEOapSg/Y+qAQqlAi2ske278MEjkOAvtT
qk/D0ZOEpp2hiWACAxv/AJ6AW/njbHCIKKwCLqRxT8yBaI8K9jiVAaJmjnkr66bS
7Hf+LxAJpGxxSVIJp4hF3BiapD+5ra6rMXpC/RtMK1gu5TnZAoTrNvMbfmFvIIGf
WhNXYUKRA7hQqA4w0G2ayeGcGoRLU/TIX2BQTtOncxx0aSUgTFzVDbfUW0qqryAK
KwIDAQAB
-----END PUBLIC KEY-----
"""
_MODULUS = int(
    (
        "867f7077d097c26438ca61671162a2bf380e96bd0e4892cbc5751d6fabefeb86654b4394819036c054e8cca54fe645ac"
        "3cf866fb8e3f3297e1627a9bc8825f77c4bbdec75f559075ceedf9113788bc0fbefeb527e4194310e6a94a0fd8faa010"
        "aa5022dac91edbbf0c12390e02fb53aa4fc3d19384a69da1896002031bff009e805bf9e36c708828ac022ea4714fcc81"
        "688f0af6389501a2668e792beba6d2ec77fe2f1009a46c71495209a78845dc189aa43fb9adaeab317a42fd1b4c2b582e"
        "e539d90284eb36f31b7e616f20819f5a135761429103b850a80e30d06d9ac9e19c1a844b53f4c85f60504ed3a7731c74"
        "6925204c5cd50db7d45b4aaaaf200a2b"
    ),
    16,
)
_EXPONENT = int(
    (
        "2b654c0b049d2aa5fea2e1e988f4fbd0d9cbef3c01b34dd5fc986c8e7ef9f2d2d2b50591917a50081f7d5ba64d10ddd3"
        "147b0b7347f2c126bb1c74b5f5ec86d414808f816193b0802a6ba30cb88fe029ee74ad4bb92fa3717d130b27f0d8f0b3"
        "5fd86a5e903cea270ac4886f2a6c2013181874f2f57e72e6cf75d040639494049864cb9e7da1689e0a4dd342020d08e1"
        "b347896242299e8ed0e39271c792fa445ece931d9dc3fef4e771b4494bbbfce86e6eb96a6ec67777b16a36b00bf67fe5"
        "c877c7c22ba4ccf60ce3435de8688cd50359e1659344ab6f4e712ff04255f76982173f010542d760b2193f25766eda69"
        "0ca9459f5f9435cb7582616c3dfb6911"
    ),
    16,
)
# DER before a SHA-256 in a signature of PKCS #1 v1.5.
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")

# USD, and whether for a second or for a call, by maker and model; without a model the maker's flat price.
PRICES: Mapping[str, tuple[str, str]] = {
    "amazon/amazon.nova-reel-v1:0": ("0.08", "second"),
    "amazon/amazon.nova-reel-v1:1": ("0.08", "second"),
    "amazon": ("0.5", "call"),
    "bytedance/seedance-1-0-pro-fast-251015": ("0.022", "second"),
    "bytedance/seedance-2-0-260128": ("0.147", "second"),
    "bytedance": ("0.05", "second"),
    "minimax/MiniMax-Hailuo-02": ("0.28", "call"),
    "minimax/MiniMax-Hailuo-2.3": ("0.084", "call"),
    "minimax": ("0.56", "call"),
}
# What its code hands on to a maker; the rest of `input` is dropped without a word.
HANDED_ON: Mapping[str, frozenset[str]] = {
    "amazon": frozenset({"text", "file", "duration", "dimension", "seed"}),
    "bytedance": frozenset({"text"}),
    "minimax": frozenset({"text", "duration"}),
}
# The lengths that a maker makes; the first is its own choice.
LENGTHS: Mapping[str, tuple[int, ...]] = {"amazon": (6,), "bytedance": (5,), "minimax": (6, 10)}
DEFAULT_SECONDS = 6


def dimension(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[1-9][0-9]{1,4}x[1-9][0-9]{1,4}", value) is not None


def prompt(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def callback(value: Any) -> bool:
    """HTTPS, or a test's own server."""
    return isinstance(value, str) and value.startswith(("https://", "http://127.0.0.1:"))


FIELDS: Mapping[str, Check] = {
    "model": text,
    "input": structured,
    "fallbacks": lambda value: listed(value) and len(value) <= 3 and all(map(text, value)),
    "provider_params": structured,
    "show_original_response": flag,
    "webhook_receiver": callback,
    "user_webhook_parameters": structured,
    "tags": structured,
}
INPUT: Mapping[str, Check] = {
    "text": prompt,
    "file": text,
    "duration": whole(1, 120),
    "dimension": dimension,
    "seed": whole(0, 2_147_483_646),
}
STATUSES: Mapping[Phase, str] = {
    Phase.QUEUED: "processing",
    Phase.RUNNING: "processing",
    Phase.DONE: "success",
    Phase.FAILED: "fail",
    Phase.MODERATED: "fail",
    Phase.UNKNOWN: "stalled",
}
# What version 2 and an older document say instead.
OLD_STATUSES: Mapping[Phase, str] = {
    **STATUSES,
    Phase.QUEUED: "pending",
    Phase.DONE: "finished",
    Phase.FAILED: "failed",
    Phase.MODERATED: "error",
}


class EdenAI(VideoVendor):
    """`uploads` are the images by their id. `handed_on` of a job is what its maker was told, `dropped` what it wasn't."""

    name = "edenai"
    # Makers refuse a prompt, and nobody else does: only when the job runs. Nothing is ever cancelled.
    cannot = frozenset({Fault.MODERATED_AT_SUBMIT, Fault.CANCELLED})

    def __init__(self, *, key: str = "eden-key.simulated-0123456789", seconds: float = 0.4) -> None:
        super().__init__(key=key, seconds=seconds)
        self.uploads: dict[str, bytes] = {}
        self.credits = Decimal("42.5")
        self.link_given = True
        """Whether a finished job has a `video_resource_url` beside its base64."""
        self.cost_as_text = True
        self.old_words = False
        """Whether statuses are those of version 2, and ids are called `job_id`."""
        self.list_shows_parameters = False
        self.list_shape: str | None = "items"
        """What the list's jobs are under; None: it is nothing but them."""
        self.list_has_pages = True
        self.requests_a_second: int | None = None
        """10 at Eden AI, for a whole account; None: any number."""
        self.caches = True
        """Whether the same model and input is answered with what was made before, for free."""
        self._recent: deque[float] = deque()

    def environment(self) -> dict[str, str]:
        return {
            "EDENAI_API_KEY": self.key,
            "EDENAI_URL": self.root,
            "EDENAI_WEBHOOK_PUBLIC_KEY": PUBLIC_KEY,
        }

    def new_id(self) -> str:
        return str(uuid4())

    def respond(self, request: Request) -> Response:
        if (file := self.served_file(request)) is not None:
            return file
        if request.method == "GET" and request.path == f"/v3/info/{FEATURE}":
            return _json({"models": [f"{FEATURE}/{name}" for name in PRICES]})
        if request.headers.get("authorization") != f"Bearer {self.key}":
            raise Refused(401, "unauthorized", "Could not validate credentials")
        self._count()
        match (request.method, request.path.rstrip("/")):
            case ("POST", "/v3/upload"):
                return self._upload(request)
            case ("POST", path) if path == JOBS:
                return self._submit(request)
            case ("GET", path) if path == JOBS:
                return self._list(request)
            case ("GET", path) if path.startswith(f"{JOBS}/"):
                return self.looked_at(path.removeprefix(f"{JOBS}/"), lambda job: _json(self._job(job)))
            case ("DELETE", path) if path.startswith(f"{JOBS}/"):
                if self.jobs.pop(path.removeprefix(f"{JOBS}/"), None) is None:
                    raise Refused(404, "not_found", "Job not found")
                return Response(status=204)
            case ("GET", "/v2/cost_management/credits"):
                return _json({"credits": float(self.credits)})
            case (_, path) if path in ("/v3/upload", JOBS) or path.startswith(f"{JOBS}/"):
                raise Refused(405, "method_not_allowed", "Method Not Allowed")
        raise Refused(404, "not_found", "Not Found")

    def refuse(self, request: Request, refused: Refused) -> Response:
        """Each kind of refusal has a shape of its own, as at Eden AI."""
        headers = dict(JSON)
        if refused.more.get("retry_after") is not None and refused.status == 429:
            headers["Retry-After"] = str(refused.more["retry_after"])
        body: dict[str, Any]
        match refused.status:
            case 402:
                body = {"error": "Insufficient credits"}
            case 422 if refused.more.get("problems"):
                body = {"detail": refused.more["problems"]}
            case 422:
                body = {"detail": {"error": refused.code, "message": refused.message}}
            case 429 | 500:
                body = {"error": {"message": refused.message}}
            case _:
                body = {"detail": refused.message}
        return Response(status=refused.status, headers=headers, body=json.dumps(body).encode())

    def webhook(self, job: VideoJob) -> tuple[dict[str, str], bytes]:
        answer = self._job(job)
        message = {
            "event": "async_job_completed",
            "job_id": job.id,
            "status": answer["status"],
            "cost": answer["cost"],
            "provider": answer["provider"],
            "model": answer["model"],
            "feature": answer["feature"],
            "subfeature": answer["subfeature"],
            "created_at": _time(job.created_at),
            "finished_at": _time(time.time()),
            "user_parameters": job.body.get("user_webhook_parameters"),
        }
        message |= {"error": answer["error"]} if answer["error"] else {"output": answer["output"]}
        return signed(message)

    def forged(self, job: VideoJob) -> tuple[dict[str, str], bytes]:
        """It says that it failed, under the signature of another message."""
        headers, body = self.webhook(job)
        message = json.loads(body) | {"status": "fail", "error": {"message": "No."}, "output": None}
        return headers, json.dumps(message).encode()

    def _submit(self, request: Request) -> Response:
        body = parsed(request)
        found = problems(body, FIELDS, {"model", "input"})
        asked = body["input"] if structured(body.get("input")) else {"text": "-"}
        found += [
            {**one, "loc": ["body", "input", one["loc"][1]]} for one in problems(asked, INPUT, {"text"})
        ]
        model = str(body.get("model")).removeprefix(f"{FEATURE}/")
        if not found and (not str(body["model"]).startswith(f"{FEATURE}/") or model not in PRICES):
            found.append({"loc": ["body", "model"], "msg": "Model does not exist", "type": "value_error"})
        if found:
            raise Refused(422, "invalid", "", problems=found)
        maker, _, name = model.partition("/")
        image = self._image(asked.get("file"))
        told = {key: value for key, value in asked.items() if key in HANDED_ON[maker]}
        if "duration" in HANDED_ON[maker]:
            told.setdefault("duration", DEFAULT_SECONDS)
        key = json.dumps([model, asked], sort_keys=True)
        return self.accepted(
            body,
            body.get("webhook_receiver"),
            lambda job: _json(self._receipt(job), status=202),
            maker=maker,
            model=name or None,
            price=PRICES[model],
            handed_on=told,
            dropped=asked.keys() - told.keys(),
            complaint=_complaint(maker, told, image),
            key=key,
            cached=self.caches and any(job.more["key"] == key for job in self.jobs.values()),
        )

    def _receipt(self, job: VideoJob) -> dict[str, Any]:
        return {
            "job_id" if self.old_words else "public_id": job.id,
            "status": "pending" if self.old_words else "processing",
            "cost": "0.000",
            "created_at": _time(job.created_at),
            "provider": job.more["maker"],
        }

    def _job(self, job: VideoJob) -> dict[str, Any]:
        phase = job.phase
        if phase is Phase.DONE and job.more["complaint"]:
            phase = Phase.FAILED
        error = {
            Phase.FAILED: job.more["complaint"] or "The provider could not complete the job",
            Phase.MODERATED: "Provider refused the prompt",
        }.get(phase)
        ended = phase in (Phase.DONE, Phase.FAILED, Phase.MODERATED)
        cost = self._cost(job) if phase is Phase.DONE else Decimal(0)
        return {
            "job_id" if self.old_words else "public_id": job.id,
            "status": (OLD_STATUSES if self.old_words else STATUSES)[phase],
            "provider": job.more["maker"],
            "model": job.more["model"],
            "feature": "video",
            "subfeature": "generation_async",
            "cost": str(cost) if self.cost_as_text else float(cost),
            "created_at": _time(job.created_at),
            "finished_at": _time(time.time()) if ended else None,
            "output": self._output(job) if phase is Phase.DONE else None,
            "error": {"message": error} if error else None,
        }

    def _output(self, job: VideoJob) -> dict[str, Any]:
        if not job.has_media:
            return {"usage": {}}
        video = base64.b64encode(self.content(job)).decode()
        link = {"video_resource_url": self.link(job)} if self.link_given else {}
        return {"video": video, **link, "usage": {}}

    def _cost(self, job: VideoJob) -> Decimal:
        if job.more["cached"]:
            return Decimal(0)
        price, unit = job.more["price"]
        seconds = job.more["handed_on"].get("duration", LENGTHS[job.more["maker"]][0])
        return Decimal(price) * (seconds if unit == "second" else 1)

    def _list(self, request: Request) -> Response:
        number, limit = (
            self._whole(request, name, low, high, default)
            for name, low, high, default in (("page", 1, 10**6, 1), ("limit", 1, 1000, 100))
        )
        jobs = sorted(self.jobs.values(), key=lambda job: job.created_at, reverse=True)
        pages = -(-len(jobs) // limit)
        if self.list_has_pages:
            jobs = jobs[(number - 1) * limit : number * limit]
        items = [self._item(job) for job in jobs]
        if self.list_shape is None:
            return _json(items)
        counts = {"total": len(self.jobs), "page": number, "limit": limit, "total_pages": pages}
        return _json({self.list_shape: items, **(counts if self.list_has_pages else {})})

    def _item(self, job: VideoJob) -> dict[str, Any]:
        answer = self._job(job)
        names = ("public_id", "job_id", "status", "feature", "subfeature", "provider", "model", "created_at")
        item = {name: answer[name] for name in names if name in answer}
        if self.list_shows_parameters:
            item["user_webhook_parameters"] = job.body.get("user_webhook_parameters")
        return item

    def _whole(self, request: Request, name: str, low: int, high: int, default: int) -> int:
        given = request.query.get(name, [str(default)])[0]
        if not given.isdecimal() or not low <= int(given) <= high:
            wrong = [{"loc": ["query", name], "msg": "Input should be valid", "type": "int_parsing"}]
            raise Refused(422, "invalid", "", problems=wrong)
        return int(given)

    def _upload(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "")
        message = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + request.body)
        parts = {}
        for part in message.walk():
            if not part.is_multipart() and (name := part.get_param("name", header="content-disposition")):
                parts[str(name)] = (part.get_filename(), part.get_payload(decode=True))
        wrong = [
            {"loc": ["body", name], "msg": "Extra inputs are not permitted", "type": "extra_forbidden"}
            for name in parts.keys() - {"file", "purpose"}
        ]
        if not kind.startswith("multipart/form-data") or "file" not in parts or not parts["file"][0]:
            wrong.append({"loc": ["body", "file"], "msg": "Field required", "type": "missing"})
        if wrong:
            raise Refused(422, "invalid", "", problems=wrong)
        name, content = parts["file"]
        assert isinstance(content, bytes)
        if len(content) > LARGEST_UPLOAD:
            raise Refused(413, "too_large", "File too large")
        media_type = _media_type(content)
        if media_type is None:
            raise Refused(415, "unsupported_media_type", "Unsupported file type")
        file_id = str(uuid4())
        self.uploads[file_id] = content
        return _json(
            {
                "file_id": file_id,
                "file_name": name,
                "file_size": len(content),
                "file_mimetype": media_type,
                "expires_at": _time(time.time() + KEPT.total_seconds()),
            }
        )

    def _image(self, file: str | None) -> bytes | None:
        """The first frame; an id of an upload or an address. Raises Refused."""
        if file is None or file in self.uploads:
            return self.uploads.get(file or "")
        if urlsplit(file).scheme and self.reachable(file):
            return b""
        raise Refused(422, "invalid_file", "The file does not exist or can't be read")

    def _count(self) -> None:
        """Raises Refused for one request too many within a second."""
        if self.requests_a_second is None:
            return
        now = time.monotonic()
        while self._recent and self._recent[0] < now - 1:
            self._recent.popleft()
        if len(self._recent) >= self.requests_a_second:
            raise Refused(429, "rate_limited", "Rate limit exceeded")
        self._recent.append(now)


def signed(message: Any, *, body: bytes | None = None) -> tuple[dict[str, str], bytes]:
    """A delivery of this message: headers and body. `body` is how it is written, if not as json writes it."""
    canonical = json.dumps(message, sort_keys=True, indent=2, ensure_ascii=False).encode()
    return headers_for(canonical), json.dumps(message).encode() if body is None else body


def headers_for(canonical: bytes) -> dict[str, str]:
    return {
        "X-Edenai-Webhook": "true",
        "X-Edenai-Signature": signature(hashlib.sha256(canonical).hexdigest().encode()),
        "X-Edenai-Hash-Algorithm": "SHA256",
        "User-Agent": "EdenAI/Ai-Features",
    }


def signature(data: bytes, *, modulus: int = _MODULUS, exponent: int = _EXPONENT) -> str:
    """RSA's PKCS #1 v1.5 with SHA-256 over `data`, in hex (RFC 8017, 8.2.1)."""
    length = (modulus.bit_length() + 7) // 8
    encoded = _SHA256 + hashlib.sha256(data).digest()
    padded = b"\x00\x01" + b"\xff" * (length - len(encoded) - 3) + b"\x00" + encoded
    return pow(int.from_bytes(padded, "big"), exponent, modulus).to_bytes(length, "big").hex()


def _complaint(maker: str, told: Mapping[str, Any], image: bytes | None) -> str:
    """What the maker says against it; "" if nothing. Eden AI has taken it by then."""
    if told.get("duration", LENGTHS[maker][0]) not in LENGTHS[maker]:
        return "Invalid duration"
    if maker == "amazon":
        if told.get("dimension", "1280x720") != "1280x720":
            return "Invalid dimension"
        if image and _size(image) != (1280, 720):
            return "The image must be 1280x720"
    return ""


def _media_type(content: bytes) -> str | None:
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    return "image/jpeg" if content.startswith(b"\xff\xd8\xff") else None


def _size(content: bytes) -> tuple[int, int]:
    if content.startswith(b"\x89PNG"):
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    at = 2
    while content[at + 1] not in (0xC0, 0xC1, 0xC2):
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    height, width = struct.unpack(">HH", content[at + 5 : at + 9])
    return width, height


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _json(body: object, *, status: int = 200) -> Response:
    return Response(status=status, headers=dict(JSON), body=json.dumps(body).encode())
