"""What the tests of Google's three doors share: pictures to give, and a render followed to its end."""

import base64
import io
import itertools
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from providers.contract import (
    InputMedia,
    Mode,
    OutputSource,
    RenderRequest,
    RenderState,
    RenderUpdate,
    VideoProvider,
)
from providers.errors import UnsupportedFeature
from providers.facts import VideoModel
from providers.http import Client, ClientConfig
from tests.providers.contract import VideoProviderContract
from tests.providers.servers import RawServer, answers, serving
from tests.vendors.google_video import GoogleVideo

ENDED = (RenderState.SUCCEEDED, RenderState.FAILED, RenderState.CANCELLED)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)


PNG = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", b"\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00")
    + _chunk(b"IDAT", zlib.compress(b"\x00\x80"))
    + _chunk(b"IEND", b"")
)
PNG_TEXT = base64.b64encode(PNG).decode()
CLIENT = Client(ClientConfig(allow_loopback=True, read_seconds=5, total_seconds=20))
HASTY = Client(ClientConfig(allow_loopback=True, read_seconds=0.5, total_seconds=1.5))


@pytest.fixture
def picture() -> Iterator[InputMedia]:
    """A picture in our store."""
    with serving(answers(200, PNG)) as server:
        yield InputMedia(url=f"{server.url}/start.png?signature=CANARY", media_type="image/png")


def followed(provider: VideoProvider, external_id: str) -> RenderUpdate:
    """The render's end."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        update = provider.fetch(external_id)
        if update.state in ENDED:
            return update
        time.sleep(0.02)
    raise AssertionError("it never ends")


def downloaded(output: OutputSource | None, http: Client = CLIENT) -> bytes:
    assert output is not None
    content = io.BytesIO()
    http.download(output, content, max_bytes=10_000_000)
    return content.getvalue()


def wishes(model: VideoModel, picture: InputMedia, source: InputMedia) -> list[RenderRequest]:
    """Every mode, length, size, ratio and option of a model, in requests that it takes."""
    made = [
        RenderRequest(
            model=model.vendor_model,
            mode=mode,
            prompt="A kite above a winter beach",
            duration_seconds=length,
            resolution=size,
            ratio=ratio,
            start_image=picture if mode in (Mode.IMAGE, Mode.FIRST_LAST) else None,
            end_image=picture if mode is Mode.FIRST_LAST else None,
            source_video=source if mode is Mode.VIDEO else None,
        )
        for mode, size, ratio in itertools.product(sorted(model.modes), model.resolutions, model.ratios)
        for length in _ends(model.durations_for(mode, size))
    ]
    plain = made[0]
    options: dict[str, Any] = {
        "negative_prompt": "text, logo" if model.negative_prompt else "",
        "seed": 7 if model.seed else None,
        "audio": model.audio,
        "enhance": model.enhance,
    }
    return [*made, replace(plain, **options)]


def _ends(lengths: Sequence[int]) -> set[int]:
    return {*lengths[:1], *lengths[-1:]}


class InlinePictures(VideoProviderContract):
    """Of a vendor that is given pictures inside the request."""

    def test_an_option_the_vendor_cannot_express_is_named_before_anything_is_sent(self) -> None:
        """A picture goes inline, out of our store, so that its bytes are the trace of it and not its link."""
        video = InputMedia(url="https://store.example/source.mp4", media_type="video/mp4")
        with serving(answers(200, PNG)) as store:
            image = InputMedia(url=f"{store.url}/start.png", media_type="image/png")
            for request, trace in [
                (replace(self.request, mode=Mode.VIDEO, source_video=video), video.url),
                (replace(self.request, mode=Mode.IMAGE, start_image=image), PNG_TEXT),
                (replace(self.request, negative_prompt="no-rain"), "no-rain"),
                (replace(self.request, style="cinematic"), "cinematic"),
                (replace(self.request, seed=424_242), "424242"),
            ]:
                with serving(answers(200, self.body(self.accepted("id-1")))) as server:
                    config = ClientConfig(allowed_origins=frozenset({server.url, store.url}))
                    refused = ""
                    try:
                        self.adapter(server.url, Client(config)).submit(
                            request, client_token="attempt-token-1", callback_url=None
                        )
                    except UnsupportedFeature as refusal:
                        refused = refusal.feature
                sent = b"".join(call.body for call in server.received).decode()
                assert (trace in sent) != bool(refused), trace


class WholeVideos(VideoProviderContract):
    """Of a vendor that puts the video into its answer."""

    def at(self, server: RawServer | str) -> VideoProvider:
        """Every look at a finished render reads the whole video: 400 MB of text take a second or two here."""
        if not isinstance(server, str):
            return super().at(server)
        config = ClientConfig(allowed_origins=frozenset({server}), read_seconds=5, total_seconds=30)
        return self.adapter(server, Client(config))


def paths(vendor: GoogleVideo) -> list[str]:
    return [f"{request.method} {request.path}" for request in vendor.requests]
