"""Which request, user and work the current thread is busy with: every log line carries it (`config.logs`)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_EMPTY: Mapping[str, str] = {}
_context: ContextVar[Mapping[str, str]] = ContextVar("log_context", default=_EMPTY)


@contextmanager
def log_context(**ids: object) -> Iterator[None]:
    """Add ids (`request`, `user`, `job`, `generation`, `attempt` …) to every log line of the block.

    Only names and ids: what is put here is written to the log as it is. A value of None adds nothing.
    """
    added = {name: str(value) for name, value in ids.items() if value is not None}
    token = _context.set({**_context.get(), **added})
    try:
        yield
    finally:
        _context.reset(token)


def current() -> Mapping[str, str]:
    """The ids in force."""
    return _context.get()


def add(**ids: object) -> None:
    """Add ids to the rest of the enclosing `log_context` block, for what is learnt in its middle."""
    _context.set({**_context.get(), **{name: str(value) for name, value in ids.items() if value is not None}})
