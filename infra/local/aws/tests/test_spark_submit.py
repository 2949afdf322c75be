"""How sparkSubmitParameters and confs become a local spark-submit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from meridian_aws.dqdl_text import rules_of
from meridian_aws.iam import Credentials
from meridian_aws.settings import SettingsError, read_settings
from meridian_aws.spark_submit import (SubmitParametersError, job_environment, local_conf, parse_submit_parameters, spark_defaults,
                                       write_properties)


@pytest.fixture
def settings(tmp_path: Path):
    (tmp_path / "jars").mkdir()
    (tmp_path / "jars" / "b.jar").touch()
    (tmp_path / "jars" / "a.jar").touch()
    return read_settings({"STATE_DIR": str(tmp_path), "MERIDIAN_SPARK_JARS": str(tmp_path / "jars"), "GATEWAY_PORT": "4999"})


def test_words_are_split_as_a_shell_does_without_expanding_anything() -> None:
    parsed = parse_submit_parameters("--conf 'spark.a=b c' --conf spark.d=$(id) --py-files s3://x/y.zip,s3://x/z.py --executor-memory 8g --name=n")

    assert parsed.conf == {"spark.a": "b c", "spark.d": "$(id)", "spark.executor.memory": "8g"}
    assert parsed.options == {"py-files": "s3://x/y.zip,s3://x/z.py", "name": "n"}


@pytest.mark.parametrize("text", ["--master yarn", "--deploy-mode cluster", "--conf spark.a", "--conf =b", "--turbo 1", "--name", "'", "job.py"])
def test_what_the_service_refuses_is_refused(text: str) -> None:
    with pytest.raises(SubmitParametersError):
        parse_submit_parameters(text)


def test_a_fleets_sizing_is_capped_to_this_machine(settings, tmp_path: Path) -> None:
    requested = {"spark.driver.memory": "64g", "spark.executor.memory": "100g", "spark.dynamicAllocation.maxExecutors": "20",
                 "spark.sql.shuffle.partitions": "7", "spark.serializer": "my.Own"}

    conf = local_conf(requested, settings, "eu-central-1", tmp_path)

    assert conf["spark.driver.memory"] == "2048m"
    assert conf["spark.master"] == "local[2]"
    assert conf["spark.sql.shuffle.partitions"] == "7"
    assert conf["spark.serializer"] == "my.Own"
    assert not [key for key in conf if key.startswith(("spark.executor.", "spark.dynamicAllocation."))]
    assert conf["spark.driver.extraClassPath"].split(":")[1:] == [str(tmp_path / "jars" / name) for name in ("a.jar", "b.jar")]


def test_a_smaller_driver_than_the_cap_stays_small(settings, tmp_path: Path) -> None:
    assert local_conf({"spark.driver.memory": "1g"}, settings, "us-east-1", tmp_path)["spark.driver.memory"] == "1024m"


def test_only_the_spark_defaults_classification_counts() -> None:
    assert spark_defaults([{"classification": "spark-defaults", "properties": {"a": "1"}}, {"classification": "hive-site", "properties": {"b": "2"}}]) == {"a": "1"}


def test_a_properties_file_gives_java_every_character_back(tmp_path: Path) -> None:
    conf = {"spark.blank": " a  b ", "spark.signs": "=:#!\\", "spark.lines": "one\ntwo\ttab", "spark.ümlaut": "Zürich 🛰"}
    write_properties(conf, tmp_path / "conf")
    source = tmp_path / "Show.java"
    source.write_text(
        'import java.nio.file.*; import java.util.*; class Show { public static void main(String[] a) throws Exception { Properties p = new Properties(); '
        'p.load(Files.newBufferedReader(Path.of(a[0]))); for (String k : new TreeSet<>(p.stringPropertyNames())) '
        'System.out.write((k + "\\0" + p.getProperty(k) + "\\0").getBytes("UTF-8")); System.out.flush(); } }', encoding="utf-8")

    out = subprocess.run(["java", str(source), str(tmp_path / "conf")], capture_output=True, check=True, timeout=60).stdout.decode()

    parts = out.split("\0")
    assert dict(zip(parts[0::2], parts[1::2], strict=False)) == conf


def test_a_job_sees_nothing_of_the_emulators_environment(settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "secret")

    credentials = Credentials("ASIA1", "secret", "token", 0.0)
    environment = job_environment(settings, credentials, "eu-central-1", tmp_path, {"spark.emr-serverless.driverEnv.A": "b c"})

    assert "PGPASSWORD" not in environment
    assert [environment[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")] == ["ASIA1", "secret", "token"]
    assert "secret" not in repr(credentials) and "token" not in repr(credentials)
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4999"
    assert environment["A"] == "b c"


def test_every_fault_of_the_environment_is_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"(?s)MERIDIAN_SPARK_JARS.*STATE_DIR.*GATEWAY_PORT|GATEWAY_PORT.*MERIDIAN_SPARK_JARS"):
        read_settings({"GATEWAY_PORT": "http"})


def test_rules_are_split_at_their_own_commas_only() -> None:
    text = 'Rules = [ RowCount > 0, ColumnValues "a" in ["x,y", "z"],\n (IsComplete "a") and (IsUnique "a, b"), CustomSql "select count(*) from primary" > 1 ]'

    assert rules_of(text) == ['RowCount > 0', 'ColumnValues "a" in ["x,y", "z"]', '(IsComplete "a") and (IsUnique "a, b")',
                              'CustomSql "select count(*) from primary" > 1']
    assert rules_of("RowCount > 0") == []
