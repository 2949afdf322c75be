"""One emulator, one Spark session and one PostgreSQL for all tests: the real engines, started once."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Iterator

import pytest
from pyspark.sql import SparkSession

JOBS = Path(__file__).parents[1]
sys.path.insert(0, str(Path(__file__).parent))

from meridian_jobs.s3 import s3_client  # noqa: E402
from support.emulator import local_aws  # noqa: E402
from support.lake import BUCKET, Lake  # noqa: E402
from support.postgres import Postgres, private_postgres  # noqa: E402


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with local_aws(tmp_path_factory.mktemp("aws")) as endpoint:
        # The JVM and its Python workers inherit this.
        os.environ.update(
            AWS_ENDPOINT_URL=endpoint,
            AWS_REGION="eu-central-1",
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
            SPARK_LOCAL_IP="127.0.0.1",
            PYTHONPATH=os.pathsep.join([str(JOBS), str(JOBS / "tests")]),
        )
        s3_client.cache_clear()
        s3_client().create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        yield endpoint


@pytest.fixture(scope="session")
def spark(aws: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    jars = os.environ.get("MERIDIAN_SPARK_JARS")
    if not jars:
        raise RuntimeError("MERIDIAN_SPARK_JARS is not set: expected the folder with Sedona's, Hadoop's and the AWS SDK's jars")
    folder = tmp_path_factory.mktemp("spark")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    s3a = "spark.hadoop.fs.s3a"
    settings = {
        "spark.jars": ",".join(str(path) for path in sorted(Path(jars).glob("*.jar"))),
        "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
        "spark.kryo.registrator": "org.apache.sedona.core.serde.SedonaKryoRegistrator",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        f"{s3a}.endpoint": aws,
        f"{s3a}.endpoint.region": "eu-central-1",
        f"{s3a}.path.style.access": "true",
        f"{s3a}.access.key": "test",
        f"{s3a}.secret.key": "test",
        "spark.driver.memory": "2g",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseParallelGC",  # short runs: compile less
        "spark.ui.enabled": "false",
        "spark.local.dir": str(folder / "local"),
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.session.timeZone": "America/New_York",  # a job must not depend on it
    }
    # A task may fail once, so that tests can see what a second attempt does.
    builder = SparkSession.builder.master("local[2,2]").appName("jobs")
    for key, value in settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with private_postgres() as server:
        yield server


@pytest.fixture
def lake(aws: str) -> Lake:
    return Lake()
