"""Deduplicates one chunk of raw objects that is too large for a worker."""

import sys

from meridian_jobs.dedup.run import run_dedup

if __name__ == "__main__":
    run_dedup(sys.argv)
