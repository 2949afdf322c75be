"""``python -m meridian_aws``: local AWS in one process, in the foreground, until SIGTERM.

ministack 1.5.33 with doubles of EMR Serverless (really runs spark-submit) and Glue Data Quality (really runs Deequ).
Environment:

  GATEWAY_PORT                      port (4566)
  BIND_HOST                         address (127.0.0.1; ministack's own default would be every interface)
  STATE_DIR                         folder of the state; required. ``work`` below it holds what runs, emptied at start
  PERSIST_STATE, S3_PERSIST         ``1`` here unless set: state survives a restart
  S3_DATA_DIR                       objects' bodies (``<STATE_DIR>/s3``)
  MERIDIAN_SPARK_JARS               folder with the jars of Sedona, geotools, hadoop-aws, the AWS bundle, Deequ, dqdl; required
  MERIDIAN_SPARK_CLASS_ARCHIVE      JVM class archive made by ``python -m meridian_aws.class_archive``; used when the file is
                                    there (``<MERIDIAN_SPARK_JARS>/classes.jsa``): a session starts in a third of the time
  MERIDIAN_SPARK_ARCHIVE_TO         only for that tool: the next job's JVM writes such an archive when it ends
  MERIDIAN_SPARK_CONCURRENCY        job runs at once (1); further ones are QUEUED. An application has no more pre-initialised drivers than this
  MERIDIAN_SPARK_CORES              local[N] (2)
  MERIDIAN_SPARK_DRIVER_MEMORY_MB   cap of a job's heap (2048)
  MERIDIAN_QUALITY_MEMORY_MB        heap of the rule evaluator (1024)
  MERIDIAN_QUALITY_IDLE_SECONDS     how long it stays warm (600)
  MERIDIAN_SNAPSHOT_SECONDS         seconds between snapshots of changed state (10; 0: only at SIGTERM)
  MERIDIAN_SPARK_SUBMIT             a Python file that job runs start in place of spark-submit, with the same arguments and environment
  MERIDIAN_QUALITY_EVALUATOR        a Python file in place of the rule evaluator, with the protocol of ``quality_evaluator``
  MERIDIAN_AWS_KEYS                 a file with the keys of an administrator and the token of tasks: every request is then signed by
                                    a principal, and held against its policies
  JAVA_HOME, PATH                   Java 17 for Spark

Ready when ``GET /_ministack/health`` answers 200. Without MERIDIAN_AWS_KEYS any credentials are accepted; a twelve-digit access key
id names the account.
"""

from __future__ import annotations

import os
import shutil
import sys

from .settings import SettingsError, read_settings


def main() -> None:
    """Sets ministack's environment, which it reads while being imported, then starts it with the doubles inside."""
    try:
        settings = read_settings()
    except SettingsError as error:
        sys.exit(str(error))
    state = os.environ["STATE_DIR"]
    defaults = {
        "BIND_HOST": settings.host, "GATEWAY_PORT": str(settings.port), "PERSIST_STATE": "1", "S3_PERSIST": "1",
        "S3_DATA_DIR": os.path.join(state, "s3"), "IOT_MTLS_ENABLED": "false", "SFTP_ENABLED": "0", "MINISTACK_HOST": settings.host,
    }
    # One switch, not two that could differ.
    os.environ["AUTH"] = "false" if settings.keys is None else "true"
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    # Left by an emulator that was killed: its runs' processes died with it.
    shutil.rmtree(settings.work_dir, ignore_errors=True)
    settings.work_dir.mkdir(parents=True, exist_ok=True)

    import ministack.app

    from .extension import install
    from .iam import MinistackChanged

    try:
        install(settings)
    except MinistackChanged as error:
        sys.exit(str(error))
    ministack.app.main()


if __name__ == "__main__":
    main()
