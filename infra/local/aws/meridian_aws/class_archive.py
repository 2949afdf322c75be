"""``python -m meridian_aws.class_archive``: makes the JVM class archive that lets Spark sessions start in a third of the time.

Reads ``MERIDIAN_SPARK_JARS`` and writes ``classes.jsa`` there (or to the path given). Starts a private emulator, submits
a training job to its EMR Serverless like anybody would, and has that job's JVM write the archive (some 150 MB, half a
minute). Safe to run twice. An archive that does not fit the Java or the jars any more is ignored by the JVM.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3

from .permissions import EMR_PRINCIPAL
from .settings import default_class_archive

_DEADLINE_SECONDS = 600
_BUCKET = "training"


def make_archive(jars: Path, target: Path) -> None:
    """:raises RuntimeError: with the job's own words"""
    with tempfile.TemporaryDirectory(prefix="meridian-classes-") as folder:
        port = _free_port()
        written = target.with_suffix(f".{os.getpid()}.partial")
        environment = {**os.environ, "STATE_DIR": folder, "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "PERSIST_STATE": "0",
                       "S3_PERSIST": "0", "MERIDIAN_SPARK_JARS": str(jars), "MERIDIAN_SPARK_ARCHIVE_TO": str(written)}
        with Path(folder, "log").open("wb") as log:
            emulator = subprocess.Popen([sys.executable, "-m", "meridian_aws"], env=environment, stdout=log, stderr=log)
        try:
            run = _train(f"http://127.0.0.1:{port}", emulator)
            if run["state"] != "SUCCESS" or not written.is_file():
                raise RuntimeError(f"The training job ended {run['state']} without an archive: {run['stateDetails']}")
            written.replace(target)
        finally:
            emulator.terminate()
            try:
                emulator.wait(20)
            except subprocess.TimeoutExpired:
                emulator.kill()
            written.unlink(missing_ok=True)


def _train(endpoint: str, emulator: subprocess.Popen[bytes]) -> dict[str, Any]:
    until = time.monotonic() + _DEADLINE_SECONDS
    _await_ready(endpoint, emulator)
    access = {"endpoint_url": endpoint, "region_name": "us-east-1", "aws_access_key_id": "local", "aws_secret_access_key": "local"}
    s3, emr, iam = (boto3.client(service, **access) for service in ("s3", "emr-serverless", "iam"))
    trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": EMR_PRINCIPAL}}]}
    role = iam.create_role(RoleName="training", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    s3.create_bucket(Bucket=_BUCKET)
    s3.upload_file(str(Path(__file__).parent / "training_job.py"), _BUCKET, "training_job.py")
    application = emr.create_application(name="training", releaseLabel="emr-7.5.0", type="SPARK")["applicationId"]
    run = emr.start_job_run(
        applicationId=application, executionRoleArn=role,
        jobDriver={"sparkSubmit": {"entryPoint": f"s3://{_BUCKET}/training_job.py", "entryPointArguments": [f"s3://{_BUCKET}/out/"]}})
    while time.monotonic() < until:
        found: dict[str, Any] = emr.get_job_run(applicationId=application, jobRunId=run["jobRunId"])["jobRun"]
        if found["state"] in ("SUCCESS", "FAILED", "CANCELLED"):
            return found
        time.sleep(0.5)
    raise RuntimeError(f"The training job did not end within {_DEADLINE_SECONDS} s")


def _await_ready(endpoint: str, emulator: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and emulator.poll() is None:
        try:
            with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("The private emulator for the training job did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    jars_text = os.environ.get("MERIDIAN_SPARK_JARS", "")
    jars = Path(jars_text).resolve()
    if not jars_text or not jars.is_dir():
        sys.exit(f"MERIDIAN_SPARK_JARS: expected the folder with Spark's extra jars, found {jars_text!r}")
    target = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else default_class_archive(jars)
    try:
        make_archive(jars, target)
    except RuntimeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
