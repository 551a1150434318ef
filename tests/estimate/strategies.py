"""Workloads of all sizes."""

from hypothesis import strategies as st

from ddb_cache_sync.estimate import Workload

workloads = st.builds(
    Workload,
    writes_per_second=st.floats(0.001, 1e6),
    item_bytes=st.integers(1, 400 * 1024),
    key_bytes=st.integers(1, 4096),
    items=st.integers(1, 10**10),
    batch_size=st.integers(1, 10_000),
    window_seconds=st.floats(0, 300),
    parallelization=st.integers(1, 10),
    memory_mb=st.integers(128, 10_240),
    round_trip_ms=st.floats(0.01, 50),
    shards=st.none() | st.integers(1, 5000),
)
