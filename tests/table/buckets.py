"""Exports put where AWS puts them: into a bucket of moto's S3."""

from pathlib import Path
from typing import Any


def upload(s3: Any, folder: Path, bucket: str, prefix: str = "") -> None:
    """Put all files below a folder into a new bucket."""
    s3.create_bucket(Bucket=bucket)
    for path in folder.rglob("*"):
        if path.is_file():
            s3.put_object(Bucket=bucket, Key=f"{prefix}{path.relative_to(folder)}", Body=path.read_bytes())
