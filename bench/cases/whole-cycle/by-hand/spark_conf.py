"""Prints Spark's properties for one machine with the stack's S3: what the local EMR Serverless, and the local Glue, would give their own."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(os.environ["CHECKOUT"]) / "infra" / "local" / "aws"))
from meridian_aws.settings import read_settings
from meridian_aws.spark_submit import local_conf, write_properties

work = Path(os.environ["WORK"])
settings = read_settings({**os.environ, "STATE_DIR": str(work), "GATEWAY_PORT": os.environ["AWS_ENDPOINT_URL"].rpartition(":")[2]})
wants_sedona = sys.argv[1] == "sedona"
memory_mb = settings.spark_driver_memory_mb if wants_sedona else settings.quality_driver_memory_mb
conf = local_conf({"spark.driver.memory": f"{memory_mb}m"}, settings, os.environ["AWS_REGION"], work)
if not wants_sedona:
    for name in ("spark.sql.extensions", "spark.serializer", "spark.kryo.registrator"):
        conf.pop(name)
write_properties(conf, Path("/dev/stdout"))
