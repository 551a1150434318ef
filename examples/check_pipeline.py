"""Check a pipeline before each deployment: `python examples/check_pipeline.py users`.

Needs AWS credentials, and the cache's URL in DDB_CACHE_SYNC_REDIS_URL. The exit code is 1 where changes are lost, or
where the function is behind: what is bad enough is yours to say.
"""

import os
import sys

from ddb_cache_sync import KeyTemplate, Projection, connect
from ddb_cache_sync.core.diagnosis import Level
from ddb_cache_sync.sync.doctor import diagnose
from ddb_cache_sync.table.examination import aws_clients


def main() -> None:
    found = diagnose(
        sys.argv[1],
        connect(os.environ["DDB_CACHE_SYNC_REDIS_URL"]),
        Projection(KeyTemplate("users:{id}")),
        aws_clients(),
    )
    bad = [each for each in found if each.level is Level.LOSES_DATA or (each.check == "iterator-age" and each.mend)]
    for each in bad:
        print(f"{each.about}: {each.check}: {each.what}. {each.mend}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
