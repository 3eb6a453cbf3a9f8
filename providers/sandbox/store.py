"""The service's memory: every accepted order, on disk before it is answered.

SQLite is written by one thread in batches, so that hundreds of orders a second share a few commits and the
event loop never waits for the disk.
"""

import asyncio
import json
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

from .faults import Fault
from .orders import Order

BATCH = 500
KEPT_SECONDS = 7 * 86_400.0


@dataclass(slots=True, kw_only=True)
class Video:
    """One accepted order and how it stands."""

    number: int
    """Counts acceptances, from 1."""
    id: str
    order: Order
    accepted_at: float
    idempotency_key: str | None = None
    finished_at: float | None = None
    end: str = ""
    """The last status; empty while it is being made."""
    error: str = ""
    media: str = ""
    """The file's name among the renders."""
    informed: bool = False
    """Whether the client has been told the end, or never will be."""
    reads: int = 0
    done_reads: int = 0
    deliveries: int = 0
    replays: int = 0


@dataclass(slots=True)
class _Write:
    row: tuple[str, int, float, str]
    done: asyncio.Future[None]


class Store:
    """Call it from one event loop only."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, check_same_thread=False)
        self._database.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
            "CREATE TABLE IF NOT EXISTS videos"
            " (id TEXT PRIMARY KEY, number INTEGER NOT NULL, accepted_at REAL NOT NULL, video TEXT NOT NULL)"
        )
        self._queue: SimpleQueue[_Write | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="sandbox-store")
        self._thread.start()

    def load(self, now: float) -> list[Video]:
        """Every video of the last week, in the order of acceptance; older ones are forgotten."""
        with self._database:
            self._database.execute("DELETE FROM videos WHERE accepted_at < ?", (now - KEPT_SECONDS,))
        rows = self._database.execute("SELECT video FROM videos ORDER BY number").fetchall()
        return [_video(json.loads(text)) for (text,) in rows]

    async def save(self, video: Video) -> None:
        """Returns once the video is on disk."""
        loop = asyncio.get_running_loop()
        row = (video.id, video.number, video.accepted_at, json.dumps(asdict(video)))
        write = _Write(row, loop.create_future())
        self._queue.put(write)
        await write.done

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()
        self._database.close()

    def _run(self) -> None:
        while (write := self._queue.get()) is not None:
            batch = [write]
            while len(batch) < BATCH and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    self._queue.put(None)
                    break
                batch.append(following)
            error: sqlite3.Error | None = None
            try:
                with self._database:
                    self._database.executemany(
                        "INSERT OR REPLACE INTO videos VALUES (?, ?, ?, ?)", [write.row for write in batch]
                    )
            except sqlite3.Error as failure:
                error = failure
            batch[0].done.get_loop().call_soon_threadsafe(_resolve, batch, error)


def _resolve(batch: list[_Write], error: sqlite3.Error | None) -> None:
    for write in batch:
        if write.done.done():  # its client has gone
            continue
        if error is None:
            write.done.set_result(None)
        else:
            write.done.set_exception(error)


def _video(fields: dict[str, Any]) -> Video:
    order = fields.pop("order")
    fault = order.pop("fault")
    return Video(order=Order(**order, fault=Fault(fault) if fault else None), **fields)
