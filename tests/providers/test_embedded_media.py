"""Videos inside JSON: whatever the pieces they come in, the rest stays as it was and the bytes are exact."""

import base64
import io
import json
import time
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.embedded_media import CUT, LONGEST_KEPT, NotBase64, cut

CONTENT = bytes(range(256)) * 40
TEXT = base64.b64encode(CONTENT).decode()
LONG = "x" * (LONGEST_KEPT + 1)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=25,
)
layouts = st.fixed_dictionaries({"ensure_ascii": st.booleans(), "indent": st.none() | st.integers(0, 3)})


def pieces(body: bytes, places: Iterable[int]) -> list[bytes]:
    """`body`, cut at these places."""
    at = sorted({0, len(body), *(place % (len(body) + 1) for place in places)})
    return [body[start:end] for start, end in pairwise(at)]


def by(size: int, body: bytes) -> list[bytes]:
    return pieces(body, range(0, len(body), size))


def skeleton(body: bytes, size: int = 1 << 16) -> Any:
    return json.loads(b"".join(cut(by(size, body))))


def found(body: bytes, field: str = "video", size: int = 1 << 16) -> bytes:
    """What the field's text stands for."""
    to = io.BytesIO()
    for _ in cut(by(size, body), field=field, to=to):
        pass
    return to.getvalue()


@settings(max_examples=200, deadline=None)
@given(value=json_values, layout=layouts, places=st.lists(st.integers(min_value=0), max_size=30))
def test_json_without_long_strings_stays_as_it_is_byte_by_byte(
    value: Any, layout: dict[str, Any], places: list[int]
) -> None:
    body = json.dumps(value, **layout).encode()
    assert b"".join(cut(pieces(body, places))) == body


@settings(max_examples=100, deadline=None)
@given(
    before=json_values,
    after=json_values,
    content=st.binary(max_size=400),
    places=st.lists(st.integers(min_value=0), max_size=40),
    slashes=st.booleans(),
    prefix=st.sampled_from(["", "data:video/mp4;base64,"]),
)
def test_the_fields_bytes_come_out_exactly_wherever_the_pieces_begin(
    before: Any, after: Any, content: bytes, places: list[int], slashes: bool, prefix: str
) -> None:
    text = prefix + base64.b64encode(content).decode()
    body = json.dumps({"k": [before], "output": {"the video": text}, "z": after}).encode()
    if slashes:
        body = body.replace(b"/", b"\\/")
    to = io.BytesIO()
    left = b"".join(cut(pieces(body, places), field="the video", to=to))
    assert to.getvalue() == content
    assert left == body, "short strings stay"


@settings(max_examples=30, deadline=None)
@given(
    length=st.integers(LONGEST_KEPT - 3, LONGEST_KEPT + 3),
    places=st.lists(st.integers(min_value=0), max_size=8),
)
def test_a_long_string_is_cut_and_no_other(length: int, places: list[int]) -> None:
    body = json.dumps({"a": "y" * length, "b": ["short", {"c": 1.50}]}).encode()
    left = json.loads(b"".join(cut(pieces(body, places))))
    assert left == {"a": CUT if length > LONGEST_KEPT else "y" * length, "b": ["short", {"c": 1.5}]}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 1 << 16])
def test_a_video_comes_out_whatever_the_pieces(size: int) -> None:
    assert found(json.dumps({"video": TEXT, "more": LONG}).encode(), size=size) == CONTENT


@pytest.mark.parametrize("size", [1, 2, 3, 11, 1 << 16])
@pytest.mark.parametrize(
    "escaped",
    [
        TEXT.replace("/", "\\/"),
        TEXT.replace("+", "\\u002b").replace("=", "\\u003D"),
        TEXT.replace("/", "\\/").replace("+", "\\u002B"),
        "\\r\\n".join(TEXT[start : start + 76] for start in range(0, len(TEXT), 76)) + "\\n",
        "data:video\\/mp4;base64," + TEXT.replace("/", "\\/"),
    ],
    ids=["slashes", "letters", "both", "lines", "data URI"],
)
def test_escapes_are_read_as_what_they_stand_for(escaped: str, size: int) -> None:
    body = f'{{"a": "\\\\", "video": "{escaped}", "b": "\\""}}'.encode()
    assert json.loads(body)["b"] == '"'
    assert found(body, size=size) == CONTENT


@pytest.mark.parametrize("size", [1, 3, 1 << 16])
@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("", b""),
        ("QQ==", b"A"),
        ("QUI=", b"AB"),
        ("QUJD", b"ABC"),
        ("data:,", b""),
        ("data:;base64,QQ==", b"A"),
        ("data:video/mp4;charset=x;base64,QUJDQQ==", b"ABCA"),
        ("data", b"u\xabZ"),
    ],
)
def test_short_videos_are_read_too(text: str, content: bytes, size: int) -> None:
    assert found(json.dumps({"video": text}).encode(), size=size) == content


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 1 << 16])
@pytest.mark.parametrize(
    "text",
    [
        "Q",
        "QQ",
        "QQ=",
        "QQ==QUJD",
        "QUI=QQ==",
        "QQ===",
        "====",
        "QU JD",
        "QU-_",
        "QUJD%",
        "https://files.example/a.mp4",
        "data:video/mp4;base64",
        "data:" + "x" * 2_000 + ",QUJD",
        "data:" + LONG,
        "é",
        "\u0000",
        '"',
        "\\",
    ],
)
def test_what_is_no_base64_is_refused_wherever_the_pieces_begin(text: str, size: int) -> None:
    if size < 5 and len(text) > 10_000:
        return
    for body in (json.dumps({"video": text}), json.dumps({"video": text}, ensure_ascii=False)):
        with pytest.raises(NotBase64):
            found(body.encode(), size=size)


def test_an_escape_that_nobody_knows_is_refused() -> None:
    for escape in ("\\u12", "\\uZZZZ", "\\x41"):
        with pytest.raises(NotBase64):
            found(f'{{"video": "QUJD{escape}QUJD"}}'.encode())


@pytest.mark.parametrize(
    ("body", "content"),
    [
        ({"video": "QQ==", "output": {"video": "Qg=="}}, b"A"),
        ({"output": {"video": "Qg=="}, "video": "QQ=="}, b"B"),
        ({"video": None, "output": {"video": "Qg=="}}, b"B"),
        ({"video": {"video": "Qg=="}}, b"B"),
        ({"video": 5, "list": [{"video": "Qg=="}, {"video": "QQ=="}]}, b"B"),
        ({"video": ["QQ=="], "output": {"video": "Qg=="}}, b"B"),
        ({"feature": "video", "list": ["video", "QQ=="], "output": {"video": "Qg=="}}, b"B"),
        ({'a "video": ': 'x "video": "QQ=="', "output": {"video": "Qg=="}}, b"B"),
        ({"Video": "QQ==", "video ": "QQ==", "my_video": "QQ=="}, b""),
        ({LONG: "QQ==", "video": "Qg=="}, b"B"),
        (["video", "QQ=="], b""),
        ("video", b""),
    ],
)
def test_the_video_is_the_first_string_that_has_the_fields_name(body: Any, content: bytes) -> None:
    for text in (json.dumps(body), json.dumps(body, indent=2), json.dumps(body, separators=(",", ":"))):
        for size in (1, 1 << 16):
            if size == 1 and len(text) > 10_000:
                continue
            assert found(text.encode(), size=size) == content


def test_a_key_with_escapes_is_the_same_key() -> None:
    assert found(b'{"vid\\u0065o": "QUJD"}') == b"ABC"
    assert found('{"vidéo": "QUJD"}'.encode(), field="vidéo") == b"ABC"
    assert found(b'{"vid\\u00e9o": "QUJD"}', field="vidéo", size=1) == b"ABC"


def test_what_is_cut_off_is_no_json_any_more() -> None:
    body = json.dumps({"status": "success", "output": {"video": TEXT + TEXT * 5, "x": 1}}).encode()
    for length in (1, 20, 45, LONGEST_KEPT + 100, len(body) - 20, len(body) - 1):
        with pytest.raises(ValueError, match=r"."):
            skeleton(body[:length])
    assert skeleton(body)["output"]["x"] == 1


@pytest.mark.parametrize("body", [b"<html>busy", b"", b"\xff\xfe\x00", b'"', b'{"a": "b"', b"[1, 2"])
def test_what_is_no_json_passes_through(body: bytes) -> None:
    assert b"".join(cut([body])) == body


def test_a_field_is_written_as_it_comes() -> None:
    to = io.BytesIO()
    body = json.dumps({"video": TEXT}).encode()
    stream = iter(cut(by(1_000, body), field="video", to=to))
    next(stream)
    assert 0 < len(to.getvalue()) < len(CONTENT)
    assert CONTENT.startswith(to.getvalue())


WITHOUT_PADDING = base64.b64encode(CONTENT[:9_999]).decode()


@pytest.mark.parametrize(
    ("text", "size", "bar"),
    [
        (WITHOUT_PADDING, 40_000_000, 120),
        (WITHOUT_PADDING.replace("/", "\\/"), 20_000_000, 40),
        ("\\n", 1_000_000, 0.3),
        ("QUJD\\u002b\\/\\/\\/", 1_000_000, 0.3),
    ],
    ids=["plain", "escaped slashes", "lines", "every escape"],
)
def test_a_long_video_passes_quickly(text: str, size: int, bar: float) -> None:
    """In megabytes of JSON a second, the best of three: a third of what an idle machine does, at least.

    Escapes must not take the square of their number.
    """
    body = b'{"video": "' + (text * (size // len(text))).encode() + b'"}'
    best = 0.0
    for _ in range(3):
        started = time.process_time()
        found(body)
        best = max(best, len(body) / (time.process_time() - started) / 1e6)
    assert best > bar
