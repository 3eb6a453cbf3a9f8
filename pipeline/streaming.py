"""A reply while it is written: pieces in Redis for a quarter of an hour, told to who listens.

Best effort: the record is the chat turn's row, and who hears nothing reads that.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import cast
from uuid import UUID

import jiter
from redis import Redis

from workers.redis_breaker import RedisAway, breaker

KEPT_SECONDS = 900
# Between two pieces of a reply: every one is a write to Redis.
EVERY_SECONDS = 0.1
# How often a listener looks, and for how long at most.
LOOK_SECONDS = 0.15
LONGEST_SECONDS = 55.0


class Writer:
    """Takes the pieces of a model's JSON as they come and tells how its `reply` grows."""

    def __init__(self, turn_id: UUID, call_id: UUID) -> None:
        self._key, self._call = _key(turn_id), str(call_id)
        self._text = ""
        self._told = 0
        self._next = 0.0

    def __call__(self, piece: str) -> None:
        self._text += piece
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_SECONDS
        reply = _reply_so_far(self._text)
        if len(reply) > self._told:
            self._tell(reply[self._told :])
            self._told = len(reply)

    def _tell(self, text: str) -> None:
        entry = json.dumps({"call": self._call, "text": text})
        with suppress(RedisAway):
            breaker().call(partial(_append, key=self._key, entry=entry))


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """More of a reply; `again`: another model began anew, and what was told before is void."""

    text: str
    again: bool


def pieces(turn_id: UUID, ended: Callable[[], bool]) -> Iterator[Piece | None]:
    """The pieces as they come, None where a moment passed without any; until `ended` or for 55 seconds."""
    deadline = time.monotonic() + LONGEST_SECONDS
    read, call = 0, ""
    while time.monotonic() < deadline:
        over = ended()
        entries: list[bytes] = []
        with suppress(RedisAway):
            entries = breaker().call(partial(_read, key=_key(turn_id), start=read))
        for raw in entries:
            entry = json.loads(raw)
            yield Piece(text=entry["text"], again=bool(call) and entry["call"] != call)
            call = entry["call"]
        read += len(entries)
        if over and not entries:
            return
        if not entries:
            yield None
            time.sleep(LOOK_SECONDS)


class Seats:
    """How many may listen at once in this process: each holds one of its threads."""

    def __init__(self, count: int) -> None:
        self._free = threading.BoundedSemaphore(count)

    def take(self) -> bool:
        return self._free.acquire(blocking=False)

    def leave(self) -> None:
        self._free.release()


def _append(redis: Redis, *, key: str, entry: str) -> None:
    pipe = redis.pipeline()
    pipe.rpush(key, entry)
    pipe.expire(key, KEPT_SECONDS)
    pipe.execute()


def _read(redis: Redis, *, key: str, start: int) -> list[bytes]:
    return cast(list[bytes], redis.lrange(key, start, -1))


def _key(turn_id: UUID) -> str:
    return f"chat:{turn_id}"


def _reply_so_far(text: str) -> str:
    """The `reply` of JSON that is not complete yet."""
    with suppress(ValueError):
        value = jiter.from_json(text.encode(), partial_mode="trailing-strings")
        if isinstance(value, dict) and isinstance(value.get("reply"), str):
            return str(value["reply"])
    return ""
