import { withoutValues } from '../../activities/spark-log';

describe('what a failed job may say of itself', () => {
  test.each([
    [`ValueError: could not convert string to float: 'the canary'`, 'ValueError: could not convert string to float: …'],
    ['IllegalArgumentException: Points of LinearRing do not form a closed linestring: 8.5417, -47.3769', 'IllegalArgumentException: Points of LinearRing do not form a closed linestring: …, …'],
    ['Caused by: java.lang.ArithmeticException: 1704067200000 is out of range', 'Caused by: java.lang.ArithmeticException: … is out of range'],
    [`SparkException: [CAST_INVALID_INPUT] The value "secret" of the type "STRING" cannot be cast`, 'SparkException: [CAST_INVALID_INPUT] The value … of the type … cannot be cast'],
  ])('keeps what kind of failure it is, without the values that it quotes: %s', (line, expected) => {
    expect(withoutValues(line)).toBe(expected);
  });

  test.each([
    'File "/app/jobs/positions.py", line 42, in main',
    'AnalysisException: [PATH_NOT_FOUND] Path does not exist: s3://lake/storage/2024-01-02/part-1.parquet.',
    '[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column with name `speeed` cannot be resolved',
    "AssertionError: the manifest doesn't hold: expected 3 rows, found 2",
    'Job failed, ExitCode: 1. Spark 3.5.9 on emr-7.10.0',
  ])('keeps names, paths, versions and counts: %s', (line) => {
    expect(withoutValues(line)).toBe(line);
  });
});
