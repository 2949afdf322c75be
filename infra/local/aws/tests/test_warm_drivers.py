"""Which runs a driver that stands ready can take, and what it is given."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from meridian_aws.iam import Credentials
from meridian_aws.settings import read_settings
from meridian_aws.spark_submit import local_conf
from meridian_aws.warm_drivers import Job, WarmDriver, WarmDrivers, heap_mb_of_worker, write_credentials


@pytest.fixture
def settings(tmp_path: Path):
    return read_settings({"STATE_DIR": str(tmp_path), "MERIDIAN_SPARK_JARS": str(tmp_path)})


def _lack(settings: Any, folder: Path, requested: dict[str, str], entry_point: str = "s3://code/job.py", **options: str) -> str | None:
    started = {"spark.driver.memory": "1g", "spark.emr-serverless.driverEnv.ZONE": "a"}
    driver = WarmDriver(folder, None, started, local_conf(started, settings, "eu-north-1", folder), None)  # type: ignore[arg-type]
    job = Job(entry_point, {name.replace("_", "-"): value for name, value in options.items()}, {**started, **requested})
    return driver.lacks(job, local_conf(job.requested, settings, "eu-north-1", folder))


def test_a_started_driver_takes_what_java_need_not_have_known_at_its_start(settings, tmp_path: Path) -> None:
    requested = {"spark.sql.shuffle.partitions": "9", "spark.executor.memory": "100g", "spark.hadoop.fs.s3a.threads.max": "4"}

    assert _lack(settings, tmp_path, requested, py_files="s3://code/library.zip", name="n") is None
    assert _lack(settings, tmp_path, {"spark.driver.memory": "512m"}) is None


@pytest.mark.parametrize(("requested", "named"), [
    ({"spark.driver.memory": "2g"}, "spark.driver.memory 2048m, the started one has 1024m"),
    ({"spark.driver.extraJavaOptions": "-Da=b"}, "spark.driver.extraJavaOptions"),
    ({"spark.driver.extraClassPath": "/x.jar"}, "spark.driver.extraClassPath"),
    ({"spark.jars": "s3://code/x.jar"}, "spark.jars"),
    ({"spark.jars.packages": "a:b:1"}, "spark.jars.packages"),
    ({"spark.emr-serverless.driverEnv.ZONE": "b"}, "variables"),
])
def test_what_a_started_java_cannot_take_is_named(settings, tmp_path: Path, requested: dict[str, str], named: str) -> None:
    assert named in (_lack(settings, tmp_path, requested) or "nothing")


def test_jars_and_other_languages_need_a_java_of_their_own(settings, tmp_path: Path) -> None:
    assert _lack(settings, tmp_path, {}, jars="s3://code/x.jar") == "it asks for --jars"
    assert _lack(settings, tmp_path, {}, packages="a:b:1") == "it asks for --packages"
    assert "no Python file" in (_lack(settings, tmp_path, {}, entry_point="s3://code/job.jar") or "")


def test_a_workers_memory_is_its_heap_and_sparks_overhead() -> None:
    assert [heap_mb_of_worker(memory) for memory in ("16 GB", "2 GB", "2g")] == [14894, 1664, 1664]


def test_credentials_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    write_credentials(Credentials("ASIA1", "secret", "token", 0.0), tmp_path / "credentials")

    assert stat.S_IMODE((tmp_path / "credentials").stat().st_mode) == 0o600
    assert "aws_session_token=token" in (tmp_path / "credentials").read_text()


def test_where_a_script_stands_in_for_spark_no_driver_is_started(tmp_path: Path) -> None:
    (tmp_path / "submit.py").touch()
    drivers = WarmDrivers(read_settings({"STATE_DIR": str(tmp_path), "MERIDIAN_SPARK_JARS": str(tmp_path),
                                         "MERIDIAN_SPARK_SUBMIT": str(tmp_path / "submit.py")}))

    drivers.keep({"applicationId": "a", "arn": "arn:aws:emr-serverless:r:1:/applications/a", "state": "STARTED",
                  "initialCapacity": {"DRIVER": {"workerCount": 1}}}, 0)

    assert drivers.applications() == []
