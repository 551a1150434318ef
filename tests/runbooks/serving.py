"""Runs commands in forks of a process that has loaded them: a shell then starts one in a tenth of a second, not in one.

Each command is a process of its own all the same, with the shell's files, folder and environment. Run as a file, it
serves on a Unix socket until it is ended; `installed` puts programs into a folder that ask it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.runbooks.aws_cli import Answer

LOOKS: Final = "RUNBOOKS_LOOKS"
"""The variable that says when `verify` and the like look again: half a minute where the page does not say."""

_READY: Final = b"ready\n"
_SERVICES: Final = ("dynamodb", "lambda", "cloudwatch", "sqs", "s3")
_CLIENT: Final = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [b"!"], [0, 1, 2])
    server.sendall(json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode())
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.makefile().read() or 70))
"""


@contextlib.contextmanager
def installed(folder: Path) -> Iterator[Path]:
    """Put `ddb-cache-sync` and `aws` into a folder, for the block; gives the folder."""
    address = folder / "socket"
    for name in ("ddb-cache-sync", "aws"):
        program = folder / name
        program.write_text(_CLIENT.format(python=sys.executable, address=str(address)), encoding="utf-8")
        program.chmod(0o755)
    command = [sys.executable, __file__, str(address)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == _READY
            yield folder
        finally:
            server.terminate()


def _serve(address: str) -> None:
    main, aws = _loaded()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a child: it tells its exit code itself
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        os.write(1, _READY)
        while True:
            connection, _ = server.accept()
            with connection:
                asked = _asked(connection)
                if asked.name == "aws":
                    # Here, since its clients are kept, and it does nothing but ask others.
                    answer = aws(asked.words, Path(asked.folder), asked.environment)
                    os.write(asked.files[1], answer.out.encode())
                    os.write(asked.files[2], answer.err.encode())
                    connection.sendall(str(answer.code).encode())
                elif os.fork() == 0:
                    server.close()
                    connection.sendall(str(_run(asked, main)).encode())
                    os._exit(0)
                for file in asked.files:
                    os.close(file)


class _Asked(NamedTuple):
    """A command, and whence it was called."""

    name: str
    words: list[str]
    folder: str
    environment: dict[str, str]
    files: list[int]
    """Standard input, output and error."""


def _asked(connection: socket.socket) -> _Asked:
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as request:
        [program, *words], folder, environment = json.loads(request.read())
    return _Asked(Path(program).name, words, folder, environment, files)


def _loaded() -> tuple[Callable[[], object], Callable[..., Answer]]:
    """`ddb-cache-sync` with all that it would load, the models that clients would parse among it, and `aws`."""
    import boto3  # noqa: PLC0415 - for the server alone, as are the others
    import botocore.loaders  # noqa: PLC0415

    sys.path.append(str(Path(__file__).parents[2]))
    from tests.runbooks.aws_cli import aws  # noqa: PLC0415

    from ddb_cache_sync.cli import app, main  # noqa: F401, PLC0415
    from ddb_cache_sync.sync import preparing, preparing_redrive, repair, verification  # noqa: F401, PLC0415
    from ddb_cache_sync.table import exports, given_up_queue, given_up_sources, scanning  # noqa: F401, PLC0415

    loader = botocore.loaders.create_loader()
    botocore.loaders.create_loader = lambda *_: loader
    for service in _SERVICES:
        boto3.session.Session().client(service, region_name="us-east-1")
    return main, aws


def _run(asked: _Asked, main: Callable[[], object]) -> int:
    """Run `ddb-cache-sync` in this process; its exit code."""
    for number, file in enumerate(asked.files):
        os.dup2(file, number)
    os.chdir(asked.folder)
    os.environ.clear()
    os.environ.update(asked.environment)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    compares = {"verify", "drop"} & {*asked.words[:2]} and "--looks" not in asked.words
    looks = ["--looks", asked.environment[LOOKS]] if compares else []
    sys.argv = [asked.name, *asked.words, *looks]
    code: object = 0
    try:
        main()
    except SystemExit as leaving:
        code = leaving.code or 0
    except BaseException:  # noqa: BLE001 - told as the interpreter tells it
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 1


if __name__ == "__main__":
    _serve(sys.argv[1])
