"""An AWS that holds every call against its caller's policies (X14, S1.13, S2.21): the doubles enforce as ministack does, jobs run as their role."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from botocore.exceptions import ClientError
from emulator import allow, client, create_role, running, until
from meridian_aws.settings import SettingsError, read_settings

SUBMIT = """
import boto3, sys
print(boto3.client("sts").get_caller_identity()["Arn"])
boto3.client("s3").put_object(Bucket="lake", Key=sys.argv[-1], Body=b"written")
"""
EVALUATOR = """
import boto3, json, os, socket
channel = socket.socket(fileno=int(os.environ["MERIDIAN_PASS_FD"]))
for line in channel.makefile("r"):
    try:
        boto3.client("glue").get_table(DatabaseName="lake", Name=json.loads(line)["table"])
        who = boto3.client("sts").get_caller_identity()["Arn"]
        rule = {"rule": "RowCount > 0", "description": who, "result": "PASS", "metrics": {"Dataset.*.RowCount": 7.0}, "message": None}
        reply = {"results": {"rules": [rule]}}
    except Exception as error:
        reply = {"error": str(error)}
    channel.sendall(json.dumps(reply).encode() + b"\\n")
"""
KEYS = {"accessKeyId": "AKIATESTADMINISTRATR", "secretAccessKey": "administrators-secret", "taskToken": "token-of-tasks"}
ACCOUNT = "000000000000"
GLUE = f"arn:aws:glue:us-east-1:{ACCOUNT}:"
SPARK, GLUE_SERVICE, TASKS = "emr-serverless.amazonaws.com", "glue.amazonaws.com", "ecs-tasks.amazonaws.com"

Clients = Callable[..., Any]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("enforced")
    (folder / "keys.json").write_text(json.dumps(KEYS))
    with running(folder, SUBMIT, EVALUATOR, MERIDIAN_AWS_KEYS=str(folder / "keys.json")) as address:
        yield address


@pytest.fixture(scope="module")
def admin(endpoint: str) -> Clients:
    return lambda service: client(endpoint, service, KEYS["accessKeyId"], KEYS["secretAccessKey"])


@pytest.fixture(scope="module")
def application(admin: Clients) -> str:
    admin("s3").create_bucket(Bucket="lake")
    admin("s3").put_object(Bucket="lake", Key="jobs/job.py", Body=b"pass")
    admin("glue").create_database(DatabaseInput={"Name": "lake"})
    admin("glue").create_table(DatabaseName="lake", TableInput={"Name": "positions"})
    admin("glue").create_data_quality_ruleset(Name="rules", Ruleset="Rules = [ RowCount > 0 ]")
    create_role(admin("iam"), "spark", SPARK, allow("s3:GetObject", "arn:aws:s3:::lake/jobs/*"), allow("s3:PutObject", "arn:aws:s3:::lake/refined/*"))
    create_role(admin("iam"), "quality", GLUE_SERVICE, allow("glue:GetTable", [f"{GLUE}catalog", f"{GLUE}database/lake", f"{GLUE}table/lake/*"]))
    return str(admin("emr-serverless").create_application(name="a", releaseLabel="emr-7.5.0", type="SPARK", clientToken="a")["applicationId"])


def as_task(endpoint: str, role: str, token: str = KEYS["taskToken"]) -> Clients:
    """Clients as a container of a task with that role has them."""
    query = urllib.parse.urlencode({"role": role})
    request = urllib.request.Request(f"{endpoint}/_meridian/task-credentials?{query}", headers={"Authorization": token})
    with urllib.request.urlopen(request, timeout=10) as answer:
        found = json.loads(answer.read())
    return lambda service: client(endpoint, service, found["AccessKeyId"], found["SecretAccessKey"], found["Token"])


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as raised:
        call()
    return f"{raised.value.response['Error']['Code']}: {raised.value.response['Error']['Message']}"


def start(clients: Clients, application: str, key: str, role: str = f"arn:aws:iam::{ACCOUNT}:role/spark", **more: Any) -> str:
    driver = {"entryPoint": "s3://lake/jobs/job.py", "entryPointArguments": [key]}
    return str(clients("emr-serverless").start_job_run(applicationId=application, executionRoleArn=role, jobDriver={"sparkSubmit": driver},
                                                       **more)["jobRunId"])


def ended(admin: Clients, application: str, run_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        run = admin("emr-serverless").get_job_run(applicationId=application, jobRunId=run_id)["jobRun"]
        return dict(run) if run["state"] in ("SUCCESS", "FAILED") else None

    return dict(until(look))


def check(clients: Clients, role: str, table: str = "positions") -> str:
    return str(clients("glue").start_data_quality_ruleset_evaluation_run(
        DataSource={"GlueTable": {"DatabaseName": "lake", "TableName": table}}, Role=role, RulesetNames=["rules"])["RunId"])


def checked(admin: Clients, run_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        run = admin("glue").get_data_quality_ruleset_evaluation_run(RunId=run_id)
        return dict(run) if run["Status"] in ("SUCCEEDED", "FAILED") else None

    return dict(until(look))


@pytest.mark.parametrize("key", ["test", "local", ACCOUNT, "111122223333", KEYS["accessKeyId"]])
def test_nobody_calls_without_a_principals_own_secret(endpoint: str, application: str, key: str) -> None:
    calls: dict[str, Callable[[Any], Any]] = {
        "s3": lambda s3: s3.list_buckets(), "dynamodb": lambda dynamodb: dynamodb.list_tables(), "iam": lambda iam: iam.list_roles(),
        "cloudformation": lambda cloudformation: cloudformation.describe_stacks(), "glue": lambda glue: glue.get_databases(),
        "emr-serverless": lambda emr: emr.list_applications(),
    }
    for service, call in calls.items():
        found = refusal(lambda: call(client(endpoint, service, key, "test")))
        assert any(code in found for code in ("SignatureDoesNotMatch", "Invalid", "Unrecognized", "security token")), f"{service}: {found}"
    assert "token" in refusal(lambda: client(endpoint, "glue", key, "test").list_data_quality_rulesets()) or key == KEYS["accessKeyId"]


def test_a_job_and_an_evaluation_run_as_the_role_that_they_were_given(admin: Clients, application: str) -> None:
    run = ended(admin, application, start(admin, application, "refined/a"))
    assert run["state"] == "SUCCESS", run["stateDetails"]
    assert admin("s3").get_object(Bucket="lake", Key="refined/a")["Body"].read() == b"written"

    quality = checked(admin, check(admin, f"arn:aws:iam::{ACCOUNT}:role/quality"))
    assert quality["Status"] == "SUCCEEDED", quality
    (rule,) = admin("glue").get_data_quality_result(ResultId=quality["ResultIds"][0])["RuleResults"]
    assert rule["Description"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/quality/GlueJobRunnerSession"


def test_a_job_that_writes_where_its_role_may_not_fails_with_the_action_and_writes_nothing(admin: Clients, application: str) -> None:
    run = ended(admin, application, start(admin, application, "raw/a"))

    assert run["state"] == "FAILED"
    assert "(AccessDenied) when calling the PutObject operation" in run["stateDetails"]
    assert "Contents" not in admin("s3").list_objects_v2(Bucket="lake", Prefix="raw/")


def test_a_run_may_be_narrowed_to_less_than_its_role(admin: Clients, application: str) -> None:
    document = {"Version": "2012-10-17", "Statement": [allow("s3:*", ["arn:aws:s3:::lake/jobs/*", "arn:aws:s3:::lake/refined/cycle-1/*"])]}
    policy = {"policy": json.dumps(document)}

    inside = ended(admin, application, start(admin, application, "refined/cycle-1/a", executionIamPolicy=policy))
    outside = ended(admin, application, start(admin, application, "refined/cycle-2/a", executionIamPolicy=policy))

    assert (inside["state"], outside["state"]) == ("SUCCESS", "FAILED"), inside["stateDetails"]
    assert "(AccessDenied) when calling the PutObject operation" in outside["stateDetails"]


def test_a_role_that_is_not_there_or_trusts_another_is_refused_by_the_service(admin: Clients, application: str) -> None:
    elsewhere = create_role(admin("iam"), "spark-elsewhere", SPARK, Condition={"ArnLike": {"aws:SourceArn": f"arn:aws:emr-serverless:us-east-1:{ACCOUNT}:/applications/other"}})
    for role in (f"arn:aws:iam::{ACCOUNT}:role/absent", f"arn:aws:iam::{ACCOUNT}:role/quality", elsewhere):
        found = refusal(lambda: start(admin, application, "refined/b", role))
        assert found.startswith("ValidationException: Could not assume the execution role") and role in found
    for role in (f"arn:aws:iam::{ACCOUNT}:role/absent", f"arn:aws:iam::{ACCOUNT}:role/spark"):
        found = refusal(lambda: check(admin, role))
        assert found.startswith("InvalidInputException: Service is unable to assume role") and role in found


def test_starting_takes_the_action_and_the_right_to_pass_this_role_to_this_service(endpoint: str, admin: Clients, application: str) -> None:
    app = f"arn:aws:emr-serverless:us-east-1:{ACCOUNT}:/applications/{application}"
    spark, quality = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("spark", "quality"))
    starting = allow(["emr-serverless:StartJobRun", "glue:StartDataQualityRulesetEvaluationRun"], [app, f"{GLUE}dataQualityRuleset/rules"])

    def caller(name: str, *statements: dict[str, Any]) -> Clients:
        return as_task(endpoint, create_role(admin("iam"), name, TASKS, *statements))

    nobody = caller("starts-nothing", allow("iam:PassRole", [spark, quality]))
    unpassed = caller("passes-nothing", starting, allow("iam:PassRole", [spark, quality], StringEquals={"iam:PassedToService": "lambda.amazonaws.com"}))
    other = caller("passes-another", starting, allow("iam:PassRole", f"{spark}-other"))
    able = caller("starts", starting, allow("iam:PassRole", spark, StringEquals={"iam:PassedToService": SPARK}),
                  allow("iam:PassRole", quality, StringEquals={"iam:PassedToService": GLUE_SERVICE}))

    before = len(admin("emr-serverless").list_job_runs(applicationId=application)["jobRuns"])
    assert f"emr-serverless:StartJobRun on resource: {app}" in refusal(lambda: start(nobody, application, "refined/c"))
    assert "glue:StartDataQualityRulesetEvaluationRun" in refusal(lambda: check(nobody, quality))
    for clients in (unpassed, other):
        assert f"AccessDeniedException: User: arn:aws:sts::{ACCOUNT}:assumed-role/passes-" in refusal(lambda: start(clients, application, "refined/c"))
        assert f"iam:PassRole on resource: {spark}" in refusal(lambda: start(clients, application, "refined/c"))
        assert f"iam:PassRole on resource: {quality}" in refusal(lambda: check(clients, quality))
    assert len(admin("emr-serverless").list_job_runs(applicationId=application)["jobRuns"]) == before
    assert ended(admin, application, start(able, application, "refined/c"))["state"] == "SUCCESS"
    assert checked(admin, check(able, quality))["Status"] == "SUCCEEDED"
    assert "emr-serverless:GetJobRun" in refusal(lambda: able("emr-serverless").get_job_run(applicationId=application, jobRunId="0" * 16))
    assert "emr-serverless:ListApplications on resource: *" in refusal(lambda: able("emr-serverless").list_applications())
    assert "glue:GetDataQualityRuleset " in refusal(lambda: able("glue").get_data_quality_ruleset(Name="rules"))


def test_the_catalog_takes_the_table_its_database_and_the_catalog(endpoint: str, admin: Clients, application: str) -> None:
    parts = [f"{GLUE}catalog", f"{GLUE}database/lake", f"{GLUE}table/lake/positions"]
    for missing in (*parts, None):
        role = create_role(admin("iam"), f"without-{parts.index(missing) if missing else 'nothing'}", TASKS,
                           allow("glue:GetTable", [part for part in parts if part != missing]))
        glue = as_task(endpoint, role)("glue")
        if missing is None:
            assert glue.get_table(DatabaseName="lake", Name="positions")["Table"]["Name"] == "positions"
        else:
            assert f"glue:GetTable on resource: {missing}" in refusal(lambda: glue.get_table(DatabaseName="lake", Name="positions"))


def test_metrics_are_put_into_the_one_namespace_only(endpoint: str, admin: Clients) -> None:
    role = create_role(admin("iam"), "measures", TASKS, allow("cloudwatch:PutMetricData", "*", StringEquals={"cloudwatch:namespace": "Meridian"}))
    metrics = as_task(endpoint, role)("cloudwatch")

    metrics.put_metric_data(Namespace="Meridian", MetricData=[{"MetricName": "rows", "Value": 1.0}])

    assert "cloudwatch:PutMetricData" in refusal(lambda: metrics.put_metric_data(Namespace="Other", MetricData=[{"MetricName": "rows", "Value": 1.0}]))


def test_tasks_get_credentials_of_roles_that_trust_them_and_for_the_token_only(endpoint: str, admin: Clients, application: str) -> None:
    worker = create_role(admin("iam"), "worker", TASKS)

    assert as_task(endpoint, worker)("sts").get_caller_identity()["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/worker"
    for role, token, status in ((worker, "another", 401), (worker, "", 401), (f"arn:aws:iam::{ACCOUNT}:role/spark", KEYS["taskToken"], 403), ("worker", KEYS["taskToken"], 400)):
        with pytest.raises(urllib.error.HTTPError) as raised:
            as_task(endpoint, role, token)
        assert raised.value.code == status


def test_grants_are_told_with_whether_a_call_was_allowed_by_them(endpoint: str, admin: Clients, application: str) -> None:
    grants = [allow(["s3:GetObject", "s3:PutObject"], ["arn:aws:s3:::lake/jobs/*", "arn:aws:s3:::lake/raw/*"])]
    s3 = as_task(endpoint, create_role(admin("iam"), "reads-jobs", TASKS, *grants))("s3")
    s3.get_object(Bucket="lake", Key="jobs/job.py")
    refusal(lambda: s3.put_object(Bucket="lake", Key="refined/never", Body=b""))

    def told(token: str) -> Any:
        request = urllib.request.Request(f"{endpoint}/_meridian/grants", headers={"Authorization": token})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    used = {(grant["action"], grant["resource"]): grant["used"] for grant in told(KEYS["taskToken"]) if grant["role"] == "reads-jobs"}
    assert len(used) == 4
    assert [grant for grant, was_used in used.items() if was_used] == [("s3:GetObject", "arn:aws:s3:::lake/jobs/*")]
    with pytest.raises(urllib.error.HTTPError):
        told("another")


def test_sessions_and_the_administrator_outlive_a_restart(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps(KEYS))
    with running(tmp_path, SUBMIT, EVALUATOR, MERIDIAN_AWS_KEYS=str(tmp_path / "keys.json")) as endpoint:
        iam = client(endpoint, "iam", KEYS["accessKeyId"], KEYS["secretAccessKey"])
        task = as_task(endpoint, create_role(iam, "worker", TASKS))("sts")._request_signer._credentials

    with running(tmp_path, SUBMIT, EVALUATOR, MERIDIAN_AWS_KEYS=str(tmp_path / "keys.json")) as endpoint:
        sts = client(endpoint, "sts", task.access_key, task.secret_key, task.token)
        assert sts.get_caller_identity()["Arn"].endswith("assumed-role/worker/worker")
        assert client(endpoint, "iam", KEYS["accessKeyId"], KEYS["secretAccessKey"]).get_role(RoleName="worker")["Role"]["RoleName"] == "worker"


def test_a_file_of_keys_that_is_none_stops_the_start_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="MERIDIAN_AWS_KEYS: expected a file with accessKeyId, secretAccessKey and taskToken"):
        read_settings({"STATE_DIR": str(tmp_path), "MERIDIAN_SPARK_JARS": str(tmp_path), "MERIDIAN_AWS_KEYS": str(tmp_path / "absent")})
