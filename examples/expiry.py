"""A Lambda function whose values expire with their items, and after a day at the latest."""

import logging
import os

from ddb_cache_sync import Expiry, KeyTemplate, Replicator, apply_stream_event, connect

log = logging.getLogger(__name__)


def log_notices(report):
    for notice in report.notices:
        log.warning("record %s: %s", notice.sequence_number, notice.reason)


replicator = Replicator(
    connect(os.environ["DDB_CACHE_SYNC_REDIS_URL"]),
    keys=KeyTemplate("sessions:{id}"),
    expiry=Expiry("expires_at", seconds=86_400),
    on_report=log_notices,
)


def handler(event, context):
    return apply_stream_event(event, replicator, context=context)
