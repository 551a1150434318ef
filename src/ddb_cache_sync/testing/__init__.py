"""For tests of one's own: stream events and exports to build, a table and a cache in memory, faults to inject."""

from ddb_cache_sync.testing.chaos import Chaos, InjectedFault
from ddb_cache_sync.testing.events import attribute_value, kinesis_event, stream_event, stream_record
from ddb_cache_sync.testing.exports import write_export
from ddb_cache_sync.testing.memory import MemoryCache
from ddb_cache_sync.testing.table import MemoryTable

__all__ = [
    "Chaos",
    "InjectedFault",
    "MemoryCache",
    "MemoryTable",
    "attribute_value",
    "kinesis_event",
    "stream_event",
    "stream_record",
    "write_export",
]
