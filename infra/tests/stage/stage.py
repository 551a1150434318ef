"""A template brought to life on this machine.

Table and buckets are in moto, the cache is redis-server, the functions are processes of their own, from the real
archive.

What the template says is what happens: tables are made with its key and stream, functions have its environment, the
event source mapping its properties. What stands in for AWS stands here.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from ddb_cache_sync.local.embedded import EmbeddedDynamoDB, embedded_dynamodb
from ddb_cache_sync.local.event_source_mapping import EventSourceMappingProperties
from ddb_cache_sync.local.failure_destination import DiscardedBatch
from ddb_cache_sync.local.servers import LOOPBACK, temporary_folder
from deployment import bundle
from tests.stage.cache import TlsCache, tls_cache
from tests.stage.functions import Image, LocalLambda
from tests.stage.intrinsics import resolve
from tests.templates import Template

ACCOUNT = "123456789012"  # moto's
RUNTIME_CLIENT = ("awslambdaric==4.2.2",)


@dataclass(frozen=True)
class Stage:
    """A template that runs.

    Attributes:
        template: The template.
        made: What its references stand for.
        dynamodb: The server of its table.
        cache: Its cache.
        functions: Its functions, by logical id.
    """

    template: Template
    made: dict[str, str]
    dynamodb: EmbeddedDynamoDB
    cache: TlsCache
    functions: dict[str, LocalLambda]

    def function(self, part: str) -> LocalLambda:
        """The function with this in its logical id."""
        (found,) = [function for name, function in self.functions.items() if part in name]
        return found

    @property
    def table(self) -> str:
        """The table's name."""
        (name,) = self.template.of_type("DynamoDB::Table")
        return self.made[name]

    @property
    def stream_arn(self) -> str:
        """The table's stream."""
        return str(self.resolved(self.mapping["EventSourceArn"]))

    @property
    def mapping(self) -> dict[str, Any]:
        """The event source mapping's properties."""
        return self.template.only("Lambda::EventSourceMapping")

    def mapping_properties(self) -> EventSourceMappingProperties:
        """The same, for the event source mapping on this machine."""
        said = self.mapping
        return EventSourceMappingProperties(
            batch_size=said["BatchSize"],
            maximum_batching_window_seconds=said["MaximumBatchingWindowInSeconds"],
            parallelization_factor=said["ParallelizationFactor"],
            maximum_retry_attempts=said["MaximumRetryAttempts"],
            bisect_batch_on_function_error=said["BisectBatchOnFunctionError"],
            maximum_record_age_seconds=said["MaximumRecordAgeInSeconds"],
            starting_position=said["StartingPosition"],
            report_batch_item_failures="ReportBatchItemFailures" in said["FunctionResponseTypes"],
            function_timeout_seconds=self.function("ReplicatorFunction").timeout_seconds,
        )

    @property
    def destination(self) -> BucketDestination:
        """Where the event source mapping puts what it gives up."""
        arn = self.resolved(self.mapping["DestinationConfig"]["OnFailure"]["Destination"])
        return BucketDestination(self, arn.removeprefix("arn:aws:s3:::"))

    def resolved(self, value: Any) -> Any:
        """A part of the template, references worked out."""
        return resolve(value, self.made)

    def client(self, service: str) -> Any:
        """boto3's client of a service here."""
        return boto3.client(
            service,  # type: ignore[call-overload]  # the stubs know a service by its literal name only
            region_name=self.dynamodb.region,
            endpoint_url=self.dynamodb.endpoint_url,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )


@dataclass(frozen=True)
class BucketDestination:
    """A failure destination that is a bucket."""

    stage: Stage
    bucket: str

    def deliver(self, discarded: DiscardedBatch) -> None:
        """Keep a batch."""
        body = json.dumps(discarded.body()).encode()
        self.stage.client("s3").put_object(Bucket=self.bucket, Key=discarded.key(), Body=body)

    def objects(self) -> list[str]:
        """What it holds."""
        found = self.stage.client("s3").list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return [each["Key"] for each in found]


@contextlib.contextmanager
def staged(template: Template) -> Iterator[Stage]:
    """Bring a template to life until the block is left."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(temporary_folder("stage"))
        dynamodb = stack.enter_context(embedded_dynamodb())
        cache = stack.enter_context(tls_cache(template.of_type("ElastiCache::User")))
        made = {"AWS::Region": dynamodb.region, "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws"}
        functions: dict[str, LocalLambda] = {}
        stage = Stage(template, made, dynamodb, cache, functions)
        _make_tables(stage)
        _make_buckets(stage)
        _place_cache(stage)
        _name_functions(stage)
        image = _image(folder, dynamodb, cache)
        for name, properties in template.of_type("Lambda::Function").items():
            known = {key: properties[key] for key in ("Handler", "Timeout", "MemorySize")}
            known["Environment"] = properties.get("Environment", {"Variables": {}})
            known["LoggingConfig"] = {
                key: properties["LoggingConfig"][key] for key in ("LogFormat", "ApplicationLogLevel")
            }
            function = LocalLambda(made[name], stage.resolved(known), image, dynamodb.region, folder)
            functions[name] = stack.enter_context(function)
        yield stage


def _make_tables(stage: Stage) -> None:
    client = stage.client("dynamodb")
    for name, properties in stage.template.of_type("DynamoDB::Table").items():
        physical = f"stack-{name}"
        wanted = {key: properties[key] for key in ("KeySchema", "AttributeDefinitions", "BillingMode")}
        stream = {"StreamEnabled": True, **properties["StreamSpecification"]}
        created = client.create_table(TableName=physical, StreamSpecification=stream, **wanted)["TableDescription"]
        client.update_continuous_backups(
            TableName=physical, PointInTimeRecoverySpecification=properties["PointInTimeRecoverySpecification"]
        )
        stage.made[name] = physical
        stage.made[f"{name}.Arn"] = created["TableArn"]
        stage.made[f"{name}.StreamArn"] = created["LatestStreamArn"]


def _make_buckets(stage: Stage) -> None:
    client = stage.client("s3")
    for name in stage.template.of_type("S3::Bucket"):
        physical = f"stack-{name.lower()}"
        client.create_bucket(Bucket=physical)
        stage.made[name] = physical
        stage.made[f"{name}.Arn"] = f"arn:aws:s3:::{physical}"


def _place_cache(stage: Stage) -> None:
    (name,) = stage.template.of_type("ElastiCache::ServerlessCache")
    stage.made[f"{name}.Endpoint.Address"] = LOOPBACK
    stage.made[f"{name}.Endpoint.Port"] = str(stage.cache.port)


def _name_functions(stage: Stage) -> None:
    for name in stage.template.of_type("Lambda::Function"):
        stage.made[name] = f"stack-{name}"
        stage.made[f"{name}.Arn"] = f"arn:aws:lambda:{stage.dynamodb.region}:{ACCOUNT}:function:stack-{name}"


def _image(folder: Path, dynamodb: EmbeddedDynamoDB, cache: TlsCache) -> Image:
    target = bundle.here()
    task = folder / "task"
    with zipfile.ZipFile(bundle.build(target)) as file:
        file.extractall(task)
    python = bundle.interpreter(target.python)
    assert python is not None
    outside = {
        # In the place of AWS: moto, and an authority of this machine's in that of Amazon's.
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb.endpoint_url,
        "AWS_ENDPOINT_URL_S3": dynamodb.endpoint_url,
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
        "SSL_CERT_FILE": str(cache.authority),
    }
    return Image(python, task, runtime_folder(target), outside)


@functools.cache
def runtime_folder(target: bundle.Target) -> Path:
    """What Lambda's runtime has, for an interpreter of this version: kept, as the archive's dependencies are."""
    from botocore import __version__ as botocore_version

    kept = bundle.BUILD / f"runtime-{target.tag}-{'-'.join(RUNTIME_CLIENT)}-{botocore_version}"
    if not kept.exists():
        into = bundle.BUILD / f"unfinished-{os.getpid()}"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", "--implementation=cp"]
        command += [f"--python-version={target.python}", *(f"--platform={each}" for each in bundle.own_platforms())]
        command += ["--no-compile", f"--target={into}", *RUNTIME_CLIENT, f"boto3=={boto3.__version__}"]
        subprocess.run(command, check=True, capture_output=True)
        bundle.compile_modules(into, bundle.interpreter(target.python))
        into.rename(kept)
    return kept
