"""The parts of a pipeline that all of its rounds share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.pipeline_faults.checking import Checker
    from tests.pipeline_faults.environments import Environments
    from tests.pipeline_faults.items import Items
    from tests.pipeline_faults.kinds import Counts
    from tests.pipeline_faults.servers import Servers


class DivergentError(Exception):
    """Keys don't hold what they should."""


class Rig(NamedTuple):
    """A table, a cluster and the function's environments, and the faults that were counted."""

    items: Items
    servers: Servers
    checker: Checker
    environments: Environments
    counts: Counts
