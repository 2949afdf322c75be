"""BatchDeletePartition of the Glue catalog, which ministack has not: made of its GetPartition and DeletePartition."""

from __future__ import annotations

import json
from typing import Any, Awaitable, Callable

GlueHandler = Callable[[str, str, dict[str, str], bytes, dict[str, Any]], Awaitable[Any]]
OPERATION = "BatchDeletePartition"
LIMIT = 25


async def batch_delete_partition(glue: GlueHandler, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
    """As the service does it: partitions that are not there are named under ``Errors``, the others go."""
    request = json.loads(body or b"{}")
    wanted = request.get("PartitionsToDelete")
    if not isinstance(wanted, list) or len(wanted) > LIMIT:
        return _answer(400, {"__type": "InvalidInputException", "Message": f"PartitionsToDelete: expected a list of at most {LIMIT} partitions"})

    async def call(operation: str, values: list[str]) -> Any:
        target = headers.get("x-amz-target", "").replace(OPERATION, operation)
        single = {key: value for key, value in request.items() if key != "PartitionsToDelete"} | {"PartitionValues": values}
        return await glue("POST", path, headers | {"x-amz-target": target}, json.dumps(single).encode(), query)

    errors = []
    for partition in wanted:
        values = partition.get("Values", [])
        status, _, found = await call("GetPartition", values)
        if status != 200:
            detail = json.loads(found)
            errors.append({
                "PartitionValues": values,
                "ErrorDetail": {"ErrorCode": detail.get("__type", "EntityNotFoundException"), "ErrorMessage": detail.get("message", "Partition not found")},
            })
            continue
        await call("DeletePartition", values)
    return _answer(200, {"Errors": errors} if errors else {})


def _answer(status: int, document: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(document).encode()
