"""Veo on Google Cloud, with the token endpoint and the bucket that belong to it. Facts: Google Cloud's pages of the
models, google-genai 3.4 in its Cloud mode, RFC 7523 and 8017 for what a service account signs.
"""

import base64
import binascii
import json
import secrets
import time
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from typing import Any, ClassVar
from urllib.parse import parse_qs

from .fields import Check, flag, structured, text, whole, word_of
from .gemini_veo import ERRORS, FILTERED, INSTANCE, check_combination, check_pictures, one_instance
from .google_video import GoogleVideo, answer, checked, decoded, invalid, words
from .server import Refused, Request, Response, parsed
from .video import OF_WEBHOOKS, Fault, Phase, VideoJob, clip

MODELS = frozenset({"veo-3.1-generate-001", "veo-3.1-fast-generate-001", "veo-3.1-lite-generate-001"})
PARAMETERS: Mapping[str, Check] = {
    "aspectRatio": word_of("16:9", "9:16"),
    "resolution": word_of("720p", "1080p", "4k"),
    "durationSeconds": whole(4, 8),
    "personGeneration": word_of("allow_all", "allow_adult", "dont_allow"),
    "negativePrompt": text,
    "sampleCount": whole(1, 4),
    "enhancePrompt": flag,
    "generateAudio": flag,
    "seed": whole(0, 2**32 - 1),
    "storageUri": lambda value: isinstance(value, str) and value.startswith("gs://"),
    # Small in the documentation, large in the vendor's own client.
    "resizeMode": word_of("pad", "crop", "PAD", "CROP"),
    "compressionQuality": word_of("optimized", "lossless"),
    "fps": whole(24, 24),
}
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
AUDIENCE = "https://oauth2.googleapis.com/token"
PROJECT, REGION = "a-project", "us-central1"
E = 65_537
# The head of a SHA-256 in a signature (RFC 8017, 9.2).
DIGEST_HEAD = bytes.fromhex("3031300d060960864801650304020105000420")


class Vertex(GoogleVideo):
    """`key` is the access token that its token endpoint gives out; `bucket`: where videos are put, if any is set."""

    name = "vertex"
    # A Cloud account has no balance, an inline video no link.
    cannot: ClassVar[frozenset[Fault]] = OF_WEBHOOKS | {
        Fault.MODERATED_AT_SUBMIT,
        Fault.NO_BALANCE,
        Fault.UNKNOWN_WORD,
        Fault.LINK_EXPIRED,
    }
    bucket = ""
    token_seconds = 3_599

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    @property
    def account(self) -> dict[str, str]:
        """The service account's file."""
        return {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "key-1",
            "private_key": pem(),
            "client_email": f"videos@{PROJECT}.iam.gserviceaccount.com",
            "client_id": "1",
            "token_uri": f"{self.root}/token",
        }

    def environment(self) -> dict[str, str]:
        return {
            "VERTEX_PROJECT": PROJECT,
            "VERTEX_REGION": REGION,
            "VERTEX_SERVICE_ACCOUNT": json.dumps(self.account),
            "VERTEX_URL": self.url,
            "VERTEX_STORAGE_URL": self.root,
            "VERTEX_STORAGE_URI": self.bucket,
        }

    def respond(self, request: Request) -> Response:
        if request.path == "/token":
            return self._token(request)
        if request.headers.get("authorization") != f"Bearer {self.key}":
            raise Refused(401, "unauthenticated", "Request had invalid authentication credentials.")
        models = f"/v1/projects/{PROJECT}/locations/{REGION}/publishers/google/models/"
        model, _, call = request.path.removeprefix(models).partition(":")
        if request.method == "POST" and request.path.startswith(models):
            match call:
                case "predictLongRunning":
                    return self._submit(request, model)
                case "fetchPredictOperation":
                    return self._look(request, model)
        objects = "/storage/v1/b/a-bucket/o/"
        if (
            request.method == "GET"
            and request.path.startswith(objects)
            and request.query == {"alt": ["media"]}
        ):
            name = request.path.removeprefix(objects)
            for job in self.jobs.values():
                if self.place(job) == f"gs://a-bucket/{name}" and job.has_media:
                    return self.downloaded(job)
        raise Refused(404, "not_found", "Not found.")

    def operation(self, job: VideoJob) -> str:
        model = f"projects/{PROJECT}/locations/{REGION}/publishers/google/models/{job.more['model']}"
        return f"{model}/operations/{job.id}"

    def place(self, job: VideoJob) -> str | None:
        """Where its video lies in the bucket."""
        prefix = job.body.get("parameters", {}).get("storageUri")
        return f"{prefix.rstrip('/')}/{job.id}/sample_0.mp4" if prefix else None

    def state(self, job: VideoJob) -> dict[str, Any]:
        said: dict[str, Any] = {"name": self.operation(job)}
        match job.phase:
            case Phase.QUEUED | Phase.RUNNING | Phase.UNKNOWN:
                return said
            case Phase.FAILED | Phase.CANCELLED as phase:
                code, message = ERRORS[phase]
                return said | {"done": True, "error": {"code": code, "message": message}}
            case Phase.MODERATED:
                result: dict[str, Any] = {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": [FILTERED]}
            case Phase.DONE:
                result = {"raiMediaFilteredCount": 0}
                if job.has_media:
                    result["videos"] = [{**self._video(job), "mimeType": "video/mp4"}]
        kind = "type.googleapis.com/cloud.ai.large_models.vision.GenerateVideoResponse"
        return said | {"done": True, "response": {"@type": kind, **result}}

    def _video(self, job: VideoJob) -> dict[str, str]:
        if place := self.place(job):
            return {"gcsUri": place}
        return {"bytesBase64Encoded": base64.b64encode(self.content(job)).decode()}

    def _submit(self, request: Request, model: str) -> Response:
        if model not in MODELS:
            raise Refused(404, "not_found", f"Publisher model {model} is not found.")
        top = {"instances": lambda value: isinstance(value, list), "parameters": structured, "labels": words}
        body = checked(parsed(request), top, {"instances"})
        instance = one_instance(body, INSTANCE)
        parameters = checked(body.get("parameters", {}), PARAMETERS)
        check_combination(model, instance, parameters)
        check_pictures(instance)
        if "resizeMode" in parameters and "image" not in instance:
            raise invalid("resizeMode needs an image.")
        if "video" in instance:
            self._check_source(instance["video"])
        return self.accepted(body, None, lambda job: answer({"name": self.operation(job)}), model=model)

    def _check_source(self, given: Any) -> None:
        source = checked(given, {"gcsUri": text, "bytesBase64Encoded": text, "mimeType": text}, {"mimeType"})
        if "gcsUri" in source:
            made = source["gcsUri"] in {self.place(job) for job in self.jobs.values()}
        else:
            # By its pictures: who kept it may have written something of his own beside them.
            made = clip()[-4_000:-1_000] in decoded(source.get("bytesBase64Encoded"))
        if not made:
            raise invalid("The video must be one that Veo made.")

    def _look(self, request: Request, model: str) -> Response:
        name = checked(parsed(request), {"operationName": text}, {"operationName"})["operationName"]
        job_id = name.rpartition("/")[2]
        job = self.jobs.get(job_id)
        if job is None or self.operation(job) != name or job.more["model"] != model:
            raise Refused(404, "not_found", "Operation not found.")
        return self.looked_at(job_id, lambda job: answer(self.state(job)))

    def _token(self, request: Request) -> Response:
        """A token for a statement that the account has signed, or OAuth's own form of an error."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if (
            request.method != "POST"
            or form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer"
        ):
            return answer({"error": "unsupported_grant_type"}, status=400)
        claims = _claims(form.get("assertion", ""))
        now = time.time()
        wrong = (
            claims.get("iss") != self.account["client_email"]
            or claims.get("aud") != AUDIENCE
            or claims.get("scope") != SCOPE
            or not now - 60 <= claims.get("iat", 0) <= now + 60
            or not 0 < claims.get("exp", 0) - claims.get("iat", 0) <= 3_600
        )
        if wrong:
            return answer({"error": "invalid_grant", "error_description": "Invalid JWT."}, status=400)
        token = {"access_token": self.key, "expires_in": self.token_seconds, "token_type": "Bearer"}
        return answer(token)


def _claims(assertion: str) -> dict[str, Any]:
    """What a JSON Web Token of our account's key says; nothing, if it isn't signed by it."""
    parts = assertion.split(".")
    try:
        head, claims, signature = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts)
        signed = json.loads(head).get("alg") == "RS256" and _is_signed(
            f"{parts[0]}.{parts[1]}".encode(), signature
        )
        said = json.loads(claims)
    except (ValueError, binascii.Error):
        return {}
    return said if signed and isinstance(said, dict) else {}


def _is_signed(text: bytes, signature: bytes) -> bool:
    n = key_numbers()[0]
    length = (n.bit_length() + 7) // 8
    block = DIGEST_HEAD + sha256(text).digest()
    padded = b"\x00\x01" + b"\xff" * (length - len(block) - 3) + b"\x00" + block
    return pow(int.from_bytes(signature), E, n).to_bytes(length) == padded


@cache
def key_numbers() -> tuple[int, int, int, int]:
    """An RSA key of 2,048 bits, made for this process: n, d, p, q."""
    while True:
        p, q = _prime(), _prime()
        if p != q and (p - 1) % E and (q - 1) % E:
            return p * q, pow(E, -1, (p - 1) * (q - 1)), p, q


@cache
def pem() -> str:
    """The key as a service account's file has it (RFC 8017, A.1.2, in the envelope of RFC 5208)."""
    n, d, p, q = key_numbers()
    key = _der(0x30, *(_whole(one) for one in (0, n, E, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))))
    algorithm = _der(0x30, bytes.fromhex("06092a864886f70d0101010500"))
    whole = base64.encodebytes(_der(0x30, _whole(0), algorithm, _der(0x04, key))).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{whole}-----END PRIVATE KEY-----\n"


def _prime() -> int:
    """Of 1,024 bits, the two highest set."""
    while True:
        candidate = secrets.randbits(1024) | 3 << 1022 | 1
        if all(candidate % small for small in range(3, 2_000, 2)) and all(
            _passes(candidate, secrets.randbelow(candidate - 3) + 2) for _ in range(8)
        ):
            return candidate


def _passes(candidate: int, base: int) -> bool:
    """Miller and Rabin's test."""
    odd, twos = candidate - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    power = pow(base, odd, candidate)
    if power in (1, candidate - 1):
        return True
    for _ in range(twos - 1):
        power = pow(power, 2, candidate)
        if power == candidate - 1:
            return True
    return False


def _whole(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size) + content
