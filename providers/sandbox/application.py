"""The service over HTTP."""

import asyncio
import hmac
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from providers.http import Client, ClientConfig

from .callbacks import Callbacks
from .faults import RETRY_AFTER_SECONDS, SILENT_SECONDS, Fault, SoundFault
from .orders import InvalidOrder, read_order
from .rendering import Renderer
from .sounds import Kind, Sounds, read_sound_order
from .store import Store, Video
from .studio import Studio, TooLate

BODY_BYTES = 1 << 20
PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    data: Path
    """Where its videos and its memory live; a restart goes on from there."""
    public_url: str
    api_key: str
    webhook_secret: str
    """"whsec_" and base64."""
    origins: frozenset[str] = frozenset()
    """Origins that callbacks and images may have beside public HTTPS and this machine."""
    latency_seconds: float = 0.0
    """Added to every answer of the API."""
    stall_rate: float = 0.0
    """The share of answers that take `stall_seconds` instead."""
    stall_seconds: float = 8.0


def application(config: ServiceConfig) -> Starlette:
    service = _Service(config)
    routes = [
        ("/health", "GET", service.health),
        ("/v1/videos", "POST", service.keyed(service.order)),
        ("/v1/videos", "GET", service.keyed(service.listing)),
        ("/v1/videos/{id}", "GET", service.keyed(service.show)),
        ("/v1/videos/{id}/cancel", "POST", service.keyed(service.cancel)),
        ("/v1/_audit", "GET", service.keyed(service.audit)),
        ("/v1/speech", "POST", service.keyed(service.sound("speech"))),
        ("/v1/effects", "POST", service.keyed(service.sound("effects"))),
        ("/v1/music", "POST", service.keyed(service.sound("music"))),
        ("/v1/_audit/sounds", "GET", service.keyed(service.sounds)),
        ("/files/{id}.mp4", "GET", service.file),
    ]
    return Starlette(
        routes=[Route(path, endpoint, methods=[method]) for path, method, endpoint in routes],
        lifespan=service.lifespan,
    )


Endpoint = Callable[[Request], Awaitable[Response]]


class _Service:
    def __init__(self, config: ServiceConfig) -> None:
        self._config = config
        self._key = f"Bearer {config.api_key}".encode()
        self._studio: Studio
        self._sounds = Sounds()

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        config = self._config
        config.data.mkdir(parents=True, exist_ok=True)
        client = Client(ClientConfig(allowed_origins=config.origins, allow_loopback=True))
        store = Store(config.data / "videos.sqlite3")
        callbacks = Callbacks(client, config.webhook_secret)
        self._studio = Studio(
            store, Renderer(config.data, client), callbacks, key=config.api_key, public_url=config.public_url
        )
        self._studio.resume()
        try:
            yield
        finally:
            await self._studio.stop()
            callbacks.close()
            store.close()

    def keyed(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint for holders of the key, as late as the configuration asks."""

        async def answer(request: Request) -> Response:
            if not hmac.compare_digest(request.headers.get("authorization", "").encode(), self._key):
                return _error(401, "unauthorized", "the key is missing or wrong")
            if random.random() < self._config.stall_rate:
                await asyncio.sleep(self._config.stall_seconds)
            elif self._config.latency_seconds:
                await asyncio.sleep(self._config.latency_seconds)
            return await endpoint(request)

        return answer

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def order(self, request: Request) -> Response:
        try:
            order = read_order(await _body(request))
        except InvalidOrder as error:
            return _error(error.status, error.code, error.message, field=error.field)
        if order.fault is Fault.MODERATED_AT_SUBMIT:
            return _error(422, "content_policy", "the prompt is against the content policy", field="prompt")
        if refusal := self._studio.refuses(order):
            return _refusal(refusal)
        video = await self._studio.accept(order, request.headers.get("idempotency-key"))
        if order.fault is Fault.SERVER_ERROR_AFTER_ACCEPTING:
            return _error(500, "internal", "something broke")
        if order.fault is Fault.TIMEOUT_AFTER_ACCEPTING:
            await asyncio.sleep(SILENT_SECONDS)
        if order.fault is Fault.WEBHOOK_BEFORE_ANSWER:
            await self._studio.until_informed(video)
        answer = JSONResponse(self._studio.view(video), status_code=201)
        return _cut(answer) if order.fault is Fault.MALFORMED_JSON else answer

    async def show(self, request: Request) -> Response:
        video = self._studio.find(request.path_params["id"])
        if video is None:
            return _error(404, "not_found", "no such video")
        video.reads += 1
        lapsed = False
        if video.end == "done":
            video.done_reads += 1
            lapsed = video.order.fault is Fault.EXPIRED_LINK and video.done_reads == 1
        answer = JSONResponse(self._studio.view(video, lapsed_link=lapsed))
        return _cut(answer) if video.order.fault is Fault.MALFORMED_STATUS and video.reads <= 2 else answer

    async def cancel(self, request: Request) -> Response:
        video = self._studio.find(request.path_params["id"])
        if video is None:
            return _error(404, "not_found", "no such video")
        try:
            await self._studio.cancel(video)
        except TooLate:
            return _error(409, "too_late", "the video can't be stopped any more")
        return JSONResponse(self._studio.view(video), status_code=202)

    async def listing(self, request: Request) -> Response:
        return self._page(request, self._studio.view)

    async def audit(self, request: Request) -> Response:
        return self._page(request, _audited)

    def sound(self, kind: Kind) -> Endpoint:
        """Makes a sound and answers it."""

        async def answer(request: Request) -> Response:
            try:
                order = read_sound_order(kind, await _body(request))
            except InvalidOrder as error:
                return _error(error.status, error.code, error.message, field=error.field)
            if order.fault is SoundFault.MODERATED:
                return _error(422, "content_policy", "the text is against the content policy", field="text")
            if refusal := self._sounds.refuses(order):
                return _refusal(refusal)
            made = JSONResponse(await self._sounds.make(order))
            if order.fault is SoundFault.TIMEOUT_AFTER_ACCEPTING:
                await asyncio.sleep(SILENT_SECONDS)
            return _cut(made) if order.fault is SoundFault.MALFORMED_JSON else made

        return answer

    async def sounds(self, request: Request) -> Response:
        return JSONResponse({"results": self._sounds.audit(request.query_params.get("text"))})

    async def file(self, request: Request) -> Response:
        video = self._studio.find(request.path_params["id"])
        query = request.query_params
        if video is None or not self._studio.opens(
            video.id, query.get("expires", ""), query.get("signature", "")
        ):
            return _error(403, "link_invalid", "the link is wrong or has lapsed")
        if not video.media:
            return _error(404, "not_found", "no such file")
        return FileResponse(self._studio.path(video), media_type="video/mp4")

    def _page(self, request: Request, show: Callable[[Video], dict[str, Any]]) -> Response:
        cursor = request.query_params.get("cursor", "0")
        if not cursor.isdecimal():
            return _error(422, "invalid_request", "is no cursor", field="cursor")
        videos = self._studio.page(
            reference=request.query_params.get("client_reference"), after=int(cursor), size=PAGE + 1
        )
        more = len(videos) > PAGE
        return JSONResponse(
            {
                "results": [show(video) for video in videos[:PAGE]],
                "next_cursor": str(videos[PAGE - 1].number) if more else None,
            }
        )


def _audited(video: Video) -> dict[str, Any]:
    return {
        "id": video.id,
        "client_reference": video.order.client_reference,
        "model": video.order.model,
        "accepted_at": video.accepted_at,
        "finished_at": video.finished_at,
        "end": video.end,
        "error": video.error,
        "reads": video.reads,
        "informed": video.informed,
        "deliveries": video.deliveries,
        "replays": video.replays,
    }


async def _body(request: Request) -> object:
    if int(request.headers.get("content-length") or 0) > BODY_BYTES:
        raise InvalidOrder("body", "is too large", status=413)
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError):
        raise InvalidOrder("body", "is not JSON", status=400) from None


def _error(status: int, code: str, message: str, *, field: str | None = None) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message, "field": field}}, status_code=status)


def _refusal(fault: Fault | SoundFault) -> JSONResponse:
    if fault.value == Fault.RATE_LIMITED:
        answer = _error(429, "rate_limited", "too many orders")
        answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return answer
    return _error(500, "internal", "something broke")


def _cut(answer: JSONResponse) -> Response:
    """The first half of its body."""
    body = bytes(answer.body)
    return Response(body[: len(body) // 2], status_code=answer.status_code, media_type="application/json")
