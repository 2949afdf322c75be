"""A script in place of Spark or of the rule evaluator: it gets what they get, and the doubles treat it as they treat them."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from emulator import client, create_role, running, until
from meridian_aws.settings import SettingsError, read_settings
from meridian_aws.spark_submit import spark_submit_command

SUBMIT = """
import json, os, subprocess, sys
print(json.dumps({"arguments": sys.argv[1:], "endpoint": os.environ["AWS_ENDPOINT_URL"], "token": os.environ.get("TOKEN"),
                  "emulator": sorted(name for name in os.environ if name.startswith("MERIDIAN_"))}), flush=True)
if sys.argv[-1] == "fail":
    raise ValueError("no such zone: Bern")
if sys.argv[-1].startswith("sleep"):
    subprocess.run(sys.argv[-1].split("-"))
"""
EVALUATOR = """
import json, os, socket, time
channel = socket.socket(fileno=int(os.environ["MERIDIAN_PASS_FD"]))
for line in channel.makefile("r"):
    request = json.loads(line)
    if request["table"] == "die":
        os._exit(3)
    if request["table"] == "sleep":
        time.sleep(60)
    rule = {"rule": "RowCount > 0", "description": json.dumps(request), "result": "PASS", "metrics": {"Dataset.*.RowCount": 7.0}, "message": None}
    channel.sendall(json.dumps({"results": {name: [rule] for name in request["rulesets"]}}).encode() + b"\\n")
"""
SPARK_ROLE, QUALITY_ROLE = (f"arn:aws:iam::000000000000:role/{name}" for name in ("spark", "quality"))


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """The emulator with both scripts: nothing else can have done the work."""
    with running(tmp_path_factory.mktemp("aws"), SUBMIT, EVALUATOR) as endpoint:
        for name, service in (("spark", "emr-serverless.amazonaws.com"), ("quality", "glue.amazonaws.com")):
            create_role(client(endpoint, "iam"), name, service)
        yield lambda service: client(endpoint, service)


@pytest.fixture(scope="module")
def application(clients: Callable[[str], Any]) -> str:
    clients("s3").create_bucket(Bucket="code")
    for name in ("job.py", "library.zip"):
        clients("s3").put_object(Bucket="code", Key=name, Body=b"raise SystemExit(9)")
    return str(clients("emr-serverless").create_application(name="a", releaseLabel="emr-7.5.0", type="SPARK", clientToken="a")["applicationId"])


def _start(clients: Callable[[str], Any], application: str, argument: str) -> str:
    driver = {"entryPoint": "s3://code/job.py", "entryPointArguments": ["a b", argument],
              "sparkSubmitParameters": "--py-files s3://code/library.zip --conf spark.emr-serverless.driverEnv.TOKEN=t"}
    return str(clients("emr-serverless").start_job_run(
        applicationId=application, clientToken=f"run-{argument}", executionRoleArn=SPARK_ROLE, jobDriver={"sparkSubmit": driver},
        configurationOverrides={"monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "s3://code/logs/"}}})["jobRunId"])


def _run_in(clients: Callable[[str], Any], application: str, run_id: str, *states: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        run = clients("emr-serverless").get_job_run(applicationId=application, jobRunId=run_id)["jobRun"]
        return dict(run) if run["state"] in states else None

    return dict(until(look))


def _stdout(clients: Callable[[str], Any], application: str, run_id: str) -> str:
    key = f"logs/applications/{application}/jobs/{run_id}/SPARK_DRIVER/stdout.gz"
    return gzip.decompress(clients("s3").get_object(Bucket="code", Key=key)["Body"].read()).decode()


def _processes(mark: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += [path.parent.name] if mark in path.read_bytes().decode("utf-8", "replace") else []
        except OSError:
            continue
    return found


def test_a_scripted_run_gets_spark_submits_arguments_and_environment_and_leaves_its_logs(clients, application: str) -> None:
    run_id = _start(clients, application, "succeed")

    assert _run_in(clients, application, run_id, "SUCCESS", "FAILED")["state"] == "SUCCESS"

    seen = json.loads(_stdout(clients, application, run_id))
    option, properties, library_option, library, entry_point, *arguments = seen["arguments"]
    assert (option, library_option, arguments) == ("--properties-file", "--py-files", ["a b", "succeed"])
    assert [Path(path).name for path in (properties, library, entry_point)] == ["spark-defaults.conf", "library.zip", "job.py"]
    assert seen["token"] == "t"
    assert seen["endpoint"] == clients("s3").meta.endpoint_url
    assert seen["emulator"] == []


def test_a_scripted_run_that_raises_is_failed_with_its_exception(clients, application: str) -> None:
    run = _run_in(clients, application, _start(clients, application, "fail"), "SUCCESS", "FAILED")

    assert run["state"] == "FAILED"
    assert "ExitCode: 1" in run["stateDetails"] and "ValueError: no such zone: Bern" in run["stateDetails"]


def test_a_scripted_run_that_is_cancelled_leaves_no_process(clients, application: str) -> None:
    seconds = f"61.{os.getpid()}"  # its own: other suites sleep as well
    run_id = _start(clients, application, f"sleep-{seconds}")
    _run_in(clients, application, run_id, "RUNNING")
    until(lambda: _processes(f"sleep\0{seconds}"))

    clients("emr-serverless").cancel_job_run(applicationId=application, jobRunId=run_id)

    assert _run_in(clients, application, run_id, "CANCELLED", "SUCCESS", "FAILED")["state"] == "CANCELLED"
    assert _processes(f"sleep\0{seconds}") == []


def _check(clients: Callable[[str], Any], table: str) -> str:
    glue = clients("glue")
    try:
        glue.create_data_quality_ruleset(Name="rules", Ruleset="Rules = [ RowCount > 0 ]")
    except glue.exceptions.AlreadyExistsException:
        pass
    source = {"GlueTable": {"DatabaseName": "lake", "TableName": table, "AdditionalOptions": {"pushDownPredicate": "day = '1'"}}}
    return str(glue.start_data_quality_ruleset_evaluation_run(DataSource=source, Role=QUALITY_ROLE, RulesetNames=["rules"])["RunId"])


def _check_in(clients: Callable[[str], Any], run_id: str, *states: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        run = clients("glue").get_data_quality_ruleset_evaluation_run(RunId=run_id)
        return dict(run) if run["Status"] in states else None

    return dict(until(look))


def test_a_scripted_evaluator_gets_the_request_and_its_reply_is_the_result(clients) -> None:
    run = _check_in(clients, _check(clients, "positions"), "SUCCEEDED", "FAILED")

    assert run["Status"] == "SUCCEEDED", run.get("ErrorString")
    (rule,) = clients("glue").get_data_quality_result(ResultId=run["ResultIds"][0])["RuleResults"]
    assert json.loads(rule["Description"]) == {"database": "lake", "table": "positions", "predicate": "(day = '1')",
                                               "rulesets": {"rules": "Rules = [ RowCount > 0 ]"}}
    assert (rule["Result"], rule["EvaluatedMetrics"]) == ("PASS", {"Dataset.*.RowCount": 7.0})


def test_a_scripted_evaluator_may_die_or_be_stopped_and_the_next_run_is_evaluated(clients) -> None:
    died = _check_in(clients, _check(clients, "die"), "SUCCEEDED", "FAILED")
    stopped = _check(clients, "sleep")
    waiting = _check(clients, "positions")
    _check_in(clients, stopped, "RUNNING")

    clients("glue").cancel_data_quality_ruleset_evaluation_run(RunId=stopped)

    assert died["Status"] == "FAILED" and "evaluator ended" in died["ErrorString"]
    assert _check_in(clients, stopped, "STOPPED", "SUCCEEDED", "FAILED")["Status"] == "STOPPED"
    assert _check_in(clients, waiting, "SUCCEEDED", "FAILED")["Status"] == "SUCCEEDED"


def test_without_a_script_spark_submit_does_the_work(tmp_path: Path) -> None:
    settings = read_settings({"STATE_DIR": str(tmp_path), "MERIDIAN_SPARK_JARS": str(tmp_path)})

    assert (settings.spark_submit, settings.quality_evaluator) == (None, None)
    program, *_ = spark_submit_command(settings, tmp_path / "conf", {}, tmp_path / "job.py", [])
    assert Path(program).parts[-2:] == ("bin", "spark-submit")


def test_scripts_that_are_not_there_stop_the_start_and_are_named(tmp_path: Path) -> None:
    names = ("MERIDIAN_SPARK_SUBMIT", "MERIDIAN_QUALITY_EVALUATOR")

    with pytest.raises(SettingsError) as raised:
        read_settings({"STATE_DIR": str(tmp_path), "MERIDIAN_SPARK_JARS": str(tmp_path), **{name: "absent.py" for name in names}})

    assert all(f"{name}: expected a Python file, found 'absent.py'" in str(raised.value) for name in names)
