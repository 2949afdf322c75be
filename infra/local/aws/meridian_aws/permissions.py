"""What each call of the doubles, and of Glue's catalog, takes: the actions, resources and condition keys of the Service Authorization Reference.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonemrserverless.html and list_awsglue.html
"""

from __future__ import annotations

import json
from typing import Any

from .iam import Need, passing

Params = dict[str, Any]
EMR_PRINCIPAL = "emr-serverless.amazonaws.com"
GLUE_PRINCIPAL = "glue.amazonaws.com"


def emr_needs(operation: str, params: Params, account: str, region: str) -> list[Need]:
    """Of a call to EMR Serverless."""
    action = f"emr-serverless:{operation}"
    tags = {f"aws:RequestTag/{key}": value for key, value in (params.get("tags") or {}).items()}
    context: Params = {**tags, "aws:TagKeys": list(params["tags"])} if params.get("tags") else {}
    if "resourceArn" in params:
        return [Need(action, params["resourceArn"], context)]
    if "applicationId" not in params:
        return [Need(action, "*", context)]
    application = f"arn:aws:emr-serverless:{region}:{account}:/applications/{params['applicationId']}"
    if "jobRunId" in params:
        return [Need(action, f"{application}/jobruns/{params['jobRunId']}")]
    needs = [Need(action, application, context)]
    if operation == "StartJobRun":
        needs.append(passing(params["executionRoleArn"], EMR_PRINCIPAL))
        if context:
            needs.append(Need("emr-serverless:TagResource", f"{application}/jobruns/*", context))
    return needs


def quality_needs(operation: str, params: Params, account: str, region: str) -> list[Need]:
    """Of a call to Glue Data Quality: rulesets, runs and results are all resources of the ruleset type."""
    names = params.get("RulesetNames") or params.get("ResultIds") or [params[key] for key in ("Name", "RunId", "ResultId") if key in params]
    needs = [Need(f"glue:{operation}", f"arn:aws:glue:{region}:{account}:dataQualityRuleset/{name}") for name in names or ["*"]]
    if "Role" in params:
        needs.append(passing(params["Role"], GLUE_PRINCIPAL))
    return needs


def catalog_resources(operation: str, body: bytes, account: str, region: str) -> list[str]:
    """Every resource that a call to Glue's catalog is held against: the table, its database and the catalog.

    ministack holds it against the database alone, and takes a database's own name for a table's.
    """
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        request = {}
    if not any(kind in operation for kind in ("Table", "Partition", "Database", "Catalog")):
        return ["*"]
    part = f"arn:aws:glue:{region}:{account}:"
    named = request.get("TableInput") or request.get("DatabaseInput") or request
    database = request.get("DatabaseName") or (named.get("Name") if "Database" in operation else None)
    table = request.get("TableName") or (named.get("Name") if "DatabaseName" in request and "Table" in operation else None)
    resources = []
    if database:
        if table or "Table" in operation or "Partition" in operation:
            resources.append(f"{part}table/{database}/{table or '*'}")
        resources.append(f"{part}database/{database}")
    return [*resources, f"{part}catalog"]
