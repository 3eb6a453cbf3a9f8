"""A small client of the REST API: what the demo needs of it."""

import email
import re
import time
import uuid
from collections.abc import Mapping
from email import policy
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import requests

TIMEOUT_SECONDS = 30
MAIL_SECONDS = 30


class Refused(Exception):
    """The API answered something else than what was expected."""

    def __init__(self, response: requests.Response) -> None:
        request = response.request
        super().__init__(f"{request.method} {request.url}: {response.status_code} {response.text[:300]}")


class Deviation(Exception):
    """Something is not as it must be."""


def expect(found: object, expected: object, what: str) -> None:
    """Raise Deviation unless it is as expected."""
    if found != expected:
        raise Deviation(f"{what}: {found!r} instead of {expected!r}")


class Client:
    """Speaks to one server, as one signed-in person once `sign_up` is done."""

    def __init__(self, address: str) -> None:
        self._root = f"{address}/api/v1/"
        self._session = requests.Session()
        self._refresh_token = ""

    def get(self, path: str, **parameters: str) -> Any:
        """GET; the JSON of a 200. Raises Refused."""
        return self._call("GET", path, 200, params=parameters).json()

    def post(self, path: str, body: Mapping[str, Any], expected: int = 201) -> Any:
        """POST with an idempotency key of its own; the JSON of the answer. Raises Refused."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return self._call("POST", path, expected, json=body, headers=headers).json()

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """PATCH; the JSON of a 200. Raises Refused."""
        return self._call("PATCH", path, 200, json=body).json()

    def everything(self, path: str) -> list[Any]:
        """Every page of a list."""
        found: list[Any] = []
        page = self.get(path)
        while True:
            found += page["results"]
            if page["next"] is None:
                return found
            page = self._call("GET", page["next"], 200).json()

    def upload(self, name: str, media_type: str, content: bytes) -> Any:
        """Bring a file by a pre-signed PUT; the asset, ready. Raises Refused or Deviation."""
        ticket = self.post("uploads/", {"name": name, "media_type": media_type, "bytes": len(content)})
        self.put_file(ticket["url"], ticket["headers"], content)
        asset = self.post(f"uploads/{ticket['asset']['id']}/finish/", {}, expected=200)
        expect(asset["state"], "ready", f"the uploaded {name}")
        return asset

    def put_file(self, url: str, headers: Mapping[str, str], content: bytes) -> None:
        """PUT a file where a pre-signed link says. Raises Refused."""
        response = requests.put(url, data=content, headers=dict(headers), timeout=TIMEOUT_SECONDS)
        if not response.ok:
            raise Refused(response)

    def download(self, path: str, target: Path) -> None:
        """Save what the address leads to."""
        response = self._call("GET", path, 200, stream=True)
        with target.open("wb") as file:
            for chunk in response.iter_content(1 << 20):
                file.write(chunk)

    def sign_up(self, address: str, password: str, mailbox: Path) -> None:
        """Make an account, confirm it with the link in the mail, and be signed in."""
        answer = self._call("POST", "auth/signup", 401, json={"email": address, "password": password}).json()
        confirmed = self._call(
            "POST",
            "auth/email/verify",
            200,
            json={"key": _key_in_mail(mailbox, address)},
            headers={"X-Session-Token": answer["meta"]["session_token"]},
        ).json()
        self._keep(confirmed["meta"])

    def _keep(self, tokens: Mapping[str, str]) -> None:
        self._refresh_token = tokens.get("refresh_token", self._refresh_token)
        self._session.headers["Authorization"] = f"Bearer {tokens['access_token']}"

    def _call(self, method: str, path: str, expected: int, **options: Any) -> requests.Response:
        url = path if path.startswith("http") else self._root + path
        response = self._session.request(method, url, timeout=TIMEOUT_SECONDS, **options)
        if response.status_code == 401 and expected != 401 and self._refresh_token:
            # Access tokens live for minutes.
            renewed = requests.post(
                f"{self._root}auth/refresh",
                json={"refresh_token": self._refresh_token},
                timeout=TIMEOUT_SECONDS,
            ).json()
            self._keep(renewed["data"])
            response = self._session.request(method, url, timeout=TIMEOUT_SECONDS, **options)
        if response.status_code != expected:
            raise Refused(response)
        return response


def _key_in_mail(mailbox: Path, address: str) -> str:
    """The key in the newest confirmation link sent to the address, once it is there."""
    deadline = time.monotonic() + MAIL_SECONDS
    while time.monotonic() < deadline:
        for file in sorted(mailbox.glob("*.log"), reverse=True):
            message = email.message_from_bytes(file.read_bytes(), policy=policy.default)
            body = message.get_body(("plain",))
            found = re.search(r"/verify-email/(\S+)", body.get_content() if body is not None else "")
            if address in str(message["To"]) and found is not None:
                return unquote(found[1])
        time.sleep(0.2)
    raise TimeoutError(f"no mail for {address} in {mailbox}")
