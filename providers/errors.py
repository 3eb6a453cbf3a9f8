"""What can go wrong at a provider, and what it means for the money.

    ProviderError              accepted?   try again?
    ├─ UnsupportedFeature      no          no; known before anything is sent
    ├─ NotConfigured           no          no; this installation has no key for the vendor
    ├─ NotSent                 no          yes; nothing of the request left this machine
    ├─ RateLimited             no          yes, after `retry_after`
    ├─ RequestRefused          no          no; `code` says why
    ├─ CredentialsRefused      no          no; ours to fix (key, rights, balance): pause the provider
    │  └─ BalanceUsedUp        no          no; the key is good, the balance is empty
    ├─ OutcomeUnknown          maybe       look it up first, never resend blindly
    ├─ RenderFailed            yes         `retryable` says; the job ended without a result
    ├─ JobNotFound             yes         no; the vendor does not know this id (any more)
    ├─ ReadFailed              yes         yes; a status, look-up or cancel call that gave no usable answer
    └─ BadSignature            yes         no; a webhook that the vendor did not send

"accepted" speaks of the submission: may the vendor have started work that it will charge for? Messages name
the provider and our own words only: never a key, a URL or anything the vendor wrote.
"""

from datetime import timedelta
from enum import StrEnum
from typing import ClassVar


class Accepted(StrEnum):
    NO = "no"
    MAYBE = "maybe"
    YES = "yes"


class FailureCode(StrEnum):
    """Why a provider did not make the video, in our words."""

    INVALID = "invalid"
    """The vendor refused a value of the request."""
    MODERATED = "moderated"
    """The vendor's content policy refused the prompt, an input or the result."""
    INPUT_UNREADABLE = "input_unreadable"
    """The vendor could not fetch or decode a start image, end image or source video."""
    MODEL_UNAVAILABLE = "model_unavailable"
    """The vendor no longer offers, or has paused, the model."""
    VOICE_UNKNOWN = "voice_unknown"
    """The vendor has no voice of that name or id, or no longer."""
    VENDOR_FAULT = "vendor_fault"
    """The vendor failed on its own side."""
    NO_MEDIA = "no_media"
    """The vendor says it is done and names no video."""
    QUALITY = "quality"
    """The vendor delivered a video that is not what was asked for: nobody's word but our own examination's."""


class ProviderError(Exception):
    """{provider} failed."""

    accepted: ClassVar[Accepted]
    retryable: bool = False

    def __init__(self, provider: str, *, retry_after: timedelta | None = None, **details: str) -> None:
        """The class docstring, formatted with `provider` and `details`, is the message."""
        self.provider = provider
        self.retry_after = retry_after
        super().__init__((self.__doc__ or "").strip().format(provider=provider, **details))


class UnsupportedFeature(ProviderError):
    """{provider} does not support {feature}."""

    accepted = Accepted.NO

    def __init__(self, provider: str, feature: str) -> None:
        self.feature = feature
        super().__init__(provider, feature=feature)


class NotConfigured(ProviderError):
    """{provider} is not configured: {setting} is empty."""

    accepted = Accepted.NO

    def __init__(self, provider: str, setting: str) -> None:
        self.setting = setting
        super().__init__(provider, setting=setting)


class NotSent(ProviderError):
    """{provider} could not be reached; nothing was sent."""

    accepted = Accepted.NO
    retryable = True


class RateLimited(ProviderError):
    """{provider} asks us to slow down."""

    accepted = Accepted.NO
    retryable = True

    def __init__(
        self, provider: str, *, retry_after: timedelta | None = None, of_model: bool = False
    ) -> None:
        """`of_model`: the limit is the model's own, and the account's other models may go on."""
        self.of_model = of_model
        super().__init__(provider, retry_after=retry_after)


class RequestRefused(ProviderError):
    """{provider} refused the request: {code}."""

    accepted = Accepted.NO

    def __init__(self, provider: str, *, code: FailureCode) -> None:
        self.code = code
        super().__init__(provider, code=code.value)


class CredentialsRefused(ProviderError):
    """{provider} refused our account."""

    accepted = Accepted.NO


class BalanceUsedUp(CredentialsRefused):
    """{provider} takes no more work until our balance there is filled up."""


class OutcomeUnknown(ProviderError):
    """{provider} may or may not have accepted the request."""

    accepted = Accepted.MAYBE


class RenderFailed(ProviderError):
    """{provider} ended the job without a result: {code}."""

    accepted = Accepted.YES

    def __init__(self, provider: str, *, code: FailureCode, retryable: bool) -> None:
        self.code = code
        self.retryable = retryable
        super().__init__(provider, code=code.value)


class JobNotFound(ProviderError):
    """{provider} does not know the job."""

    accepted = Accepted.YES


class ReadFailed(ProviderError):
    """{provider} gave no usable answer about the job."""

    accepted = Accepted.YES
    retryable = True


class BadSignature(ProviderError):
    """A webhook for {provider} was not signed by it, or is too old."""

    accepted = Accepted.YES
