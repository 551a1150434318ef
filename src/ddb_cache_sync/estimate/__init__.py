"""What replicating a table takes: concurrency, lag, memory, cost, and the first limit. A function, and pure.

`estimate(Workload(...))` gives an `Estimate`; every number it is made from is in `default_prices()`.
"""

from ddb_cache_sync.estimate.estimating import estimate
from ddb_cache_sync.estimate.plot import plot
from ddb_cache_sync.estimate.prices import Number, Prices, default_prices, read_prices
from ddb_cache_sync.estimate.results import Bottleneck, Cost, Estimate, Way
from ddb_cache_sync.estimate.workload import Workload

__all__ = [
    "Bottleneck",
    "Cost",
    "Estimate",
    "Number",
    "Prices",
    "Way",
    "Workload",
    "default_prices",
    "estimate",
    "plot",
    "read_prices",
]
