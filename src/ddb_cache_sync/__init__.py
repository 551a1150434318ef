"""Keeps a Redis or Valkey cache (Amazon ElastiCache) in step with a DynamoDB table, fed by DynamoDB Streams."""

from typing import TYPE_CHECKING

from ddb_cache_sync.aws_lambda import apply_stream_event
from ddb_cache_sync.cache.connect import connect
from ddb_cache_sync.cache.contract import Cache, ReadableCache
from ddb_cache_sync.core.attribute_values import Image
from ddb_cache_sync.core.changes import Change, ItemKey, Remove, Touch, Upsert
from ddb_cache_sync.core.encodings import Encoding, JsonEncoding, StoredValue
from ddb_cache_sync.core.expiry import Expiry
from ddb_cache_sync.core.keys import KeyMapping, KeyTemplate
from ddb_cache_sync.core.lookups import LookupKey
from ddb_cache_sync.core.outcomes import ApplyReport, BatchResponse, Failure, Notice, Outcome
from ddb_cache_sync.core.projection import Projection, Router
from ddb_cache_sync.core.python_values import image_of
from ddb_cache_sync.core.stream_records import StreamRecord, decode_stream_event
from ddb_cache_sync.core.transforms import Transform, exclude, include, where
from ddb_cache_sync.core.versions import Version
from ddb_cache_sync.deferred import deferred
from ddb_cache_sync.errors import (
    CacheError,
    CacheSyncError,
    CacheUnavailable,
    ConfigurationError,
    DeadlineExceeded,
    RecordError,
    TableError,
)
from ddb_cache_sync.sync.hooks import ReportHook
from ddb_cache_sync.sync.replicator import Replicator

if TYPE_CHECKING:
    from ddb_cache_sync.cache.credentials import IamCredentials, SecretCredentials
    from ddb_cache_sync.core.encodings import (
        AttributeEncoding,
        Compressed,
        DynamoDBJsonEncoding,
        HashEncoding,
        encoding_named,
    )
    from ddb_cache_sync.core.layouts import BothLayouts
    from ddb_cache_sync.core.quarantined import QuarantinedRecord
    from ddb_cache_sync.core.routes import Route
    from ddb_cache_sync.core.routing import EntityRouter
    from ddb_cache_sync.core.validation import validate_with
    from ddb_cache_sync.observability import EmfMetrics, OpenTelemetrySpans, ReportLog
    from ddb_cache_sync.sync.backfill import Backfill, BackfillReport
    from ddb_cache_sync.sync.preparing import BackfillOptions, prepare_backfill
    from ddb_cache_sync.sync.quarantine import FolderQuarantine, Quarantine, quarantine_at
    from ddb_cache_sync.sync.reader import CacheReader
else:
    __getattr__, __dir__ = deferred(
        __name__,
        {
            "cache.credentials": ["IamCredentials", "SecretCredentials"],
            "core.encodings": [
                "AttributeEncoding",
                "Compressed",
                "DynamoDBJsonEncoding",
                "HashEncoding",
                "encoding_named",
            ],
            "core.layouts": ["BothLayouts"],
            "core.quarantined": ["QuarantinedRecord"],
            "core.routes": ["Route"],
            "core.routing": ["EntityRouter"],
            "core.validation": ["validate_with"],
            "observability": ["EmfMetrics", "OpenTelemetrySpans", "ReportLog"],
            "sync.backfill": ["Backfill", "BackfillReport"],
            "sync.preparing": ["BackfillOptions", "prepare_backfill"],
            "sync.quarantine": ["FolderQuarantine", "Quarantine", "quarantine_at"],
            "sync.reader": ["CacheReader"],
        },
    )

__all__ = [
    "ApplyReport",
    "AttributeEncoding",
    "Backfill",
    "BackfillOptions",
    "BackfillReport",
    "BatchResponse",
    "BothLayouts",
    "Cache",
    "CacheError",
    "CacheReader",
    "CacheSyncError",
    "CacheUnavailable",
    "Change",
    "Compressed",
    "ConfigurationError",
    "DeadlineExceeded",
    "DynamoDBJsonEncoding",
    "EmfMetrics",
    "Encoding",
    "EntityRouter",
    "Expiry",
    "Failure",
    "FolderQuarantine",
    "HashEncoding",
    "IamCredentials",
    "Image",
    "ItemKey",
    "JsonEncoding",
    "KeyMapping",
    "KeyTemplate",
    "LookupKey",
    "Notice",
    "OpenTelemetrySpans",
    "Outcome",
    "Projection",
    "Quarantine",
    "QuarantinedRecord",
    "ReadableCache",
    "RecordError",
    "Remove",
    "Replicator",
    "ReportHook",
    "ReportLog",
    "Route",
    "Router",
    "SecretCredentials",
    "StoredValue",
    "StreamRecord",
    "TableError",
    "Touch",
    "Transform",
    "Upsert",
    "Version",
    "apply_stream_event",
    "connect",
    "decode_stream_event",
    "encoding_named",
    "exclude",
    "image_of",
    "include",
    "prepare_backfill",
    "quarantine_at",
    "validate_with",
    "where",
]
