"""The base of every domain error.

Domain code raises; one table in `config.errors` maps each class to an HTTP status. Domain code knows no HTTP.
"""

from typing import Any, ClassVar


class DomainError(Exception):
    """Something could not be done."""

    # The machine word in the API's answer; snake_case, stable.
    code: ClassVar[str]
    # Whether the same request may succeed later with nothing changed.
    retryable: ClassVar[bool] = False

    def __init__(self, **details: Any) -> None:
        """`details` are JSON-ready facts; the class docstring, formatted with them, is the message."""
        self.details = details
        super().__init__((self.__doc__ or "").strip().format(**details))

    @property
    def message(self) -> str:
        return str(self)


class JobNotFound(DomainError):
    """There is no job with this id."""

    code = "not_found"


class JobNotCancellable(DomainError):
    """This kind of job can't be cancelled."""

    code = "not_cancellable"


class UnknownFilter(DomainError):
    """{reason}"""

    code = "invalid"
