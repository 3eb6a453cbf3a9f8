"""What of a schema is sent: enough for the vendor, and nothing it refuses."""

import json
from enum import StrEnum
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from pydantic import BaseModel, ConfigDict, Field

from providers.language.schema import UnwritableSchema, gemini_schema, strict_schema, whole_schema


class Kind(StrEnum):
    WIDE = "wide"
    CLOSE = "close"


class Cut(BaseModel):
    kind: Literal["cut"] = "cut"


class Fade(BaseModel):
    kind: Literal["fade"] = "fade"
    seconds: float = Field(1.0, ge=0.1, le=3)


class Scene(BaseModel):
    """A scene."""

    title: str = Field(max_length=40, pattern="^[A-Z]", description="Its name.")
    kind: Kind = Kind.WIDE
    ending: Annotated[Cut | Fade, Field(discriminator="kind")]
    tags: list[str] = Field(default_factory=list, min_length=1, max_length=5)
    note: str | None = None
    default: int = 3
    """A property of the name of a keyword."""


class Film(BaseModel):
    model_config = ConfigDict(extra="forbid")

    scenes: list[Scene] = Field(min_length=2, max_length=9)
    first: Scene


SCHEMA = Film.model_json_schema()
FILM: dict[str, Any] = {
    "scenes": [],
    "first": {
        "title": "A",
        "kind": "wide",
        "ending": {"kind": "fade", "seconds": 1},
        "tags": [],
        "note": None,
        "default": 3,
    },
}


def nodes(node: Any) -> list[dict[str, Any]]:
    found = [node]
    for inner in node.get("properties", {}).values():
        found += nodes(inner)
    for inner in node.get("anyOf", []):
        found += nodes(inner)
    if "items" in node:
        found += nodes(node["items"])
    return found


def test_a_strict_schema_requires_every_property_and_allows_no_other() -> None:
    objects = [node for node in nodes(strict_schema(SCHEMA)) if node.get("type") == "object"]

    assert len(objects) >= 5
    for node in objects:
        assert set(node["required"]) == set(node["properties"])
        assert node["additionalProperties"] is False


def test_a_strict_schema_has_only_words_that_are_taken() -> None:
    words = {word for node in nodes(strict_schema(SCHEMA)) for word in node}

    assert words <= {
        *("type", "description", "enum", "anyOf", "items", "properties", "required", "additionalProperties")
    }


def test_what_a_strict_schema_leaves_out_it_says_in_words() -> None:
    schema = strict_schema(SCHEMA)

    assert schema["properties"]["scenes"]["description"] == "at least 2 items; at most 9 items"
    title = schema["properties"]["first"]["properties"]["title"]
    assert title["description"] == "Its name.; at most 40 characters"


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    assert strict_schema(SCHEMA)["properties"]["first"]["properties"]["default"] == {"type": "integer"}


def test_what_keeps_the_schema_keeps_the_one_that_is_sent() -> None:
    for written in (strict_schema(SCHEMA), gemini_schema(SCHEMA)):
        jsonschema.Draft202012Validator.check_schema(written)
    jsonschema.validate(FILM, strict_schema(SCHEMA))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**FILM, "extra": 1}, strict_schema(SCHEMA))
    with pytest.raises(jsonschema.ValidationError, match=r"too short|non-empty"):
        jsonschema.validate(FILM, gemini_schema(SCHEMA))


def test_geminis_schema_keeps_counts_and_bounds() -> None:
    schema = gemini_schema(SCHEMA)

    assert schema["properties"]["scenes"]["maxItems"] == 9
    assert "pattern" not in json.dumps(schema)
    assert "maxLength" not in json.dumps(schema)


def test_nothing_is_left_to_look_up() -> None:
    for written in (whole_schema(SCHEMA), strict_schema(SCHEMA), gemini_schema(SCHEMA)):
        assert "$ref" not in json.dumps(written)
        assert "$defs" not in written


def test_the_given_schema_stays_as_it_was() -> None:
    before = json.dumps(SCHEMA)
    strict_schema(SCHEMA)
    gemini_schema(SCHEMA)
    assert json.dumps(SCHEMA) == before


class Tree(BaseModel):
    children: list["Tree"]


@pytest.mark.parametrize(
    "schema",
    [
        Tree.model_json_schema(),
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "array", "prefixItems": [{"type": "integer"}]},
        {"allOf": [{"type": "object"}, {"type": "object"}]},
    ],
    ids=["recursive", "any names", "a tuple", "all of several"],
)
def test_a_schema_without_a_strict_form_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(UnwritableSchema):
        strict_schema(schema)
