"""One client a process: endpoint, region, addressing and credentials by the standard AWS chain."""

import functools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mammo_ray.errors import ConfigError

if TYPE_CHECKING:
    from boto3 import Session
    from botocore.credentials import ReadOnlyCredentials
    from botocore.session import Session as CoreSession
    from mypy_boto3_s3 import S3Client

CONNECT_SECONDS = 5
READ_SECONDS = 30
# Waits of 0.5, 1, 2, 4, 8 ... s on average: about half a minute of outage is bridged.
_ATTEMPTS = 8
_ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse")


@dataclass(frozen=True)
class Connection:
    """What a process talks to object storage with.

    Attributes:
        session: holds the credentials, and renews those that can be renewed.
        client: of the session; its own requests always carry fresh credentials.
        endpoint: a store that is not Amazon's, else None.
        virtual_hosts: whether the profile wants `bucket.host` rather than `host/bucket`.
        ca_bundle: file of the certificates to trust, else None.
        attempts: at most so many for one request.
    """

    session: "Session"
    client: "S3Client"
    endpoint: str | None
    virtual_hosts: bool
    ca_bundle: str | None
    attempts: int

    @property
    def region(self) -> str:
        """Region of the store; one that needs none takes any."""
        region = self.client.meta.region_name
        return "us-east-1" if region in ("", "aws-global") else region

    def credentials(self) -> "ReadOnlyCredentials | None":
        """The credentials of this moment, renewed where they end soon; None where there are none.

        Raises:
            botocore.exceptions.BotoCoreError: they could not be had or renewed.
        """
        found = self.session.get_credentials()
        return None if found is None else found.get_frozen_credentials()


def connection() -> Connection:
    """The connection of this process: clients do not survive a fork."""
    return _connection_of(os.getpid())


def client() -> "S3Client":
    """The client of this process."""
    return connection().client


def reconnect() -> None:
    """Forget the connection, so that the next call reads environment and files anew."""
    _connection_of.cache_clear()


def encryption() -> dict[str, Any]:
    """How objects are to be encrypted by the store, as arguments of a PUT.

    `MAMMO_S3_SSE` is `AES256`, `aws:kms` or `aws:kms:dsse`; `MAMMO_S3_SSE_KMS_KEY_ID` names the
    key. Unset: as the bucket does by default.

    Raises:
        ConfigError: another value, or a key without a KMS encryption.
    """
    kind = os.environ.get("MAMMO_S3_SSE", "")
    key = os.environ.get("MAMMO_S3_SSE_KMS_KEY_ID", "")
    if kind and kind not in _ENCRYPTIONS:
        raise ConfigError(f"MAMMO_S3_SSE is {kind!r}; expected one of {', '.join(_ENCRYPTIONS)}")
    if key and not kind.startswith("aws:kms"):
        raise ConfigError("MAMMO_S3_SSE_KMS_KEY_ID is set; it needs MAMMO_S3_SSE=aws:kms")
    wanted = {"ServerSideEncryption": kind} if kind else {}
    return {**wanted, "SSEKMSKeyId": key} if key else wanted


@functools.lru_cache(maxsize=1)
def _connection_of(_process_id: int) -> Connection:
    try:
        return _connect()
    except ValueError as error:
        raise ConfigError(
            "object storage: the endpoint or a setting of the AWS environment or files is not valid"
        ) from error


def _connect() -> Connection:
    import boto3
    from botocore.session import get_session

    core = get_session()
    session = boto3.Session(botocore_session=core)
    attempts = int(core.get_config_variable("max_attempts") or _ATTEMPTS)
    wanted = (core.get_scoped_config().get("s3") or {}).get("addressing_style")
    found = _client(session, attempts, wanted)
    own = not _is_amazon(found.meta.endpoint_url)
    if own and wanted is None:
        found = _client(session, attempts, "path")  # few other stores have a name for each bucket
    return Connection(
        session=session,
        client=found,
        endpoint=found.meta.endpoint_url if own else None,
        virtual_hosts=wanted == "virtual",
        ca_bundle=_certificates(core),
        attempts=attempts,
    )


def _client(session: "Session", attempts: int, addressing: str | None) -> "S3Client":
    from botocore.config import Config

    style: Any = {"addressing_style": addressing} if addressing else None
    settings = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        s3=style,
    )
    # boto3 reads AWS_DEFAULT_REGION only; other kits, and so many clusters, say AWS_REGION.
    region = session.region_name or os.environ.get("AWS_REGION")
    return session.client("s3", region_name=region, config=settings)


def _is_amazon(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _certificates(core: "CoreSession") -> str | None:
    found = core.get_config_variable("ca_bundle")
    return str(found) if found else None
