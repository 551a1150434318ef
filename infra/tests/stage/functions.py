"""A function of a template, run as Lambda runs it.

Its archive is unpacked, its handler called by Amazon's own runtime client, with the environment, memory size and
time-out that the template gives, and what Lambda itself sets.

Each execution environment is a process with a Runtime API of its own. What Lambda does is done:

- a call at a time for each environment; another one is started while all are busy, and idle ones are used again
- an environment whose time-out is over is killed, and the call has failed
- an exception is answered as an error; the environment goes on

Memory can't be held back as Lambda does it; each environment's highest use is noted, to be compared.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import queue
import subprocess
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self


class FunctionError(Exception):
    """The call failed: by an exception in the handler, by its time-out, or since the process ended."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


@dataclass(frozen=True)
class Image:
    """What a function runs on.

    Attributes:
        python: The interpreter.
        task: The archive, unpacked: /var/task.
        runtime: What Lambda's runtime has: boto3 and the runtime client: /var/runtime.
        outside: Environment of this machine in the place of AWS: endpoints, and whom to trust.
    """

    python: Path
    task: Path
    runtime: Path
    outside: Mapping[str, str]


@dataclass
class LocalLambda:
    """A function that can be called.

    Attributes:
        name: Its name.
        properties: Of its resource, references worked out.
        image: What it runs on.
        region: Its Region.
        logs: Where its output goes.
        cold_starts_ms: How long each new environment took until it asked for its first call.
        peak_memory_mb: The highest memory use of any environment that was asked.
    """

    name: str
    properties: Mapping[str, Any]
    image: Image
    region: str
    logs: Path
    cold_starts_ms: list[float] = field(default_factory=list)
    peak_memory_mb: float = 0.0
    _idle: list[_Environment] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: bool = False

    @property
    def timeout_seconds(self) -> float:
        """Its time-out."""
        return float(self.properties["Timeout"])

    def invoke(self, event: Any, timeout_seconds: float | None = None) -> Any:
        """Call it, and give what it answers.

        Args:
            event: What JSON can hold.
            timeout_seconds: A shorter time-out than the template's, to see what it does in time.

        Raises:
            FunctionError: It failed.
        """
        with self._lock:
            environment = self._idle.pop() if self._idle else None
        environment = environment or self._started()
        try:
            answer = environment.call(event, min(timeout_seconds or self.timeout_seconds, self.timeout_seconds))
        except FunctionError:
            self._put_back(environment)
            raise
        self._put_back(environment)
        return answer

    def with_variables(self, **variables: str) -> LocalLambda:
        """The same function with other settings, and environments of its own."""
        together = {"Variables": self.properties["Environment"]["Variables"] | variables}
        return LocalLambda(self.name, {**self.properties, "Environment": together}, self.image, self.region, self.logs)

    def kill_idle(self) -> int:
        """Kill environments that wait for a call, as Lambda does whenever it likes; gives how many."""
        with self._lock:
            idle, self._idle = self._idle, []
        for environment in idle:
            environment.close()
        return len(idle)

    def log(self) -> str:
        """All that it has written."""
        return "".join(path.read_text("utf-8", "replace") for path in sorted(self.logs.glob(f"{self.name}-*.log")))

    def __enter__(self) -> Self:
        """Nothing is started before the first call."""
        return self

    def __exit__(self, *_: object) -> None:
        """End every environment."""
        self._closed = True
        self.kill_idle()

    def environment_variables(self) -> dict[str, str]:
        """All that its process sees: the template's, Lambda's, and this machine's in the place of AWS."""
        logging = self.properties.get("LoggingConfig", {})
        return {
            # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.properties["MemorySize"]),
            "AWS_LAMBDA_LOG_FORMAT": logging.get("LogFormat", "Text"),
            "AWS_LAMBDA_LOG_LEVEL": logging.get("ApplicationLogLevel", ""),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "here",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_SESSION_TOKEN": "local",
            "LAMBDA_TASK_ROOT": str(self.image.task),
            "LAMBDA_RUNTIME_DIR": str(self.image.runtime),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": f"{self.image.task}{os.pathsep}{self.image.runtime}",
            **self.image.outside,
            **self.properties["Environment"]["Variables"],
        }

    def _started(self) -> _Environment:
        begun = time.monotonic()
        environment = _Environment(self)
        environment.wait_until_ready()
        self.cold_starts_ms.append((time.monotonic() - begun) * 1000)
        return environment

    def _put_back(self, environment: _Environment) -> None:
        self.peak_memory_mb = max(self.peak_memory_mb, environment.peak_memory_mb())
        with self._lock:
            if environment.alive and not self._closed:
                self._idle.append(environment)
                return
        environment.close()


class _Environment:
    """A process, and the Runtime API that it talks to."""

    def __init__(self, function: LocalLambda) -> None:
        self._function = function
        self._calls: queue.Queue[tuple[str, Any, float] | None] = queue.Queue()
        self._answers: queue.Queue[tuple[str, str, Any]] = queue.Queue()
        self._ready = threading.Event()
        self._server = _server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        host, port = self._server.server_address[:2]
        log = function.logs / f"{function.name}-{uuid.uuid4().hex[:8]}.log"
        command = [function.image.python, "-S", "-B", "-m", "awslambdaric", function.properties["Handler"]]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=function.image.task,
                env=function.environment_variables() | {"AWS_LAMBDA_RUNTIME_API": f"{host!s}:{port}"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._log = log

    @property
    def alive(self) -> bool:
        """Whether it can take another call."""
        return self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Until its handler is imported, and it asks for a call."""
        deadline = time.monotonic() + 60
        while not self._ready.wait(0.01):
            with contextlib.suppress(queue.Empty):
                _, kind, answer = self._answers.get_nowait()
                self.close()
                raise FunctionError(kind, str(answer))
            if not self.alive or time.monotonic() > deadline:
                self.close()
                raise FunctionError("Runtime.ExitError", self._log.read_text("utf-8", "replace")[-2000:])

    def call(self, event: Any, timeout_seconds: float) -> Any:
        """One call."""
        request = str(uuid.uuid4())
        deadline = time.time() + timeout_seconds
        self._calls.put((request, event, deadline))
        while True:
            try:
                answered, kind, answer = self._answers.get(timeout=0.05)
            except queue.Empty:
                if time.time() > deadline:
                    self.close()  # as Lambda does: whatever it was at is cut off
                    raise FunctionError("Sandbox.Timedout", f"timed out after {timeout_seconds:g} s") from None
                if not self.alive:
                    raise FunctionError("Runtime.ExitError", self._log.read_text("utf-8", "replace")[-2000:]) from None
                continue
            if answered != request:
                continue
            if kind:
                raise FunctionError(kind, str(answer))
            return answer

    def peak_memory_mb(self) -> float:
        """Its highest resident memory so far; 0 where the system does not tell."""
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{self._process.pid}/status").read_text("ascii")
            for line in status.splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
        return 0.0

    def close(self) -> None:
        """Kill the process, end the Runtime API."""
        self._process.kill()
        self._process.wait()
        self._calls.put(None)
        self._server.shutdown()
        self._server.server_close()

    # What the Runtime API is asked, in threads of its own.

    def next_call(self) -> tuple[str, Any, float] | None:
        self._ready.set()
        return self._calls.get()

    def answered(self, request: str, kind: str, answer: Any) -> None:
        self._answers.put((request, kind, answer))

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self._function.region}:123456789012:function:{self._function.name}"


def _server(environment: _Environment) -> http.server.ThreadingHTTPServer:
    class Api(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            call = environment.next_call()
            if call is None:
                self.close_connection = True
                return
            request, event, deadline = call
            body = json.dumps(event).encode()
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", request)
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int(deadline * 1000)))
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", environment.arn)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = json.loads(body or b"null")
            parts = self.path.strip("/").split("/")
            if parts[-1] == "response":
                environment.answered(parts[-2], "", answer)
            else:
                kind = (answer or {}).get("errorType") or "Unknown"
                request = parts[-2] if parts[-3] == "invocation" else ""
                environment.answered(request, kind, (answer or {}).get("errorMessage"))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    return server
