from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, UnauthorizedSSOTokenError

from ddb_cache_sync.errors import ConfigurationError, TableError
from ddb_cache_sync.table.clients import (
    StaticCredentials,
    dynamodb_client,
    error_code,
    place_of,
    streams_client,
    translate,
)


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Take away every setting of AWS that the machine may have."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    return monkeypatch


@pytest.mark.parametrize("build", [dynamodb_client, streams_client])
def test_a_client_without_a_region_says_what_to_set(bare_environment: pytest.MonkeyPatch, build: object) -> None:
    """Neither an argument nor the environment gives a Region: the error says how to."""
    assert callable(build)
    with pytest.raises(ConfigurationError, match="Set AWS_REGION"):
        build()


def test_an_unknown_profile_is_a_wrong_setting(bare_environment: pytest.MonkeyPatch) -> None:
    """A profile that isn't configured is refused with a hint."""
    bare_environment.setenv("AWS_PROFILE", "no-such-profile")

    with pytest.raises(ConfigurationError, match="Set AWS_PROFILE"):
        dynamodb_client("eu-west-1")


def test_an_endpoint_must_be_a_url() -> None:
    """An endpoint without a scheme is refused when the client is built."""
    with pytest.raises(ConfigurationError, match="http://host:port"):
        dynamodb_client("eu-west-1", "localhost:8000")


@pytest.mark.parametrize(
    ("endpoint_url", "place"),
    [
        (None, "in eu-west-1"),
        ("https://vpce-1.dynamodb.eu-west-1.vpce.amazonaws.com", "in eu-west-1"),
        ("http://127.0.0.1:9", "in eu-west-1 at http://127.0.0.1:9"),
        ("http://me:swordfish@127.0.0.1:9/x", "in eu-west-1 at http://127.0.0.1:9"),
        ("https://amazonaws.com.example.org", "in eu-west-1 at https://amazonaws.com.example.org"),
    ],
)
def test_where_a_client_looks_can_be_told(
    bare_environment: pytest.MonkeyPatch, endpoint_url: str | None, place: str
) -> None:
    """The Region, and the endpoint where it is not one of AWS's; no user or password."""
    bare_environment.delenv("AWS_ENDPOINT_URL_DYNAMODB", raising=False)
    assert place_of(dynamodb_client("eu-west-1", endpoint_url)) == place


def test_a_client_goes_to_the_endpoint_with_the_credentials_given() -> None:
    """Region, endpoint and credentials are the arguments', whatever the environment holds."""
    client = dynamodb_client("eu-west-1", "http://127.0.0.1:9", credentials=StaticCredentials("one", "two"))

    assert (client.meta.region_name, client.meta.endpoint_url) == ("eu-west-1", "http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("endpoint_url", "is_direct"),
    [("http://127.0.0.1:9", True), ("http://localhost:9", True), ("http://[::1]:9", True), ("http://ddb:9", False)],
)
def test_a_proxy_is_not_used_for_this_machine(endpoint_url: str, is_direct: bool) -> None:
    """A server on this machine is talked to directly, even where the environment names a proxy."""
    config: Any = dynamodb_client("eu-west-1", endpoint_url).meta.config
    assert (config.proxies == {}) is is_direct


def test_the_secret_is_not_shown() -> None:
    """Credentials can be printed without giving the secret away."""
    assert "two" not in repr(StaticCredentials("one", "two"))


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (
            ClientError({"Error": {"Code": "ThrottlingException", "Message": "private"}}, "PutItem"),
            "Throttling",
            TableError,
        ),
        (ClientError({}, "PutItem"), "Unknown", TableError),
        (EndpointConnectionError(endpoint_url="http://private"), "EndpointConnectionError", TableError),
        (NoCredentialsError(), "NoCredentialsError", ConfigurationError),
        (UnauthorizedSSOTokenError(), "UnauthorizedSSOTokenError", ConfigurationError),
        (ClientError({"Error": {"Code": "ExpiredTokenException"}}, "Scan"), "ExpiredToken", ConfigurationError),
    ],
)
def test_foreign_errors_become_ours_without_their_text(error: Exception, code: str, kind: type[Exception]) -> None:
    """An error's code is kept and its text, which can quote an item, is not."""
    translated = translate(error, "write to table users")

    assert isinstance(translated, kind)
    assert error_code(error).startswith(code)
    assert str(translated).startswith("can't write to table users: ")
    assert "private" not in str(translated)


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), "Check the endpoint, the Region and the network."),
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "Scan"), "Allow it."),
        (ClientError({"Error": {"Code": "ValidationException"}}, "Scan"), None),
    ],
)
def test_the_hint_is_the_callers_where_it_knows_better(error: Exception, hint: str | None) -> None:
    """A caller can say what to do about a code; the network's failures are explained for all."""
    assert translate(error, "scan", {"AccessDeniedException": "Allow it."}).hint == hint
