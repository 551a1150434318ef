"""`ddb-cache-sync config schema`: the JSON schema of a configuration file."""

import orjson

from ddb_cache_sync.cli.console import print_json, print_text
from ddb_cache_sync.cli.options import AsJson
from ddb_cache_sync.config_schema import config_schema


def schema(as_json: AsJson = False) -> None:
    """Print the JSON schema of a configuration file, for editors.

    It is JSON in any case; with --json on one line.
    """
    if as_json:
        print_json(config_schema())
    else:
        print_text(orjson.dumps(config_schema(), option=orjson.OPT_INDENT_2))
