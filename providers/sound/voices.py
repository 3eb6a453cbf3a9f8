"""The voices of an account at ElevenLabs, by name and by id, asked for rarely."""

import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from providers.http import BadStatus, Client, Interrupted, UnusableBody

KEPT_SECONDS = 6 * 3600.0
# A voice that is not there may have been made since; a wrong name must not ask each time.
ASKED_AGAIN_SECONDS = 60.0
PAGE = 100
PAGES = 20
LIST_SECONDS = 15.0


class Voices:
    """Shared by threads. Names compare without regard to case."""

    def __init__(self, http: Client, url: str, headers: Mapping[str, str]) -> None:
        self._http = http
        self._url = url
        self._headers = headers
        self._lock = threading.Lock()
        self._ids: Mapping[str, str] = {}
        self._asked_at: float | None = None

    def find(self, voice: str) -> str | None:
        """The id of the voice with that id or name; None where the account has none. Raises HttpError."""
        if not self._lock.acquire(timeout=LIST_SECONDS):
            # Somebody else's list does not come; ours would not either.
            raise Interrupted(urlsplit(self._url).hostname or "?")
        try:
            age = None if self._asked_at is None else time.monotonic() - self._asked_at
            known = self._ids.get(voice) or self._ids.get(voice.casefold())
            if age is None or age > (KEPT_SECONDS if known else ASKED_AGAIN_SECONDS):
                self._ids = self._list()
                self._asked_at = time.monotonic()
                known = self._ids.get(voice) or self._ids.get(voice.casefold())
            return known
        finally:
            self._lock.release()

    def forget(self) -> None:
        """A voice that was there is gone: the next look is a new one."""
        with self._lock:
            self._asked_at = None

    def _list(self) -> Mapping[str, str]:
        ids: dict[str, str] = {}
        names: dict[str, str] = {}
        token = ""
        ends_at = time.monotonic() + LIST_SECONDS
        for _ in range(PAGES):
            query = {"page_size": PAGE, **({"next_page_token": token} if token else {})}
            page = self._page(f"{self._url}/v2/voices?{urlencode(query)}", ends_at - time.monotonic())
            for voice in page["voices"]:
                match voice:
                    case {"voice_id": str(id), "name": str(name)}:
                        ids[id] = id
                        names.setdefault(name.strip().casefold(), id)
                        # Premade voices are listed as "George - Warm Storyteller".
                        names.setdefault(name.partition(" - ")[0].strip().casefold(), id)
            match page:
                case {"has_more": True, "next_page_token": str(token)} if token:
                    continue
            break
        return names | ids

    def _page(self, url: str, seconds: float) -> Mapping[str, Any]:
        # What is left may be nothing: then the client sends nothing.
        answer = self._http.request("GET", url, headers=self._headers, total_seconds=max(seconds, 0.001))
        if not answer.ok:
            raise BadStatus(answer.host, answer)
        page = answer.json()
        if not isinstance(page, dict) or not isinstance(page.get("voices"), list):
            raise UnusableBody(urlsplit(url).hostname or "?")
        return page
