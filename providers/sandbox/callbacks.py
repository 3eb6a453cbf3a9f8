"""Tells clients about their videos: signed webhooks (Standard Webhooks), tried a few times."""

import asyncio
import json
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from providers.http import Client, HttpError
from providers.signatures import sign

TRY_AFTER_SECONDS = (0.0, 1.0, 5.0, 25.0)
ANSWER_SECONDS = 10.0
THREADS = 32


class Callbacks:
    def __init__(self, client: Client, secret: str) -> None:
        self._client = client
        self._secret = secret
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sandbox-callback")

    def message_id(self) -> str:
        return f"msg_{secrets.token_hex(12)}"

    async def deliver(
        self, url: str, kind: str, data: Mapping[str, Any], *, message_id: str, secret: str | None = None
    ) -> bool:
        """Whether the client took it (2xx), perhaps after a few tries. `secret` replaces our own."""
        message = {"type": kind, "created_at": datetime.now(UTC).isoformat(), "data": data}
        body = json.dumps(message).encode()
        for wait in TRY_AFTER_SECONDS:
            await asyncio.sleep(wait)
            headers = sign(secret or self._secret, message_id=message_id, at=datetime.now(UTC), body=body)
            loop = asyncio.get_running_loop()
            if await loop.run_in_executor(self._threads, self._post, url, body, headers):
                return True
        return False

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> bool:
        try:
            return self._client.request(
                "POST",
                url,
                body=body,
                headers={**headers, "Content-Type": "application/json"},
                total_seconds=ANSWER_SECONDS,
            ).ok
        except HttpError:
            return False
