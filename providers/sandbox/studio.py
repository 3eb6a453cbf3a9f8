"""The life of a video: accepted, rendering, and one end, told to the client."""

import asyncio
import hmac
import secrets
import time
from bisect import bisect_right
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from .callbacks import Callbacks
from .faults import LATE_SECONDS, REFUSED_ONCE, SLOW_SECONDS, WITHOUT_MEDIA, Fault, Refusals
from .orders import Order
from .rendering import InputUnreadable, Renderer, RenderingFailed
from .store import Store, Video

LINK_SECONDS = 3_600
# The share of its time that a video waits before it is rendered.
QUEUED_SHARE = 0.1
COST_PER_SECOND = 0.01
_FORGERS_SECRET = "whsec_" + "Zm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2Vk"


class TooLate(Exception):
    """The video can't be stopped any more."""


class Studio:
    """Every video of the service; call it from one event loop."""

    def __init__(
        self, store: Store, renderer: Renderer, callbacks: Callbacks, *, key: str, public_url: str
    ) -> None:
        self._store = store
        self._renderer = renderer
        self._callbacks = callbacks
        self._key = key.encode()
        self._public_url = public_url
        self._by_id: dict[str, Video] = {}
        self._all: list[Video] = []
        self._by_reference: dict[str, list[Video]] = {}
        self._by_idempotency_key: dict[str, Video] = {}
        self._refusals = Refusals()
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def resume(self) -> None:
        """Goes on with everything that a stopped service left unfinished."""
        for video in self._store.load(time.time()):
            self._remember(video)
            if not video.finished_at:
                self._start(video)
            elif not video.informed:
                self._spawn(self._inform(video))

    def refuses(self, order: Order) -> Fault | None:
        """The fault with which this order is refused now; the next equal one is not."""
        if order.fault not in REFUSED_ONCE:
            return None
        digest = order.digest(without=frozenset({"client_reference", "callback_url"}))
        return order.fault if self._refusals.refuses(digest) else None

    async def accept(self, order: Order, idempotency_key: str | None) -> Video:
        """The video, on disk and begun; the same one again for the same key."""
        if idempotency_key and (known := self._by_idempotency_key.get(idempotency_key)):
            known.replays += 1
            return known
        number = self._all[-1].number + 1 if self._all else 1
        video = Video(
            number=number,
            id=f"vid_{secrets.token_hex(12)}",
            order=order,
            accepted_at=time.time(),
            idempotency_key=idempotency_key,
        )
        self._remember(video)
        await self._store.save(video)
        self._start(video)
        return video

    def find(self, video_id: str) -> Video | None:
        return self._by_id.get(video_id)

    def page(self, *, reference: str | None, after: int, size: int) -> list[Video]:
        """Up to `size` videos accepted after number `after`, oldest first."""
        videos = self._all if reference is None else self._by_reference.get(reference, [])
        start = bisect_right(videos, after, key=lambda video: video.number)
        return videos[start : start + size]

    async def cancel(self, video: Video) -> None:
        """Stops it; raises TooLate once it has ended."""
        if video.finished_at or video.order.fault is Fault.REFUSE_CANCEL:
            raise TooLate
        if video.order.fault is not Fault.IGNORE_CANCEL:
            if life := self._lives.get(video.id):
                life.cancel()
            await self._record_end(video, "stopped")
            # The answer waits for nobody's webhook receiver.
            self._spawn(self._inform(video))

    def path(self, video: Video) -> Path:
        return self._renderer.path(video.media)

    def status(self, video: Video) -> str:
        if video.end:
            return video.end
        if time.time() < video.accepted_at + video.order.seconds * QUEUED_SHARE:
            return "accepted"
        return "defragmenting" if video.order.fault is Fault.UNKNOWN_STATUS else "rendering"

    def view(self, video: Video, *, lapsed_link: bool = False) -> dict[str, Any]:
        """The video as the API shows it."""
        status = self.status(video)
        elapsed = (video.finished_at or time.time()) - video.accepted_at
        percent = min(99, int(100 * elapsed / max(_seconds(video.order), 0.1)))
        cost = {"amount": f"{video.order.duration * COST_PER_SECOND:.4f}", "currency": "USD"}
        return {
            "id": video.id,
            "model": video.order.model,
            "status": status,
            "progress": 100 if status == "done" else percent,
            "client_reference": video.order.client_reference,
            "created_at": _iso(video.accepted_at),
            "finished_at": _iso(video.finished_at) if video.finished_at else None,
            "video": self._link(video, lapsed=lapsed_link) if status == "done" and video.media else None,
            "error": {"code": video.error} if video.error else None,
            "cost": cost if status == "done" else None,
        }

    def opens(self, video_id: str, expires: str, signature: str) -> bool:
        """Whether a link's signature is ours and it has not lapsed."""
        good = hmac.compare_digest(signature.encode(), self._signature(video_id, expires).encode())
        return good and expires.isdecimal() and time.time() < int(expires)

    async def until_informed(self, video: Video) -> None:
        """Returns once the client has been told the end."""
        life = self._lives.get(video.id)
        if life is not None:
            await asyncio.wait([life])

    async def stop(self) -> None:
        for task in [*self._lives.values(), *self._tasks]:
            task.cancel()
        await asyncio.gather(*self._lives.values(), *self._tasks, return_exceptions=True)

    def _remember(self, video: Video) -> None:
        self._by_id[video.id] = video
        self._all.append(video)
        if video.order.client_reference:
            self._by_reference.setdefault(video.order.client_reference, []).append(video)
        if video.idempotency_key:
            self._by_idempotency_key[video.idempotency_key] = video

    def _start(self, video: Video) -> None:
        task = asyncio.create_task(self._live(video))
        self._lives[video.id] = task
        task.add_done_callback(lambda _: self._lives.pop(video.id, None))

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _live(self, video: Video) -> None:
        order = video.order
        if order.fault is Fault.STUCK:
            return
        if order.fault is Fault.WEBHOOK_FORGED and order.callback_url:
            self._spawn(self._forge(video, order.callback_url))
        making = None if order.fault in WITHOUT_MEDIA else asyncio.create_task(self._renderer.render(order))
        end, error = _ENDS.get(order.fault, _DONE) if order.fault else _DONE
        try:
            await asyncio.sleep(video.accepted_at + _seconds(order) - time.time())
            if making is not None:
                video.media = await making
                if order.fault is Fault.TRUNCATED_VIDEO:
                    video.media = await self._renderer.truncate(video.media)
        except InputUnreadable:
            end, error = "error", "input_unreadable"
        except RenderingFailed:
            end, error = "error", "internal"
        finally:
            if making is not None:
                making.cancel()
        await self._end(video, end, error)

    async def _end(self, video: Video, end: str, error: str = "") -> None:
        if video.finished_at:
            return
        await self._record_end(video, end, error)
        await self._inform(video)

    async def _record_end(self, video: Video, end: str, error: str = "") -> None:
        video.end, video.error, video.finished_at = end, error, time.time()
        await self._store.save(video)

    async def _inform(self, video: Video) -> None:
        order, url = video.order, video.order.callback_url
        if url and order.fault not in (Fault.NO_WEBHOOK, Fault.UNKNOWN_END):
            if order.fault is Fault.WEBHOOK_LATE:
                await asyncio.sleep(LATE_SECONDS)
            data = self.view(video, lapsed_link=order.fault is Fault.EXPIRED_LINK)
            message_id = self._callbacks.message_id()
            await self._deliver(video, url, f"video.{video.end}", data, message_id)
            if order.fault is Fault.WEBHOOK_TWICE:
                await self._deliver(video, url, f"video.{video.end}", data, message_id)
            if order.fault is Fault.WEBHOOK_OUT_OF_ORDER:
                earlier = {**data, "status": "rendering", "progress": 50, "video": None, "finished_at": None}
                await self._deliver(video, url, "video.rendering", earlier, self._callbacks.message_id())
        video.informed = True
        await self._store.save(video)

    async def _deliver(
        self, video: Video, url: str, kind: str, data: Mapping[str, Any], message_id: str
    ) -> None:
        if await self._callbacks.deliver(url, kind, data, message_id=message_id):
            video.deliveries += 1

    async def _forge(self, video: Video, url: str) -> None:
        link = {"url": "https://forged.example/video.mp4", "expires_at": _iso(time.time() + LINK_SECONDS)}
        data = {**self.view(video), "status": "done", "progress": 100, "video": link}
        await self._callbacks.deliver(
            url, "video.done", data, message_id=self._callbacks.message_id(), secret=_FORGERS_SECRET
        )

    def _link(self, video: Video, *, lapsed: bool) -> dict[str, str]:
        expires = int(time.time()) + (-LINK_SECONDS if lapsed else LINK_SECONDS)
        signature = self._signature(video.id, str(expires))
        return {
            "url": f"{self._public_url}/files/{video.id}.mp4?expires={expires}&signature={signature}",
            "expires_at": _iso(expires),
        }

    def _signature(self, video_id: str, expires: str) -> str:
        return hmac.new(self._key, f"{video_id}.{expires}".encode(), sha256).hexdigest()


_DONE = ("done", "")
_ENDS = {
    Fault.FAILED: ("error", "internal"),
    Fault.MODERATED: ("error", "content_policy"),
    Fault.UNKNOWN_END: ("archived", ""),
}


def _seconds(order: Order) -> float:
    return max(order.seconds, SLOW_SECONDS) if order.fault is Fault.SLOW else order.seconds


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
