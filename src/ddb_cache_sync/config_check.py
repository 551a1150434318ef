"""What is wrong with a configuration: all that can be found without connecting to anything, at once.

Rules:

1. A mistake is named once, at its place; what can't be judged because of it is left alone. So a file is checked as if
   what is wrong in it were not there, and routes are compared with each other only if each is right by itself.
2. What a small set-up may do on purpose is no mistake: it is a warning.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ddb_cache_sync.config import Mistake, RouteSettings, in_order, toml_table
from ddb_cache_sync.core.diagnosis.findings import Level
from ddb_cache_sync.core.diagnosis.mapping_checks import guard_ttl
from ddb_cache_sync.core.guards import DEFAULT_GUARD_PREFIX, check_guard_prefix
from ddb_cache_sync.errors import ConfigurationError
from ddb_cache_sync.observability import OpenTelemetrySpans
from ddb_cache_sync.settings import OF_BOTH, Settings, mistakes_in


class CheckedFile(NamedTuple):
    """What there is to say of a configuration file."""

    settings: Settings | None
    """None: something is wrong."""
    problems: tuple[str, ...]
    """What is wrong, in the order of the file, each with its place and what to do."""
    warnings: tuple[str, ...]
    """What loses changes under some circumstances, and can be meant."""


def checked_file(path: Path) -> CheckedFile:
    """Check a configuration file. The environment plays no part."""
    try:
        said = toml_table(path)
    except ConfigurationError as error:
        return CheckedFile(None, (error.problem,), ())
    found = mistakes_in(said, path)
    wrong = {each.place[0] for each in found}
    if wrong & OF_BOTH:
        wrong.add("new_layout")  # which has to be like the old one in these
    right = {name: value for name, value in said.items() if name not in wrong}
    settings = Settings.model_validate(right | {"config": path})
    found += _beside(said, found, path) if "routes" in wrong else ()
    found += mistakes_of_settings(settings)
    problems = tuple(dict.fromkeys(each.problem for each in in_order(found, said)))
    return CheckedFile(None if problems else settings, problems, tuple(warnings_of(settings)))


def mistakes_of_settings(settings: Settings) -> list[Mistake]:
    """What is wrong with settings of which each can be right by itself; in no order."""
    file = "" if settings.config is None else f"{settings.config}: "
    return [
        Mistake(place, problem if problem.startswith(file) else f"{file}{problem}")
        for place, problem in _mistakes(settings)
    ]


def warnings_of(settings: Settings) -> Iterator[str]:
    """What is no mistake, and loses changes under some circumstances."""
    verdict = guard_ttl(settings.guard_ttl_seconds)
    if verdict.level is not Level.OK:
        yield f"guard_ttl_seconds: {verdict.what}. {verdict.mend}"


def _mistakes(settings: Settings) -> Iterator[Mistake]:
    layout = settings.model_copy(update={"new_layout": None})
    wrong_prefix = _raised(partial(check_guard_prefix, settings.guard_prefix))
    if wrong_prefix is not None:
        yield Mistake(("guard_prefix",), f"guard_prefix: {wrong_prefix}")
        layout = layout.model_copy(update={"guard_prefix": DEFAULT_GUARD_PREFIX})
    in_routes = [*_mistakes_of_routes(dict(enumerate(settings.routes)), f"{settings.config}: ")]
    yield from in_routes
    if not in_routes:
        if problem := _raised(layout.router):
            yield Mistake(("routes",) if settings.routes else ("key_template",), problem)
        elif settings.new_layout is not None and wrong_prefix is None and (problem := _raised(settings.router)):
            yield Mistake(("new_layout",), f"new_layout: {problem}")
    if settings.redis_url is not None and (problem := _raised(settings.client)):
        yield Mistake(("redis_url",), problem)
    if problem := _raised(lambda: settings.stream_label_ms):
        yield Mistake(("stream_label",), problem)
    if "otel" in (settings.metrics or ()) and (problem := _raised(OpenTelemetrySpans)):
        yield Mistake(("metrics",), f"metrics: {problem}")


def _mistakes_of_routes(routes: Mapping[int, RouteSettings], file: str) -> Iterator[Mistake]:
    """What is wrong with each route by itself."""
    for place, route in routes.items():
        if problem := _raised(partial(route.route, DEFAULT_GUARD_PREFIX)):
            yield Mistake(("routes", place), f"{file}routes[{place}]: {problem}")


def _beside(said: Mapping[str, Any], found: list[Mistake], path: Path) -> Iterator[Mistake]:
    """What is wrong with the routes that stand beside mistaken ones."""
    wrong = [each.place[1:2] for each in found if each.place[0] == "routes"]
    if () in wrong:  # it is no list of routes at all
        return
    routes = {
        place: RouteSettings.model_validate(each) for place, each in enumerate(said["routes"]) if (place,) not in wrong
    }
    yield from _mistakes_of_routes(routes, f"{path}: ")


def _raised(check: Callable[[], object]) -> str | None:
    """What is wrong by a function that raises it; None: nothing is."""
    try:
        check()
    except ConfigurationError as error:
        return error.problem
    return None
