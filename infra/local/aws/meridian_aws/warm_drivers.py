"""Pre-initialised capacity: drivers that stand ready for an application while it is started.

A driver serves one run and is replaced when that run has ended, as the service restores what a job has released. It stands in a
folder of its own, which becomes the run's, so that every place in its environment is right before the run is known.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import driver_process
from .guarded import Process, start_guarded
from .iam import Credentials
from .settings import Settings
from .spark_submit import (
    DRIVER_ENV, S3A_CREDENTIALS, driver_environment, job_environment, local_conf, memory_mb, spark_defaults, write_properties,
)

logger = logging.getLogger("meridian.emr")

Record = dict[str, Any]
# What a Java that runs has been started with.
_FIXED_CONF = ("spark.jars", "spark.jars.", "spark.driver.extraClassPath", "spark.driver.extraJavaOptions",
               "spark.driver.defaultJavaOptions", "spark.driver.extraLibraryPath", "spark.driver.userClassPathFirst")
_FIXED_OPTIONS = ("class", "jars", "packages", "exclude-packages", "repositories")
# Spark's overhead, as a worker's memory holds it beside the heap.
_OVERHEAD, _LEAST_OVERHEAD_MB = 1.1, 384
_CREDENTIALS = "credentials"


@dataclass(frozen=True)
class Job:
    """What is known of a run when a driver is looked for."""

    entry_point: str
    options: dict[str, str]
    requested: dict[str, str]


@dataclass
class WarmDriver:
    """A driver without a job, perhaps still starting: what is handed over waits for it."""

    folder: Path
    process: Process
    requested: dict[str, str]
    conf: dict[str, str]
    channel: socket.socket = field(repr=False)

    def lacks(self, job: Job, conf: dict[str, str]) -> str | None:
        """Why the job must have a driver of its own; None when it can have this one.

        :param conf: of the job, as it would be in this driver's folder
        """
        if not job.entry_point.endswith(".py"):
            return f"its entry point {job.entry_point} is no Python file"
        for option in _FIXED_OPTIONS:
            if option in job.options:
                return f"it asks for --{option}"
        for name in sorted({*self.conf, *conf}):
            if name.startswith(_FIXED_CONF) and self.conf.get(name) != conf.get(name):
                return f"it sets {name}"
        if driver_environment(job.requested) != driver_environment(self.requested):
            return f"it sets variables by {DRIVER_ENV}"
        if (memory_mb(conf["spark.driver.memory"]) or 0) > (memory_mb(self.conf["spark.driver.memory"]) or 0):
            return f"it asks for spark.driver.memory {conf['spark.driver.memory']}, the started one has {self.conf['spark.driver.memory']}"
        return None

    def hand_over(self, script: Path, arguments: list[str], options: dict[str, str], conf: dict[str, str], environment: dict[str, str],
                  credentials: Credentials) -> Process:
        """Makes it the job.

        :param options: of spark-submit, their files local
        :raises OSError: when it has died
        """
        write_credentials(credentials, self.folder / _CREDENTIALS)
        for name in ("stdout", "stderr"):
            os.truncate(self.folder / name, 0)  # opened for appending: the job's log begins here
        # What spark-submit makes of its options.
        settings = {"spark.app.name": options.get("name", script.name), "spark.submit.deployMode": "client",
                    "spark.submit.pyFiles": options.get("py-files"), "spark.files": options.get("files"),
                    "spark.archives": options.get("archives")}
        libraries = [Path(path) for path in options.get("py-files", "").split(",") if path]
        document = {
            "script": str(script), "arguments": arguments, "environment": environment,
            "libraries": [str(path.parent if path.suffix == ".py" else path) for path in libraries],
            "conf": {**{name: value for name, value in settings.items() if value is not None}, **conf, S3A_CREDENTIALS: _PROVIDER},
        }
        self.channel.sendall(json.dumps(document).encode() + b"\n")
        self.channel.close()
        return self.process

    def end(self) -> None:
        """Ends it, whether it has a job or not, and removes its folder."""
        self.channel.close()
        if self.process.stdin is not None:
            self.process.stdin.close()  # its guard kills at once
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


# Java's environment was fixed before there were credentials, so it looks into a file that was named in time.
_PROVIDER = "com.amazonaws.auth.profile.ProfileCredentialsProvider"


def write_credentials(credentials: Credentials, path: Path) -> None:
    """As every AWS SDK reads them from a file, for its owner alone."""
    text = (f"[default]\naws_access_key_id={credentials.access_key_id}\naws_secret_access_key={credentials.secret_access_key}\n"
            f"aws_session_token={credentials.session_token}\n")
    with open(path, "w", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)


class WarmDrivers:
    """The drivers of all applications; its methods may be called from any thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._idle: dict[str, list[WarmDriver]] = {}
        self._made = 0

    def keep(self, application: Record, busy: int) -> None:
        """Brings an application's idle drivers to what its state asks for: starts what it lacks without waiting, ends all when it has stopped.

        :param busy: its runs that have a driver, which counts as capacity in use
        """
        application_id = application["applicationId"]
        with self._lock:
            idle = self._living(application_id)
            ended: list[WarmDriver] = []
            if application["state"] == "STARTED":
                idle += [self._started(application) for _ in range(self._capacity(application) - busy - len(idle))]
            else:
                idle, ended = [], idle
            self._idle[application_id] = idle
        for driver in ended:
            driver.end()

    def take(self, application: Record, run_id: str, job: Job) -> WarmDriver | None:
        """A driver for a run, or None, with the reason in the log, when it must have its own."""
        with self._lock:
            idle = self._living(application["applicationId"])
            for driver in idle:
                lack = driver.lacks(job, local_conf(job.requested, self._settings, _region(application), driver.folder))
                if lack is None:
                    self._idle[application["applicationId"]] = [other for other in idle if other is not driver]
                    logger.info("Job run %s takes a driver that stood ready", run_id)
                    return driver
                logger.info("Job run %s starts a driver of its own: %s", run_id, lack)
        return None

    def applications(self) -> list[str]:
        """Those that have idle drivers."""
        with self._lock:
            return [application_id for application_id, idle in self._idle.items() if idle]

    def close(self) -> None:
        """Ends every idle driver."""
        with self._lock:
            drivers = [driver for idle in self._idle.values() for driver in idle]
            self._idle = {}
        for driver in drivers:
            driver.end()

    def _capacity(self, application: Record) -> int:
        # No more than runs there may be at once, and none where a script stands in for Spark.
        asked = int(_driver_capacity(application).get("workerCount", 0))
        return 0 if self._settings.spark_submit is not None else min(asked, self._settings.spark_concurrency)

    def _living(self, application_id: str) -> list[WarmDriver]:
        living = []
        for driver in self._idle.pop(application_id, []):
            if driver.process.poll() is None:
                living.append(driver)
            else:
                logger.warning("A driver that stood ready for application %s has died: %s", application_id, _log_tail(driver.folder))
                driver.end()
        if living:
            self._idle[application_id] = living
        return living

    def _started(self, application: Record) -> WarmDriver:
        self._made += 1
        folder = self._settings.work_dir / "drivers" / f"{application['applicationId']}-{self._made}"
        folder.mkdir(parents=True)
        requested = spark_defaults(application.get("runtimeConfiguration"))
        worker = _driver_capacity(application).get("workerConfiguration") or {}
        if "memory" in worker:
            requested.setdefault("spark.driver.memory", f"{heap_mb_of_worker(worker['memory'])}m")
        conf = local_conf(requested, self._settings, _region(application), folder)
        write_properties(conf, folder / "spark-defaults.conf")
        ours, theirs = socket.socketpair()
        environment = {
            **job_environment(self._settings, None, _region(application), folder, requested),
            "PYSPARK_SUBMIT_ARGS": f"--properties-file {folder / 'spark-defaults.conf'} pyspark-shell",
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / _CREDENTIALS),
            "AWS_CREDENTIAL_PROFILES_FILE": str(folder / _CREDENTIALS),  # as the first SDK for Java calls it
        }
        process = start_guarded([sys.executable, str(Path(driver_process.__file__))], environment, folder, theirs.fileno())
        theirs.close()
        logger.info("A driver is started for application %s", application["applicationId"])
        return WarmDriver(folder, process, requested, conf, ours)


def heap_mb_of_worker(memory: str) -> int:
    """The heap of a worker of so much memory, such as ``5 GB``: what Spark's overhead leaves of it."""
    whole = memory_mb(memory.replace(" ", "")) or 0
    return max(1, min(int(whole / _OVERHEAD), whole - _LEAST_OVERHEAD_MB))


def _driver_capacity(application: Record) -> Record:
    # "DRIVER" in the API's examples, "Driver" in CloudFormation's.
    capacity = application.get("initialCapacity") or {}
    return next((dict(each) for kind, each in capacity.items() if kind.upper() == "DRIVER"), {})


def _region(application: Record) -> str:
    return str(application["arn"].split(":")[3])


def _log_tail(folder: Path) -> str:
    try:
        return "; ".join((folder / "stderr").read_text("utf-8", "replace").splitlines()[-3:]) or "it left no log"
    except OSError:
        return "no log"
