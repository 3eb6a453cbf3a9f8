"""OpenAI's chat completions, as far as Groq, xAI and Gemini share them: checks of a request, forms of an answer."""

import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema

from .server import Refused, Words

Check = Callable[[Any], bool]
INVALID = "invalid_request_error"
ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What the vendor knows of one of its models."""

    context_tokens: int = 131_072
    max_output_tokens: int = 65_536
    vision: bool = False
    strict: bool = True
    best_effort: bool = True
    reasoning: bool = False
    efforts: frozenset[str] = frozenset()


def string(value: Any) -> bool:
    return isinstance(value, str)


def boolean(value: Any) -> bool:
    return isinstance(value, bool)


def mapping(value: Any) -> bool:
    return isinstance(value, dict)


def array(value: Any) -> bool:
    return isinstance(value, list)


def whole(value: Any) -> bool:
    return type(value) is int


def positive(value: Any) -> bool:
    return type(value) is int and value > 0


def between(low: float, high: float) -> Check:
    return lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    )


def one_of(*words: object) -> Check:
    return lambda value: value in words


def stops(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and len(value) <= 4 and all(map(string, value)))


def check_fields(body: Mapping[str, Any], fields: Mapping[str, Check]) -> None:
    """Every field known and of its kind, `model` and `messages` there. Raises Refused."""
    for name, value in body.items():
        if name not in fields:
            raise Refused(400, INVALID, f"property '{name}' is unsupported", param=name)
        if value is not None and not fields[name](value):
            raise Refused(400, INVALID, f"'{name}' : value is invalid", param=name)
    for name in ("model", "messages"):
        if not body.get(name):
            raise Refused(400, INVALID, f"property '{name}' is missing", param=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What the messages hold."""

    text: str
    pictures: int
    picture_bytes: int

    @property
    def tokens(self) -> int:
        return len(self.text) // 4 + 1 + 560 * self.pictures


def read_messages(messages: list[Any]) -> Read:
    """Raises Refused for what is not a message."""
    texts: list[str] = []
    pictures = size = 0
    for number, message in enumerate(messages):
        where = f"messages.{number}"
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise Refused(400, INVALID, f"'{where}' : discriminator property 'role' is invalid", param=where)
        match message.get("content"):
            case str(text):
                texts.append(text)
            case [_, *_] as parts if message["role"] == "user":
                for part in parts:
                    match part:
                        case {"type": "text", "text": str(text)}:
                            texts.append(text)
                        case {"type": "image_url", "image_url": {"url": str(url), **rest}} if not (
                            rest.keys() - {"detail"}
                        ):
                            pictures += 1
                            size += _picture_bytes(url, where)
                        case _:
                            raise Refused(400, INVALID, f"'{where}.content' : a part is invalid", param=where)
            case _:
                raise Refused(400, INVALID, f"'{where}.content' : is invalid", param=where)
    return Read(text="\n".join(texts), pictures=pictures, picture_bytes=size)


def _picture_bytes(url: str, where: str) -> int:
    if url.startswith("https://"):
        return 0
    found = re.fullmatch(r"data:image/(?:jpeg|png|webp);base64,([A-Za-z0-9+/=]+)", url)
    if found:
        try:
            return len(b64decode(found[1], validate=True))
        except Base64Error:
            pass
    raise Refused(400, INVALID, f"'{where}.content' : invalid image data", param=where)


def check_format(response_format: Any, read: Read, *, counts: bool) -> Mapping[Any, Any] | None:
    """The schema that the answer keeps, where one is given; `counts`: whether minItems is taken. Raises Refused."""
    match response_format:
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            if "json" not in read.text.lower():
                raise Refused(
                    400, INVALID, "'messages' must contain the word 'json' in some form", param="messages"
                )
            return None
        case {"type": "json_schema", "json_schema": {"name": str(name), "schema": {**schema}, **rest}}:
            if not NAME.fullmatch(name):
                raise Refused(
                    400, INVALID, "'response_format.json_schema.name' : is invalid", param="response_format"
                )
            if rest.keys() - {"strict", "description"}:
                raise Refused(
                    400, INVALID, "'response_format.json_schema' : unknown field", param="response_format"
                )
            try:
                jsonschema.Draft202012Validator.check_schema(schema)
            except jsonschema.SchemaError as error:
                raise _bad_schema(error.message) from None
            if not counts:
                _no_counts(schema)
            if rest.get("strict"):
                _check_strict(schema)
            return schema
        case _:
            raise Refused(400, INVALID, "'response_format' : is invalid", param="response_format")


def _bad_schema(message: str) -> Refused:
    return Refused(
        400, INVALID, f"invalid JSON schema for response_format: {message}", param="response_format"
    )


def _nodes(node: Any) -> Iterator[dict[Any, Any]]:
    """Every schema in a schema."""
    if not isinstance(node, dict):
        return
    yield node
    for word in ("properties", "$defs"):
        for inner in (node.get(word) or {}).values():
            yield from _nodes(inner)
    for word in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for inner in node.get(word) or []:
            yield from _nodes(inner)
    for word in ("items", "additionalProperties"):
        yield from _nodes(node.get(word))


def _no_counts(schema: Mapping[Any, Any]) -> None:
    for node in _nodes(schema):
        for word in ("minItems", "maxItems"):
            if word in node:
                raise _bad_schema(f"`{word}` is not supported")


def _check_strict(schema: Mapping[Any, Any]) -> None:
    if schema.get("type") != "object":
        raise _bad_schema("the root must be an object")
    for node in _nodes(schema):
        if "object" not in _types(node):
            continue
        if node.get("additionalProperties") is not False:
            raise _bad_schema("`additionalProperties:false` must be set on every object")
        if set(node.get("required", ())) != set(node.get("properties", {})):
            raise _bad_schema("`required` must include every key in properties")


def _types(node: Mapping[str, Any]) -> list[str]:
    kind = node.get("type", "object" if "properties" in node else "")
    return kind if isinstance(kind, list) else [kind]


def keeps(text: str, schema: Mapping[str, Any] | None) -> bool:
    """Whether the text is JSON, and of the schema."""
    try:
        found = json.loads(text)
        if schema is not None:
            jsonschema.validate(found, schema, cls=jsonschema.Draft202012Validator)
    except (ValueError, jsonschema.ValidationError):
        return False
    return True


def usage(words: Words, read: Read, *, thinking_inside: bool) -> dict[str, Any]:
    """`thinking_inside`: whether the completion's tokens count thinking."""
    given = read.tokens if words.input_tokens is None else words.input_tokens
    written = len(words.text) // 4 + 1 if words.output_tokens is None else words.output_tokens
    completion = written + (words.thinking_tokens if thinking_inside else 0)
    report: dict[str, Any] = {
        "prompt_tokens": given,
        "completion_tokens": completion,
        "total_tokens": given + written + words.thinking_tokens,
    }
    if words.cached_tokens:
        report["prompt_tokens_details"] = {"cached_tokens": words.cached_tokens}
    if words.thinking_tokens:
        report["completion_tokens_details"] = {"reasoning_tokens": words.thinking_tokens}
    return report


def completion(words: Words, *, id: str, model: str, usage: Mapping[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": words.text}
    if words.refusal:
        message |= {"content": None, "refusal": words.text}
    if words.thought:
        message["reasoning"] = words.thought
    return {
        "id": id,
        "object": "chat.completion",
        "created": 1_795_132_800,
        "model": words.model or model,
        "choices": [{"index": 0, "message": message, "finish_reason": words.finish, "logprobs": None}],
        "usage": dict(usage),
    }


def chunks(words: Words, *, id: str, model: str) -> Iterator[dict[str, Any]]:
    """The stream's chunks, the last with the reason of its end; usage is the vendor's own matter."""

    def chunk(delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {
            "id": id,
            "object": "chat.completion.chunk",
            "created": 1_795_132_800,
            "model": words.model or model,
            "choices": [{"index": 0, "delta": dict(delta), "finish_reason": finish, "logprobs": None}],
        }

    yield chunk({"role": "assistant", "content": ""})
    if words.thought:
        yield chunk({"reasoning": words.thought})
    for start in range(0, len(words.text), words.piece_length):
        piece = words.text[start : start + words.piece_length]
        yield chunk({"refusal": piece} if words.refusal else {"content": piece})
    yield chunk({}, words.finish)


def event(body: object) -> bytes:
    """One event of a stream."""
    return b"data: " + json.dumps(body).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
