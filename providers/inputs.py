"""Pictures and videos that a vendor is given, where it can't fetch them by our link: read, inlined, uploaded."""

import base64
import io

from urllib3.filepost import encode_multipart_formdata

from .contract import InputMedia, OutputSource
from .errors import NotSent, UnsupportedFeature
from .http import Client, HttpError, UnusableBody


def read(provider: str, http: Client, media: InputMedia, *, max_bytes: int) -> bytes:
    """The file, out of our store. Raises NotSent, or UnsupportedFeature for one of more than `max_bytes`."""
    content = io.BytesIO()
    try:
        http.download(OutputSource(url=media.url), content, max_bytes=max_bytes, total_seconds=15.0)
    except UnusableBody:
        raise UnsupportedFeature(provider, f"an input of more than {max_bytes:,} bytes") from None
    except HttpError:
        raise NotSent(provider) from None
    return content.getvalue()


def as_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def data_uri(media: InputMedia, content: bytes) -> str:
    return f"data:{media.media_type};base64,{as_base64(content)}"


def form(
    fields: dict[str, str], *, name: str, filename: str, content: bytes, media_type: str
) -> tuple[bytes, str]:
    """A multipart body of `fields` and, last, one file; and its content type."""
    parts: list[tuple[str, str | tuple[str, bytes, str]]] = [*fields.items()]
    parts.append((name, (filename, content, media_type)))
    return encode_multipart_formdata(parts)
