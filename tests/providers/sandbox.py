"""The sandbox service as a test meets it: over HTTP, in a process that can be killed."""

import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from providers.contract import Mode, RenderRequest, RenderState, RenderUpdate, VideoProvider
from providers.http import Answer, Client, ClientConfig

WEBHOOK_SECRET = "whsec_" + "dGVzdHNlY3JldHRlc3RzZWNyZXR0ZXN0c2VjcmV0"
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
Found = TypeVar("Found")
ENDS = frozenset({RenderState.SUCCEEDED, RenderState.FAILED, RenderState.CANCELLED})

# Small and short, so that it renders in a blink.
A_REQUEST = RenderRequest(
    model="motion-1",
    mode=Mode.TEXT,
    prompt="A paper boat crosses a rain puddle",
    duration_seconds=2,
    resolution="480p",
    ratio="16:9",
    controls={"seconds": 0.3},
)


def a_token() -> str:
    return f"attempt-{secrets.token_hex(8)}"


def with_fault(fault: str, **controls: float) -> RenderRequest:
    return replace(A_REQUEST, controls={"seconds": 0.3, **controls, "fault": fault})


def until(look: Callable[[], Found], *, seconds: float = 30) -> Found:
    """The first true thing that `look` answers."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing within {seconds} s"
        time.sleep(0.03)
    return found


def ended(provider: VideoProvider, external_id: str, *, seconds: float = 30) -> RenderUpdate:
    def look() -> RenderUpdate | None:
        update = provider.fetch(external_id)
        return update if update.state in ENDS else None

    found = until(look, seconds=seconds)
    assert found is not None
    return found


@dataclass
class RunningSandbox:
    url: str
    key: str

    def __post_init__(self) -> None:
        self.http = Client(ClientConfig(allowed_origins=frozenset({self.url})))

    def call(self, method: str, path: str, json: object = None, **headers: str) -> Answer:
        return self.http.request(
            method, f"{self.url}{path}", json=json, headers={"Authorization": f"Bearer {self.key}"} | headers
        )

    def audit(self, client_reference: str) -> list[dict[str, Any]]:
        answer = self.call("GET", f"/v1/_audit?client_reference={client_reference}")
        results: list[dict[str, Any]] = answer.json()["results"]
        return results


@dataclass
class OwnSandbox:
    """A service of the test's own, that can be killed and started again on the same data."""

    data: Path
    flags: tuple[str, ...] = ()
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "OwnSandbox":
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            self.port = holder.getsockname()[1]
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGTERM)

    @property
    def running(self) -> RunningSandbox:
        return RunningSandbox(f"http://127.0.0.1:{self.port}", "own-key")

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "providers.sandbox", "--port", str(self.port)),
                *("--data", str(self.data), *self.flags),
            ],
            env={"SANDBOX_API_KEY": "own-key", "SANDBOX_WEBHOOK_SECRET": WEBHOOK_SECRET},
        )
        until(self._accepts, seconds=20)

    def stop(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(10)

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
