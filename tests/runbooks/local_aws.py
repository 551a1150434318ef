"""Lambda's event source mappings on this machine, behind Lambda's own API: what the runbooks change takes effect.

`aws lambda create-event-source-mapping` starts an event source mapping of `ddb_cache_sync.local`, which reads the
emulator's stream and calls `apply_stream_event` with the function's environment variables. Exports of tables are made
here, too, by whatever the test says.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import parse_qs, unquote, urlsplit

from ddb_cache_sync import apply_stream_event, quarantine_at
from ddb_cache_sync.local.event_source_mapping import EventSourceMapping, EventSourceMappingProperties, Pace
from ddb_cache_sync.settings import Settings
from ddb_cache_sync.table.streams import StartingPosition

if TYPE_CHECKING:
    from collections.abc import Callable

    from ddb_cache_sync.local.failure_destination import FailureDestination
    from ddb_cache_sync.sync.replicator import Replicator

_PACE: Final = Pace(poll_interval_seconds=0.1)
_REGION: Final = re.compile(r"Credential=[^/]+/\d+/([^/]+)/")
_ACCOUNT: Final = "123456789012"


class Refused(Exception):  # noqa: N818 - an answer
    """What the service refuses."""


@dataclass
class Function:
    """A function whose handler is `apply_stream_event`, configured by its environment variables alone."""

    name: str
    region: str
    variables: dict[str, str]
    memory_mb: int = 128
    timeout_seconds: float = 30
    before: Callable[[Any], object] = field(default=lambda _: None)
    """Called with each event before it is applied."""
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("applied", "stale", "failures"), 0))
    """How many records came to what."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._made: tuple[dict[str, str], Replicator] | None = None

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{_ACCOUNT}:function:{self.name}"

    def configuration(self) -> dict[str, Any]:
        """As Lambda tells it."""
        return {
            "FunctionName": self.name,
            "FunctionArn": self.arn,
            "MemorySize": self.memory_mb,
            "Environment": {"Variables": self.variables},
            "State": "Active",
            "LastUpdateStatus": "Successful",
        }

    def handler(self, event: Any, context: Any) -> Any:
        """Apply an event with what the variables say now."""
        self.before(event)
        return apply_stream_event(event, self._replicator(), context=context)

    def _replicator(self) -> Replicator:
        with self._lock:
            if self._made is None or self._made[0] != self.variables:
                settings = Settings.from_environment(self.variables)
                quarantine = None if settings.quarantine is None else quarantine_at(settings.quarantine)
                self._made = (self.variables, settings.replicator([self._count], quarantine))
            return self._made[1]

    def _count(self, report: Any) -> None:
        with self._lock:
            for name in self.outcomes:
                found = getattr(report, name)
                self.outcomes[name] += found if isinstance(found, int) else len(found)


@dataclass
class Mapping:
    """An event source mapping, and what reads for it while it is enabled."""

    uuid: str
    function: Function
    told: dict[str, Any]
    """What it was made with, and changed to, in Lambda's words."""
    reader: EventSourceMapping | None = None

    @property
    def properties(self) -> EventSourceMappingProperties:
        told = self.told
        return EventSourceMappingProperties(
            batch_size=told.get("BatchSize", 100),
            parallelization_factor=told.get("ParallelizationFactor", 1),
            maximum_retry_attempts=told.get("MaximumRetryAttempts", -1),
            maximum_record_age_seconds=told.get("MaximumRecordAgeInSeconds", -1),
            bisect_batch_on_function_error=told.get("BisectBatchOnFunctionError", False),
            starting_position=StartingPosition(told["StartingPosition"]),
            report_batch_item_failures="ReportBatchItemFailures" in told.get("FunctionResponseTypes", ()),
            function_timeout_seconds=self.function.timeout_seconds,
        )

    def configuration(self) -> dict[str, Any]:
        """As Lambda tells it."""
        state = "Enabled" if self.told.get("Enabled", True) else "Disabled"
        told = {name: value for name, value in self.told.items() if name not in ("FunctionName", "Enabled")}
        return {"UUID": self.uuid, "FunctionArn": self.function.arn, "State": state, **told}


class LocalAws:
    """Answers Lambda's API, and DynamoDB's about exports, until the block is left.

    Args:
        streams: Gives the client of the streams of a Region.
    """

    def __init__(self, streams: Callable[[str], Any]) -> None:
        self.functions: dict[tuple[str, str], Function] = {}
        self.mappings: dict[str, Mapping] = {}
        self.export: Callable[[dict[str, Any]], None] = lambda _: None
        """Makes the export that was asked for."""
        self.exports: dict[str, dict[str, Any]] = {}
        self.on_failure: FailureDestination | None = None
        """Where all mappings put what they give up."""
        self._streams = streams
        local = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                region = _REGION.search(self.headers["Authorization"])
                assert region is not None
                try:
                    status, answer = (
                        HTTPStatus.OK,
                        local._answer(
                            self.command,
                            self.path,
                            region[1],
                            json.loads(body or b"{}"),
                            self.headers.get("X-Amz-Target"),
                        ),
                    )
                except Refused as refused:
                    status, answer = HTTPStatus.BAD_REQUEST, {"message": str(refused)}
                    answer["__type"] = "ValidationException"
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("x-amzn-errortype", answer.get("__type", ""))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for mapping in self.mappings.values():
            self.halt(mapping)
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def deploy(self, name: str, region: str, variables: dict[str, str]) -> Function:
        """Make a function."""
        function = self.functions[region, name] = Function(name, region, variables)
        return function

    def map(self, function: Function, stream_arn: str, **told: Any) -> Mapping:
        """Map a stream to a function."""
        made = Mapping(str(uuid.uuid4()), function, {"EventSourceArn": stream_arn, **told})
        self.mappings[made.uuid] = made
        self.start(made)
        return made

    def halt(self, mapping: Mapping) -> None:
        """End the reading, and tell nobody."""
        if mapping.reader is not None:
            mapping.reader.stop()
            mapping.reader = None

    def drain(self) -> None:
        """Wait until all that the streams have is applied."""
        for mapping in self.mappings.values():
            if mapping.reader is not None:
                mapping.reader.drain(60)

    def start(self, mapping: Mapping) -> None:
        """Begin to read, anew."""
        self.halt(mapping)
        if mapping.told.get("Enabled", True):
            # It begins at its starting position, as nothing outlives a reader here: records may come again.
            mapping.reader = EventSourceMapping(
                self._streams(mapping.function.region),
                mapping.told["EventSourceArn"],
                mapping.function.handler,
                mapping.properties,
                pace=_PACE,
                on_failure=self.on_failure,
                function_name=mapping.function.name,
            )
            mapping.reader.start()

    def _answer(self, method: str, url: str, region: str, body: dict[str, Any], target: str | None) -> dict[str, Any]:
        if target is not None:
            return self._export(target.partition(".")[2], body)
        path = unquote(urlsplit(url).path).strip("/").split("/")
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        if path[1] == "functions":
            function = self.functions[region, path[2]]
            if method == "PUT":
                function.memory_mb = body.get("MemorySize", function.memory_mb)
                function.variables = body.get("Environment", {}).get("Variables", function.variables)
            return function.configuration()
        if len(path) > 2:
            mapping = self.mappings[path[2]]
            if method == "PUT":
                mapping.told |= body
                self.start(mapping)
            elif method == "DELETE":
                self.halt(self.mappings.pop(path[2]))
            return mapping.configuration()
        if method == "POST":
            function = self.functions[region, body.pop("FunctionName")]
            return self.map(function, body.pop("EventSourceArn"), **body).configuration()
        found = [each for each in self.mappings.values() if each.function.region == region]
        if "FunctionName" in query:
            found = [each for each in found if each.function.name == query["FunctionName"]]
        if "EventSourceArn" in query:
            found = [each for each in found if each.told["EventSourceArn"] == query["EventSourceArn"]]
        return {"EventSourceMappings": [each.configuration() for each in found]}

    def _export(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        if operation == "ExportTableToPointInTime":
            window = body["IncrementalExportSpecification"]
            if not 15 * 60 <= window["ExportToTime"] - window["ExportFromTime"] <= 24 * 3600:
                raise Refused("the window of an incremental export is 15 minutes to 24 hours")
            arn = f"{body['TableArn']}/export/{len(self.exports):014d}-a1b2c3d4"
            self.export({**body, "ExportArn": arn})
            self.exports[arn] = {"ExportArn": arn, "ExportStatus": "COMPLETED", "TableArn": body["TableArn"]}
            return {"ExportDescription": self.exports[arn]}
        return {"ExportDescription": self.exports[body["ExportArn"]]}
