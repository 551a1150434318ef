"""The CDK app: `cdk synth`, `cdk diff`, `cdk deploy`, `cdk destroy`. Options: README.md."""

from __future__ import annotations

import sys

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from cdk_nag import AwsSolutionsChecks

from deployment import bundle
from deployment.options import OptionError, Options
from deployment.stack import CacheSyncStack


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
    CacheSyncStack(app, options.stack_name, options=options, code=code)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()


if __name__ == "__main__":
    main()
