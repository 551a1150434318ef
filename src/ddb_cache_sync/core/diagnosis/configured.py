"""How a pipeline is configured: the projections that a table's items go through."""

from typing import NamedTuple

from ddb_cache_sync.core.diagnosis.findings import Known, Unknown
from ddb_cache_sync.core.layouts import BothLayouts
from ddb_cache_sync.core.projection import Projection, Router
from ddb_cache_sync.core.routing import EntityRouter


class Configured(NamedTuple):
    """One way that items of a table go."""

    name: str
    """Such as `routes[1]`; empty: there is one way only."""
    projection: Projection


def configured_for(router: Router, table: str) -> Known[tuple[Configured, ...]]:
    """The ways that a table's items go; none: no route takes them."""
    if isinstance(router, Projection):
        return (Configured("", router),)
    if isinstance(router, EntityRouter):
        return tuple(
            Configured(f"routes[{place}]", route.projection)
            for place, route in enumerate(router.routes)
            if route.table in (None, table)
        )
    if isinstance(router, BothLayouts):
        old, new = configured_for(router.old, table), configured_for(router.new, table)
        if isinstance(old, Unknown) or isinstance(new, Unknown):
            return old if isinstance(old, Unknown) else new
        return (*old, *(Configured(f"new layout {each.name}".rstrip(), each.projection) for each in new))
    return Unknown(f"a {type(router).__name__} does not tell its projections", "Give each of its projections in turn.")
