"""The worker's deduplication once more, for Spark: its reader of lines, which test/dedup/line-parity.test.ts holds to it, and its own SQL."""
