"""Puts the doubles into ministack's process. All of ministack's private names that we rely on are here and in ``iam``."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import types
from typing import Any, Awaitable, Callable

from .change_sets import REPLACING, seeing_outputs, without_absent_resources
from .cloudformation import application_handlers, ruleset_handlers
from .emr_api import SERVICE as EMR_SERVICE
from .emr_api import EmrServerless
from .enforcement import only_own_keys, refusal_of_catalog, with_namespace, without_glue
from .glue_quality_api import GlueDataQuality
from .grant_uses import PATH as GRANTS_PATH
from .grant_uses import GrantUses
from .iam import Iam, required
from .runtime_resources import named_only_handlers, with_master_user_secret
from .settings import Keys, Settings
from .task_credentials import PATH as CREDENTIALS_PATH
from .task_credentials import TaskCredentials

logger = logging.getLogger("meridian.aws")

_EMR_MODULE, _QUALITY_MODULE, _SESSIONS_MODULE = "meridian_emr_serverless", "meridian_glue_data_quality", "meridian_sts_sessions"

Scope = dict[str, Any]
Door = Callable[[Scope, Callable[[Any], Awaitable[None]]], Awaitable[None]]
Asgi = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


def install(settings: Settings) -> tuple[EmrServerless, GlueDataQuality]:
    """Registers both services, their CloudFormation types and their state; then ``ministack.app.main()`` may run.

    :raises MinistackChanged: before anything listens
    """
    import ministack.app as app
    from ministack.core import iam_actions, iam_evaluator, persistence, responses, router
    from ministack.services import glue, sts
    from ministack.services.cloudformation import provisioners

    handlers = required(app, "SERVICE_HANDLERS", dict)
    registry = required(app, "SERVICE_REGISTRY", dict)
    loaded = required(app, "_loaded_modules", dict)
    state_map = required(app, "_state_map", dict)
    patterns = required(router, "SERVICE_PATTERNS", dict)
    resource_handlers = required(provisioners, "_RESOURCE_HANDLERS", dict)
    glue_handler = required(glue, "handle_request", types.FunctionType)
    get_account = required(responses, "get_account_id", types.FunctionType)
    get_region = required(responses, "get_region", types.FunctionType)
    asgi: Asgi = required(app, "app", types.FunctionType)
    collect_state = required(app, "_build_persistence_save_dict", types.FunctionType)
    save_state = required(persistence, "save_state", types.FunctionType)

    def scope() -> tuple[str, str]:
        return get_account(), get_region()

    iam = Iam()
    emr, quality = EmrServerless(settings, scope, iam), GlueDataQuality(settings, scope, iam)

    # A pattern without prefixes or hosts: requests are known by the service name in their signature's credential scope.
    patterns[EMR_SERVICE] = {}
    handlers[EMR_SERVICE] = emr.handle_request
    for module, service in ((_EMR_MODULE, emr), (_QUALITY_MODULE, quality), (_SESSIONS_MODULE, iam)):
        registry[module] = {"module": module}
        loaded[module] = service
        state_map[module] = module

    async def glue_with_quality(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        if "DataQuality" in operation:
            return quality.handle(operation, headers, body, query)
        refusal = refusal_of_catalog(iam, operation, headers, body, query, *scope())
        return refusal if refusal is not None else await glue_handler(method, path, headers, body, query)

    handlers["glue"] = glue_with_quality
    resource_handlers["AWS::EMRServerless::Application"] = application_handlers(emr)
    resource_handlers["AWS::Glue::DataQualityRuleset"] = ruleset_handlers(quality)
    resource_handlers.update(named_only_handlers())
    resource_handlers["AWS::RDS::DBCluster"] = with_master_user_secret(resource_handlers["AWS::RDS::DBCluster"])
    _complete_change_sets()
    # It reports each of some sixty files at every snapshot.
    logging.getLogger("persistence").setLevel(logging.WARNING)
    if settings.keys is not None:
        for module in (iam_evaluator, sts):
            required(module, "is_root_access_key", types.FunctionType)
            module.is_root_access_key = only_own_keys
        pin_origin = required(app, "pin_request_origin", types.FunctionType)
        # Buckets refuse plain HTTP; it reaches nobody on loopback, where the edge takes it too (edge/aws-endpoints.ts).
        app.pin_request_origin = lambda source_ip, secure: pin_origin(source_ip, secure or ipaddress.ip_address(source_ip).is_loopback)
        iam_actions.extract_iam_action = without_glue(required(iam_actions, "extract_iam_action", types.FunctionType))
        iam_actions.request_tag_context = with_namespace(required(iam_actions, "request_tag_context", types.FunctionType))
        uses = GrantUses(iam, settings.keys.task_token)
        iam_evaluator.enforce = uses.seeing(iam_evaluator.enforce)
        doors = {CREDENTIALS_PATH: TaskCredentials(iam, settings.keys.task_token, *scope()).answer, GRANTS_PATH: uses.answer}
        asgi = _with_principals(asgi, settings.keys, iam, doors)
    app.app = _with_lifecycle(asgi, emr, quality, settings, collect_state, save_state)
    return emr, quality


def _with_principals(inner: Asgi, keys: Keys, iam: Iam, doors: dict[str, Door]) -> Asgi:
    """Wraps the ASGI application: those who may call are known once it has started, and have doors of their own."""

    async def wrapped(scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        if scope["type"] == "http" and scope["path"] in doors:
            return await doors[scope["path"]](scope, send)

        async def observed_send(message: Any) -> None:
            # After the state of an earlier process was read.
            if message["type"] == "lifespan.startup.complete":
                iam.admit_administrator(keys.access_key_id, keys.secret_access_key)
            await send(message)

        await inner(scope, receive, observed_send if scope["type"] == "lifespan" else send)

    return wrapped


def _complete_change_sets() -> None:
    from ministack.services.cloudformation import changesets, engine, handlers, helpers, provisioners

    actions = required(handlers, "_ACTION_HANDLERS", dict)
    resolve = required(changesets, "_resolve_props_for_diff", types.FunctionType)
    find = required(changesets, "_find_change_set", types.FunctionType)
    conditions_of = required(engine, "_evaluate_conditions", types.FunctionType)
    stack_named = required(handlers, "_resolve_stack", types.FunctionType)
    parameter = required(helpers, "_p", types.FunctionType)
    replacing = required(provisioners, "_REPLACING_PROPERTIES", dict)
    for resource_type, properties in REPLACING.items():
        replacing.setdefault(resource_type, properties)
    changesets._resolve_props_for_diff = without_absent_resources(resolve, conditions_of)
    actions["CreateChangeSet"] = seeing_outputs(actions["CreateChangeSet"], find, parameter, stack_named)


def _with_lifecycle(inner: Asgi, emr: EmrServerless, quality: GlueDataQuality, settings: Settings,
                    collect_state: Callable[[], dict[str, Callable[[], Any]]], save_state: Callable[[str, Any], None]) -> Asgi:
    """Wraps the ASGI application: snapshots while it serves, and no process left behind when it shuts down."""
    requests_seen = 0

    async def snapshots() -> None:
        saved_at = 0
        while True:
            await asyncio.sleep(settings.snapshot_seconds)
            if saved_at == requests_seen:
                continue
            saved_at = requests_seen
            # Copies are made on the loop, where no handler runs meanwhile; only the writing goes to a thread.
            states: dict[str, Any] = {}
            for name, get_state in collect_state().items():
                try:
                    states[name] = get_state()
                except Exception:
                    logger.exception("State of %s could not be copied for a snapshot", name)
            await asyncio.to_thread(lambda copies: [save_state(n, s) for n, s in copies.items() if s is not None], states)

    async def wrapped(scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        nonlocal requests_seen
        if scope["type"] != "lifespan":
            requests_seen += 1
            return await inner(scope, receive, send)
        task: asyncio.Task[None] | None = None

        async def observed_receive() -> Any:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                if task is not None:
                    task.cancel()
                # Before ministack saves: what still ran is recorded as failed.
                await asyncio.to_thread(emr.runs.close)
                await asyncio.to_thread(quality.queue.close)
            return message

        async def observed_send(message: Any) -> None:
            nonlocal task
            if message["type"] == "lifespan.startup.complete" and settings.snapshot_seconds > 0:
                task = asyncio.create_task(snapshots())
            await send(message)

        await inner(scope, observed_receive, observed_send)

    return wrapped
