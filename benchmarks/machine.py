"""What the numbers were measured on."""

import os
import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import redis

from benchmarks.workbench import Workbench

_PACKAGES = (
    "ddb-cache-sync",
    "ddb-cache-sync-speedups",
    "redis",
    "hiredis",
    "orjson",
    "boto3",
    "aws-lambda-powertools",
)


def description(bench: Workbench) -> Mapping[str, str]:
    """Processor, systems and versions, as text by name."""
    with redis.Redis.from_url(bench.standalone().url) as client:
        server = client.info("server")
    return {
        "started": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "load before": f"{os.getloadavg()[0]:.2f} (other programs' work; best close to 0)",
        "system": f"{platform.system()} {platform.release()}",
        "server": f"{server.get('server_name', 'redis')} {server.get('valkey_version', server['redis_version'])}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        **{package: _version(package) for package in _PACKAGES},
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    match = re.search(r"^model name\s*: (.+)$", cpuinfo.read_text(), re.MULTILINE) if cpuinfo.exists() else None
    return match[1] if match else platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
