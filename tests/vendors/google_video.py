"""What Google's three doors to video have in common: the form of an error, and how a field of a request is checked."""

import base64
import binascii
import json
from collections.abc import Mapping, Set
from typing import Any

from .fields import Check, problems
from .server import Refused, Request, Response
from .video import VideoVendor

JSON = {"Content-Type": "application/json; charset=UTF-8"}
STATUSES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
}
MAGIC: Mapping[str, bytes] = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
MOST_BYTES = 10_000_000
DOMAIN = "type.googleapis.com/google.rpc"


class GoogleVideo(VideoVendor):
    """`quota` is the id of the quota that a 429 names."""

    quota = "GenerateRequestsPerMinutePerProjectPerModel"

    def refuse(self, request: Request, refused: Refused) -> Response:
        status = 400 if refused.status in (415, 422) else refused.status
        details: list[dict[str, Any]] = []
        if refused.code == "API_KEY_INVALID":
            details.append(
                {"@type": f"{DOMAIN}.ErrorInfo", "reason": refused.code, "domain": "googleapis.com"}
            )
        if status == 429:
            wait = f"{refused.more.get('retry_after') or 1}s"
            violation = {"quotaId": self.quota, "quotaValue": "10", "quotaDimensions": {"location": "global"}}
            details.append({"@type": f"{DOMAIN}.QuotaFailure", "violations": [violation]})
            details.append({"@type": f"{DOMAIN}.RetryInfo", "retryDelay": wait})
        word = "FAILED_PRECONDITION" if refused.code == "FAILED_PRECONDITION" else STATUSES[status]
        error = {"code": status, "message": refused.message, "status": word, "details": details}
        return answer({"error": error}, status=status)


def answer(body: object, *, status: int = 200) -> Response:
    return Response(status=status, headers=dict(JSON), body=json.dumps(body).encode())


def invalid(message: str) -> Refused:
    return Refused(400, "INVALID_ARGUMENT", message)


def checked(value: Any, fields: Mapping[str, Check], required: Set[str] = frozenset()) -> dict[str, Any]:
    """An object of these fields alone. Raises Refused."""
    if not isinstance(value, dict):
        raise invalid("An object was expected.")
    if found := problems(value, fields, required):
        raise invalid(f"Invalid JSON payload received: {found[0]['loc'][-1]}: {found[0]['msg']}.")
    return value


def words(value: Any) -> bool:
    """Names and values of text, as labels are."""
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    return isinstance(value, dict) and all(
        isinstance(text, str) and len(text) <= 63 and set(text) <= allowed
        for pair in value.items()
        for text in pair
    )


def decoded(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise invalid("Base64 decoding failed.") from None


def check_picture(content: bytes, media_type: Any) -> None:
    if media_type not in MAGIC or not content.startswith(MAGIC[media_type]):
        raise invalid("Unsupported image.")
    if len(content) > MOST_BYTES:
        raise invalid("The image is too large.")
