"""Types of the runtime stack that ministack refuses. Locally the worker is a process, so that nothing of them runs: they are taken,
named, and forgotten again."""

from __future__ import annotations

import secrets
from typing import Any, Callable

Props = dict[str, Any]
Provisioned = tuple[str, dict[str, str]]
Handlers = dict[str, Any]


def _hex(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(8)}1"


def _address() -> Provisioned:
    allocation = _hex("eipalloc")
    return allocation, {"AllocationId": allocation, "PublicIp": "203.0.113.1"}


def _nat_gateway() -> Provisioned:
    gateway = _hex("nat")
    return gateway, {"NatGatewayId": gateway}


_MAKERS: dict[str, Callable[[], Provisioned]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": lambda: (_hex("scalable-target"), {}),
    "AWS::ApplicationAutoScaling::ScalingPolicy": lambda: (_hex("scaling-policy"), {}),
    "AWS::EC2::EIP": _address,
    "AWS::EC2::FlowLog": lambda: (_hex("fl"), {}),
    "AWS::EC2::NatGateway": _nat_gateway,
}


def named_only_handlers() -> dict[str, Handlers]:
    """Handlers by their type."""
    return {resource_type: _named_only(make) for resource_type, make in _MAKERS.items()}


def _named_only(make: Callable[[], Provisioned]) -> Handlers:
    def create(logical_id: str, props: Props, stack_name: str) -> Provisioned:
        del logical_id, props, stack_name
        return make()

    def delete(physical_id: str, props: Props) -> None:
        del physical_id, props

    return {"create": create, "delete": delete}


def with_master_user_secret(handlers: Handlers) -> Handlers:
    """``AWS::RDS::DBCluster`` as ministack has it, with the ARN that GetAtt knows of a password that RDS keeps."""
    inner_create, inner_update = handlers["create"], handlers.get("update")

    def known(made: Provisioned) -> Provisioned:
        cluster, attributes = made
        _, _, _, region, account, *_ = attributes["Arn"].split(":")
        return cluster, {**attributes, "MasterUserSecret.SecretArn": f"arn:aws:secretsmanager:{region}:{account}:secret:rds!{cluster}-local1"}

    def create(logical_id: str, props: Props, stack_name: str) -> Provisioned:
        return known(inner_create(logical_id, props, stack_name))

    def update(*arguments: Any, **named: Any) -> Provisioned:
        return known(inner_update(*arguments, **named))

    return {**handlers, "create": create, **({} if inner_update is None else {"update": update})}
