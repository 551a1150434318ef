"""IAM tokens, against AWS's documented algorithm and Amazon's own package; passwords from Secrets Manager."""

import hashlib
import hmac
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from unittest.mock import patch
from urllib.parse import parse_qsl, quote, urlsplit

import boto3
import botocore.auth
import botocore.session
import pytest
import redis
from botocore.credentials import Credentials
from developer_toolkit_elasticache import generate_iam_auth_token
from moto import mock_aws
from tests.cache.support import write

from ddb_cache_sync import connect
from ddb_cache_sync.cache.applier import cache_of
from ddb_cache_sync.cache.credentials import IamCredentials, SecretCredentials
from ddb_cache_sync.core.outcomes import Outcome
from ddb_cache_sync.errors import CacheError, CacheUnavailable, ConfigurationError

ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SESSION_TOKEN = "AQoDYXdzEPT//////////wEXAMPLE=="
NOW = datetime(2025, 4, 23, 13, 37, 16, tzinfo=UTC)
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """An environment with these credentials and no others."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")


@pytest.fixture
def at_a_fixed_time() -> Iterator[None]:
    """Give botocore's signer a clock that stands still."""
    with patch.object(botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: NOW.replace(tzinfo=None)):
        yield


class Signing(NamedTuple):
    """What a presigned GET is signed with and for."""

    access_key: str
    secret_key: str
    region: str
    service: str
    stamp: str
    """Basic ISO 8601."""
    host: str
    path: str
    payload: str
    """The SHA-256 of the body, or what stands for it."""

    def presigned(self, query: dict[str, str], seconds: int, session_token: str | None = None) -> dict[str, str]:
        """The query with its signature, computed from AWS's description of Signature Version 4 and nothing else."""
        day = self.stamp[:8]
        scope = f"{day}/{self.region}/{self.service}/aws4_request"
        query = query | {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.access_key}/{scope}",
            "X-Amz-Date": self.stamp,
            "X-Amz-Expires": str(seconds),
            "X-Amz-SignedHeaders": "host",
        }
        if session_token:
            query["X-Amz-Security-Token"] = session_token
        sorted_query = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in sorted(query.items()))
        canonical = f"GET\n{self.path}\n{sorted_query}\nhost:{self.host}\n\nhost\n{self.payload}"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        key = f"AWS4{self.secret_key}".encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        to_sign = f"AWS4-HMAC-SHA256\n{self.stamp}\n{scope}\n{digest}"
        return query | {"X-Amz-Signature": hmac.digest(key, to_sign.encode(), "sha256").hex()}


def test_the_signatures_computed_here_are_those_that_aws_publishes() -> None:
    """The example of a presigned URL in the S3 API reference, so that the following means something."""
    example = Signing(
        access_key="AKIAIOSFODNN7EXAMPLE",
        secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        region="us-east-1",
        service="s3",
        stamp="20130524T000000Z",
        host="examplebucket.s3.amazonaws.com",
        path="/test.txt",
        payload="UNSIGNED-PAYLOAD",
    )
    signature = example.presigned({}, 86_400)["X-Amz-Signature"]
    assert signature == "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"


@pytest.mark.usefixtures("at_a_fixed_time")
@pytest.mark.parametrize("session_token", [None, SESSION_TOKEN], ids=["long-lived keys", "a role's keys"])
@pytest.mark.parametrize("serverless", [True, False], ids=["serverless", "node-based"])
def test_a_token_is_the_request_that_aws_describes(
    monkeypatch: pytest.MonkeyPatch, session_token: str | None, serverless: bool
) -> None:
    """Signed for the cache's name as host, in lower case, with the kind of cache where it is serverless."""
    if session_token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", session_token)
    user, token = IamCredentials("App-User", "My-Cache", serverless=serverless).get_credentials()
    parts = urlsplit(f"https://{token}")
    assert user == "app-user"
    assert (parts.netloc, parts.path) == ("my-cache", "/")
    query = {"Action": "connect", "User": "app-user"} | ({"ResourceType": "ServerlessCache"} if serverless else {})
    signing = Signing(
        ACCESS_KEY, SECRET_KEY, "eu-west-1", "elasticache", "20250423T133716Z", "my-cache", "/", EMPTY_SHA256
    )
    assert dict(parse_qsl(parts.query)) == signing.presigned(query, 900, session_token)


@pytest.mark.usefixtures("at_a_fixed_time")
@pytest.mark.parametrize("session_token", [None, SESSION_TOKEN], ids=["long-lived keys", "a role's keys"])
@pytest.mark.parametrize("serverless", [True, False], ids=["serverless", "node-based"])
def test_a_token_is_the_one_that_amazons_package_makes(
    monkeypatch: pytest.MonkeyPatch, session_token: str | None, serverless: bool
) -> None:
    """`developer-toolkit-elasticache`, character for character."""
    if session_token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", session_token)
    name = {"serverless_cache_name" if serverless else "replication_group_id": "my-cache"}
    theirs = generate_iam_auth_token(
        user_id="app",
        region="eu-west-1",
        credentials=Credentials(ACCESS_KEY, SECRET_KEY, session_token),
        session=botocore.session.Session(),
        **name,
    )
    assert IamCredentials("app", "my-cache", serverless=serverless).get_credentials() == ("app", theirs)


@pytest.mark.parametrize("user", ["app", "default.iam-user"])
def test_a_new_connection_has_a_new_token(user: str) -> None:
    """Each log-in is signed at its own time: a token is good for 15 minutes only."""
    times = iter([NOW, NOW.replace(minute=59)])
    credentials = IamCredentials(user, "my-cache", serverless=True)
    with patch.object(botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: next(times)):
        first, second = credentials.get_credentials()[1], credentials.get_credentials()[1]
    assert ("T133716Z" in first, "T135916Z" in second) == (True, True)


@pytest.mark.servers
@pytest.mark.usefixtures("at_a_fixed_time")
def test_a_server_that_takes_the_token_for_a_password_lets_us_in(redis_url: str, redis_client: redis.Redis) -> None:
    """On every connection anew; and without it, nobody."""
    credentials = IamCredentials("iam-user", "my-cache", serverless=False)
    token = credentials.get_credentials()[1]
    redis_client.acl_setuser(
        "iam-user", enabled=True, reset=True, passwords=[f"+{token}"], commands=["+@all"], keys="*"
    )
    with connect(redis_url, credentials=credentials) as client:
        assert cache_of(client, 60).apply([write("k", 1)]) == [Outcome.APPLIED]
        redis_client.client_kill_filter(user="iam-user")
        assert cache_of(client, 60).apply([write("k", 2)]) == [Outcome.APPLIED]
    other = IamCredentials("iam-user", "another-cache", serverless=False)
    with connect(redis_url, credentials=other) as client, pytest.raises(CacheError, match="WRONGPASS") as raised:
        cache_of(client, 60).apply([write("k", 3)])
    assert "X-Amz" not in str(raised.value)


def test_without_a_region_there_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to set."""
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(ConfigurationError, match="AWS_REGION"):
        IamCredentials("app", "my-cache", serverless=True).get_credentials()


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_a_region_of_ones_own_is_signed(region: str) -> None:
    """It goes before the environment's."""
    _, token = IamCredentials("app", "my-cache", serverless=True, region=region).get_credentials()
    assert f"%2F{region}%2Felasticache" in token


def test_without_aws_credentials_there_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what the role needs."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ConfigurationError, match="elasticache:Connect"):
        IamCredentials("app", "my-cache", serverless=True).get_credentials()


@pytest.mark.servers
@pytest.mark.parametrize("options", ["", "?cluster=true"], ids=["standalone", "cluster"])
def test_an_error_of_credentials_comes_out_as_it_is(
    monkeypatch: pytest.MonkeyPatch, redis_url: str, options: str
) -> None:
    """At once, and also where redis-py's cluster client wraps it."""
    monkeypatch.delenv("AWS_REGION")
    credentials = IamCredentials("app", "my-cache", serverless=True)
    with (
        connect(redis_url + options, credentials=credentials) as client,
        pytest.raises(ConfigurationError, match="AWS_REGION"),
    ):
        cache_of(client, 60).apply([write("k")])


@pytest.mark.parametrize(("user", "name"), [("", "my-cache"), ("app", "")])
def test_neither_user_nor_name_may_be_missing(user: str, name: str) -> None:
    """Said when they are made."""
    with pytest.raises(ConfigurationError, match="IAM"):
        IamCredentials(user, name, serverless=True)


@pytest.mark.usefixtures("at_a_fixed_time")
@pytest.mark.parametrize(
    ("host", "name", "serverless"),
    [
        ("my-cache-vcxyz2.serverless.euw1.cache.amazonaws.com", "my-cache", True),
        ("My-Cache-VCXYZ2.serverless.euw1.cache.amazonaws.com", "my-cache", True),
        ("cache-01-vcxyz2.serverless.cnn1.cache.amazonaws.com.cn", "cache-01", True),
        ("master.my-group.vcxyz2.euw1.cache.amazonaws.com", "my-group", False),
        ("replica.my-group.vcxyz2.euw1.cache.amazonaws.com", "my-group", False),
        ("clustercfg.my-group.vcxyz2.euw1.cache.amazonaws.com", "my-group", False),
    ],
)
def test_a_host_name_of_elasticache_tells_name_and_kind(host: str, name: str, serverless: bool) -> None:
    """As AWS forms them."""
    expected = IamCredentials("app", name, serverless=serverless).get_credentials()
    assert IamCredentials.for_host("app", host).get_credentials() == expected


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "cache.example.com",
        "my-cache.serverless.euw1.cache.amazonaws.com",
        "my-group.vcxyz2.ng.0001.euw1.cache.amazonaws.com",
        "master.my-group.vcxyz2.euw1.cache.amazonaws.com.example.com",
    ],
)
def test_another_host_name_does_not_and_the_name_has_to_be_given(host: str) -> None:
    """A guess would be told as WRONGPASS."""
    with pytest.raises(ConfigurationError, match="cache_name"):
        IamCredentials.for_host("app", host)


@pytest.fixture
def secrets() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="eu-west-1")


@pytest.mark.parametrize(
    ("content", "credentials"),
    [
        ('{"username": "app", "password": "s3cret", "host": "h"}', ("app", "s3cret")),
        ('{"password": "s3cret"}', ("s3cret",)),
        ("s3cret", ("s3cret",)),
        ("12345678", ("12345678",)),
    ],
    ids=["user and password", "password in JSON", "password alone", "password of digits"],
)
def test_a_secret_holds_user_and_password_or_a_password(secrets: Any, content: str, credentials: tuple[str]) -> None:
    """In JSON or as text."""
    secrets.create_secret(Name="cache", SecretString=content)
    assert SecretCredentials("cache").get_credentials() == credentials


def test_a_rotated_secret_is_read_by_the_next_connection(secrets: Any) -> None:
    """Without a restart."""
    secrets.create_secret(Name="cache", SecretString="before")
    credentials = SecretCredentials("cache")
    assert credentials.get_credentials() == ("before",)
    secrets.put_secret_value(SecretId="cache", SecretString="after")
    assert credentials.get_credentials() == ("after",)


@pytest.mark.usefixtures("secrets")
def test_a_secret_that_is_missing_says_what_the_role_needs() -> None:
    """It may be there the next time."""
    with pytest.raises(CacheUnavailable, match="GetSecretValue") as raised:
        SecretCredentials("missing").get_credentials()
    assert raised.value.hint


@pytest.mark.parametrize(
    "content",
    [
        {"SecretString": '{"username": "app"}'},
        {"SecretString": '{"password": ""}'},
        {"SecretString": '{"password": 5}'},
        {"SecretBinary": b"app"},
    ],
    ids=["no password", "empty", "a number", "binary"],
)
def test_a_secret_without_a_password_is_a_matter_of_configuration(secrets: Any, content: dict[str, Any]) -> None:
    """And its content is not repeated."""
    secrets.create_secret(Name="cache", **content)
    with pytest.raises(ConfigurationError, match="no password") as raised:
        SecretCredentials("cache").get_credentials()
    assert "app" not in str(raised.value)


@pytest.mark.servers
def test_a_server_lets_in_who_has_the_secret(secrets: Any, redis_url: str, redis_client: redis.Redis) -> None:
    """User and password from the secret."""
    secrets.create_secret(Name="cache", SecretString='{"username": "by-secret", "password": "s3cret"}')
    redis_client.acl_setuser("by-secret", enabled=True, reset=True, passwords=["+s3cret"], commands=["+@all"], keys="*")
    with connect(redis_url, credentials=SecretCredentials("cache")) as client:
        assert cache_of(client, 60).apply([write("k", 1)]) == [Outcome.APPLIED]


def test_no_text_shows_a_secret() -> None:
    """Neither repr tells anything of them."""
    credentials = IamCredentials("app", "my-cache", serverless=True)
    credentials.get_credentials()
    assert SECRET_KEY not in f"{credentials!r}{vars(credentials)}"
    assert "s3cret" not in repr(SecretCredentials("cache"))
