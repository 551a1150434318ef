"""The cache: serverless, node-based or existing; a user for each function, with what it needs and no more.

No names of one's own choice: names that have to be given are made of the stack's, so that two stacks never meet.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_iam as iam
from constructs import Construct

from deployment.cache.access import USERS, User, access_string
from deployment.nag import acknowledge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deployment.functions import SyncFunction
    from deployment.network.infrastructure import Network
    from deployment.options import Options

_ENGINE: Final = "valkey"
_SERVERLESS_VERSION: Final = "8"
_NODE_VERSION: Final = "8.0"
_NODE_PARAMETERS: Final = "default.valkey8.cluster.on"
_PORT: Final = 6379
_REPLICA_PORT: Final = 6380  # a serverless cache answers reads from replicas there
_SNAPSHOTS_DAYS: Final = 1  # a lost cache is filled from the table again: a snapshot only makes that quicker
_LONGEST_NAME: Final = 40
_DIGEST_LENGTH: Final = 6


class Cache(Construct):
    """A cache, and its users.

    Attributes:
        name: The name of the serverless cache, or the id of the replication group; empty if it is not known.
        shards: CloudWatch's dimensions of each node, shard by shard; a serverless cache is one. Empty: not known.
        serverless: Whether it is a serverless one.
        readers_group: The security group to put readers into; None for an existing cache.
        reader_policy: What a reader's role needs to log in; None for an existing cache.
        reader: The name of the readers' user; empty for an existing cache.
    """

    def __init__(self, scope: Construct, construct_id: str, *, options: Options, network: Network) -> None:
        super().__init__(scope, construct_id)
        self._options = options
        self._users: dict[User, elasticache.CfnUser] = {}
        self.serverless = options.cache == "serverless" or ".serverless." in options.cache_url
        self.readers_group: ec2.SecurityGroup | None = None
        self.reader_policy: iam.ManagedPolicy | None = None
        self.reader = ""
        if options.cache == "existing":
            self.name, self._url = options.cache_name, options.cache_url
            self._open_existing(network)
        else:
            group = self._security_groups(network)
            members = self._user_group()
            if options.cache == "serverless":
                self._make_serverless(network, group, members)
            else:
                self._make_nodes(network, group, members)
            self._make_reader_policy()
        self.shards = self._shards()

    @property
    def url(self) -> str:
        """Where it is."""
        return self._url

    def let_in(self, function: SyncFunction, user: User) -> None:
        """Let a function log in as a user: its settings, and its role's statement.

        Args:
            function: The function; it is in the network.
            user: As whom.
        """
        function.set("DDB_CACHE_SYNC_REDIS_URL", self._url)
        if self._options.cache_secret_arn:
            function.set("DDB_CACHE_SYNC_SECRET_ID", self._options.cache_secret_arn)
            function.allow("ReadTheCachesSecret", ["secretsmanager:GetSecretValue"], [self._options.cache_secret_arn])
            return
        name = self._users[user].user_id if self._users else self._options.cache_iam_user
        function.set("DDB_CACHE_SYNC_IAM_USER", name)
        function.set("DDB_CACHE_SYNC_IAM_CACHE_NAME", self.name)
        function.allow("LogInToTheCache", ["elasticache:Connect"], self._connectable(name))

    def _shards(self) -> Sequence[Sequence[Mapping[str, str]]]:
        if self.serverless:
            return [[{"clusterId": self.name}]] if self.name else []
        if self._options.cache == "existing":
            return []
        nodes = range(1, self._options.cache_replicas + 2)
        return [
            [{"CacheClusterId": f"{self.name}-{shard:04}-{node:03}"} for node in nodes]
            for shard in range(1, self._options.cache_shards + 1)
        ]

    def _connectable(self, user: str) -> list[str]:
        stack = cdk.Stack.of(self)
        kind = "serverlesscache" if self.serverless else "replicationgroup"
        return [
            stack.format_arn(
                service="elasticache",
                resource=kind,
                resource_name=self.name,
                arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
            ),
            stack.format_arn(
                service="elasticache", resource="user", resource_name=user, arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
            ),
        ]

    def _own_name(self, scope: Construct) -> str:
        """A name made of the construct's path, the stack's name included; ElastiCache keeps names in lower case."""
        return cdk.Names.unique_resource_name(scope, max_length=_LONGEST_NAME).lower()

    def _name_of_the_place(self) -> str:
        """The cache's name: another one in other subnets.

        There CloudFormation makes a new cache before it deletes the old one, and two can't have the same name.
        """
        name = self._own_name(Construct(self, "Cache"))
        place = ",".join([self._options.vpc_id, *self._options.subnet_ids, *self._options.availability_zones])
        if not place.strip(","):
            return name
        digest = hashlib.sha256(place.encode()).hexdigest()[:_DIGEST_LENGTH]
        return f"{name[: _LONGEST_NAME - _DIGEST_LENGTH - 1].rstrip('-')}-{digest}"

    def _security_groups(self, network: Network) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(self, "Group", vpc=network.vpc, description="The cache", allow_all_outbound=False)
        self.readers_group = ec2.SecurityGroup(
            self, "Readers", vpc=network.vpc, description="Programs that read the cache", allow_all_outbound=False
        )
        for who, what in ((network.functions_group, "Functions"), (self.readers_group, "Readers")):
            group.add_ingress_rule(who, ec2.Port.tcp(_PORT), what)
            who.add_egress_rule(group, ec2.Port.tcp(_PORT), "The cache")
        if self.serverless:
            group.add_ingress_rule(self.readers_group, ec2.Port.tcp(_REPLICA_PORT), "Readers, from replicas")
            self.readers_group.add_egress_rule(group, ec2.Port.tcp(_REPLICA_PORT), "The cache's replicas")
        return group

    def _user_group(self) -> elasticache.CfnUserGroup:
        for user in USERS:
            scope = Construct(self, user.capitalize())
            name = self._own_name(scope)
            self._users[user] = elasticache.CfnUser(
                scope,
                "User",
                engine=_ENGINE,
                user_id=name,
                user_name=name,  # for IAM equal to the id
                access_string=access_string(user, self._options),
                authentication_mode={"Type": "iam"},
            )
        self.reader = self._users["reader"].user_id
        return elasticache.CfnUserGroup(
            self,
            "Users",
            engine=_ENGINE,
            user_group_id=self._own_name(Construct(self, "Group-")),
            user_ids=[user.ref for user in self._users.values()],
        )

    def _make_serverless(self, network: Network, group: ec2.SecurityGroup, members: elasticache.CfnUserGroup) -> None:
        limits = elasticache.CfnServerlessCache.CacheUsageLimitsProperty(
            data_storage=elasticache.CfnServerlessCache.DataStorageProperty(
                maximum=self._options.cache_max_gb, unit="GB"
            ),
            ecpu_per_second=elasticache.CfnServerlessCache.ECPUPerSecondProperty(maximum=self._options.cache_max_ecpu),
        )
        cache = elasticache.CfnServerlessCache(
            self,
            "Serverless",
            engine=_ENGINE,
            major_engine_version=_SERVERLESS_VERSION,
            serverless_cache_name=self._name_of_the_place(),
            description="Replica of a DynamoDB table",
            cache_usage_limits=limits,
            security_group_ids=[group.security_group_id],
            subnet_ids=network.subnet_ids,
            user_group_id=members.ref,
            snapshot_retention_limit=_SNAPSHOTS_DAYS,
        )
        self.name = cache.serverless_cache_name
        self._url = f"rediss://{cache.attr_endpoint_address}:{cache.attr_endpoint_port}?cluster=true"
        self.resource: cdk.CfnResource = cache

    def _make_nodes(self, network: Network, group: ec2.SecurityGroup, members: elasticache.CfnUserGroup) -> None:
        subnets = elasticache.CfnSubnetGroup(
            self, "Subnets", description="The cache's subnets", subnet_ids=network.subnet_ids
        )
        options: dict[str, Any] = {
            "at_rest_encryption_enabled": True,
            "transit_encryption_enabled": True,
            "transit_encryption_mode": "required",
            "automatic_failover_enabled": True,
            "multi_az_enabled": True,
            "auto_minor_version_upgrade": True,
        }
        cache = elasticache.CfnReplicationGroup(
            self,
            "Nodes",
            replication_group_description="Replica of a DynamoDB table",
            replication_group_id=self._name_of_the_place(),
            engine=_ENGINE,
            engine_version=_NODE_VERSION,
            cache_parameter_group_name=_NODE_PARAMETERS,
            cache_node_type=self._options.cache_node_type,
            num_node_groups=self._options.cache_shards,
            replicas_per_node_group=self._options.cache_replicas,
            cache_subnet_group_name=subnets.ref,
            security_group_ids=[group.security_group_id],
            user_group_ids=[members.ref],
            port=_PORT,
            snapshot_retention_limit=_SNAPSHOTS_DAYS,
            **options,
        )
        acknowledge(cache, "AEC5", "the port is no secret: security groups and IAM decide who gets in")
        acknowledge(cache, "AEC6", "users log in with IAM (user group), which takes the place of one shared password")
        self.name = cache.replication_group_id or cache.ref
        address, port = cache.attr_configuration_end_point_address, cache.attr_configuration_end_point_port
        self._url = f"rediss://{address}:{port}?cluster=true"
        self.resource = cache

    def _open_existing(self, network: Network) -> None:
        port = int(self._url.rpartition(":")[2].partition("?")[0].partition("/")[0] or _PORT)
        if not self._options.cache_security_group_id:
            network.functions_group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(port), "The cache")
            return
        group = ec2.SecurityGroup.from_security_group_id(self, "Existing", self._options.cache_security_group_id)
        group.add_ingress_rule(network.functions_group, ec2.Port.tcp(port), "Functions of the replication")
        network.functions_group.add_egress_rule(group, ec2.Port.tcp(port), "The cache")

    def _make_reader_policy(self) -> None:
        self.reader_policy = iam.ManagedPolicy(
            self,
            "ReaderPolicy",
            description="Log in to the cache as its read-only user",
            statements=[
                iam.PolicyStatement(
                    sid="LogInToTheCache", actions=["elasticache:Connect"], resources=self._connectable(self.reader)
                )
            ],
        )
