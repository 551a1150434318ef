"""The CDK app: `cdk synth`, `cdk diff`, `cdk deploy`, `cdk destroy`. Options: README.md."""

from __future__ import annotations

import sys

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from cdk_nag import AwsSolutionsChecks

from deployment import bundle
from deployment.options import OptionError, Options
from deployment.stack import CacheSyncStack


def warn_without_bytecode(stack: cdk.Stack, target: bundle.Target) -> None:
    """Say that the archive has no bytecode, where this machine has no interpreter of the target's version.

    Args:
        stack: Whose functions run from it.
        target: What it was built for.
    """
    if bundle.interpreter(target.python) is None:
        cdk.Annotations.of(stack).add_warning_v2(
            "ddb-cache-sync:no-bytecode",
            f"There is no Python {target.python} here, so the functions' archive has no bytecode: cold starts take "
            "about twice as long. Its bytes differ from those of a machine that has one: functions are deployed anew. "
            f"Install Python {target.python} (pyenv, uv), also where a pipeline deploys",
        )


def main(target: bundle.Target = bundle.LAMBDA) -> None:
    """Synthesise; what can't be right is said in one line.

    Args:
        target: What the functions are built for.
    """
    app = cdk.App()
    try:
        options = Options.from_context(app.node.get_all_context())
        code = lambda_.Code.from_asset(str(bundle.build(target)))
    except (OptionError, bundle.BundleError) as error:
        sys.exit(f"{error}")
    stack = CacheSyncStack(app, options.stack_name, options=options, code=code)
    warn_without_bytecode(stack, target)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()


if __name__ == "__main__":
    main()
