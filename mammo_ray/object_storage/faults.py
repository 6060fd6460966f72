"""What object storage says when it fails, in our words; and what is tried again.

botocore tries a request again by itself. It does not do so where the content of an answer breaks
off (an object's or its own: urllib3's errors come through it), nor when somebody has put fresh
credentials where the expired ones came from.
"""

import logging
import random
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from mammo_ray.errors import InputError, StorageError
from mammo_ray.object_storage.connection import connection, reconnect

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError
    from mypy_boto3_s3 import S3Client

_log = logging.getLogger(__name__)

# A missing bucket is no missing file: the store itself is not what was expected.
NOT_FOUND = frozenset({"404", "NoSuchKey", "NotFound"})
# Also what is said of them in the answer to a HEAD, which has no words, and by Arrow.
_EXPIRED = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidToken", "400", "403"}
    | {"EXPIRED_TOKEN", "INVALID_ACCESS_KEY_ID", "ACCESS_DENIED"}
)
_BODY_ATTEMPTS = 6
_LONGEST_PAUSE_SECONDS = 10.0
_MEANINGS = {
    "NoSuchBucket": "there is no such bucket",
    "AccessDenied": "access denied: these credentials may not do this here",
    "AllAccessDisabled": "access denied: the bucket is closed",
    "403": "access denied: these credentials may not do this here",
    "ExpiredToken": "the credentials have expired and nothing renews them",
    "ExpiredTokenException": "the credentials have expired and nothing renews them",
    "InvalidAccessKeyId": "the store does not know the access key",
    "SignatureDoesNotMatch": "the secret key is not the access key's",
    "RequestTimeTooSkewed": "this machine's clock is wrong",
    "PermanentRedirect": "the bucket lies in another region",
    "SlowDown": "the store is overloaded, and stayed so through all retries",
    "QuotaExceeded": "the store is full",
    "NoCredentialsError": "no credentials were found in the environment, files or instance",
    "CredentialRetrievalError": "credentials could not be had from their provider",
    "ProfileNotFound": "AWS_PROFILE names a profile that is not in the AWS files",
    "EndpointConnectionError": "nothing answers at the endpoint",
    "ConnectTimeoutError": "the endpoint did not accept a connection in time",
    "ReadTimeoutError": "the store did not answer in time",
}
_Found = TypeVar("_Found")


class BrokenBody(Exception):
    """The content of an answer broke off, or is not as long as it was said to be."""


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an address.

    Raises:
        InputError: it names no bucket.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not bucket:
        raise InputError(f"{uri!r} names no bucket; expected s3://bucket/key")
    return bucket, key


def attempt(uri: str, action: Callable[["S3Client"], _Found]) -> _Found:
    """Do something with the client, again where that can help, within limits.

    Args:
        uri: what it is about; only its bucket is named in messages, for keys can carry identifiers.
        action: may run several times.

    Raises:
        FileNotFoundError: no object under the address.
        StorageError: anything else that went wrong; the message holds no secret and no key.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from urllib3.exceptions import HTTPError

    renewed = False
    for number in range(1, _BODY_ATTEMPTS + 2):
        try:
            return action(connection().client)
        except (BrokenBody, HTTPError) as error:
            if number > _BODY_ATTEMPTS:
                raise StorageError(_said(uri, "content broke off every time", "")) from error
            _pause(number)
        except ClientError as error:
            code = error_code(error)
            if renewed or code not in _EXPIRED:
                raise _translated(uri, error) from error
            renewed = True
            reconnect()
        except BotoCoreError as error:
            raise storage_failure(uri, error) from error
    raise StorageError(_said(uri, "nothing came of all attempts", ""))


def attempt_arrow(uri: str, action: Callable[[], _Found]) -> _Found:
    """Do something with Arrow's file system, once more where the credentials had expired.

    Raises:
        FileNotFoundError: nothing there.
        NotADirectoryError: a file where a folder was expected.
        StorageError: anything else that went wrong.
    """
    from botocore.exceptions import BotoCoreError

    for last in (False, True):
        try:
            return action()
        except (FileNotFoundError, NotADirectoryError):
            raise
        except BotoCoreError as error:
            raise storage_failure(uri, error) from error
        except OSError as error:
            code = arrow_code(error)
            if last or code not in _EXPIRED:
                raise arrow_failure(uri, error) from error
            reconnect()
    raise StorageError(_said(uri, "nothing came of all attempts", ""))


def error_code(error: "ClientError") -> str:
    """The store's own word for an error."""
    return error.response.get("Error", {}).get("Code", "unknown")


def arrow_code(error: OSError) -> str:
    """The word for an error of Arrow's file system; it writes it into a sentence."""
    found = re.search(r"AWS Error (?:UNKNOWN \(HTTP status (\d+)\)|([A-Z_]+))", str(error))
    return (found[1] or found[2]) if found else type(error).__name__


def is_failure(error: OSError) -> bool:
    """Whether Arrow blames the store, and not the content that it got."""
    return "AWS Error" in str(error)


def arrow_failure(uri: str, error: OSError) -> StorageError:
    """A failure of Arrow's file system, in our words; its own quote the key."""
    code = arrow_code(error)
    return StorageError(_said(uri, _meaning_of_arrow(code), code))


def storage_failure(uri: str, error: "BotoCoreError") -> StorageError:
    """A failure to reach the store, in our words; botocore's could quote a whole request."""
    code = type(error).__name__
    return StorageError(_said(uri, _MEANINGS.get(code, "object storage failed"), code))


def _translated(uri: str, error: "ClientError") -> Exception:
    code = error_code(error)
    if code in NOT_FOUND:
        return FileNotFoundError(f"no object under this address ({code})")
    return StorageError(_said(uri, _MEANINGS.get(code, "object storage refused"), code))


def _meaning_of_arrow(code: str) -> str:
    words = code.title().replace("_", "")
    return _MEANINGS.get(words, "object storage failed")


def _said(uri: str, meaning: str, code: str) -> str:
    return f"bucket {split_uri(uri)[0]}: {meaning}" + (f" ({code})" if code else "")


def _pause(number: int) -> None:
    """Wait before the next attempt, longer each time, and not all workers at once."""
    longest = min(_LONGEST_PAUSE_SECONDS, 0.2 * 2**number)
    _log.debug("content broke off, attempt %d", number)
    time.sleep(random.uniform(0.0, longest))  # noqa: S311 (a pause, no secret)
