"""Where a local worker gets its role's credentials: what the ECS agent serves to the containers of a task.

SDKs ask it by themselves when ``AWS_CONTAINER_CREDENTIALS_FULL_URI`` and ``AWS_CONTAINER_AUTHORIZATION_TOKEN`` are set, and again
before the credentials expire: on AWS it is Fargate that sets both. The role comes with the request, its trust policy decides.
"""

from __future__ import annotations

import hmac
import json
import time
from typing import Any, Awaitable, Callable
from urllib.parse import parse_qs

from .iam import Iam, RoleRefused

PATH = "/_meridian/task-credentials"
PRINCIPAL = "ecs-tasks.amazonaws.com"
_SECONDS = 3600.0

Send = Callable[[Any], Awaitable[None]]


class TaskCredentials:
    """Answers holders of the token, nobody else."""

    def __init__(self, iam: Iam, token: str, account: str, region: str) -> None:
        self._iam = iam
        self._token = token
        self._cluster = f"arn:aws:ecs:{region}:{account}:cluster/local"

    async def answer(self, scope: dict[str, Any], send: Send) -> None:
        """Answers ``GET ?role=<ARN>``."""
        status, document = self._reply(dict(scope["headers"]).get(b"authorization", b""), parse_qs(scope["query_string"].decode()))
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": json.dumps(document).encode()})

    def _reply(self, authorization: bytes, query: dict[str, list[str]]) -> tuple[int, dict[str, str]]:
        if not hmac.compare_digest(authorization, self._token.encode()):
            return 401, {"code": "AccessDenied", "message": "The authorization token is none that this stack gave"}
        role = query.get("role", [""])[0]
        if role.count(":") < 5:
            return 400, {"code": "InvalidRole", "message": f"role: expected the ARN of a role, found {role!r}"}
        try:
            made = self._iam.assume(role, PRINCIPAL, self._cluster, "worker", _SECONDS)
        except RoleRefused as error:
            return 403, {"code": "AccessDenied", "message": str(error)}
        expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(made.expires_at))
        return 200, {"RoleArn": role, "AccessKeyId": made.access_key_id, "SecretAccessKey": made.secret_access_key,
                     "Token": made.session_token, "Expiration": expiration}
