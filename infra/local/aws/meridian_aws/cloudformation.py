"""CloudFormation resource types that ministack lacks; registered by ``extension``."""

from __future__ import annotations

from typing import Any

from .emr_api import EmrServerless
from .glue_quality_api import GlueDataQuality

Props = dict[str, Any]
Provisioned = tuple[str, dict[str, str]]

# CloudFormation spells members in Pascal case; these keys' contents are data, not members.
_DATA_MAPS = ("Tags", "Properties")
# A number that comes from a parameter is text by then.
_NUMBERS = ("IdleTimeoutMinutes", "MaxConcurrentRuns", "QueueTimeoutMinutes", "WorkerCount")


def application_handlers(emr: EmrServerless) -> dict[str, Any]:
    """``AWS::EMRServerless::Application``: Ref is the id, GetAtt knows ApplicationId and Arn."""

    def settings(props: Props) -> Props:
        members = _camel({key: value for key, value in props.items() if key not in ("Tags", "InitialCapacity")})
        if "InitialCapacity" in props:
            members["initialCapacity"] = {entry["Key"]: _camel(entry["Value"]) for entry in props["InitialCapacity"]}
        return members

    def create(logical_id: str, props: Props, stack_name: str) -> Provisioned:
        made = emr.create_application({
            **settings(props), "name": props.get("Name", f"{stack_name}-{logical_id}"), "clientToken": f"cfn-{_unique()}",
            "tags": {tag["Key"]: tag["Value"] for tag in props.get("Tags", [])},
        })
        return _provisioned(made["applicationId"], made["arn"])

    def update(physical_id: str, old_props: Props, new_props: Props, stack_name: str, logical_id: str | None = None) -> Provisioned:
        immutable = ("Name", "Type")
        if any(old_props.get(name) != new_props.get(name) for name in immutable):
            made = create(logical_id or physical_id, new_props, stack_name)
            emr.delete_with_runs(physical_id)
            return made
        arn = emr.reconfigure(physical_id, {k: v for k, v in settings(new_props).items() if k not in ("name", "type")})
        return _provisioned(physical_id, arn)

    def delete(physical_id: str, props: Props) -> None:
        del props
        emr.delete_with_runs(physical_id)

    return {"create": create, "update": update, "update_with_logical_id": True, "delete": delete}


def ruleset_handlers(quality: GlueDataQuality) -> dict[str, Any]:
    """``AWS::Glue::DataQualityRuleset``: Ref is the name."""

    def request(name: str, props: Props) -> Props:
        members = {key: props[key] for key in ("Description", "Ruleset", "TargetTable", "ClientToken") if key in props}
        return {"Name": name, **members, "Tags": props.get("Tags") or {}}

    def create(logical_id: str, props: Props, stack_name: str) -> Provisioned:
        name = props.get("Name") or f"{stack_name}-{logical_id}-{_unique()[:12]}"
        quality.create_ruleset(request(name, props))
        return name, {}

    def update(physical_id: str, old_props: Props, new_props: Props, stack_name: str, logical_id: str | None = None) -> Provisioned:
        if old_props.get("Name") != new_props.get("Name") or old_props.get("TargetTable") != new_props.get("TargetTable"):
            quality.delete_ruleset_if_there(physical_id)
            return create(logical_id or physical_id, new_props, stack_name)
        quality.update_ruleset({key: value for key, value in request(physical_id, new_props).items() if key in ("Name", "Description", "Ruleset")})
        return physical_id, {}

    def delete(physical_id: str, props: Props) -> None:
        del props
        quality.delete_ruleset_if_there(physical_id)

    return {"create": create, "update": update, "update_with_logical_id": True, "delete": delete}


def _provisioned(application_id: str, arn: str) -> Provisioned:
    return application_id, {"ApplicationId": application_id, "Arn": arn}


def _unique() -> str:
    import secrets

    return secrets.token_hex(12)


def _camel(value: Any) -> Any:
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: int(item) if key in _NUMBERS else item if key in _DATA_MAPS else _camel(item) for key, item in value.items()}
    # Templates may spell booleans as text.
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
