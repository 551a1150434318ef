"""The app as it is, with functions built for this machine: ministack runs them in a process of its own Python."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import app
from deployment import bundle

app.main(bundle.here(os.environ["FUNCTIONS_PYTHON"]))
