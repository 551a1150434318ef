"""Last step: adds up what the pieces answered, and leaves a report beside their answers."""

import json
from collections import Counter
from typing import Any, Final

from ddb_cache_sync.table.clients import s3_client

_NOT_COUNTED: Final = frozenset({"segment", "of"})
_MOST_PROBLEMS: Final = 100

s3 = s3_client()


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Add up.

    Args:
        event: `bucket` and `manifest`, the key of the list of results that the distributed map has written.
        _context: Lambda's.

    Returns:
        The sum of every count, `pieces`, the first `problems` and drift `reports`, and `report`, where it was written.
    """
    bucket, manifest = event["bucket"], event["manifest"]
    counts: Counter[str] = Counter(pieces=0, failed=0, drift=0)
    problems: dict[str, None] = {}
    reports: list[str] = []
    for file in _read(bucket, manifest)["ResultFiles"]["SUCCEEDED"]:
        for answer in _read(bucket, file["Key"]):
            counts["pieces"] += 1
            counts.update(
                {name: value for name, value in answer.items() if type(value) is int and name not in _NOT_COUNTED}
            )
            problems |= dict.fromkeys(answer.get("problems", ()))
            reports += answer.get("reports", ())
    key = f"{manifest.rpartition('/')[0]}/report.json"
    report: dict[str, Any] = {
        **counts,
        "problems": [*problems][:_MOST_PROBLEMS],
        "reports": reports[:_MOST_PROBLEMS],
        "report": f"s3://{bucket}/{key}",
    }
    content = json.dumps(report, indent=2).encode()
    s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType="application/json")
    return report


def _read(bucket: str, key: str) -> Any:
    return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
