"""Job runs of the EMR Serverless double: their states, and the threads that take them from SUBMITTED to an end."""

from __future__ import annotations

import gzip
import logging
import secrets
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Callable

from .driver_log import last_exception
from .guarded import Process, start_guarded
from .iam import Credentials
from .local_s3 import aws_client, download, split_s3_uri
from .settings import Settings
from .spark_submit import (job_environment, local_conf, parse_submit_parameters, spark_defaults, spark_submit_command,
                           write_properties)
from .warm_drivers import Job, WarmDriver, WarmDrivers

logger = logging.getLogger("meridian.emr")

Record = dict[str, Any]
TERMINAL = ("SUCCESS", "FAILED", "CANCELLED")
_DEFAULT_CANCEL_GRACE_SECONDS = 2.0
_QUEUE_TIMEOUT_MINUTES = 360
_STATE_DETAILS_LENGTH = 256


class RunCancelled(Exception):
    """Raised inside a run's thread when a cancel or the timeout came before the process started."""


def new_id() -> str:
    """An id as the service makes them: 16 characters of 0-9a-z, sortable by time."""
    alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"
    moment, digits = time.time_ns() // 1_000_000, ""
    while moment:
        moment, rest = divmod(moment, 36)
        digits = alphabet[rest] + digits
    return f"00{digits:0>8}"[:10] + "".join(secrets.choice(alphabet) for _ in range(6))


class RunStore:
    """All runs and what drives them. ``runs`` holds plain JSON, so that the emulator's own persistence can save it."""

    def __init__(self, settings: Settings, expire: Callable[[Credentials], None], ended: Callable[[Record], None]) -> None:
        """:param ended: is told of each run that has left its driver"""
        self._settings = settings
        self._expire = expire
        self._ended = ended
        self.warm = WarmDrivers(settings)
        self.lock = threading.RLock()
        self.runs: dict[str, Record] = {}
        self._wake = threading.Condition(self.lock)
        self._processes: dict[str, Process] = {}
        self._occupied: set[str] = set()
        self._closing = False

    def submit(self, run: Record, application: Record, credentials: Credentials) -> None:
        """Takes a new run in; returns at once. The caller has validated it and holds no lock.

        :param credentials: of its execution role, for all that the run reads and writes; they expire with it
        """
        with self.lock:
            self.runs[run["jobRunId"]] = run
        threading.Thread(target=self._drive, args=(run, dict(application), credentials), name=f"run-{run['jobRunId']}", daemon=True).start()

    def cancel(self, run: Record, grace_seconds: float | None, reason: str = "Job run was cancelled by the user") -> None:
        """Asks a run to end; safe to repeat. It is CANCELLED once none of its processes is left."""
        with self._wake:
            if run["state"] in TERMINAL or run["state"] == "CANCELLING":
                return
            self._transit(run, "CANCELLING", reason)
            process = self._processes.get(run["jobRunId"])
            self._wake.notify_all()
        if process is not None:
            _tell(process, _DEFAULT_CANCEL_GRACE_SECONDS if grace_seconds is None else grace_seconds)

    def busy(self, application_id: str) -> int:
        """Runs of an application that have a driver, or are about to."""
        with self.lock:
            return sum(self.runs[run_id]["applicationId"] == application_id for run_id in self._occupied if run_id in self.runs)

    def close(self) -> None:
        """Ends every process and records the runs as failed; for the emulator's own end."""
        with self._wake:
            self._closing = True
            processes = dict(self._processes)
            for run in self.runs.values():
                if run["state"] not in TERMINAL:
                    self._transit(run, "FAILED", _STOPPED_DETAILS)
            self._wake.notify_all()
        self.warm.close()
        for process in processes.values():
            _tell(process, 0)
        for process in processes.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()

    def restore(self, runs: dict[str, Record]) -> None:
        """Takes back saved runs: what ran when the emulator went away has no process any more."""
        with self.lock:
            self.runs = runs
            for run in runs.values():
                if run["state"] not in TERMINAL:
                    self._transit(run, "FAILED", _STOPPED_DETAILS)

    def reset(self) -> None:
        """Forgets everything and ends every process."""
        self.close()
        with self.lock:
            self.runs = {}
            self._closing = False

    def _transit(self, run: Record, state: str, details: str) -> None:
        now = time.time()
        run.update(state=state, stateDetails=details[:_STATE_DETAILS_LENGTH], updatedAt=now, attemptUpdatedAt=now)
        if state == "RUNNING":
            run["startedAt"] = now
        if state in TERMINAL:
            run["endedAt"] = now
            started = run.get("startedAt")
            seconds = 0.0 if started is None else now - started
            run["totalExecutionDurationSeconds"] = int(seconds)
            run["totalResourceUtilization"] = self._utilization(seconds)
            run["billedResourceUtilization"] = self._utilization(0.0 if started is None else max(60.0, seconds))
        logger.info("Job run %s of application %s is %s", run["jobRunId"], run["applicationId"], state)

    def _utilization(self, seconds: float) -> Record:
        # What was really held here: the local cores and the driver's heap, not the fleet that was asked for.
        hours = seconds / 3600
        memory_gb = self._settings.spark_driver_memory_mb / 1024
        return {"vCPUHour": round(self._settings.spark_cores * hours, 6), "memoryGBHour": round(memory_gb * hours, 6), "storageGBHour": 0.0}

    def _advance(self, run: Record, state: str, details: str) -> None:
        with self.lock:
            if self._is_ending(run):
                raise RunCancelled
            self._transit(run, state, details)

    def _drive(self, run: Record, application: Record, credentials: Credentials) -> None:
        run_id = run["jobRunId"]
        try:
            self._await_slot(run, application)
            self._advance(run, "PENDING", "Job run is pending")
            self._advance(run, "SCHEDULED", "Job run is scheduled")
            state, details = self._execute(run, application, credentials)
        except RunCancelled:
            state, details = "CANCELLED", run["stateDetails"]
        except Exception as error:  # a run must end, whatever the double does wrong
            logger.exception("Job run %s failed in the double", run_id)
            state, details = "FAILED", f"Job run could not be started: {error}"
        finally:
            self._expire(credentials)
        with self._wake:
            self._occupied.discard(run_id)
            if run["state"] == "CANCELLING":
                state, details = "CANCELLED", run["stateDetails"]
            if run["state"] not in TERMINAL:
                self._transit(run, state, details)
            self._wake.notify_all()
            if not self._closing:
                self._ended(run)

    def _await_slot(self, run: Record, application: Record) -> None:
        scheduler = application.get("schedulerConfiguration") or {}
        until = time.monotonic() + 60 * scheduler.get("queueTimeoutMinutes", _QUEUE_TIMEOUT_MINUTES)
        with self._wake:
            while len(self._occupied) >= self._settings.spark_concurrency or not self._is_next(run):
                if self._is_ending(run):
                    raise RunCancelled
                if run["state"] == "SUBMITTED":
                    self._transit(run, "QUEUED", "Job run is queued: the application's job run concurrency is fully occupied")
                if not self._wake.wait(max(0.0, until - time.monotonic())):
                    self._transit(run, "FAILED", "Job run exceeded the queue timeout of the application")
                    raise RunCancelled
            if self._is_ending(run):
                raise RunCancelled
            self._occupied.add(run["jobRunId"])

    def _is_ending(self, run: Record) -> bool:
        return self._closing or run["state"] == "CANCELLING" or run["state"] in TERMINAL

    def _is_next(self, run: Record) -> bool:
        waiting = [other for other in self.runs.values()
                   if other["state"] in ("SUBMITTED", "QUEUED") and other["jobRunId"] not in self._occupied]
        return not waiting or min(waiting, key=lambda other: (other["createdAt"], other["jobRunId"]))["jobRunId"] == run["jobRunId"]

    def _execute(self, run: Record, application: Record, credentials: Credentials) -> tuple[str, str]:
        driver = run["jobDriver"]["sparkSubmit"]
        parsed = parse_submit_parameters(driver.get("sparkSubmitParameters") or "")
        overrides = run.get("configurationOverrides") or {}
        requested = {**spark_defaults(application.get("runtimeConfiguration")),
                     **spark_defaults(overrides.get("applicationConfiguration")), **parsed.conf}
        warm = self.warm.take(application, run["jobRunId"], Job(driver["entryPoint"], parsed.options, requested))
        folder = self._settings.work_dir / "runs" / run["jobRunId"] if warm is None else warm.folder
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return self._execute_in(folder, run, parsed.options, requested, credentials, warm)
        finally:
            if warm is not None:
                warm.end()
            shutil.rmtree(folder, ignore_errors=True)

    def _execute_in(self, folder: Path, run: Record, given: dict[str, str], requested: dict[str, str], credentials: Credentials,
                    warm: WarmDriver | None) -> tuple[str, str]:
        region = run["arn"].split(":")[3]
        s3 = aws_client("s3", self._settings, credentials, region)
        driver = run["jobDriver"]["sparkSubmit"]
        try:
            entry_point = download(s3, driver["entryPoint"], folder / "entry")
            options = {name: self._fetched(s3, value, folder / name) if name in ("jars", "py-files", "files", "archives") else value
                       for name, value in given.items()}
        except (FileNotFoundError, ValueError) as error:
            return "FAILED", f"Job failed, a file that it names could not be read: {error}"
        conf = local_conf(requested, self._settings, region, folder)
        environment = job_environment(self._settings, credentials, region, folder, requested)
        arguments = driver.get("entryPointArguments") or []

        def start() -> Process:
            if warm is not None:
                try:
                    return warm.hand_over(entry_point, arguments, options, conf, environment, credentials)
                except OSError as error:
                    logger.warning("Job run %s starts a driver of its own: the one that stood ready has died: %s", run["jobRunId"], error)
            properties = folder / "spark-defaults.conf"
            write_properties(conf, properties)
            return start_guarded(spark_submit_command(self._settings, properties, options, entry_point, arguments), environment, folder)

        code = self._run_process(run, start)
        self._upload_logs(s3, run, folder)
        if code == 0:
            return "SUCCESS", "Job run completed successfully"
        return "FAILED", ("Job failed, please check complete logs in configured logging destination. "
                          f"ExitCode: {code}. Last few exceptions: {last_exception(folder)}")

    def _run_process(self, run: Record, start: Callable[[], Process]) -> int:
        minutes = run["executionTimeoutMinutes"]
        with self.lock:
            self._advance(run, "RUNNING", "Job run is running")
            process = start()
            self._processes[run["jobRunId"]] = process
        try:
            return process.wait(minutes * 60 if minutes else None)
        except subprocess.TimeoutExpired:
            self.cancel(run, None, f"Job run timed out: it ran longer than its executionTimeoutMinutes of {minutes}")
            return process.wait()
        finally:
            with self.lock:
                self._processes.pop(run["jobRunId"], None)
            if process.stdin is not None:
                process.stdin.close()

    def _fetched(self, s3: Any, value: str, folder: Path) -> str:
        local: list[str] = []
        for at, uri in enumerate(filter(None, value.split(","))):
            if uri.startswith("local://"):
                local.append(uri.removeprefix("local://"))
            else:
                name, _, alias = uri.partition("#")
                local.append(str(download(s3, name, folder / str(at))) + (f"#{alias}" if alias else ""))
        return ",".join(local)

    def _upload_logs(self, s3: Any, run: Record, folder: Path) -> None:
        monitoring = (run.get("configurationOverrides") or {}).get("monitoringConfiguration") or {}
        log_uri = (monitoring.get("s3MonitoringConfiguration") or {}).get("logUri")
        if not log_uri:
            return
        bucket, prefix = split_s3_uri(log_uri)
        base = "/".join(filter(None, [prefix.rstrip("/"), "applications", run["applicationId"], "jobs", run["jobRunId"], "SPARK_DRIVER"]))
        for name in ("stdout", "stderr"):
            try:
                s3.put_object(Bucket=bucket, Key=f"{base}/{name}.gz", Body=gzip.compress((folder / name).read_bytes()))
            except Exception:  # as on the service: a log that cannot be written does not fail the run
                logger.exception("Log %s of job run %s could not be written to %s", name, run["jobRunId"], log_uri)


_STOPPED_DETAILS = "Job failed: the local emulator was stopped while this job run was not finished"


def _tell(process: Process, grace_seconds: float) -> None:
    try:
        if process.stdin is not None:
            process.stdin.write(f"{grace_seconds}\n".encode())
            process.stdin.flush()
    except (OSError, ValueError):
        pass  # it has ended by itself
