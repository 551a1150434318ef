"""One hypothesis profile for what must always hold."""

import os

from hypothesis import settings

# No deadline: a busy machine is no defect. The same examples each time in CI, new ones at each desk.
settings.register_profile("core", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("core")
