"""What the doubles ask of ministack's IAM: who calls, what they may do, and credentials of a role for a service that runs under it.

With ``extension`` the only file that relies on ministack's private names.
"""

from __future__ import annotations

import importlib.metadata
import json
import secrets
import time
import types
from dataclasses import dataclass, field
from typing import Any, Mapping

from .contract import ServiceError

MINISTACK_VERSION = "1.5.33"
ADMINISTRATOR = "administrator"

Policy = dict[str, Any]


class MinistackChanged(Exception):
    """A private name that the extension needs is not where it was."""


class RoleRefused(Exception):
    """The role is not there, or its trust policy does not let the service in."""


def required(owner: Any, name: str, kind: type | tuple[type, ...] = object) -> Any:
    """:raises MinistackChanged: naming the owner, the attribute and the versions"""
    value = getattr(owner, name, None)
    if value is None or not (isinstance(value, kind) if kind is not object else True):
        found = "nothing" if value is None else type(value).__name__
        raise MinistackChanged(
            f"{owner.__name__}.{name}: expected {kind}, found {found}. The extension was written for ministack {MINISTACK_VERSION}, "
            f"installed is {importlib.metadata.version('ministack')}: install the pinned requirements.txt, or adapt extension.py and iam.py")
    return value


@dataclass(frozen=True)
class Credentials:
    """Temporary credentials of a role; never printed."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: float

    def environment(self) -> dict[str, str]:
        """As every AWS SDK, and s3a, reads them."""
        return {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
                "AWS_SESSION_TOKEN": self.session_token}


@dataclass(frozen=True)
class Need:
    """A permission that a call takes."""

    action: str
    resource: str
    context: Mapping[str, Any] = field(default_factory=dict)


def passing(role_arn: str, service: str) -> Need:
    """What handing a role to a service takes, which ministack asks of nobody."""
    return Need("iam:PassRole", role_arn, {"iam:PassedToService": service})


class Iam:
    """ministack's IAM and STS, in its own process."""

    def __init__(self) -> None:
        """:raises MinistackChanged: when a name is not where it was"""
        import ministack.app as app
        from ministack.core import iam_actions, iam_evaluator, responses, router
        from ministack.services import iam, sts

        self.enforced: bool = required(app, "AUTH", bool)
        self._account = required(responses, "get_account_id", types.FunctionType)
        self._region = required(responses, "get_region", types.FunctionType)
        self._evaluator = iam_evaluator
        required(iam_evaluator, "enforce", types.FunctionType)
        self._auth_error = required(iam_evaluator, "AuthError", type)
        self._context = required(iam_evaluator, "EvalContext", type)
        self._conditions_met = required(iam_evaluator, "_conditions_met", types.FunctionType)
        self._names_service = required(iam_evaluator, "_service_principal_matches", types.FunctionType)
        self._denial = required(iam_actions, "identity_denial_message", types.FunctionType)
        self._access_key = required(router, "extract_access_key_id", types.FunctionType)
        self._register = required(sts, "register_session", types.FunctionType)
        self._sessions: dict[str, Any] = required(sts, "_sessions", dict)
        self._roles = required(iam, "_roles")
        self._users = required(iam, "_users")
        self._access_keys = required(iam, "_access_keys")
        self._inline = required(iam, "_user_inline_policies")

    # -- what ministack asks of a service module ------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """STS's sessions, which ministack forgets: a worker would hold credentials of nobody after a restart."""
        return {key: dict(session) for key, session in self._sessions.items()}

    def load_persisted_state(self, data: dict[str, Any]) -> None:
        self._sessions.update(data)

    def reset(self) -> None:
        self._sessions.clear()

    # -- permissions ----------------------------------------------------------------------------------------------

    def require(self, needs: list[Need], headers: dict[str, str], query: dict[str, Any]) -> None:
        """Holds the caller's policies against what a call takes; nothing where enforcement is off.

        :raises ServiceError: ``AccessDeniedException``, naming caller, action and resource
        """
        if not self.enforced:
            return
        access_key = self._access_key(headers, query)
        for need in needs:
            service = need.action.partition(":")[0]
            denied = self._evaluator.enforce(access_key, need.action, service, self._region(), resource_arn=need.resource,
                                   service_context=dict(need.context))
            if isinstance(denied, self._auth_error):
                raise ServiceError(denied.code, denied.message)
            if denied:
                raise ServiceError("AccessDeniedException", self._denial(need.action, denied.principal_arn, need.resource,
                                                                         denied.decision == "Deny"))

    # -- roles ----------------------------------------------------------------------------------------------------

    def assume(self, role_arn: str, service: str, source_arn: str, session_name: str, seconds: float,
               policy: str | None = None, policy_arns: list[str] | None = None) -> Credentials:
        """Credentials of a role for the service that was handed it, as the service itself would get them from STS.

        :param policy: narrows the session, with ``policy_arns``
        :raises RoleRefused: when the role is not there or does not trust the service for this source
        """
        account = role_arn.split(":")[4]
        name = role_arn.rpartition("/")[2]
        role = self._roles.get_scoped(account, None, name)
        if role is None or role["Arn"] != role_arn:
            raise RoleRefused(f"role {role_arn} does not exist")
        if not self._trusts(role, role_arn, service, account, source_arn):
            raise RoleRefused(f"the trust policy of role {role_arn} does not let {service} in for {source_arn}")
        made = Credentials("ASIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30), secrets.token_urlsafe(120),
                           time.time() + seconds)
        limits = {"Policy": policy, "PolicyArns": policy_arns or []} if policy or policy_arns else None
        self._register(made.access_key_id, {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{name}/{session_name}",
            "UserId": f"{role.get('RoleId', name)}:{session_name}", "SecretAccessKey": made.secret_access_key,
            "SessionToken": made.session_token, "Expiration": made.expires_at, "AccountId": account,
            "PrincipalType": "AssumedRole", "SessionPolicies": limits,
        })
        return made

    def expire(self, credentials: Credentials) -> None:
        """Ends a session early; its entry goes with the next one that is made."""
        session = self._sessions.get(credentials.access_key_id)
        if session is not None:
            session["Expiration"] = 0.0

    def _trusts(self, role: dict[str, Any], role_arn: str, service: str, account: str, source_arn: str) -> bool:
        # ministack's own evaluation of trust policies knows no services: any of them would let the account's root in.
        document = role.get("AssumeRolePolicyDocument") or "{}"
        trust: Policy = json.loads(document) if isinstance(document, str) else document
        statements = trust.get("Statement", [])
        context = self._context(principal_arn=service, principal_type="Service", principal_account=account, action="sts:AssumeRole",
                                resource_arn=role_arn, region=self._region(),
                                service_context={"aws:sourcearn": source_arn, "aws:sourceaccount": account})
        effects = [statement["Effect"] for statement in (statements if isinstance(statements, list) else [statements])
                   if "sts:AssumeRole" in _listed(statement.get("Action")) and self._names_service(statement.get("Principal"), service)
                   and self._conditions_met(statement.get("Condition", {}), context)]
        return "Allow" in effects and "Deny" not in effects

    def role_of(self, access_key_id: str) -> tuple[str, str] | None:
        """Name and account of the role whose session this key is of; None for anybody else's."""
        session = self._sessions.get(access_key_id)
        kind, _, name = (session or {}).get("Arn", "").rpartition(":")[2].partition("/")
        return None if session is None or kind != "assumed-role" else (name.partition("/")[0], session["AccountId"])

    def roles(self) -> list[tuple[str, str]]:
        """Name and account of every role."""
        return [(name, self._account()) for name in self._roles]

    # -- principals -----------------------------------------------------------------------------------------------

    def admit_administrator(self, access_key_id: str, secret_access_key: str) -> None:
        """The one user who may do everything, with these keys; what else there is is made by their calls. Idempotent."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if ADMINISTRATOR not in self._users:
            self._users[ADMINISTRATOR] = {
                "UserName": ADMINISTRATOR, "Arn": f"arn:aws:iam::{self._account()}:user/{ADMINISTRATOR}", "UserId": "AIDA" + secrets.token_hex(8).upper(),
                "CreateDate": now, "Path": "/", "PermissionsBoundary": "", "AttachedPolicies": [], "Tags": [],
            }
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        self._inline[ADMINISTRATOR] = {"everything": json.dumps(everything)}
        self._access_keys[access_key_id] = {"UserName": ADMINISTRATOR, "AccessKeyId": access_key_id, "SecretAccessKey": secret_access_key,
                                            "Status": "Active", "CreateDate": now}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
