"""The example of the encodings runs as its docstring says."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "encodings.py"


def test_it_shows_every_encoding() -> None:
    """Stored and read again; an attribute that is not there has no value."""
    run = subprocess.run([sys.executable, "-X", "utf8", str(EXAMPLE)], capture_output=True, check=False, timeout=60)
    assert (run.returncode, run.stderr) == (0, b"")
    shown = run.stdout.decode()
    assert "attribute:avatar (string)\n  stored: b'\\x00\\x01\\x02\\xff'\n" in shown
    assert "attribute:nickname (string)\n  no such attribute" in shown
    assert shown.count("  stored: ") == shown.count("  read:   ") == 6
    assert "hash (hash)\n" in shown
    assert "compressed above 64 bytes (string)\n  stored: b'x\\x9c" in shown
