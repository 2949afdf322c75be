"""Evaluation runs of the Glue Data Quality double: one after another, through a warm evaluator process."""

from __future__ import annotations

import json
import logging
import math
import queue
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable

from . import guard
from .iam import Credentials
from .settings import Settings
from .spark_submit import job_environment, local_conf, write_properties

logger = logging.getLogger("meridian.quality")

Record = dict[str, Any]
# An evaluator stays warm with the credentials that it was started with: the service renews them, here they outlive it.
SESSION_SECONDS = 7 * 24 * 3600.0
TERMINAL = ("STOPPED", "SUCCEEDED", "FAILED", "TIMEOUT")
_STOPPED_ERROR = "The local emulator was stopped while this run was not finished"


class EvaluatorDied(Exception):
    """The evaluator ended without a reply: a crash, or our own kill for a stop or a time-out."""


class WarmEvaluator:
    """Starts the evaluator at first use and lets it go after some idle time; used by one thread, killed by any."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._folder = settings.work_dir / "quality"
        self._role = ""

    def ask(self, request: Record, role: str, credentials: Credentials, region: str, timeout_seconds: float) -> Record:
        """Sends one request and waits for its reply. An evaluator runs under one role: for another one another is started.

        :raises EvaluatorDied: with the last lines of its log
        :raises TimeoutError: after ``timeout_seconds``
        """
        channel = self._running(role, credentials, region)
        try:
            channel.settimeout(timeout_seconds)
            channel.sendall(json.dumps(request).encode() + b"\n")
            received = bytearray()
            while not received.endswith(b"\n"):
                piece = channel.recv(1 << 16)
                if not piece:
                    raise EvaluatorDied(self._log_tail())
                received += piece
            return dict(json.loads(received))
        except TimeoutError:
            self.kill()
            raise
        except OSError as error:
            raise EvaluatorDied(f"{error}; {self._log_tail()}") from error
        except EvaluatorDied:
            self.kill()
            raise

    def kill(self) -> None:
        """Ends it; the next request starts another."""
        with self._lock:
            process, channel = self._process, self._channel
            self._process = self._channel = None
        if channel is not None:
            try:
                channel.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for the reply; closing alone does not
            except OSError:
                pass
            channel.close()
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _running(self, role: str, credentials: Credentials, region: str) -> socket.socket:
        with self._lock:
            if self._process is not None and self._process.poll() is None and self._channel is not None and self._role == role:
                return self._channel
        self.kill()
        self._role = role
        self._folder.mkdir(parents=True, exist_ok=True)
        conf = local_conf({"spark.driver.memory": f"{self._settings.quality_driver_memory_mb}m"}, self._settings, region, self._folder)
        # Deequ needs none of Sedona's; each costs start-up time.
        for name in ("spark.sql.extensions", "spark.serializer", "spark.kryo.registrator"):
            conf.pop(name)
        properties = self._folder / "spark-defaults.conf"
        write_properties(conf, properties)
        ours, theirs = socket.socketpair()
        environment = {
            **job_environment(self._settings, credentials, region, self._folder, {}),
            "PYSPARK_SUBMIT_ARGS": f"--properties-file {properties} pyspark-shell",
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "SPARK_VERSION": "3.5",
            "MERIDIAN_PASS_FD": str(theirs.fileno()),
        }
        script = self._settings.quality_evaluator
        evaluator = ["-m", "meridian_aws.quality_evaluator"] if script is None else [str(script)]
        command = [sys.executable, "-S", str(Path(guard.__file__)), sys.executable, *evaluator]
        with (self._folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, cwd=self._folder,
                                       pass_fds=[theirs.fileno()], start_new_session=True)
        theirs.close()
        with self._lock:
            self._process, self._channel = process, ours
        return ours

    def _log_tail(self) -> str:
        try:
            return "; ".join((self._folder / "log").read_text("utf-8", "replace").splitlines()[-3:])
        except OSError:
            return "no log"


class QualityRuns:
    """The queue and its one thread. ``runs`` and ``results`` hold plain JSON for the emulator's persistence."""

    def __init__(self, settings: Settings, publish: Callable[[Record, list[Record], Credentials], None]) -> None:
        self.lock = threading.RLock()
        self.runs: dict[str, Record] = {}
        self.results: dict[str, Record] = {}
        self._settings = settings
        self._publish = publish
        self._queue: queue.Queue[tuple[str, dict[str, str], Credentials]] = queue.Queue()
        self._evaluator = WarmEvaluator(settings)
        self._thread: threading.Thread | None = None
        self._current: str | None = None

    def submit(self, run: Record, rulesets: dict[str, str], credentials: Credentials) -> None:
        """Takes a run in, with the rulesets' text of this moment and its role's credentials."""
        with self.lock:
            self.runs[run["RunId"]] = run
            self._queue.put((run["RunId"], rulesets, credentials))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="data-quality", daemon=True)
                self._thread.start()

    def stop(self, run: Record) -> None:
        """Stops a run; safe to repeat, without effect on one that has ended."""
        with self.lock:
            if run["Status"] in (*TERMINAL, "STOPPING"):
                return
            running = self._current == run["RunId"]
            self._transit(run, "STOPPING" if running else "STOPPED")
        if running:
            self._evaluator.kill()

    def close(self) -> None:
        """Ends the evaluator and records what was not finished; for the emulator's own end."""
        with self.lock:
            self._fail_unfinished()
        self._evaluator.kill()

    def restore(self, runs: dict[str, Record], results: dict[str, Record]) -> None:
        with self.lock:
            self.runs, self.results = runs, results
            self._fail_unfinished()

    def reset(self) -> None:
        self.close()
        with self.lock:
            self.runs, self.results = {}, {}

    def _fail_unfinished(self) -> None:
        for run in self.runs.values():
            if run["Status"] not in TERMINAL:
                self._transit(run, "FAILED", _STOPPED_ERROR)

    def _transit(self, run: Record, status: str, error: str | None = None) -> None:
        now = time.time()
        run.update(Status=status, LastModifiedOn=now)
        if error:
            run["ErrorString"] = error
        if status in TERMINAL:
            run.update(CompletedOn=now, ExecutionTime=math.ceil(now - run["StartedOn"]))
        logger.info("Data quality run %s is %s", run["RunId"], status)

    def _work(self) -> None:
        while True:
            try:
                run_id, rulesets, credentials = self._queue.get(timeout=self._settings.quality_idle_seconds)
            except queue.Empty:
                with self.lock:
                    if not self._queue.empty():
                        continue
                    self._thread = None
                self._evaluator.kill()
                return
            with self.lock:
                run = self.runs.get(run_id)
                if run is None or run["Status"] != "STARTING":
                    continue
                self._current = run_id
                self._transit(run, "RUNNING")
            try:
                self._evaluate(run, rulesets, credentials)
            except Exception as error:  # a run must end, whatever the double does wrong
                logger.exception("Data quality run %s failed in the double", run_id)
                self._finish(run, "FAILED", str(error))
            finally:
                with self.lock:
                    self._current = None

    def _evaluate(self, run: Record, rulesets: dict[str, str], credentials: Credentials) -> None:
        source = run["DataSource"]["GlueTable"]
        options = source.get("AdditionalOptions") or {}
        predicates = [options[name] for name in ("pushDownPredicate", "catalogPartitionPredicate") if options.get(name)]
        request = {"database": source["DatabaseName"], "table": source["TableName"], "rulesets": rulesets,
                   "predicate": " and ".join(f"({text})" for text in predicates) or None}
        started = time.time()
        try:
            reply = self._evaluator.ask(request, run["Role"], credentials, run["_region"], 60.0 * run["Timeout"])
        except TimeoutError:
            return self._finish(run, "TIMEOUT", f"The run exceeded its timeout of {run['Timeout']} minutes")
        except EvaluatorDied as error:
            return self._finish(run, "FAILED", f"The evaluator ended without a result: {error}")
        if "error" in reply:
            return self._finish(run, "FAILED", reply["error"])
        results = [self._result(run, name, rules, started) for name, rules in reply["results"].items()]
        self._publish(run, results, credentials)
        with self.lock:
            if run["Status"] == "RUNNING":
                self.results.update({result["ResultId"]: result for result in results})
                run["ResultIds"] = [result["ResultId"] for result in results]
        self._finish(run, "SUCCEEDED")

    def _finish(self, run: Record, status: str, error: str | None = None) -> None:
        with self.lock:
            if run["Status"] == "STOPPING":
                self._transit(run, "STOPPED")
            elif run["Status"] == "RUNNING":
                self._transit(run, status, error)

    def _result(self, run: Record, ruleset: str, rules: list[Record], started: float) -> Record:
        passed = sum(rule["result"] == "PASS" for rule in rules)
        return {
            "ResultId": f"dqresult-{secrets.token_hex(20)}",
            "Score": passed / len(rules) if rules else 0.0,
            "DataSource": run["DataSource"], "RulesetName": ruleset, "RulesetEvaluationRunId": run["RunId"],
            "StartedOn": started, "CompletedOn": time.time(),
            "RuleResults": [{
                "Name": f"Rule_{at}", "Description": rule["description"], "Result": rule["result"], "EvaluatedMetrics": rule["metrics"],
                "EvaluatedRule": rule["rule"], **({"EvaluationMessage": rule["message"]} if rule["message"] else {}),
            } for at, rule in enumerate(rules, 1)],
        }
