"""What the vendors' own clients never send wrongly, sent wrongly: the simulators refuse it as the vendors do."""

import ast
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import requests

import tests.vendors
from tests.vendors import Failure, Gemini, Groq, Silence, Xai

START = {
    "X-Goog-Upload-Protocol": "resumable",
    "X-Goog-Upload-Command": "start",
    "X-Goog-Upload-Header-Content-Length": "600000",
    "X-Goog-Upload-Header-Content-Type": "video/mp4",
}
UNIT = 256 << 10


def upload(gemini: Gemini, **headers: str) -> requests.Response:
    return requests.post(
        f"{gemini.root}/upload/v1beta/files",
        json={"file": {"displayName": "film"}},
        headers={"x-goog-api-key": gemini.key, **START, **headers},
        timeout=5,
    )


def send(address: str, content: bytes, offset: int, command: str) -> requests.Response:
    headers = {"X-Goog-Upload-Offset": str(offset), "X-Goog-Upload-Command": command}
    return requests.post(address, data=content, headers=headers, timeout=5)


def test_an_upload_in_chunks_is_active_until_it_is_final(gemini: Gemini) -> None:
    address = upload(gemini).headers["x-goog-upload-url"]

    first = send(address, b"a" * UNIT, 0, "upload")
    last = send(address, b"b" * (600_000 - UNIT), UNIT, "upload, finalize")

    assert first.headers["x-goog-upload-status"] == "active"
    assert last.headers["x-goog-upload-status"] == "final"
    assert last.json()["file"]["sizeBytes"] == "600000"
    assert send(address, b"", 600_000, "upload, finalize").status_code == 404


@pytest.mark.parametrize(
    ("content", "offset", "command"),
    [
        (b"a" * UNIT, 5, "upload"),
        (b"a" * 1000, 0, "upload"),
        (b"a" * UNIT, 0, "upload, finalize"),
        (b"a" * UNIT, 0, "finish"),
    ],
    ids=["a wrong offset", "a chunk of no whole units", "too little", "an unknown command"],
)
def test_a_wrong_chunk_is_refused(gemini: Gemini, content: bytes, offset: int, command: str) -> None:
    address = upload(gemini).headers["x-goog-upload-url"]

    refused = send(address, content, offset, command)

    assert refused.status_code == 400
    assert "x-goog-upload-status" not in refused.headers
    assert not gemini.files


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Goog-Upload-Protocol": "multipart"},
        {"X-Goog-Upload-Command": "upload"},
        {"X-Goog-Upload-Header-Content-Length": "much"},
        {"X-Goog-Upload-Header-Content-Type": ""},
        {"X-Goog-Upload-Header-Content-Length": str(3 << 30)},
        {"x-goog-api-key": "wrong"},
    ],
    ids=["protocol", "command", "length", "type", "3 GB", "key"],
)
def test_a_wrong_start_of_an_upload_is_refused(gemini: Gemini, headers: dict[str, str]) -> None:
    assert upload(gemini, **headers).status_code == 400


TEXT = {"text": "Hi."}
PICTURE = {"mimeType": "image/jpeg", "data": b64encode(b"picture").decode()}
WRONG: dict[str, dict[str, Any]] = {
    "no contents": {"contents": []},
    "no parts": {"contents": [{"parts": []}]},
    "an unknown role": {"contents": [{"role": "system", "parts": [TEXT]}]},
    "an unknown field": {"colour": "red"},
    "an unknown part": {"contents": [{"parts": [{"word": "Hi."}]}]},
    "no base64": {"contents": [{"parts": [{"inlineData": {"mimeType": "image/jpeg", "data": "%%"}}]}]},
    "25 frames a second": {"contents": [{"parts": [{"inlineData": PICTURE, "videoMetadata": {"fps": 25}}]}]},
    "an offset that is no duration": {
        "contents": [{"parts": [{"inlineData": PICTURE, "videoMetadata": {"startOffset": 3}}]}]
    },
    "an unknown processing": {"contents": [{"parts": [{"inlineData": PICTURE, "mediaProcessing": "MAGIC"}]}]},
    "an unknown harm": {"safetySettings": [{"category": "HARM_CATEGORY_BOREDOM", "threshold": "BLOCK_NONE"}]},
    "an unknown threshold": {
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_SOME"}]
    },
    "a lower-case type": {
        "generationConfig": {"responseMimeType": "application/json", "responseSchema": {"type": "object"}}
    },
    "an address without https": {
        "contents": [{"parts": [{"fileData": {"fileUri": "http://example.com/a.mp4"}}]}]
    },
    "an unknown level": {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LITTLE"}}},
}


@pytest.mark.parametrize("name", WRONG)
def test_gemini_refuses_a_wrong_request(gemini: Gemini, name: str) -> None:
    refused = requests.post(
        f"{gemini.root}/v1beta/models/gemini-3.8-flash:generateContent",
        json={"contents": [{"role": "user", "parts": [TEXT]}], **WRONG[name]},
        headers={"x-goog-api-key": gemini.key},
        timeout=5,
    )
    assert refused.status_code == 400
    assert refused.json()["error"]["status"] == "INVALID_ARGUMENT"


def test_gemini_2_5_has_no_thinking_level(gemini: Gemini) -> None:
    refused = requests.post(
        f"{gemini.root}/v1beta/models/gemini-2.5-flash:generateContent",
        json={
            "contents": [{"parts": [TEXT]}],
            "generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}},
        },
        headers={"x-goog-api-key": gemini.key},
        timeout=5,
    )
    assert refused.status_code == 400


def test_a_key_in_the_address_is_no_key(gemini: Gemini) -> None:
    assert requests.get(f"{gemini.root}/v1beta/models?key={gemini.key}", timeout=5).status_code == 400


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [(b"{", "application/json", 400), (b"[]", "application/json", 400), (b"{}", "text/plain", 415)],
)
def test_what_is_no_json_object_is_refused(
    groq: Groq, xai: Xai, content: bytes, media_type: str, status: int
) -> None:
    for simulator in (groq, xai):
        headers = {"Authorization": f"Bearer {simulator.key}", "Content-Type": media_type}
        refused = requests.post(f"{simulator.url}/chat/completions", data=content, headers=headers, timeout=5)
        assert refused.status_code == status


def test_unknown_addresses_are_not_found(groq: Groq, xai: Xai, gemini: Gemini) -> None:
    headers = {"Authorization": f"Bearer {groq.key}"}
    assert requests.get(f"{groq.url}/chat", headers=headers, timeout=5).status_code == 404
    assert requests.get(f"{groq.root}/chat/completions", headers=headers, timeout=5).status_code == 404
    headers = {"Authorization": f"Bearer {xai.key}"}
    assert requests.get(f"{xai.url}/chat/completions", headers=headers, timeout=5).status_code == 405
    assert requests.get(f"{xai.url}/chat", headers=headers, timeout=5).status_code == 404
    headers = {"x-goog-api-key": gemini.key}
    assert requests.get(f"{gemini.root}/v1beta/films", headers=headers, timeout=5).status_code == 404


def test_xai_has_two_forms_of_error() -> None:
    for form in ("nested", "flat"):
        with Xai(error_form=form) as xai:
            xai.answers(Failure(429, "rate_limit_exceeded", retry_after=9))
            refused = requests.post(
                f"{xai.url}/chat/completions",
                json={"model": "grok-4", "messages": [{"role": "user", "content": "Hi."}]},
                headers={"Authorization": f"Bearer {xai.key}"},
                timeout=5,
            )
        assert refused.headers["retry-after"] == "9"
        error = refused.json()["error"]
        assert isinstance(error, dict if form == "nested" else str)


def test_a_simulator_closes_while_a_client_waits(groq: Groq) -> None:
    with Groq(key=groq.key) as other:
        other.answers(Silence())
        with pytest.raises(requests.RequestException):
            requests.post(
                f"{other.url}/chat/completions",
                json={"model": "openai/gpt-oss-20b", "messages": [{"role": "user", "content": "Hi."}]},
                headers={"Authorization": f"Bearer {other.key}"},
                timeout=0.2,
            )


def test_the_simulators_share_no_code_with_what_they_test() -> None:
    for path in Path(tests.vendors.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names.append(node.module or "")
            assert not any(name.split(".")[0] in ("providers", "openai", "groq", "google") for name in names)
