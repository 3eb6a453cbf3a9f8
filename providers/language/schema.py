"""What of a JSON Schema goes over the wire.

`strict_schema` is what constrained decoding takes: every property required, no other allowed, no counts and no
lengths (Groq refused them in late 2025; the others take the same).
`gemini_schema` keeps what `responseJsonSchema` supports (google-genai 3.4.0).
"""

from collections.abc import Mapping
from typing import Any

STRICT_WORDS = frozenset({"type", "description", "enum", "anyOf", "items", "properties", "required"})
GEMINI_WORDS = STRICT_WORDS | frozenset(
    {"format", "prefixItems", "minItems", "maxItems", "minimum", "maximum", "oneOf", "additionalProperties"}
)
DEEPEST = 32
# What strict decoding does not hold is said to the model in the description.
LIMITS: Mapping[str, str] = {
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
}


class UnwritableSchema(ValueError):
    """A schema that constrained decoding has no form for: recursive, or with properties of any name."""


def whole_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with every `$ref` replaced by what it names. Raises UnwritableSchema if it is recursive."""
    whole: dict[str, Any] = _whole(schema, schema.get("$defs", {}), 0)
    whole.pop("$defs", None)
    return whole


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Raises UnwritableSchema."""
    written: dict[str, Any] = _strict(whole_schema(schema))
    return written


def gemini_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Raises UnwritableSchema."""
    written: dict[str, Any] = _gemini(whole_schema(schema))
    return written


def _whole(node: Any, definitions: Mapping[str, Any], depth: int) -> Any:
    if depth > DEEPEST:
        raise UnwritableSchema("the schema is recursive or too deep")
    if isinstance(node, list):
        return [_whole(item, definitions, depth) for item in node]
    if not isinstance(node, Mapping):
        return node
    if "$ref" in node:
        beside = {word: value for word, value in node.items() if word != "$ref"}
        return _whole({**definitions[node["$ref"].rpartition("/")[2]], **beside}, definitions, depth + 1)
    return {word: _whole(value, definitions, depth + 1) for word, value in node.items() if word != "$defs"}


def _strict(node: Mapping[str, Any]) -> dict[str, Any]:
    node = _plain(node)
    if isinstance(node.get("additionalProperties"), Mapping) or "prefixItems" in node:
        raise UnwritableSchema("properties of any name, or items each of its own kind")
    written = {word: value for word, value in node.items() if word in STRICT_WORDS}
    written = _inside(written, _strict)
    limits = [text.format(node[word]) for word, text in LIMITS.items() if word in node]
    if limits:
        written["description"] = "; ".join([*filter(None, [node.get("description")]), *limits])
    if written.get("type") == "object":
        properties = written.setdefault("properties", {})
        written["required"] = list(properties)
        written["additionalProperties"] = False
    return written


def _gemini(node: Mapping[str, Any]) -> dict[str, Any]:
    return _inside({word: value for word, value in _plain(node).items() if word in GEMINI_WORDS}, _gemini)


def _plain(node: Mapping[str, Any]) -> dict[str, Any]:
    """A constant is an enumeration of one; alternatives with a discriminator are alternatives."""
    plain = dict(node)
    if "const" in plain:
        plain["enum"] = [plain.pop("const")]
    if "oneOf" in plain:
        plain["anyOf"] = plain.pop("oneOf")
    match plain.pop("allOf", None):
        case [dict(only)]:
            plain = {**_plain(only), **plain}
        case None:
            pass
        case _:
            raise UnwritableSchema("several schemas at once")
    return plain


def _inside(node: dict[str, Any], write: Any) -> dict[str, Any]:
    for word, value in node.items():
        if word == "properties":
            node[word] = {name: write(inner) for name, inner in value.items()}
        elif word in ("anyOf", "oneOf", "prefixItems"):
            node[word] = [write(inner) for inner in value]
        elif word in ("items", "additionalProperties") and isinstance(value, Mapping):
            node[word] = write(value)
    return node
