"""What the doubles read from the environment, once; ``__main__`` lists every name."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path


class SettingsError(Exception):
    """The environment lacks or misnames something; the message lists every fault at once."""


@dataclass(frozen=True)
class Keys:
    """Who may call an AWS that enforces its policies; see ``infra/local/aws-keys.ts``."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    task_token: str = field(repr=False)


@dataclass(frozen=True)
class Settings:
    """Local sizing and places of the doubles."""

    host: str
    port: int
    work_dir: Path
    spark_jars_dir: Path
    class_archive: Path | None
    class_archive_to_write: Path | None
    spark_concurrency: int
    spark_cores: int
    spark_driver_memory_mb: int
    quality_driver_memory_mb: int
    quality_idle_seconds: int
    snapshot_seconds: int
    # Scripts in place of Spark, for those whose subject it is not; absent, Spark and Deequ do the work.
    spark_submit: Path | None = None
    quality_evaluator: Path | None = None
    # Present: policies are enforced.
    keys: Keys | None = None

    @property
    def endpoint(self) -> str:
        """Where this emulator answers its own jobs; an IP address, so that S3 clients use path style by themselves."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{host}:{self.port}"

    def spark_jars(self) -> list[str]:
        """The jars that AWS's images carry, sorted: a class archive is only valid for one class path order."""
        return sorted(str(path) for path in self.spark_jars_dir.glob("*.jar"))


def default_class_archive(jars_dir: Path) -> Path:
    """Where ``class_archive`` puts the JVM class archive, beside the jars that it is valid for."""
    return jars_dir / "classes.jsa"


def read_settings(env: dict[str, str] | None = None) -> Settings:
    """Reads the environment.

    :raises SettingsError: with every fault found
    """
    source = dict(os.environ) if env is None else env
    faults: list[str] = []

    def whole(name: str, default: int, least: int) -> int:
        text = source.get(name, str(default))
        if not text.isdecimal() or int(text) < least:
            faults.append(f"{name}: expected a whole number of at least {least}, found {text!r}")
            return default
        return int(text)

    def script(name: str) -> Path | None:
        text = source.get(name)
        if not text:
            return None
        path = Path(text).resolve()
        if not path.is_file():
            faults.append(f"{name}: expected a Python file, found {text!r}")
        return path

    def keys() -> Keys | None:
        text = source.get("MERIDIAN_AWS_KEYS")
        if not text:
            return None
        try:
            document = json.loads(Path(text).read_text("utf-8"))
            return Keys(*(str(document[name]) for name in ("accessKeyId", "secretAccessKey", "taskToken")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            faults.append(f"MERIDIAN_AWS_KEYS: expected a file with accessKeyId, secretAccessKey and taskToken, found {text!r} ({type(error).__name__})")
            return None

    jars_text = source.get("MERIDIAN_SPARK_JARS", "")
    jars = Path(jars_text).resolve() if jars_text else Path()
    if not jars_text or not jars.is_dir():
        faults.append(f"MERIDIAN_SPARK_JARS: expected the folder with Sedona's, Hadoop's and Deequ's jars, found {jars_text!r}")
    state = source.get("STATE_DIR")
    if not state:
        faults.append("STATE_DIR: expected the folder that keeps the emulator's state, found nothing")
    archive = source.get("MERIDIAN_SPARK_CLASS_ARCHIVE")
    training = source.get("MERIDIAN_SPARK_ARCHIVE_TO")
    settings = Settings(
        host=source.get("BIND_HOST", "127.0.0.1"),
        port=whole("GATEWAY_PORT", 4566, 1),
        work_dir=Path(state or ".").resolve() / "work",
        spark_jars_dir=jars,
        class_archive=Path(archive).resolve() if archive else default_class_archive(jars),
        class_archive_to_write=Path(training).resolve() if training else None,
        spark_concurrency=whole("MERIDIAN_SPARK_CONCURRENCY", 1, 1),
        spark_cores=whole("MERIDIAN_SPARK_CORES", 2, 1),
        spark_driver_memory_mb=whole("MERIDIAN_SPARK_DRIVER_MEMORY_MB", 2048, 512),
        quality_driver_memory_mb=whole("MERIDIAN_QUALITY_MEMORY_MB", 1024, 512),
        quality_idle_seconds=whole("MERIDIAN_QUALITY_IDLE_SECONDS", 600, 1),
        snapshot_seconds=whole("MERIDIAN_SNAPSHOT_SECONDS", 10, 0),
        spark_submit=script("MERIDIAN_SPARK_SUBMIT"),
        quality_evaluator=script("MERIDIAN_QUALITY_EVALUATOR"),
        keys=keys(),
    )
    if sys.version_info < (3, 11):
        faults.append(f"Python: expected 3.11 or newer, found {sys.version.split()[0]}")
    if faults:
        raise SettingsError("The local AWS cannot start:\n  " + "\n  ".join(faults))
    return settings
