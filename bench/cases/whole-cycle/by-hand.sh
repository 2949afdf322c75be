#!/usr/bin/env bash
# One night as it would be run without orchestration: the same tools, one after the other, and whoever watches begins again after a fault.
# It reads the stack's settings, and: WORK (an empty folder), CHECKOUT, RAW_PREFIX, DAY (UTC, of the records that are new), WINDOW_FROM
# (UTC day, the first that records may repeat), RULES (JSON: the gate's two rulesets), EARLIER_PARQUET (JSON: folders of what is served).
set -euo pipefail
here=$(cd "$(dirname "$0")/by-hand" && pwd)
psql() { "${MERIDIAN_POSTGRES_BIN:+$MERIDIAN_POSTGRES_BIN/}psql" --no-psqlrc --quiet -v ON_ERROR_STOP=1 "$@"; }
out="s3://$MERIDIAN_REFINED_BUCKET/by-hand/"
lap() { echo "$1 $((SECONDS - from))"; from=$SECONDS; }
from=$SECONDS

# Dedup: the night's objects, against the stored files of the window; writes storage's file and the job's document.
"$MERIDIAN_PYTHON" "$here/fetch.py" "s3://$MERIDIAN_RAW_BUCKET/$RAW_PREFIX" "$WORK/raw"
"$MERIDIAN_PYTHON" "$here/dedup.py" "${out}input.json" "$out"
rm -r "$WORK/raw"
lap dedup

# Transform: the very job that a cycle submits.
"$MERIDIAN_PYTHON" "$here/spark_conf.py" sedona > "$WORK/job.conf"
spark_home=$("$MERIDIAN_PYTHON" -c 'import os, pyspark; print(os.path.dirname(pyspark.__file__))')
export SPARK_HOME=$spark_home SPARK_CONF_DIR=$spark_home/conf PYSPARK_PYTHON=$MERIDIAN_PYTHON PYTHONPATH=$CHECKOUT/jobs SPARK_LOCAL_IP=127.0.0.1 TMPDIR=$WORK
"$spark_home/bin/spark-submit" --properties-file "$WORK/job.conf" "$CHECKOUT/jobs/positions.py" "${out}input.json" > "$WORK/job.log" 2>&1 || { tail -n 20 "$WORK/job.log" >&2; exit 1; }
lap transform

# Check: the gate's rules by Deequ, as the local Glue evaluates them.
"$MERIDIAN_PYTHON" "$here/spark_conf.py" deequ > "$WORK/check.conf"
PYTHONPATH=$CHECKOUT/infra/local/aws SPARK_VERSION=3.5 PYSPARK_SUBMIT_ARGS="--properties-file $WORK/check.conf pyspark-shell" \
  "$MERIDIAN_PYTHON" "$here/quality.py" "${out}positions/parquet/" 2> "$WORK/check.log" || { tail -n 20 "$WORK/check.log" >&2; exit 1; }
lap check

# Load: the parts into new tables by two psql at once, and the days that did not change from the old ones; then the indexes.
"$MERIDIAN_PYTHON" "$here/fetch.py" "${out}positions/copy/" "$WORK/positions"
"$MERIDIAN_PYTHON" "$here/fetch.py" "${out}zone_activity/copy/" "$WORK/zone_activity"
for relation in positions:event_time zone_activity:hour; do
  name=${relation%:*} day_column=${relation#*:}
  psql -c "create table by_hand.${name}_new (like by_hand.${name})"
  find "$WORK/$name" -type f -print0 | xargs -0 -P 2 -I {} "${MERIDIAN_POSTGRES_BIN:+$MERIDIAN_POSTGRES_BIN/}psql" --no-psqlrc --quiet -v ON_ERROR_STOP=1 \
    -c "\\copy by_hand.${name}_new from '{}' with (format binary)"
  psql -c "insert into by_hand.${name}_new select * from by_hand.${name} where $day_column < '$DAY' or $day_column >= date '$DAY' + 1"
done
psql <<'SQL'
create unique index on by_hand.positions_new (event_time, longitude, latitude) nulls not distinct;
create index on by_hand.positions_new using gist (geom);
create index on by_hand.positions_new (device_id, event_time);
create unique index on by_hand.zone_activity_new (zone, hour) nulls not distinct;
create index on by_hand.zone_activity_new using gist (extent);
vacuum (freeze, analyze) by_hand.positions_new, by_hand.zone_activity_new;
SQL
lap load

# Promote.
psql <<'SQL'
begin;
create or replace view by_hand.vw_positions as select * from by_hand.positions_new;
create or replace view by_hand.vw_zone_activity as select * from by_hand.zone_activity_new;
commit;
SQL
lap promote
