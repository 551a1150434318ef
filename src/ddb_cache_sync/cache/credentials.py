"""Credentials for a cache: IAM tokens and secrets, as redis-py's credential providers.

botocore is loaded at the first connection that needs it. Tokens and passwords are in no repr and no error.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlencode

from redis.credentials import CredentialProvider

from ddb_cache_sync.errors import CacheUnavailable, ConfigurationError

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

_SERVERLESS_HOST: Final = re.compile(
    r"(?P<name>[a-z0-9-]+)-[a-z0-9]{6}\.serverless\.[a-z0-9-]+\.cache\.amazonaws\.com(\.cn)?"
)
_NODE_BASED_HOST: Final = re.compile(
    r"(master|replica|clustercfg)\.(?P<name>[a-z0-9-]+)\.[a-z0-9]+\.[a-z0-9-]+\.cache\.amazonaws\.com(\.cn)?"
)

_TOKEN_SECONDS: Final = 900  # ElastiCache takes a token for 15 minutes; the connection then lives for 12 hours


class IamCredentials(CredentialProvider):
    """A new IAM token for each connection, signed with the credentials of the process.

    https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html

    Args:
        user: The ElastiCache user's id, which for IAM equals its name.
        cache_name: The name of the serverless cache, or the id of the replication group; not its DNS name.
        serverless: It is a serverless cache: that is signed too.
        region: The cache's Region. None: `AWS_REGION`, or the profile's.

    Raises:
        ConfigurationError: No user or no cache name.
    """

    def __init__(self, user: str, cache_name: str, *, serverless: bool, region: str | None = None) -> None:
        if not user or not cache_name:
            raise ConfigurationError("IAM authentication needs a user and the name of the cache")
        # ElastiCache keeps both in lower case and checks the signature against that.
        self._user = user.lower()
        self._cache_name = cache_name.lower()
        self._serverless = serverless
        self._region = region
        self._session: Any = None

    @classmethod
    def for_host(cls, user: str, host: str, *, region: str | None = None) -> Self:
        """Credentials for the ElastiCache cache at this host name, which tells its name and its kind.

        A serverless cache is at `<name>-<6 characters>.serverless.<region>.cache.amazonaws.com`, a replication group
        with TLS at `master.`, `replica.` or `clustercfg.<id>.<characters>.<region>.cache.amazonaws.com`. Regions are
        abbreviated there (`euw1`), so the Region is not taken from it.

        Args:
            user: As above.
            host: The host name, without a port.
            region: As above.

        Raises:
            ConfigurationError: Not such a name, or no user.
        """
        serverless = _SERVERLESS_HOST.fullmatch(host.lower())
        found = serverless or _NODE_BASED_HOST.fullmatch(host.lower())
        if found is None:
            raise ConfigurationError(
                "the cache's host name does not tell the name of the cache, which IAM authentication needs",
                hint="Give it: IamCredentials(user, cache_name, serverless=...).",
            )
        return cls(user, found["name"], serverless=serverless is not None, region=region)

    def get_credentials(self) -> tuple[str, str]:
        """The user and a new token, which takes no call to ElastiCache.

        Raises:
            CacheUnavailable: The AWS credentials can't be had now.
            ConfigurationError: No AWS credentials, or no Region.
        """
        import botocore.session  # noqa: PLC0415 - slow to load, and most caches do without
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415

        if self._session is None:
            self._session = botocore.session.Session()
        region = self._region or os.environ.get("AWS_REGION") or self._session.get_config_variable("region")
        if not region:
            raise ConfigurationError("IAM authentication needs a Region", hint="Set AWS_REGION.")
        try:
            credentials = self._session.get_credentials()
            frozen = None if credentials is None else credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise CacheUnavailable(f"the AWS credentials can't be had ({type(error).__name__})") from None
        if frozen is None:
            raise ConfigurationError(
                "IAM authentication finds no AWS credentials", hint="Give the function's role elasticache:Connect."
            )
        return self._user, self._token(region, frozen)

    def _token(self, region: str, credentials: ReadOnlyCredentials) -> str:
        from botocore.auth import SigV4QueryAuth  # noqa: PLC0415
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415

        query = {"Action": "connect", "User": self._user}
        if self._serverless:
            query["ResourceType"] = "ServerlessCache"
        request = AWSRequest(method="GET", url=f"https://{self._cache_name}/?{urlencode(query)}")
        SigV4QueryAuth(credentials, "elasticache", region, expires=_TOKEN_SECONDS).add_auth(request)
        return str(request.url).removeprefix("https://")


class SecretCredentials(CredentialProvider):
    """User and password from AWS Secrets Manager, read for each new connection, so that a rotation needs no restart.

    Args:
        secret_id: Name or ARN of the secret: JSON with `username` and `password`, or the password alone.
        region: The secret's Region. None: `AWS_REGION`, or the profile's.
        endpoint_url: Another server than AWS's. None: AWS.
    """

    def __init__(self, secret_id: str, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        self._secret_id = secret_id
        self._region = region
        self._endpoint_url = endpoint_url

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """The user, where the secret names one, and the password.

        Raises:
            CacheUnavailable: The secret can't be read now.
            ConfigurationError: It holds no password.
        """
        import boto3  # noqa: PLC0415 - slow to load, and most caches do without
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            client = boto3.session.Session().client(
                "secretsmanager",
                region_name=self._region or os.environ.get("AWS_REGION"),
                endpoint_url=self._endpoint_url,
                # A subnet without a way to the service would otherwise hang for minutes.
                config=Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 2}),
            )
            secret = client.get_secret_value(SecretId=self._secret_id).get("SecretString") or ""
        except (BotoCoreError, ClientError) as error:
            raise CacheUnavailable(
                f"the cache's secret can't be read ({type(error).__name__})",
                hint="Give the function's role secretsmanager:GetSecretValue on it, and a way to reach the service.",
            ) from None
        try:
            parsed = json.loads(secret)
        except ValueError:
            parsed = secret
        if isinstance(parsed, dict):
            user, password = parsed.get("username"), parsed.get("password")
        else:
            user, password = None, secret
        if not password or not isinstance(password, str):
            raise ConfigurationError("the cache's secret holds no password")
        return (str(user), password) if user else (password,)
