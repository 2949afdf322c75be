"""Roles of a stack that enforces its policies, changed by its administrator. One JSON request on stdin, one JSON answer on stdout.

  {"copy": <role ARN>, "name": <name>}              a role with the same policies that tasks may take on; answers its ARN
  {"without": <action>, "role": <role ARN>}         takes one action out of the role's policies; answers the policies as they were
  {"restore": {<name>: <document>}, "role": <ARN>}  puts such policies back
"""

from __future__ import annotations

import json
import sys
from typing import Any

import boto3

iam = boto3.client("iam")


def policies_of(role: str) -> dict[str, Any]:
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}


def put(role: str, policies: dict[str, Any]) -> None:
    for name, document in policies.items():
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def copy(arn: str, name: str) -> str:
    trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}]}
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    put(name, policies_of(arn.rpartition("/")[2]))
    return str(made)


def without(arn: str, action: str) -> dict[str, Any]:
    role = arn.rpartition("/")[2]
    before = policies_of(role)
    after = json.loads(json.dumps(before))
    taken = 0
    for document in after.values():
        for statement in document["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            kept = [each for each in actions if each != action]
            taken += len(actions) - len(kept)
            # A statement needs an action: this one is nobody's.
            statement["Action"] = kept or ["none:None"]
    if taken == 0:
        raise SystemExit(f"{arn} has no {action} to take away")
    put(role, after)
    return before


def main() -> None:
    request = json.load(sys.stdin)
    answer: Any = None
    if "copy" in request:
        answer = copy(request["copy"], request["name"])
    elif "without" in request:
        answer = without(request["role"], request["without"])
    else:
        put(request["role"].rpartition("/")[2], request["restore"])
    json.dump(answer, sys.stdout)


main()
