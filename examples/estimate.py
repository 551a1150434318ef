"""Finds the batch size from which a busy table costs hardly less, and whether one shard is enough. Talks to nothing.

python examples/estimate.py
"""

from dataclasses import replace

from ddb_cache_sync.estimate import Workload, estimate

table = Workload(writes_per_second=800, item_bytes=2_000, items=3_000_000, window_seconds=1)

for batch_size in (1, 10, 100, 1_000):
    found = estimate(replace(table, batch_size=batch_size))
    keeps_up = "keeps up" if found.ours.keeps_up else "falls behind"
    print(f"batch size {batch_size:>5,}: function {found.ours.cost.function:8,.2f} USD a month, {keeps_up}")

found = estimate(table)
print(f"{found.shards} shards; first bottleneck: {found.bottleneck.name}")
