"""The app with functions built for this machine: ministack runs them in a process of its own Python.

And without metric math in an alarm, which ministack refuses.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import app
from deployment import bundle
from deployment.operations import infrastructure
from deployment.operations.metrics import of_function

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_lambda as lambda_


def plain(_table_name: str, function: lambda_.IFunction) -> cloudwatch.Metric:
    """In the place of the formula."""
    return of_function("Invocations", function)


infrastructure.silence = plain  # type: ignore[assignment, attr-defined]
app.main(bundle.here(os.environ["FUNCTIONS_PYTHON"]))
