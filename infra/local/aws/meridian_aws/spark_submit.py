"""How a job run becomes a local ``spark-submit``: parsing what the service accepts, capping what this machine lacks."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyspark

from .iam import Credentials
from .settings import Settings

# What EMR Serverless takes of spark-submit's options; it sets master and deploy mode itself.
_VALUE_OPTIONS = {
    "--class": "class", "--jars": "jars", "--py-files": "py-files", "--files": "files", "--archives": "archives",
    "--packages": "packages", "--exclude-packages": "exclude-packages", "--repositories": "repositories", "--name": "name",
}
_CONF_OPTIONS = {
    "--driver-memory": "spark.driver.memory", "--driver-cores": "spark.driver.cores",
    "--executor-memory": "spark.executor.memory", "--executor-cores": "spark.executor.cores",
    "--num-executors": "spark.executor.instances", "--driver-java-options": "spark.driver.extraJavaOptions",
    "--driver-class-path": "spark.driver.extraClassPath", "--driver-library-path": "spark.driver.extraLibraryPath",
}
_REFUSED = {"--master", "--deploy-mode", "--proxy-user", "--principal", "--keytab", "--kill", "--status", "--supervise",
            "--queue", "--remote", "--properties-file"}

DRIVER_ENV = "spark.emr-serverless.driverEnv."
S3A_CREDENTIALS = "spark.hadoop.fs.s3a.aws.credentials.provider"

# Sizing for a fleet: on one machine the driver is all there is.
_IGNORED_CONF = ("spark.executor.", "spark.dynamicAllocation.", "spark.emr-serverless.", "spark.driver.cores", "spark.driver.memory",
                 "spark.driver.memoryOverhead", "spark.master", "spark.submit.deployMode")

# As the project's image carries them in its spark-defaults.conf.
_IMAGE_DEFAULTS = {
    "spark.sql.extensions": "org.apache.sedona.sql.SedonaSqlExtensions",
    "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
    "spark.kryo.registrator": "org.apache.sedona.core.serde.SedonaKryoRegistrator",
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
    "spark.hadoop.fs.AbstractFileSystem.s3.impl": "org.apache.hadoop.fs.s3a.S3A",
}


# Ten times Java's own: a short run ends before the optimising compiler takes a core from it, a large one still gets
# it, and then needs 0.6 of the CPU (decision 0037).
_OPTIMISE_LATE = ("-XX:Tier4InvocationThreshold=50000", "-XX:Tier4MinInvocationThreshold=6000",
                  "-XX:Tier4CompileThreshold=150000", "-XX:Tier4BackEdgeThreshold=400000")


class SubmitParametersError(Exception):
    """``sparkSubmitParameters`` that the service would refuse."""


@dataclass
class SubmitParameters:
    """``sparkSubmitParameters``, taken apart."""

    conf: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)


def parse_submit_parameters(text: str) -> SubmitParameters:
    """Splits as a shell splits words, without expanding anything.

    :raises SubmitParametersError: with the word at fault
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise SubmitParametersError(f"sparkSubmitParameters cannot be split into words: {error}") from None
    parsed = SubmitParameters()
    at = 0
    while at < len(words):
        option, _, inline = words[at].partition("=") if words[at].startswith("--") else (words[at], "", "")
        at += 1
        if option == "--verbose":
            continue
        if option in _REFUSED:
            raise SubmitParametersError(f"sparkSubmitParameters: {option} is set by the service and cannot be given")
        if option not in (*_VALUE_OPTIONS, *_CONF_OPTIONS, "--conf", "-c"):
            raise SubmitParametersError(f"sparkSubmitParameters: {option} is no option that the service knows")
        if inline:
            value = inline
        elif at < len(words):
            value = words[at]
            at += 1
        else:
            raise SubmitParametersError(f"sparkSubmitParameters: {option} has no value")
        if option in ("--conf", "-c"):
            key, separator, setting = value.partition("=")
            if not separator or not key:
                raise SubmitParametersError(f"sparkSubmitParameters: --conf expects key=value, found {value!r}")
            parsed.conf[key] = setting
        elif option in _CONF_OPTIONS:
            parsed.conf[_CONF_OPTIONS[option]] = value
        else:
            parsed.options[_VALUE_OPTIONS[option]] = value
    return parsed


def spark_defaults(configurations: list[dict[str, Any]] | None) -> dict[str, str]:
    """The ``spark-defaults`` properties of an application's or a run's configuration."""
    merged: dict[str, str] = {}
    for entry in configurations or []:
        if entry.get("classification") == "spark-defaults":
            merged.update(entry.get("properties") or {})
    return merged


def local_conf(requested: dict[str, str], settings: Settings, region: str, local_dir: Path) -> dict[str, str]:
    """The image's defaults, then what was requested, then what one machine with an emulator needs."""
    kept = {key: value for key, value in requested.items() if not key.startswith(_IGNORED_CONF)}
    conf = {**_IMAGE_DEFAULTS, **kept}
    heap_mb = min(memory_mb(requested.get("spark.driver.memory")) or settings.spark_driver_memory_mb, settings.spark_driver_memory_mb)
    # Spark's own jars first: geotools carries an old slf4j, with which Spark would log nothing.
    class_path = [str(spark_home() / "jars" / "*"), *settings.spark_jars(), *filter(None, [kept.get("spark.driver.extraClassPath")])]
    conf.update({
        "spark.master": f"local[{settings.spark_cores}]",
        "spark.driver.memory": f"{heap_mb}m",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.local.dir": str(local_dir / "spark"),
        "spark.sql.warehouse.dir": str(local_dir / "warehouse"),
        "spark.hadoop.fs.s3a.endpoint": settings.endpoint,
        "spark.hadoop.fs.s3a.endpoint.region": region,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
        "spark.hadoop.fs.s3a.buffer.dir": str(local_dir / "s3a"),
        # The default takes what Spark copies from the environment, and first calls at once lose the session token: HADOOP-18233.
        S3A_CREDENTIALS: "com.amazonaws.auth.EnvironmentVariableCredentialsProvider",
        # On the class path instead of spark.jars: local mode would copy 390 MB, and a class archive covers only this.
        "spark.driver.extraClassPath": os.pathsep.join(class_path),
        "spark.driver.extraJavaOptions": " ".join(filter(None, [fast_start_options(settings), kept.get("spark.driver.extraJavaOptions")])),
        # The default of 200 is for fleets: some 190 empty tasks a shuffle here.
        "spark.sql.shuffle.partitions": requested.get("spark.sql.shuffle.partitions", str(2 * settings.spark_cores)),
        "spark.python.worker.reuse": "true",
    })
    return conf


def fast_start_options(settings: Settings) -> str:
    """Options that more than halve the start of a session: a class archive, and an optimising compiler that waits."""
    options = [*_OPTIMISE_LATE, "-XX:+UseParallelGC", "-Xshare:auto", "-Xlog:disable", "-Xlog:all=error:stderr",
               f"-Dlog4j2.configurationFile={(Path(__file__).parent / 'log4j2.properties').as_uri()}"]
    if settings.class_archive_to_write is not None:
        options.append(f"-XX:ArchiveClassesAtExit={settings.class_archive_to_write}")
    elif settings.class_archive is not None and settings.class_archive.is_file():
        options.append(f"-XX:SharedArchiveFile={settings.class_archive}")
    return " ".join(options)


def write_properties(conf: dict[str, str], path: Path) -> None:
    """A properties file rather than arguments: values with blanks, quotes or newlines stay what they are."""
    lines = [f"{_escaped(key)}={_escaped(value)}\n" for key, value in sorted(conf.items())]
    path.write_text("".join(lines), encoding="ascii")


def spark_submit_command(settings: Settings, properties: Path, options: dict[str, str], entry_point: Path,
                         arguments: list[str]) -> list[str]:
    """The command line of a run whose files are already local."""
    script = settings.spark_submit
    program = [str(spark_home() / "bin" / "spark-submit")] if script is None else [sys.executable, str(script)]
    command = [*program, "--properties-file", str(properties)]
    for name, value in options.items():
        command += [f"--{name}", value]
    return [*command, str(entry_point), *arguments]


def job_environment(settings: Settings, credentials: Credentials | None, region: str, local_dir: Path, conf: dict[str, str]) -> dict[str, str]:
    """What a process of the image would find; nothing of the emulator's own environment but the way to Java.

    :param credentials: of the execution role, where they are known by now
    """
    inherited = {name: os.environ[name] for name in ("PATH", "JAVA_HOME", "LANG", "LC_ALL", "TZ") if name in os.environ}
    return {
        **inherited,
        "HOME": str(local_dir),
        "TMPDIR": str(local_dir),
        "SPARK_HOME": str(spark_home()),
        # Part of the class path, which a class archive fixes; there is no such folder, and log settings are given apart.
        "SPARK_CONF_DIR": str(spark_home() / "conf"),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "PYTHONUNBUFFERED": "1",
        "AWS_ENDPOINT_URL": settings.endpoint,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        # s3a looks for them here as well.
        **({} if credentials is None else credentials.environment()),
        "AWS_EC2_METADATA_DISABLED": "true",
        **driver_environment(conf),
    }


def driver_environment(conf: dict[str, str]) -> dict[str, str]:
    """The variables that ``spark.emr-serverless.driverEnv.`` sets."""
    return {key.removeprefix(DRIVER_ENV): value for key, value in conf.items() if key.startswith(DRIVER_ENV)}


def spark_home() -> Path:
    return Path(pyspark.__file__).parent


def memory_mb(text: str | None) -> int | None:
    """Megabytes of Spark's spelling of memory; None where it is none."""
    units = {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024 * 1024}
    trimmed = (text or "").strip().lower().removesuffix("b")
    if trimmed[:-1].isdecimal() and trimmed[-1] in units:
        return max(1, int(int(trimmed[:-1]) * units[trimmed[-1]]))
    return int(trimmed) if trimmed.isdecimal() else None


def _escaped(text: str) -> str:
    out = []
    for char in text:
        code = ord(char)
        if char in "\\=:#! \t":
            out.append("\\" + char)
        elif code < 32 or code > 126:
            out.append("".join(f"\\u{unit:04x}" for unit in _utf16(char)))
        else:
            out.append(char)
    return "".join(out)


def _utf16(char: str) -> list[int]:
    raw = char.encode("utf-16-be")
    return [int.from_bytes(raw[at:at + 2], "big") for at in range(0, len(raw), 2)]
