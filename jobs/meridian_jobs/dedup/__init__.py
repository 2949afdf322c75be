"""How the worker reads raw objects, once more for jobs: both must write the same line file, which test/dedup/line-parity.test.ts holds."""
