"""What can be wrong with a stored file.

DomainError
├─ AssetNotFound      nobody's, or somebody else's
├─ AssetNotReady      its upload was not finished
├─ AssetExpired       its time is over
├─ AssetLost          our store lost it: our fault
├─ AssetInUse         unfinished work needs it
├─ WrongKind          an image where a video is needed …
├─ UploadRefused      not what it was said to be, or none that we take
├─ CropRefused        the box is not inside the picture
├─ FileTooLarge
└─ QuotaExceeded      the account's storage is full
"""

from workers.errors import DomainError


class AssetNotFound(DomainError):
    """There is no file {asset_id}."""

    code = "asset_not_found"


class AssetNotReady(DomainError):
    """The upload of this file was not finished."""

    code = "asset_not_ready"


class AssetExpired(DomainError):
    """This file expired at {expires_at}."""

    code = "expired"


class AssetLost(DomainError):
    """This file is no longer in our store: our fault, and we have been told."""

    code = "asset_lost"


class AssetInUse(DomainError):
    """Unfinished work still needs this file."""

    code = "asset_in_use"


class WrongKind(DomainError):
    """This needs {wanted}; the file is {kind}."""

    code = "wrong_kind"


class UploadRefused(DomainError):
    """The file was refused: {reason}"""

    code = "upload_refused"


class CropRefused(DomainError):
    """The picture can't be cropped so: {reason}"""

    code = "crop_refused"


class FileTooLarge(DomainError):
    """The file has {bytes} bytes; {limit} are allowed for {kind}."""

    code = "file_too_large"


class QuotaExceeded(DomainError):
    """The account stores {used} of {limit} bytes; {needed} more do not fit. Delete something first."""

    code = "storage_quota_exceeded"
