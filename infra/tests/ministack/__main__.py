"""`python -m tests.ministack`: deploy the app with the CDK command line, without AWS, and see it work.

ministack takes the place of CloudFormation and of what it makes. It refuses flow logs and serverless caches, and rules
between security groups: so an existing network is given, and an existing cache, a redis-server with TLS. Of an
alarm on metric math it gets a plain one. What it leaves out (partial batch responses, roles) the other tests look at.

Makes its own virtual environment, since ministack pins its dependencies, and installs the CDK command line; both are
kept in build/. Needs npm, redis-server and openssl.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from ddb_cache_sync.cache.connect import connect
from ddb_cache_sync.local.servers import child_server, free_port, is_listening, temporary_folder, wait_until
from ddb_cache_sync.settings import Settings
from ddb_cache_sync.sync.verify import VerifyOptions, verify
from deployment.bundle import BUILD, INFRA
from deployment.cache.access import access_string
from deployment.options import Options
from tests.stage.cache import tls_cache

MINISTACK = "ministack==1.5.33"
ACCOUNT, REGION, STACK = "000000000000", "us-east-1", "DdbCacheSync"
USER = "sync"
PATIENCE_SECONDS = 60
RUNS = 5


def main() -> None:
    """Deploy, change, compare, destroy."""
    begun = time.monotonic()
    # One user for all functions, as an existing cache may have it: what the verification and the applier need.
    words = [word for user in ("applier", "filler", "verifier") for word in access_string(user, Options()).split()]
    access = " ".join(["on", "-@all", *dict.fromkeys(word for word in words if word not in ("on", "-@all"))])
    with (
        tls_cache({"user": {"UserName": USER, "AccessString": access}}) as cache,
        ministack({"SSL_CERT_FILE": str(cache.authority)}) as environment,
    ):
        say(begun, "ministack runs")
        cdk(environment, "bootstrap", f"aws://{ACCOUNT}/{REGION}")
        say(begun, "bootstrapped")
        options = {
            **network(environment),
            "cache": "existing",
            "cache_url": f"rediss://127.0.0.1:{cache.port}?cluster=true",
            "cache_iam_user": USER,
            "cache_name": "local",
            "removable": "true",
        }
        context = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        cdk(environment, "deploy", "--require-approval", "never", *context)
        say(begun, "deployed")
        changes = simulate(environment)
        say(begun, f"{changes} changes made by the simulator's function")
        items = wait_until_equal(environment, cache.url)
        say(begun, f"cache and table agree on {items} items")
        cdk(environment, "destroy", "--force", *context)
        say(begun, "destroyed")


def say(begun: float, what: str) -> None:
    """A line with the time."""
    print(f"{time.monotonic() - begun:6.1f} s  {what}", flush=True)


@contextlib.contextmanager
def ministack(outside: dict[str, str]) -> Iterator[dict[str, str]]:
    """Run it; gives the environment that sends programs to it."""
    python = installed()
    port = free_port()
    with temporary_folder("ministack") as folder:
        own = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "TMPDIR": str(folder), **outside}
        command = [str(python.parent / "ministack")]
        with child_server(command, folder, environment=os.environ | own) as child:
            wait_until(lambda: is_listening(port), server=child, name="ministack", seconds=60)
            yield {
                **os.environ,
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_ACCESS_KEY_ID": "local",
                "AWS_SECRET_ACCESS_KEY": "local",
                "AWS_REGION": REGION,
                "AWS_DEFAULT_REGION": REGION,
                "CDK_DISABLE_VERSION_CHECK": "1",
                "FUNCTIONS_PYTHON": f"{sys.version_info.major}.{sys.version_info.minor}",
                "LOG": str(child.log),
            }


def installed() -> Path:
    """The Python of ministack's virtual environment."""
    folder = BUILD / MINISTACK
    python = folder / "bin" / "python"
    if not (folder / "bin" / "ministack").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        # boto3 as Lambda's runtime has it: ministack runs functions with its own Python.
        install: list[str | Path] = [
            python,
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            MINISTACK,
            "boto3",
        ]
        subprocess.run(install, check=True)
    return python


def cdk(environment: dict[str, str], *words: str) -> None:
    """Run the CDK command line."""
    program = INFRA / "node_modules" / ".bin" / "cdk"
    if not program.exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=INFRA, check=True)
    app = f"{sys.executable} {INFRA / 'tests/ministack/app_here.py'}"
    with temporary_folder("cdk") as out:
        command: list[str | Path] = [program, "--app", app, "--output", out, *words]
        run = subprocess.run(command, cwd=INFRA, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"cdk {words[0]} failed\n{run.stdout[-3000:]}\n{run.stderr[-6000:]}")


def network(environment: dict[str, str]) -> dict[str, str]:
    """A VPC with a subnet, as the options name them."""
    client = client_of("ec2", environment)
    vpc = client.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = client.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    return {"vpc_id": vpc, "subnet_ids": subnet}


def simulate(environment: dict[str, str]) -> int:
    """Call the simulator's function; gives how many changes the table took."""
    client = client_of("lambda", environment)
    names = [function["FunctionName"] for function in client.list_functions()["Functions"]]
    (name,) = [each for each in names if "Simulator" in each]
    changes = 0
    for _ in range(RUNS):
        answer = client.invoke(FunctionName=name, Payload=b"{}")
        payload = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            sys.exit(f"the simulator failed: {payload}")
        changes += payload["succeeded"]
    return changes


def wait_until_equal(environment: dict[str, str], cache_url: str) -> int:
    """Wait until the event source mapping has brought everything; gives how many items there are."""
    table = outputs(environment)["TableName"]
    client = client_of("dynamodb", environment)
    router = Settings(key_template="users:{id}").router()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        with connect(cache_url) as cache:
            report = verify(cache, router, client, table, VerifyOptions(looks=(0.1, 0.2)))
        if report.consistent and not report.in_flight and report.items:
            return report.items
        if time.monotonic() > deadline:
            log = Path(environment["LOG"]).read_text("utf-8", "replace")
            sys.exit(f"cache and table still disagree: {report}\n{log[-4000:]}")
        time.sleep(0.5)


def outputs(environment: dict[str, str]) -> dict[str, str]:
    """What the stack says that it made."""
    (stack,) = client_of("cloudformation", environment).describe_stacks(StackName=STACK)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def client_of(service: str, environment: dict[str, str]) -> Any:
    """boto3's client of a service of ministack."""
    return boto3.client(
        service,  # type: ignore[call-overload]  # the stubs know a service by its literal name only
        region_name=REGION,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


main()
