"""What AWS's change sets see and ministack's do not: conditions that flip, outputs that change alone, and which changes replace a resource."""

from __future__ import annotations

from typing import Any, Callable

Record = dict[str, Any]
# Of types that ministack has no row for, the properties whose change AWS documents as "Replacement"; it warns of every change otherwise.
REPLACING = {
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::EMRServerless::Application": ("Name", "Type"),
    "AWS::Glue::Table": ("CatalogId", "DatabaseName"),
    "AWS::CloudWatch::Alarm": ("AlarmName",),
}
NO_CHANGES = "The submitted information didn't contain changes."


def without_absent_resources(resolve: Callable[..., Record], conditions_of: Callable[[Record, Record], Record]) -> Callable[..., Record]:
    """The template that is compared, without the resources whose condition is false: else turning one on or off is no change."""

    def resolved(template: Record, params: Record, *context: Any) -> Record:
        made = resolve(template, params, *context)
        if not template:
            return made
        conditions = conditions_of(template, params)
        present = {name: each for name, each in made["Resources"].items() if conditions.get(each.get("Condition"), True)}
        return {**made, "Resources": present}

    return resolved


def seeing_outputs(create: Callable[[Record], Any], find: Callable[[str, str], tuple[Any, Record | None]], parameter: Callable[[Record, str], str],
                   stack_named: Callable[[str], Record | None]) -> Callable[[Record], Any]:
    """CreateChangeSet that can be executed when only outputs or parameters differ, as AWS has it."""

    def create_change_set(params: Record) -> Any:
        answer = create(params)
        stack_name = parameter(params, "StackName")
        _, made = find(parameter(params, "ChangeSetName"), stack_name)
        stack = stack_named(stack_name)
        if made is None or stack is None or made["Status"] != "FAILED" or not made["StatusReason"].startswith(NO_CHANGES):
            return answer
        if _differs(stack, made):
            made.update(Status="CREATE_COMPLETE", ExecutionStatus="AVAILABLE", StatusReason="")
        return answer

    return create_change_set


def _differs(stack: Record, made: Record) -> bool:
    if stack.get("_template", {}).get("Outputs", {}) != made["_template"].get("Outputs", {}):
        return True
    return _values(stack.get("_resolved_params", {})) != _values(made["_resolved_params"])


def _values(params: Record) -> Record:
    return {name: each.get("Value") for name, each in params.items()}
