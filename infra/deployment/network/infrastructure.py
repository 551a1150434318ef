"""The network: isolated subnets, and gateways to DynamoDB and S3, which cost nothing. No NAT, no way to the internet.

What the functions call goes through these two or to the cache. Streams, logs, metrics, traces and the failure
destination are Lambda's own calls, which are not made from this network; an IAM token for the cache is signed without
one. Only an existing cache with its password in Secrets Manager needs an interface endpoint, in its own network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from deployment.functions import retention
from deployment.nag import acknowledge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployment.options import Options

_HTTPS: Final = 443


class Network(Construct):
    """Where functions and cache are.

    Attributes:
        vpc: The VPC.
        subnets: Its subnets for functions and cache.
        functions_group: The security group of the functions that talk to the cache.
    """

    def __init__(self, scope: Construct, construct_id: str, *, options: Options) -> None:
        super().__init__(scope, construct_id)
        self._gateways: dict[str, ec2.GatewayVpcEndpoint] = {}
        if options.vpc_id:
            self.vpc = ec2.Vpc.from_vpc_attributes(
                self,
                "Vpc",
                vpc_id=options.vpc_id,
                # Wanted one for each subnet, and used by nothing that is made here.
                availability_zones=[f"zone-{number}" for number, _ in enumerate(options.subnet_ids)],
                isolated_subnet_ids=[*options.subnet_ids],
            )
        else:
            self.vpc = self._new_vpc(options)
        self.subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        self.functions_group = ec2.SecurityGroup(
            self,
            "Functions",
            vpc=self.vpc,
            description="Functions that talk to the cache",
            allow_all_outbound=False,
        )
        self.functions_group.add_egress_rule(
            ec2.Peer.any_ipv4(), ec2.Port.tcp(_HTTPS), "DynamoDB and S3: the only routes out of the subnets"
        )

    @property
    def subnet_ids(self) -> list[str]:
        """The subnets' ids."""
        return self.vpc.select_subnets(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED).subnet_ids

    def let_through(self, service: str, actions: Sequence[str], resources: Sequence[str]) -> None:
        """Let a gateway pass these calls on; others it refuses. In an existing VPC the gateways are its owner's.

        Args:
            service: `dynamodb` or `s3`.
            actions: The actions.
            resources: Their ARNs.
        """
        if service in self._gateways:
            self._gateways[service].add_to_policy(
                iam.PolicyStatement(
                    principals=[iam.AnyPrincipal()],
                    actions=[*actions],
                    resources=[*resources],
                    # Whoever they are, they are of this account: what is allowed to them, their roles say.
                    conditions={"StringEquals": {"aws:PrincipalAccount": cdk.Aws.ACCOUNT_ID}},
                )
            )

    def _new_vpc(self, options: Options) -> ec2.Vpc:
        zones: dict[str, Any] = {"availability_zones": [*options.availability_zones]}
        vpc = ec2.Vpc(
            self,
            "Vpc",
            **(zones if options.availability_zones else {"max_azs": 2}),
            nat_gateways=0,
            subnet_configuration=[
                {"name": "Isolated", "subnetType": ec2.SubnetType.PRIVATE_ISOLATED, "cidrMask": 22},
            ],
        )
        self._gateways = {
            "dynamodb": vpc.add_gateway_endpoint("DynamoDB", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
            "s3": vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3),
        }
        if options.flow_logs:
            group = logs.LogGroup(
                self, "FlowLogs", retention=retention(options.log_days), removal_policy=cdk.RemovalPolicy.DESTROY
            )
            vpc.add_flow_log("FlowLog", destination=ec2.FlowLogDestination.to_cloud_watch_logs(group))
        else:
            acknowledge(vpc, "VPC7", "switched off by choice: context option flow_logs")
        return vpc
