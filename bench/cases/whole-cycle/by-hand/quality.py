"""The gate's two rulesets by Deequ: `added` over the night's rows, `served` over all that would be served. Ends with an error unless all pass."""

import json
import os
import sys

from meridian_aws.quality_evaluator import evaluate_ruleset
from pyspark.sql import SparkSession

night = sys.argv[1]
rules = json.loads(os.environ["RULES"])
earlier = json.loads(os.environ["EARLIER_PARQUET"])

spark = SparkSession.builder.appName("by-hand").getOrCreate()
reader = spark.read.option("recursiveFileLookup", "true")
added = reader.parquet(night)
frames = {"added": added, "served": reader.schema(added.schema).parquet(night, *earlier)}
failed = []
for step, frame in frames.items():
    frame.createOrReplaceTempView("primary")
    failed += [result for result in evaluate_ruleset(spark, frame, rules[step]) if result["result"] != "PASS"]
if failed:
    sys.exit(f"Of the gate's rules {len(failed)} did not pass: {json.dumps(failed)}")
