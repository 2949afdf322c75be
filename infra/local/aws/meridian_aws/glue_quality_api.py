"""Glue's Data Quality operations (JSON 1.1), in front of ministack's own Glue handler."""

from __future__ import annotations

import base64
import copy
import json
import logging
import secrets
import time
from typing import Any, Callable

from .contract import Response, ServiceError, canonical, error_reply, json_reply, parse_json_call
from .dqdl_text import rules_of
from .iam import Credentials, Iam, RoleRefused
from .local_s3 import aws_client, split_s3_uri
from .permissions import GLUE_PRINCIPAL, quality_needs
from .quality_runs import SESSION_SECONDS, TERMINAL, QualityRuns, Record
from .settings import Settings

logger = logging.getLogger("meridian.quality")

SERVICE = "glue"
_DEFAULT_TIMEOUT_MINUTES = 2880
_PAGE = 100


class GlueDataQuality:
    """Rulesets here, runs and results in their queue."""

    def __init__(self, settings: Settings, scope: Callable[[], tuple[str, str]], iam: Iam) -> None:
        self.queue = QualityRuns(settings, self._publish)
        self._settings = settings
        self._scope = scope
        self._iam = iam
        self._rulesets: dict[str, Record] = {}
        self._tokens: dict[str, Record] = {}
        self.operations: dict[str, Callable[[dict[str, Any]], Record]] = {
            "CreateDataQualityRuleset": self.create_ruleset, "GetDataQualityRuleset": self._get_ruleset,
            "UpdateDataQualityRuleset": self.update_ruleset, "DeleteDataQualityRuleset": self._delete_ruleset,
            "ListDataQualityRulesets": self._list_rulesets,
            "StartDataQualityRulesetEvaluationRun": self._start, "GetDataQualityRulesetEvaluationRun": self._get_run,
            "CancelDataQualityRulesetEvaluationRun": self._cancel, "ListDataQualityRulesetEvaluationRuns": self._list_runs,
            "GetDataQualityResult": self._get_result, "BatchGetDataQualityResult": self._batch_results,
            "ListDataQualityResults": self._list_results,
        }

    def handle(self, operation_name: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Response:
        """Answers one call whose target contains ``DataQuality``."""
        try:
            operation = self.operations.get(operation_name)
            if operation is None:
                raise ServiceError("UnknownOperationException", f"{operation_name} is not part of the local Glue Data Quality")
            call = parse_json_call(SERVICE, operation_name, body)
            self._iam.require(quality_needs(operation_name, call.params, *self._scope()), headers, query)
            with self.queue.lock:
                return json_reply(operation(call.params), SERVICE)
        except ServiceError as error:
            return error_reply(error, SERVICE)

    def get_state(self) -> dict[str, Any]:
        with self.queue.lock:
            return copy.deepcopy({"rulesets": self._rulesets, "tokens": self._tokens, "runs": self.queue.runs, "results": self.queue.results})

    def load_persisted_state(self, data: dict[str, Any]) -> None:
        with self.queue.lock:
            self._rulesets, self._tokens = data.get("rulesets", {}), data.get("tokens", {})
            self.queue.restore(data.get("runs", {}), data.get("results", {}))

    def reset(self) -> None:
        self.queue.reset()
        self._rulesets, self._tokens = {}, {}

    # -- rulesets -------------------------------------------------------------------------------------------------

    def create_ruleset(self, params: dict[str, Any]) -> Record:
        _check_dqdl(params["Ruleset"])
        key = self._key(params["Name"])
        with self.queue.lock:
            known = self._rulesets.get(key)
            if known is not None:
                if params.get("ClientToken") and self._known_token("ruleset", params) == params["Name"]:
                    return {"Name": params["Name"]}
                raise ServiceError("AlreadyExistsException", f"Data quality ruleset {params['Name']} already exists")
            now = time.time()
            self._rulesets[key] = {**{k: v for k, v in params.items() if k not in ("ClientToken", "Tags")}, "CreatedOn": now, "LastModifiedOn": now}
            self._remember("ruleset", params, params["Name"])
        return {"Name": params["Name"]}

    def update_ruleset(self, params: dict[str, Any]) -> Record:
        with self.queue.lock:
            ruleset = self._ruleset(params["Name"])
            if "Ruleset" in params:
                _check_dqdl(params["Ruleset"])
            ruleset.update({k: v for k, v in params.items() if k != "Name"}, LastModifiedOn=time.time())
            return {k: ruleset[k] for k in ("Name", "Description", "Ruleset") if k in ruleset}

    def delete_ruleset_if_there(self, name: str) -> None:
        with self.queue.lock:
            self._rulesets.pop(self._key(name), None)

    def _get_ruleset(self, params: dict[str, Any]) -> Record:
        return dict(self._ruleset(params["Name"]))

    def _delete_ruleset(self, params: dict[str, Any]) -> Record:
        self._ruleset(params["Name"])
        self.delete_ruleset_if_there(params["Name"])
        return {}

    def _list_rulesets(self, params: dict[str, Any]) -> Record:
        wanted = params.get("Filter") or {}
        shown = [{**{k: v for k, v in r.items() if k != "Ruleset"}, "RuleCount": len(rules_of(r["Ruleset"]))} for key, r in self._rulesets.items()
                 if key.startswith(self._key("")) and all(r.get(k) == v for k, v in wanted.items() if k in ("Name", "Description", "TargetTable"))]
        return _page("Rulesets", shown, params)

    def _ruleset(self, name: str) -> Record:
        ruleset = self._rulesets.get(self._key(name))
        if ruleset is None:
            raise ServiceError("EntityNotFoundException", f"Cannot find Data Quality Ruleset {name} in account {self._scope()[0]}")
        return ruleset

    # -- runs -----------------------------------------------------------------------------------------------------

    def _start(self, params: dict[str, Any]) -> Record:
        known = self._known_token("run", params)
        if known is not None:
            return {"RunId": known}
        if "GlueTable" not in params["DataSource"]:
            raise ServiceError("InvalidInputException", "DataSource.GlueTable is required: the local Glue Data Quality reads catalog tables")
        rulesets = {name: self._ruleset(name)["Ruleset"] for name in params["RulesetNames"]}
        account, region = self._scope()
        run_id, now = f"dqrun-{secrets.token_hex(20)}", time.time()
        run = {
            **{k: v for k, v in params.items() if k != "ClientToken"}, "RunId": run_id, "Status": "STARTING", "StartedOn": now,
            "LastModifiedOn": now, "NumberOfWorkers": params.get("NumberOfWorkers", 5), "ResultIds": [],
            "Timeout": params.get("Timeout", _DEFAULT_TIMEOUT_MINUTES), "_account": account, "_region": region,
        }
        credentials = self._assumed(params["Role"], f"arn:aws:glue:{region}:{account}:dataQualityRuleset/{run_id}")
        self._remember("run", params, run_id)
        self.queue.submit(run, rulesets, credentials)
        return {"RunId": run_id}

    def _assumed(self, role: str, source_arn: str) -> Credentials:
        try:
            return self._iam.assume(role, GLUE_PRINCIPAL, source_arn, "GlueJobRunnerSession", SESSION_SECONDS)
        except RoleRefused as error:
            raise ServiceError("InvalidInputException", f"Service is unable to assume role {role}. Please verify role's TrustPolicy: {error}") from None

    def _run(self, run_id: str) -> Record:
        run = self.queue.runs.get(run_id)
        if run is None or run["_account"] != self._scope()[0]:
            raise ServiceError("EntityNotFoundException", f"Cannot find Data Quality Ruleset Evaluation Run {run_id}")
        return run

    def _get_run(self, params: dict[str, Any]) -> Record:
        return {k: v for k, v in self._run(params["RunId"]).items() if not k.startswith("_")}

    def _cancel(self, params: dict[str, Any]) -> Record:
        run = self._run(params["RunId"])
        if run["Status"] in TERMINAL:
            raise ServiceError("InvalidInputException", f"Run {params['RunId']} is {run['Status']} and cannot be cancelled")
        self.queue.stop(run)
        return {}

    def _list_runs(self, params: dict[str, Any]) -> Record:
        wanted = (params.get("Filter") or {}).get("DataSource")
        runs = [run for run in self.queue.runs.values() if run["_account"] == self._scope()[0]]
        shown = [{k: run[k] for k in ("RunId", "Status", "StartedOn", "DataSource")} for run in sorted(runs, key=lambda r: -r["StartedOn"])
                 if not wanted or run["DataSource"] == wanted]
        return _page("Runs", shown, params)

    # -- results --------------------------------------------------------------------------------------------------

    def _get_result(self, params: dict[str, Any]) -> Record:
        result = self.queue.results.get(params["ResultId"])
        if result is None:
            raise ServiceError("EntityNotFoundException", f"Cannot find Data Quality Result {params['ResultId']}")
        return result

    def _batch_results(self, params: dict[str, Any]) -> Record:
        known = self.queue.results
        return {"Results": [known[i] for i in params["ResultIds"] if i in known], "ResultsNotFound": [i for i in params["ResultIds"] if i not in known]}

    def _list_results(self, params: dict[str, Any]) -> Record:
        source = (params.get("Filter") or {}).get("DataSource")
        shown = [{**{k: r[k] for k in ("ResultId", "DataSource", "StartedOn")}} for r in self.queue.results.values()
                 if not source or r["DataSource"] == source]
        return _page("Results", shown, params)

    def _publish(self, run: Record, results: list[Record], credentials: Credentials) -> None:
        """The documents that the service writes below ``ResultsS3Prefix``."""
        prefix = (run.get("AdditionalRunOptions") or {}).get("ResultsS3Prefix")
        if not prefix:
            return
        bucket, key = split_s3_uri(prefix)
        s3 = aws_client("s3", self._settings, credentials, run["_region"])
        for result in results:
            name = "/".join(filter(None, [key.rstrip("/"), run["RunId"], f"{result['ResultId']}.json"]))
            s3.put_object(Bucket=bucket, Key=name, Body=json.dumps(result).encode(), ContentType="application/json")

    # -- tokens ---------------------------------------------------------------------------------------------------

    def _key(self, name: str) -> str:
        account, region = self._scope()
        return f"{account}/{region}/{name}"

    def _known_token(self, kind: str, params: dict[str, Any]) -> str | None:
        token = params.get("ClientToken")
        known = self._tokens.get(self._key(f"{kind}/{token}")) if token else None
        if known is not None and known["request"] != canonical(params, "ClientToken"):
            raise ServiceError("ConflictException", f"ClientToken {token} was already used with different parameters")
        return None if known is None else str(known["id"])

    def _remember(self, kind: str, params: dict[str, Any], made_id: str) -> None:
        token = params.get("ClientToken")
        if token:
            self._tokens[self._key(f"{kind}/{token}")] = {"request": canonical(params, "ClientToken"), "id": made_id}


def _check_dqdl(text: str) -> None:
    # The whole grammar is the evaluator's; this catches what is no ruleset at all before anything is stored.
    if not rules_of(text):
        raise ServiceError("InvalidInputException", "Ruleset is no DQDL: expected Rules = [ … ] with at least one rule")


def _page(member: str, items: list[Record], params: dict[str, Any]) -> Record:
    token = params.get("NextToken")
    try:
        start = int(base64.urlsafe_b64decode(token)) if token else 0
    except ValueError:
        raise ServiceError("InvalidInputException", "NextToken is none that this service gave") from None
    end = start + min(int(params.get("MaxResults", _PAGE)), _PAGE)
    page: Record = {member: items[start:end]}
    if end < len(items):
        page["NextToken"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return page
