"""What is chosen by context is checked before anything is made, and said in one line."""

from __future__ import annotations

import pytest

from deployment.options import OptionError, Options

NETWORK = {"vpc_id": "vpc-1", "subnet_ids": "subnet-1"}
TABLE = {"table_name": "orders", "table_stream_arn": "arn:aws:dynamodb:::table/orders/stream/x"}
GOOD = {
    "cache": "existing",
    "cache_url": "rediss://a:6379",
    "cache_secret_arn": "arn:aws:secretsmanager:::secret:x",
} | NETWORK


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"simulater": "false"}, "simulater is not an option. Did you mean simulator?"),
        ({"xray": "perhaps"}, "xray is true or false"),
        ({"batch_size": "many"}, "batch_size is a whole number"),
        ({"batch_size": "10001"}, "batch_size is 1 to 10000"),
        ({"cache": "memcached"}, "cache is one of serverless, nodes, existing"),
        ({"log_days": "31"}, "log_days is one of"),
        ({"record_age_seconds": "59"}, "record_age_seconds is -1 or 60"),
        ({"table_name": "orders"}, "belong together"),
        ({"table_name": "orders", "table_stream_arn": "arn:aws:dynamodb:::table/users/stream/x"}, "LatestStreamArn"),
        (TABLE, "table_name needs key_template"),
        ({"partition_key": "userId"}, "set it to users:{userId}"),
        ({"table_key_arn": "arn:aws:kms:eu-west-1:111122223333:key/x"}, "give table_name too"),
        (TABLE | {"table_key_arn": "arn:aws:kms:eu-west-1:111122223333:alias/x"}, "KMSMasterKeyArn"),
        ({"vpc_id": "vpc-1"}, "belong together"),
        (NETWORK | {"availability_zones": "a,b"}, "is of a new VPC"),
        ({"availability_zones": "eu-west-1a"}, "name two"),
        ({"key_template": "{id}"}, "Begin it with a text"),
        ({"key_template": "a*:{id}"}, "choose another"),
        ({"key_template": "a:{{id}}"}, "lacks the table's key"),
        ({"cache_name": "mine"}, "set cache=existing"),
        (GOOD | {"cache_url": "redis://a:6379"}, "rediss://"),
        (GOOD | {"cache_url": "rediss://user:secret@a:6379"}, "without user and password"),
        (GOOD | {"cache_iam_user": "sync"}, "and not both"),
        (NETWORK | {"cache": "existing", "cache_url": "rediss://a:6379", "cache_iam_user": "sync"}, "needs cache_name"),
        ({"cache": "existing", "cache_url": "rediss://a:6379"}, "needs vpc_id and subnet_ids"),
        ({"stack_name": "1st"}, "begins with a letter"),
        ({"verify_minutes": "-1"}, "0 or more"),
    ],
)
def test_what_cannot_be_right_is_refused_with_what_to_do(context: dict[str, str], said: str) -> None:
    with pytest.raises(OptionError, match=r"\w") as raised:
        Options.from_context(context)
    assert said in str(raised.value)


def test_the_command_lines_texts_are_read_and_cdks_own_keys_passed_over() -> None:
    context = {"@aws-cdk/core:x": True, "aws:cdk:y": 1, "simulator": "off", "batch_size": "7", "subnet_ids": "a, b"}
    options = Options.from_context(context | {"vpc_id": "vpc-1"})
    assert options == Options(simulator=False, batch_size=7, subnet_ids=("a", "b"), vpc_id="vpc-1")


@pytest.mark.parametrize(
    ("template", "key", "guard"),
    [
        ("users:{id}", "users:", "~v:{users:"),
        ("{{{tenant}}}:{id}", "{", "~v:{"),
        ("t:{{{tenant}}}:{id}", "t:{", "~v:t:{"),
        ("t:{tenant}:{id}:{{x}}", "t:", "~v:t:"),
    ],
)
def test_users_are_bound_to_what_keys_and_guards_begin_with(template: str, key: str, guard: str) -> None:
    options = Options(key_template=template)
    assert (options.key_prefix, options.guard_prefix) == (key, guard)
