"""A Supabase project on this machine: what it publishes, and what it says of its users, over HTTP."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts import supabase
from providers import http

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass
class Project:
    """A Supabase project: its published keys and its `/user`, over HTTP on this machine."""

    issuer: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    away: bool = False
    private: dict[str, PrivateKey] = field(default_factory=dict)

    def publish(self, key_id: str, key: PrivateKey | None = None) -> PrivateKey:
        key = key or ec.generate_private_key(ec.SECP256R1())
        algorithm = jwt.algorithms.get_default_algorithms()["ES256" if _is_curve(key) else "RS256"]
        public = algorithm.to_jwk(key.public_key(), as_dict=True)
        self.keys.append(
            {**public, "kid": key_id, "alg": "ES256" if _is_curve(key) else "RS256", "use": "sig"}
        )
        self.private[key_id] = key
        return key

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": "authenticated",
            "sub": str(uuid4()),
            "role": "authenticated",
            "iat": now,
            "exp": now + 3600,
            "email": "ana@example.com",
            "phone": "",
            "is_anonymous": False,
            "aal": "aal1",
            "session_id": str(uuid4()),
            "user_metadata": {"email_verified": True},
        } | changes
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key_id: str = "one", **changes: Any) -> str:
        key = self.private[key_id]
        algorithm = "ES256" if _is_curve(key) else "RS256"
        return jwt.encode(self.claims(**changes), key, algorithm=algorithm, headers={"kid": key_id})


def _is_curve(key: PrivateKey) -> bool:
    return isinstance(key, ec.EllipticCurvePrivateKey)


def me(client: APIClient, token: str) -> Any:
    return client.get("/api/v1/me/", headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def project(settings: Settings) -> Iterator[Project]:
    project = Project()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            project.asked.append(self.path)
            user = project.users.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
            if project.away:
                self.answer(503, {})
            elif self.path.endswith("/jwks.json"):
                self.answer(200, {"keys": project.keys})
            elif user is None or self.headers.get("apikey") != "publishable":
                self.answer(401, {})
            else:
                self.answer(200, user)

        def answer(self, status: int, body: Mapping[str, Any]) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    origin = f"http://127.0.0.1:{server.server_port}"
    project.issuer = f"{origin}/auth/v1"
    project.publish("one")
    settings.SUPABASE_ISSUER = project.issuer
    before = http.client().config
    http.configure(http.ClientConfig(allowed_origins=frozenset({origin})))
    supabase.verifier.cache_clear()
    yield project
    supabase.verifier.cache_clear()
    http.configure(before)
    server.shutdown()
    thread.join()
    server.server_close()
