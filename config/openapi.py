"""What the API's description says beyond the serializers: a summary from each docstring, and every refusal."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.openapi import AutoSchema

from config.errors import STATUS


class Operation(AutoSchema):
    """The docstring of a method: its first line is the summary, the rest the description."""

    def get_summary(self) -> str:
        return self._said()[0]

    def get_description(self) -> str:  # type: ignore[override]
        return self._said()[1]

    def _said(self) -> tuple[str, str]:
        summary, _, rest = super().get_description().partition("\n")
        return summary.strip().removesuffix("."), rest.strip()


def add_refusals(result: dict[str, Any], generator: object, request: object, public: bool) -> dict[str, Any]:
    """A postprocessing hook of drf-spectacular: whatever is not described as a success is an `Error`."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Error"] = _error()
    components.setdefault("responses", {})["Refused"] = {
        "description": "What was wrong, where, and whether trying again can help.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = {"$ref": "#/components/responses/Refused"}
    return result


def _error() -> dict[str, Any]:
    codes = "\n".join(
        f"| `{kind.code}` | {number} {HTTPStatus(number).phrase} | {' '.join((kind.__doc__ or '').split())} |"
        for kind, number in sorted(STATUS.items(), key=lambda one: one[0].code)
    )
    return {
        "type": "object",
        "description": f"Every refusal has this shape.\n\n| code | status | |\n|---|---|---|\n{codes}",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "code": {"type": "string"},
                    "message": {"type": "string", "description": "For a person."},
                    "details": {
                        "type": "object",
                        "additionalProperties": True,
                        "description": "`field` names the field that was wrong; what else there is depends on the code.",
                    },
                    "retryable": {
                        "type": "boolean",
                        "description": "Whether the same request may work later.",
                    },
                },
                "required": ["code", "message", "details", "retryable"],
            }
        },
        "required": ["error"],
    }
