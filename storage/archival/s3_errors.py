"""What S3 servers and their client libraries raise, as our errors: one sentence, and what to do about it.

The code in a server's answer decides, then its status. Permanent trouble (a wrong secret, an absent bucket,
a missing right, a locked object) is Refused; what may pass is Unavailable.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import (
    ClientError,
    ConfigParseError,
    HTTPClientError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.exceptions import ConnectionError as NoConnection

from packages.errors import Conflict, HoldfastError, NotFound, Refused, Unavailable

_LATER = "Try again later."
_KEYS = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile that is used"
_RIGHTS = (
    "the account needs ListBucket, ListBucketMultipartUploads, GetObject, PutObject, DeleteObject and "
    "AbortMultipartUpload, and no lock that forbids deletion; see docs/operations.md"
)
_BUCKET = "create the bucket, or correct the store's URL, AWS_REGION or HOLDFAST_S3_ENDPOINT_URL"
_REFUSED = {
    "InvalidAccessKeyId": ("the access key is not known", _KEYS),
    "SignatureDoesNotMatch": ("the secret does not fit the access key", _KEYS),
    "ExpiredToken": ("the session token has expired", "get new credentials"),
    "InvalidToken": ("the session token is not valid", "get new credentials"),
    "NoSuchBucket": ("the bucket does not exist", _BUCKET),
    "InvalidBucketName": ("that is no name of a bucket", _BUCKET),
    "PermanentRedirect": ("the bucket is in another region", _BUCKET),
    "AuthorizationHeaderMalformed": ("the bucket is in another region", _BUCKET),
    "AccessDenied": ("access is denied", _RIGHTS),
    "AllAccessDisabled": ("access is denied", _RIGHTS),
    "MethodNotAllowed": ("the server does not allow it", _RIGHTS),
    "InvalidObjectState": ("the object is in cold storage or locked", "restore it first"),
    "RequestTimeTooSkewed": ("the clocks differ too much", "set this machine's clock"),
    "EntityTooLarge": ("the file is too large for the server", ""),
    "KeyTooLongError": ("the key is too long for the server", "use a shorter prefix in the store's URL"),
    "NotImplemented": ("the server lacks the operation", "see docs/operations.md for what is needed"),
}
_MISCONFIGURED = (ConfigParseError, InvalidRegionError, NoRegionError, ParamValidationError, ProfileNotFound)
_ABSENT = frozenset({"NoSuchKey", "NoSuchUpload", "NoSuchVersion", "NotFound", "404"})
_OCCUPIED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn whatever escapes from s3fs, botocore and aiohttp into an error of ours that names `what`."""
    try:
        yield
    except HoldfastError:
        raise
    except Exception as error:  # the vendors' trees have no common root; whatever is not known may pass
        raise _ours(what, error) from error


def is_empty_range(error: HoldfastError) -> bool:
    """Tell whether a server refused a range because the object has no byte there."""
    response = _response(error)
    return response is not None and (_code(response) == "InvalidRange" or _status(response) == 416)


def _ours(what: str, error: Exception) -> HoldfastError:
    response = _response(error)
    if response is not None:
        return _answered(what, response, error)
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return Refused(f"{what}: there are no credentials for S3.", hint=_KEYS)
    if isinstance(error, FileNotFoundError):
        return NotFound(f"{what} is not there.")
    if isinstance(error, (NoConnection, HTTPClientError, TimeoutError)):
        return Unavailable(f"{what}: the S3 server does not answer ({type(error).__name__}).", hint=_LATER)
    if isinstance(error, _MISCONFIGURED):
        return Refused(f"{what}: {error}", hint="check AWS_… and HOLDFAST_S3_ENDPOINT_URL")
    return Unavailable(f"{what}: {type(error).__name__}: {error}", hint=_LATER)


def _answered(what: str, response: dict[str, Any], error: Exception) -> HoldfastError:
    code, status = _code(response), _status(response)
    if code in _REFUSED:
        why, hint = _REFUSED[code]
        return Refused(f"{what}: {why} ({code}).", hint=hint)
    if code in _ABSENT or status == 404:
        return NotFound(f"{what} is not there.")
    if code in _OCCUPIED or status == 412:
        return Conflict(f"{what} is occupied already.")
    if status in {401, 403}:
        return Refused(f"{what}: access is denied ({code}).", hint=f"{_KEYS}; {_RIGHTS}")
    told = response.get("Error", {}).get("Message") or str(error)
    return Unavailable(f"{what}: {code}: {told}", hint=_LATER)


def _response(error: BaseException | None) -> dict[str, Any] | None:
    """Return the server's answer that an error, or what it was raised from, carries."""
    while error is not None:
        if isinstance(error, ClientError):
            return dict(error.response)
        error = error.__cause__
    return None


def _code(response: dict[str, Any]) -> str:
    return str(response.get("Error", {}).get("Code", ""))


def _status(response: dict[str, Any]) -> int:
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
