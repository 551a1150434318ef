"""The boto3 clients, built in one place: time-outs, retries, and errors that say what to do."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ddb_cache_sync.errors import CacheSyncError, ConfigurationError, TableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

AWS_ERRORS: tuple[type[Exception], ...] = (ClientError, BotoCoreError)
"""What a call of a boto3 client raises: a refusal by the service, or a failure on the way to it."""

# Five seconds to connect is far above any healthy network's time, and far below Lambda's shortest useful time-out.
# Twenty to read leaves room for a Scan page of 1 MB. Standard retries back off with jitter and know throttling.
_CONNECT_SECONDS = 5
_READ_SECONDS = 20
_ATTEMPTS = 5
# A parallel Scan uses one client from many threads; with botocore's ten connections the rest would be thrown away.
_CONNECTIONS = 64

_CREDENTIALS_HINT = (
    "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role supplies credentials."
)
_AWS_HOST = re.compile(r"\.(amazonaws\.com(\.cn)?|api\.aws)(:\d+)?$")
_NETWORK_HINT = "Check the endpoint, the Region and the network."
# By the service's code, or the name of botocore's class or one above it.
_CONFIGURATION_HINTS: Mapping[str, str] = {
    "NoRegionError": "Set AWS_REGION, or pass the region.",
    "InvalidRegionError": "Use a Region's code, such as eu-west-1.",
    "NoCredentialsError": _CREDENTIALS_HINT,
    "PartialCredentialsError": _CREDENTIALS_HINT,
    "CredentialRetrievalError": _CREDENTIALS_HINT,
    "SSOError": "Sign in again: aws sso login.",
    "UnrecognizedClientException": "Check the credentials and the Region.",
    "InvalidSignatureException": "Check the credentials and this machine's clock.",
    "ExpiredTokenException": "Renew the credentials.",
    "ProfileNotFound": "Set AWS_PROFILE to a profile of your AWS configuration, or unset it.",
    "ConfigNotFound": "Check AWS_CONFIG_FILE.",
}
_HINTS: Mapping[str, str] = {
    "ConnectionError": _NETWORK_HINT,
    "HTTPClientError": _NETWORK_HINT,
    "ResourceNotFoundException": "Check the table's name, the Region, the endpoint and the account.",
}


@dataclass(frozen=True, slots=True)
class StaticCredentials:
    """Credentials named by the caller instead of looked up in the environment; for servers on this machine.

    Attributes:
        access_key_id: Letters and digits only, which DynamoDB Local insists on.
        secret_access_key: Never shown by repr().
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)


def dynamodb_client(
    region: str | None = None, endpoint_url: str | None = None, *, credentials: StaticCredentials | None = None
) -> DynamoDBClient:
    """Build a client of the DynamoDB API. It may be shared between threads.

    Args:
        region: A Region's code; None takes the environment's or the profile's.
        endpoint_url: Another server than AWS's, such as `http://127.0.0.1:8000`; None is AWS.
        credentials: None looks them up the usual way, at the first call.

    Raises:
        ConfigurationError: No or no valid Region, profile or endpoint.
    """
    client: DynamoDBClient = _client("dynamodb", region, endpoint_url, credentials)
    return client


def streams_client(
    region: str | None = None, endpoint_url: str | None = None, *, credentials: StaticCredentials | None = None
) -> DynamoDBStreamsClient:
    """Build a client of the DynamoDB Streams API; arguments and errors as `dynamodb_client`'s."""
    client: DynamoDBStreamsClient = _client("dynamodbstreams", region, endpoint_url, credentials)
    return client


def s3_client(
    region: str | None = None, endpoint_url: str | None = None, *, credentials: StaticCredentials | None = None
) -> Any:
    """Build a client of S3, where exports are; arguments and errors as `dynamodb_client`'s."""
    return _client("s3", region, endpoint_url, credentials)


def impatient_client(service: str, region: str | None = None, endpoint_url: str | None = None) -> Any:
    """Build a client of any service that gives up soon: for questions whose answer can be done without.

    Untyped, so that nobody needs the stubs of services that are asked one question.

    Args:
        service: As boto3 names it.
        region: A Region's code; None takes the environment's or the profile's.
        endpoint_url: Another server than AWS's. None: the environment's, or AWS.

    Raises:
        ConfigurationError: No or no valid Region, profile or endpoint.
    """
    return _client(service, region, endpoint_url, None, attempts=2)


def place_of(client: Any) -> str:
    """Where a client looks, for an error: `in eu-west-1`, and `at http://127.0.0.1:8000` where that is not AWS.

    Whoever is told that there is no such table has to know where it was looked for.
    """
    elsewhere = other_endpoint_of(client)
    return f"in {client.meta.region_name}" + ("" if elsewhere is None else f" at {elsewhere}")


def other_endpoint_of(client: Any) -> str | None:
    """The server that a client talks to, such as `http://127.0.0.1:8000`; None: AWS."""
    parts = urlsplit(client.meta.endpoint_url)
    host = parts.netloc.rpartition("@")[2]  # a URL of one's own may hold a password
    return None if _AWS_HOST.search(host) else f"{parts.scheme}://{host}"


def error_code(error: Exception) -> str:
    """Give the short name of what went wrong, safe to log or count.

    The service's code (`ThrottlingException`) where it answered, else the class of the failure
    (`EndpointConnectionError`). The error's own text can quote the request, hence the item.
    """
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code") or "Unknown")
    return type(error).__name__


def translate(error: Exception, action: str, hints: Mapping[str, str] | None = None) -> CacheSyncError:
    """Turn an error of boto3 into one of ours.

    Args:
        error: One of `AWS_ERRORS`.
        action: What was tried, such as `describe table users`; the beginning of the error's text.
        hints: What to do next, by error code, where the caller knows better than this module.

    Returns:
        A `ConfigurationError` where credentials, Region or profile are missing or wrong, else a `TableError`.
    """
    code = error_code(error)
    problem = f"can't {action}: {code}"
    names = [code, *(kind.__name__ for kind in type(error).__mro__)]
    for name in names:
        if name in _CONFIGURATION_HINTS:
            return ConfigurationError(problem, hint=_CONFIGURATION_HINTS[name])
    known = {**_HINTS, **(hints or {})}
    return TableError(problem, hint=next((known[name] for name in names if name in known), None))


def _client(
    service: str,
    region: str | None,
    endpoint_url: str | None,
    credentials: StaticCredentials | None,
    *,
    attempts: int = _ATTEMPTS,
) -> Any:
    keys: dict[str, Any] = {}
    if credentials is not None:
        keys = {
            "aws_access_key_id": credentials.access_key_id,
            "aws_secret_access_key": credentials.secret_access_key,
        }
    try:
        # A session of its own: boto3's default session is shared and not safe to use from several threads.
        return boto3.session.Session().client(
            service,  # type: ignore[call-overload]  # the stubs know a service by its literal name only
            region_name=region,
            endpoint_url=endpoint_url,
            config=_config(endpoint_url, attempts),
            **keys,
        )
    except BotoCoreError as error:
        raise translate(error, f"build the {service} client") from None
    except ValueError:  # botocore's answer to a URL it can't use
        raise ConfigurationError(
            f"the endpoint of {service} is not a URL", hint="Give it as http://host:port or https://host."
        ) from None


def _config(endpoint_url: str | None, attempts: int) -> Config:
    options: dict[str, Any] = {
        "connect_timeout": _CONNECT_SECONDS,
        "read_timeout": _READ_SECONDS,
        "retries": {"mode": "standard", "total_max_attempts": attempts},
        "max_pool_connections": _CONNECTIONS,
        "tcp_keepalive": True,
    }
    if endpoint_url is not None and _is_loopback(endpoint_url):
        # A proxy of the environment can't reach a server on this machine.
        options["proxies"] = {}
    return Config(**options)


def _is_loopback(endpoint_url: str) -> bool:
    try:
        host = urlsplit(endpoint_url).hostname or ""
    except ValueError:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
