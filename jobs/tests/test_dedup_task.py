"""The document of a dedup run, and the groups that its objects make."""

from __future__ import annotations

import random

import pytest
from meridian_jobs import JobError
from meridian_jobs.dedup.groups import GROUP_BYTES, group_objects
from meridian_jobs.dedup.task import RawObject, parse_task
from support.raw_lake import RawLake


def test_a_document_with_faults_is_refused_with_all_of_them() -> None:
    good = RawLake().document()
    document = {
        **good,
        "attempt": "xyz",
        "raw": {"bucket": 1, "format": "avro"},
        "objects": [{"key": "a", "versionId": None, "sizeBytes": True, "fromMs": 0, "toMs": 1}],
        "limits": {},
        "fields": [{"name": "at", "source": "t", "type": "timestamp-ms"}, {"name": "when", "source": "w", "type": "date"}],
        "eventTime": "when",
        "sql": {**good["sql"], "createRecords": "select 1"},
        "seen": {"2018-8-1": [], "2018-08-01": [{"uri": "/x", "rowCount": 1, "sizeBytes": 1}]},
        "workUri": "s3://bucket/work",
    }

    with pytest.raises(JobError) as refused:
        parse_task(document, "s3://lake/document")

    message = str(refused.value)
    assert message.startswith("The job's input document s3://lake/document has 13 fault(s): ")
    for fault in (
        "attempt: expected 16 hex digits, found xyz",
        "raw.bucket: expected str, found 1",
        "raw.format: expected one of json-lines, parquet, found avro",
        "objects[0].versionId: expected str, found null",
        "objects[0].sizeBytes: expected int, found true",
        "limits.maxLineBytes: expected int, found null",
        "limits.maxObjectBytes: expected int, found null",
        "fields[1].type: expected one of timestamp-ms, double, bigint, text, boolean, found date",
        "eventTime: expected one of at, found when",
        "sql.createRecords: expected '{lines}' where the line file's path goes",
        "seen: expected dates, YYYY-MM-DD, found 2018-8-1",
        'seen.2018-08-01[0].uri: "/x" is no S3 URI',
        'workUri: expected a URI that ends in "/", found s3://bucket/work',
    ):
        assert fault in message


def _objects(sizes: list[int]) -> list[RawObject]:
    return [RawObject(ordinal, f"k{ordinal}", "null", None, size, 0, 1) for ordinal, size in enumerate(sizes)]


@pytest.mark.parametrize("seed", range(20))
def test_groups_hold_every_object_with_bytes_once_in_order(seed: int) -> None:
    generator = random.Random(seed)
    sizes = [generator.choice((0, 1, 5_000, 3_000_000, GROUP_BYTES * 3)) for _ in range(generator.randrange(60))]
    objects = _objects(sizes)

    groups = group_objects(objects, cores=4)

    assert [each for group in groups for each in group.objects] == [each for each in objects if each.size_bytes > 0]
    assert [group.number for group in groups] == list(range(len(groups)))
    # Two objects of one group are never further apart than a group's bytes.
    assert all(sum(each.size_bytes for each in group.objects[1:-1]) <= GROUP_BYTES for group in groups)


def test_small_chunks_use_every_core_and_large_ones_more_tasks() -> None:
    assert len(group_objects(_objects([1000] * 3), cores=4)) == 3
    assert len(group_objects(_objects([1000] * 40), cores=4)) == 4
    assert len(group_objects(_objects([GROUP_BYTES // 4] * 400), cores=4)) == 100
    assert len(group_objects(_objects([GROUP_BYTES * 10, 1, 1, 1]), cores=4)) == 4
    assert group_objects(_objects([0, 0]), cores=4) == []
