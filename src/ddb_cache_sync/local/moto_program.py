"""The program of the embedded DynamoDB: moto's server on a free loopback port, until it is ended.

Run as a file of its own, so that it loads moto and nothing of this library. Its first line of output is
`listening on <port>`; requests are not logged.
"""

import logging
import sys
import threading

from moto.server import ThreadedMotoServer


def main() -> None:
    """Serve until a signal ends the program."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    sys.stdout.write(f"listening on {port}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
