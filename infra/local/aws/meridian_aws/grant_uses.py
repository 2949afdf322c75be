"""Which grants of the roles were ever used: what a policy has beyond them is more than the run needed (S1.13)."""

from __future__ import annotations

import hmac
import json
import types
from typing import Any, Awaitable, Callable

from .iam import Iam, required

PATH = "/_meridian/grants"

Grant = tuple[str, str, str]


class GrantUses:
    """Looks at every call that was allowed. Kept in memory: a count of this process."""

    def __init__(self, iam: Iam, token: str) -> None:
        """:raises MinistackChanged: when a name is not where it was"""
        from ministack.core import iam_evaluator

        self._iam = iam
        self._token = token
        self._used: set[Grant] = set()
        self._statements = required(iam_evaluator, "_gather_role_policies", types.FunctionType)
        self._is_action = required(iam_evaluator, "fnmatch_iam", types.FunctionType)
        self._is_resource = required(iam_evaluator, "fnmatch_iam_cs", types.FunctionType)

    def seeing(self, enforce: Callable[..., Any]) -> Callable[..., Any]:
        """``enforce`` that remembers the grants by which it let somebody pass."""

        def seen(access_key: str, action: str, service: str, region: str, resource_arn: str = "*", **more: Any) -> Any:
            denied = enforce(access_key, action, service, region, resource_arn=resource_arn, **more)
            role = self._iam.role_of(access_key)
            if denied is None and role is not None:
                self._used.update(grant for grant in self._grants(*role) if self._is_action(action, grant[1]) and self._is_resource(resource_arn, grant[2]))
            return denied

        return seen

    async def answer(self, scope: dict[str, Any], send: Callable[[Any], Awaitable[None]]) -> None:
        """Answers ``GET`` with every grant of every role, and whether it was used, to holders of the token."""
        allowed = hmac.compare_digest(dict(scope["headers"]).get(b"authorization", b""), self._token.encode())
        grants = [grant for role in self._iam.roles() for grant in self._grants(*role)] if allowed else []
        document = [{"role": role, "action": action, "resource": resource, "used": (role, action, resource) in self._used}
                    for role, action, resource in grants]
        await send({"type": "http.response.start", "status": 200 if allowed else 401, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": json.dumps(document).encode()})

    def _grants(self, role: str, account: str) -> list[Grant]:
        return [(role, action, resource) for policy in self._statements(role, account) for statement in policy
                if statement.effect == "Allow" for action in statement.actions for resource in statement.resources]
