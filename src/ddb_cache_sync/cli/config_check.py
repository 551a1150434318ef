"""`ddb-cache-sync config check FILE`: whether a configuration file can be right, and what it says."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from ddb_cache_sync.cli.console import print_json, print_line, print_problem, print_rows, results
from ddb_cache_sync.cli.options import EXIT_FAILED, AsJson
from ddb_cache_sync.config_check import checked_file
from ddb_cache_sync.settings import Settings


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The configuration file (TOML).")],
    as_json: AsJson = False,
) -> None:
    """Check a configuration file, without connecting to anything.

    The environment plays no part. Exit code 0: nothing is wrong with it, 1: something is, and it says all that is, and
    where.
    """
    settings, problems, warnings = checked_file(file)
    if as_json:
        said = {"settings": [], "routes": [], "unmatched": None} if settings is None else _summary(settings)
        print_json({"valid": not problems, "problems": problems, "warnings": warnings} | said)
    elif settings is not None:
        _show(settings)
    for kind, texts in (("wrong", problems), ("warning", warnings)):
        for text in texts:
            print_problem(kind, text)
    if problems:
        raise typer.Exit(EXIT_FAILED)


def _summary(settings: Settings) -> dict[str, Any]:
    return {
        "settings": settings.said,
        "routes": [route.model_dump(mode="json") for route in settings.routes_or_one],
        "unmatched": settings.unmatched,
    }


def _show(settings: Settings) -> None:
    said = ", ".join(settings.said) or "none"
    print_line(results(), f"{settings.config} is right. Settings: {said}. Unmatched items: {settings.unmatched}.")
    titles = ("route", "table", "key", "attribute", "key template", "encoding", "mode")
    rows: list[tuple[Text | str, ...]] = [tuple(Text(title, "bold") for title in titles)]
    for place, route in enumerate(settings.routes_or_one):
        asked = [
            ", ".join(f"{name}={pattern}" for name, pattern in (patterns or {}).items()) or "any"
            for patterns in (route.key, route.attribute)
        ]
        template = route.key_template or "default"
        rows.append((str(place), route.table or "any", *asked, template, route.encoding, route.mode))
    print_rows(results(), rows)
