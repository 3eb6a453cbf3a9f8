"""Answers with a whole video inside: a look waits longer for one than the client waits for any other answer."""

import json
import socket
import time
from typing import Any

import pytest

from providers.contract import RenderState, VideoProvider
from providers.errors import ReadFailed
from providers.http import Client, ClientConfig
from providers.video import edenai, gemini_omni, vertex
from providers.video.edenai import EdenAIProvider
from providers.video.gemini_omni import GeminiOmniProvider
from providers.video.vertex import VertexProvider
from tests.providers.contract import KEY
from tests.providers.servers import Behaviour, Received, serving


class Given:
    """A token without a service account."""

    def token(self, http: Client, *, instead_of: str = "") -> str:
        return KEY


def vertex_at(url: str, http: Client) -> VideoProvider:
    return VertexProvider(url=url, project="p", region="us-central1", tokens=Given(), http=http)


def omni_at(url: str, http: Client) -> VideoProvider:
    return GeminiOmniProvider(url=url, api_key=KEY, http=http)


def eden_at(url: str, http: Client) -> VideoProvider:
    return EdenAIProvider(url=url, api_key=KEY, http=http)


ADAPTERS: list[tuple[Any, Any, dict[str, Any]]] = [
    (
        vertex,
        vertex_at,
        {"name": "id-1", "done": True, "response": {"videos": [{"bytesBase64Encoded": "AAAA"}]}},
    ),
    (
        gemini_omni,
        omni_at,
        {
            "id": "id-1",
            "status": "completed",
            "steps": [{"type": "model_output", "content": [{"type": "video", "data": "AAAA"}]}],
        },
    ),
    (edenai, eden_at, {"public_id": "id-1", "status": "success", "output": {"video": "AAAA"}}),
]


def slowly(answer: dict[str, Any]) -> Behaviour:
    """An answer that takes three quarters of a second to arrive, a third of it each quarter."""
    body = json.dumps(answer).encode().replace(b"AAAA", b"A" * 300_000)

    def behave(connection: socket.socket, _: Received) -> None:
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        for start in range(0, len(body), len(body) // 3 + 1):
            time.sleep(0.25)
            connection.sendall(body[start : start + len(body) // 3 + 1])

    return behave


@pytest.mark.parametrize(
    ("module", "at", "answer"), ADAPTERS, ids=[one[0].__name__.rpartition(".")[2] for one in ADAPTERS]
)
def test_a_look_waits_for_a_whole_video(
    module: Any, at: Any, answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert module.LOOK_SECONDS == 40
    with serving(slowly(answer)) as server:
        http = Client(ClientConfig(allowed_origins=frozenset({server.url}), total_seconds=0.3))
        update = at(server.url, http).fetch("id-1")
        assert (update.state, bool(update.output)) == (RenderState.SUCCEEDED, True)
        # Not for ever.
        monkeypatch.setattr(module, "LOOK_SECONDS", 0.3)
        with pytest.raises(ReadFailed):
            at(server.url, http).fetch("id-1")
