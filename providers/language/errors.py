"""What can go wrong when a language model is asked, and what it cost.

    LanguageError              try the same again?
    ├─ Unavailable             yes: network, no answer in time, 5xx, over capacity
    ├─ RateLimited             yes, after `retry_after`
    ├─ ModelGone               no: our configuration names a model that the vendor has taken away
    ├─ CredentialsRefused      no: ours to fix (key, rights, balance)
    ├─ RequestRefused          no: `code` is the vendor's word for what is wrong
    ├─ ContentRefused          no: the vendor's policy, or the model, refused the words or the pictures
    ├─ Truncated               with a higher limit: the answer ends in the middle
    └─ BadAnswer               once or twice: an answer that can't be read, or half of one

A model or vendor that can't do what is asked is `providers.errors.UnsupportedFeature`, before anything is sent.
Messages are our own words: never a key, a URL or a sentence of the vendor's.
"""

from datetime import timedelta
from decimal import Decimal

from .contract import NO_USAGE, Usage


class LanguageError(Exception):
    """{provider} gave no usable answer: {code}."""

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        provider: str = "the vendor",
        cost: Decimal = Decimal(),
        usage: Usage = NO_USAGE,
        request_id: str = "",
    ) -> None:
        """Without a `message` it is the class docstring, formatted; `cost` is USD, as far as it was reported."""
        self.code = code
        self.message = message or (self.__doc__ or "").strip().format(provider=provider, code=code)
        self.provider = provider
        self.cost = cost
        self.usage = usage
        self.request_id = request_id
        super().__init__(self.message)


class Unavailable(LanguageError):
    """{provider} does not answer: {code}."""


class RateLimited(LanguageError):
    """{provider} asks us to slow down."""

    def __init__(
        self,
        code: str = "rate_limited",
        message: str = "",
        *,
        retry_after: timedelta | None = None,
        provider: str = "the vendor",
        cost: Decimal = Decimal(),
        usage: Usage = NO_USAGE,
        request_id: str = "",
    ) -> None:
        """`retry_after` is None where the vendor names no wait."""
        self.retry_after = retry_after
        super().__init__(code, message, provider=provider, cost=cost, usage=usage, request_id=request_id)


class ModelGone(LanguageError):
    """{provider} no longer has the model: {code}."""


class CredentialsRefused(LanguageError):
    """{provider} refused our account: {code}."""


class RequestRefused(LanguageError):
    """{provider} refused the request: {code}."""


class ContentRefused(LanguageError):
    """{provider} refused the content: {code}."""


class Truncated(LanguageError):
    """The answer of {provider} was cut at the limit of tokens."""


class BadAnswer(LanguageError):
    """The answer of {provider} can't be used: {code}."""
