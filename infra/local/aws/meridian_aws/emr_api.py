"""EMR Serverless's REST API over the run store, strict where the service's documentation is."""

from __future__ import annotations

import base64
import copy
import logging
import threading
import time
from typing import Any, Callable

from .contract import Response, ServiceError, canonical, error_reply, json_reply, parse_rest_call
from .emr_runs import TERMINAL, Record, RunStore, new_id
from .iam import Credentials, Iam, RoleRefused
from .permissions import EMR_PRINCIPAL, emr_needs
from .settings import Settings
from .spark_submit import SubmitParametersError, parse_submit_parameters

logger = logging.getLogger("meridian.emr")

SERVICE = "emr-serverless"
_DEFAULT_IDLE_MINUTES = 15
_IDLE_CHECK_SECONDS = 1.0
_PAGE = 50
# The service renews them; here they live longer than any run may take.
_SESSION_SECONDS = 7 * 24 * 3600.0


class EmrServerless:
    """One handler object: applications here, runs in their store."""

    def __init__(self, settings: Settings, scope: Callable[[], tuple[str, str]], iam: Iam) -> None:
        self.runs = RunStore(settings, iam.expire, self._run_ended)
        self._scope = scope
        self._iam = iam
        self._applications: dict[str, Record] = {}
        self._tokens: dict[str, Record] = {}
        self._watch: threading.Thread | None = None
        self._operations: dict[str, Callable[[dict[str, Any]], Record]] = {
            "CreateApplication": self.create_application, "GetApplication": self._get_application,
            "ListApplications": self._list_applications, "UpdateApplication": self.update_application,
            "StartApplication": self._start_application, "StopApplication": self._stop_application,
            "DeleteApplication": self._delete_application, "StartJobRun": self._start_job_run, "GetJobRun": self._get_job_run,
            "ListJobRuns": self._list_job_runs, "CancelJobRun": self._cancel_job_run, "TagResource": self._tag,
            "UntagResource": self._untag, "ListTagsForResource": self._list_tags,
        }

    # -- what ministack asks of a service module ------------------------------------------------------------------

    async def handle_request(self, method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]) -> Response:
        try:
            call = parse_rest_call(SERVICE, method, path, query_params, body)
            self._iam.require(emr_needs(call.operation, call.params, *self._scope()), headers, query_params)
            operation = self._operations.get(call.operation)
            if operation is None:
                raise ServiceError("UnknownOperationException", f"{call.operation} is not part of the local EMR Serverless")
            with self.runs.lock:
                return json_reply(operation(call.params), SERVICE)
        except ServiceError as error:
            return error_reply(error, SERVICE)

    def get_state(self) -> dict[str, Any]:
        with self.runs.lock:
            return copy.deepcopy({"applications": self._applications, "runs": self.runs.runs, "tokens": self._tokens})

    def load_persisted_state(self, data: dict[str, Any]) -> None:
        with self.runs.lock:
            self._applications = data.get("applications", {})
            self._tokens = data.get("tokens", {})
            self.runs.restore(data.get("runs", {}))
            for application in self._applications.values():
                self._auto_stop(application)
                self._keep_warm(application)

    def reset(self) -> None:
        self.runs.reset()
        self._applications, self._tokens = {}, {}

    # -- applications ---------------------------------------------------------------------------------------------

    def create_application(self, params: dict[str, Any]) -> Record:
        account, region = self._scope()
        if params["type"].upper() not in ("SPARK", "HIVE"):
            raise ServiceError("ValidationException", f"Application type {params['type']} is not supported: expected SPARK or HIVE")
        known = self._token("application", account, params)
        if known is not None:
            return self._application_reply(self._applications[known])
        application_id, now = new_id(), time.time()
        settings = {key: value for key, value in params.items() if key not in ("clientToken", "tags")}
        self._applications[application_id] = {
            "autoStartConfiguration": {"enabled": True},
            "autoStopConfiguration": {"enabled": True, "idleTimeoutMinutes": _DEFAULT_IDLE_MINUTES},
            "architecture": "X86_64",
            **settings,
            "applicationId": application_id,
            "arn": f"arn:aws:emr-serverless:{region}:{account}:/applications/{application_id}",
            "type": params["type"].capitalize(),
            "state": "CREATED", "stateDetails": "", "createdAt": now, "updatedAt": now, "usedAt": now, "tags": params.get("tags", {}),
        }
        self._remember("application", account, params, application_id)
        return self._application_reply(self._applications[application_id])

    def update_application(self, params: dict[str, Any]) -> Record:
        application = self._application(params["applicationId"])
        if application["state"] not in ("CREATED", "STOPPED"):
            raise ServiceError("ValidationException", f"Application {params['applicationId']} must be in state CREATED or STOPPED to be "
                               f"updated, it is {application['state']}")
        application.update({key: value for key, value in params.items() if key not in ("clientToken", "applicationId")})
        application["updatedAt"] = time.time()
        return {"application": _public_application(application)}

    def delete_with_runs(self, application_id: str) -> None:
        """What deleting the stack does: ends the runs, stops and deletes the application; nothing when it is gone already."""
        with self.runs.lock:
            application = self._applications.get(application_id)
            if application is None:
                return
            for run in self._runs_of(application_id):
                self.runs.cancel(run, 0)
            self._transit(application, "TERMINATED")

    def reconfigure(self, application_id: str, members: dict[str, Any]) -> str:
        """What updating the stack does: stops an idle application first. Returns the ARN."""
        with self.runs.lock:
            if self._application(application_id)["state"] == "STARTED":
                self._stop_application({"applicationId": application_id})
            self.update_application({"applicationId": application_id, **members})
            return str(self._applications[application_id]["arn"])

    def _get_application(self, params: dict[str, Any]) -> Record:
        return {"application": _public_application(self._application(params["applicationId"]))}

    def _list_applications(self, params: dict[str, Any]) -> Record:
        account, region = self._scope()
        wanted = params.get("states")
        mine = [a for a in self._applications.values() if a["arn"].split(":")[3:5] == [region, account]]
        for application in mine:
            self._auto_stop(application)
        shown = [a for a in mine if not wanted or a["state"] in wanted]
        summaries = [{"id": a["applicationId"], **_pick(a, "name", "arn", "releaseLabel", "type", "state", "stateDetails", "createdAt",
                                                       "updatedAt", "architecture")} for a in shown]
        return _page("applications", summaries, params)

    def _start_application(self, params: dict[str, Any]) -> Record:
        application = self._application(params["applicationId"])
        if application["state"] == "TERMINATED":
            raise ServiceError("ValidationException", f"Application {params['applicationId']} is TERMINATED and cannot be started")
        self._transit(application, "STARTED")
        return {}

    def _stop_application(self, params: dict[str, Any]) -> Record:
        application = self._application(params["applicationId"])
        if any(run["state"] not in TERMINAL for run in self._runs_of(params["applicationId"])):
            raise ServiceError("ValidationException", f"Application {params['applicationId']} has job runs that are not finished: "
                               "cancel them before stopping it")
        if application["state"] == "STARTED":
            self._transit(application, "STOPPED")
        return {}

    def _delete_application(self, params: dict[str, Any]) -> Record:
        application = self._application(params["applicationId"])
        if application["state"] not in ("CREATED", "STOPPED"):
            raise ServiceError("ValidationException", f"Application {params['applicationId']} must be in state CREATED or STOPPED to be "
                               f"deleted, it is {application['state']}")
        self._transit(application, "TERMINATED")
        return {}

    def _application(self, application_id: str) -> Record:
        application = self._applications.get(application_id)
        if application is None or application["arn"].split(":")[4] != self._scope()[0]:
            raise ServiceError("ResourceNotFoundException", f"Application {application_id} does not exist")
        self._auto_stop(application)
        return application

    def _auto_stop(self, application: Record) -> None:
        rule = application["autoStopConfiguration"]
        idle = time.time() - application["usedAt"] > 60 * rule.get("idleTimeoutMinutes", _DEFAULT_IDLE_MINUTES)
        busy = any(run["state"] not in TERMINAL for run in self._runs_of(application["applicationId"]))
        if application["state"] == "STARTED" and rule.get("enabled", True) and idle and not busy:
            self._transit(application, "STOPPED")

    def _transit(self, application: Record, state: str) -> None:
        application.update(state=state, updatedAt=time.time(), usedAt=time.time())
        self._keep_warm(application)

    def _run_ended(self, run: Record) -> None:
        application = self._applications.get(run["applicationId"])
        if application is not None:
            application["usedAt"] = time.time()
            self._keep_warm(application)

    def _keep_warm(self, application: Record) -> None:
        self.runs.warm.keep(application, self.runs.busy(application["applicationId"]))
        if self.runs.warm.applications() and (self._watch is None or not self._watch.is_alive()):
            self._watch = threading.Thread(target=self._stop_idle, name="auto-stop", daemon=True)
            self._watch.start()

    def _stop_idle(self) -> None:
        # Nobody may ask any more for an application whose drivers stand ready.
        while True:
            time.sleep(_IDLE_CHECK_SECONDS)
            with self.runs.lock:
                applications = self.runs.warm.applications()
                for application_id in applications:
                    self._auto_stop(self._applications[application_id])
                if not applications:
                    self._watch = None
                    return

    def _application_reply(self, application: Record) -> Record:
        return {"applicationId": application["applicationId"], "name": application.get("name", ""), "arn": application["arn"]}

    # -- job runs -------------------------------------------------------------------------------------------------

    def _start_job_run(self, params: dict[str, Any]) -> Record:
        application_id = params["applicationId"]
        application = self._application(application_id)
        known = self._token(f"run/{application_id}", self._scope()[0], params)
        if known is not None:
            return _run_reply(self.runs.runs[known])
        self._check_run(params, application)
        credentials = self._assumed(params, application)
        if application["state"] == "TERMINATED":
            raise ServiceError("ValidationException", f"Application {application_id} is TERMINATED")
        if application["state"] != "STARTED":
            if not application["autoStartConfiguration"].get("enabled", True):
                raise ServiceError("ValidationException", f"Application {application_id} is {application['state']} and does not start by "
                                   "itself: start it first")
            self._transit(application, "STARTED")
        account, region = self._scope()
        run_id, now = new_id(), time.time()
        run: Record = {
            **_pick(params, "name", "executionIamPolicy", "jobDriver", "configurationOverrides", "retryPolicy"),
            "applicationId": application_id, "jobRunId": run_id,
            "arn": f"arn:aws:emr-serverless:{region}:{account}:/applications/{application_id}/jobruns/{run_id}",
            "createdBy": f"arn:aws:iam::{account}:root", "executionRole": params["executionRoleArn"],
            "releaseLabel": application["releaseLabel"], "mode": params.get("mode", "BATCH"),
            "executionTimeoutMinutes": params.get("executionTimeoutMinutes", 720),
            "state": "SUBMITTED", "stateDetails": "Job run has been submitted", "createdAt": now, "updatedAt": now, "attempt": 1,
            "attemptCreatedAt": now, "attemptUpdatedAt": now, "tags": params.get("tags", {}),
        }
        application["usedAt"] = now
        self._remember(f"run/{application_id}", account, params, run_id)
        self.runs.submit(run, application, credentials)
        return _run_reply(run)

    def _assumed(self, params: dict[str, Any], application: Record) -> Credentials:
        narrowed = params.get("executionIamPolicy") or {}
        try:
            return self._iam.assume(params["executionRoleArn"], EMR_PRINCIPAL, application["arn"], "emr-serverless", _SESSION_SECONDS,
                                    narrowed.get("policy"), narrowed.get("policyArns"))
        except RoleRefused as error:
            raise ServiceError("ValidationException", f"Could not assume the execution role: {error}") from None

    def _check_run(self, params: dict[str, Any], application: Record) -> None:
        driver = params.get("jobDriver")
        if driver is None:
            raise ServiceError("ValidationException", "jobDriver must be provided for a SPARK application")
        if "sparkSubmit" not in driver or application["type"].upper() != "SPARK":
            raise ServiceError("ValidationException", f"jobDriver does not fit the application's type {application['type']}: expected sparkSubmit")
        if params.get("mode", "BATCH") != "BATCH" or (params.get("retryPolicy") or {}).get("maxAttempts", 1) != 1:
            raise ServiceError("ValidationException", "The local EMR Serverless runs mode BATCH with retryPolicy.maxAttempts 1 only")
        if params.get("executionTimeoutMinutes", 720) > 1_000_000:
            raise ServiceError("ValidationException", "executionTimeoutMinutes must be at most 1000000")
        if "s3" not in driver["sparkSubmit"]["entryPoint"].split("://")[0]:
            raise ServiceError("ValidationException", "entryPoint must be an s3:// URI here: the local stack has no image to read files from")
        try:
            parse_submit_parameters(driver["sparkSubmit"].get("sparkSubmitParameters") or "")
        except SubmitParametersError as error:
            raise ServiceError("ValidationException", str(error)) from None

    def _run(self, params: dict[str, Any]) -> Record:
        self._application(params["applicationId"])
        run = self.runs.runs.get(params["jobRunId"])
        if run is None or run["applicationId"] != params["applicationId"]:
            raise ServiceError("ResourceNotFoundException", f"JobRun {params['jobRunId']} does not exist")
        return run

    def _runs_of(self, application_id: str) -> list[Record]:
        return [run for run in self.runs.runs.values() if run["applicationId"] == application_id]

    def _get_job_run(self, params: dict[str, Any]) -> Record:
        run = self._run(params)
        if params.get("attempt", 1) != 1:
            raise ServiceError("ResourceNotFoundException", f"JobRun {params['jobRunId']} has no attempt {params['attempt']}")
        return {"jobRun": {key: value for key, value in run.items()}}

    def _list_job_runs(self, params: dict[str, Any]) -> Record:
        self._application(params["applicationId"])
        wanted = params.get("states")
        runs = sorted(self._runs_of(params["applicationId"]), key=lambda run: run["createdAt"], reverse=True)
        shown = [{"id": run["jobRunId"], "type": "SPARK", **_pick(run, "applicationId", "name", "mode", "arn", "createdBy", "createdAt",
                  "updatedAt", "executionRole", "state", "stateDetails", "releaseLabel", "attempt", "attemptCreatedAt", "attemptUpdatedAt")}
                 for run in runs if not wanted or run["state"] in wanted]
        return _page("jobRuns", shown, params)

    def _cancel_job_run(self, params: dict[str, Any]) -> Record:
        run = self._run(params)
        if run["state"] in TERMINAL:
            raise ServiceError("ValidationException", f"JobRun {params['jobRunId']} is in terminal state {run['state']} and cannot be cancelled")
        self.runs.cancel(run, params.get("shutdownGracePeriodInSeconds"))
        return {"applicationId": params["applicationId"], "jobRunId": params["jobRunId"]}

    # -- tags and tokens ------------------------------------------------------------------------------------------

    def _tagged(self, arn: str) -> Record:
        for record in (*self._applications.values(), *self.runs.runs.values()):
            if record["arn"] == arn:
                return record
        raise ServiceError("ResourceNotFoundException", f"Resource {arn} does not exist")

    def _tag(self, params: dict[str, Any]) -> Record:
        self._tagged(params["resourceArn"])["tags"].update(params["tags"])
        return {}

    def _untag(self, params: dict[str, Any]) -> Record:
        for key in params["tagKeys"]:
            self._tagged(params["resourceArn"])["tags"].pop(key, None)
        return {}

    def _list_tags(self, params: dict[str, Any]) -> Record:
        return {"tags": self._tagged(params["resourceArn"])["tags"]}

    def _token(self, scope: str, account: str, params: dict[str, Any]) -> str | None:
        known = self._tokens.get(f"{account}/{scope}/{params['clientToken']}")
        if known is not None and known["request"] != canonical(params, "clientToken"):
            raise ServiceError("ConflictException", f"The clientToken {params['clientToken']} was already used with different parameters")
        return None if known is None else str(known["id"])

    def _remember(self, scope: str, account: str, params: dict[str, Any], made_id: str) -> None:
        self._tokens[f"{account}/{scope}/{params['clientToken']}"] = {"request": canonical(params, "clientToken"), "id": made_id}


def _run_reply(run: Record) -> Record:
    return _pick(run, "applicationId", "jobRunId", "arn")


def _public_application(application: Record) -> Record:
    return {key: value for key, value in application.items() if key != "usedAt"}


def _pick(record: Record, *names: str) -> Record:
    return {name: record[name] for name in names if name in record}


def _page(member: str, items: list[Record], params: dict[str, Any]) -> Record:
    token = params.get("nextToken")
    try:
        start = int(base64.urlsafe_b64decode(token)) if token else 0
    except ValueError:
        raise ServiceError("ValidationException", "nextToken is none that this service gave") from None
    end = start + min(int(params.get("maxResults", _PAGE)), _PAGE)
    page: Record = {member: items[start:end]}
    if end < len(items):
        page["nextToken"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return page
