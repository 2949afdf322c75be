"""The emulator in a process of its own, with scripts in place of Spark and Deequ: no jar and no Java is there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

import boto3


@contextmanager
def running(folder: Path, submit: str, evaluator: str, **settings: str) -> Iterator[str]:
    """Yields the endpoint. Started again in its folder it goes on from its state."""
    for name, text in (("submit.py", submit), ("evaluator.py", evaluator)):
        (folder / name).write_text(text)
    (folder / "jars").mkdir(exist_ok=True)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parent.parent), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(folder),
        "GATEWAY_PORT": str(port), "STATE_DIR": str(folder / "state"), "MERIDIAN_SPARK_JARS": str(folder / "jars"),
        "MERIDIAN_SPARK_SUBMIT": str(folder / "submit.py"), "MERIDIAN_QUALITY_EVALUATOR": str(folder / "evaluator.py"), **settings,
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "meridian_aws"], env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        until(lambda: process.poll() is not None or _answers(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def client(endpoint: str, service: str, key: str = "local", secret: str = "local", token: str | None = None) -> Any:
    return boto3.client(service, endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret,
                        aws_session_token=token)


def create_role(iam: Any, name: str, service: str, *statements: dict[str, Any], **trust: Any) -> str:
    """A role that a service may take on, with the statements as its policy. Returns its ARN."""
    document = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}, **trust}]}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
    return str(arn)


def allow(actions: str | list[str], resources: str | list[str], **condition: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **({"Condition": condition} if condition else {})}


def until(reached: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 50
    while not (value := reached()):
        assert time.monotonic() < deadline, "nothing happened in 50 seconds"
        time.sleep(0.05)
    return value


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=2).close()
    except OSError:
        return False
    return True
