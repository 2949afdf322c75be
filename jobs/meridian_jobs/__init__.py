"""What every Meridian job shares: its input document, valid records, references, and outputs that a gate and a load can trust."""

from .errors import JobError
from .job import Relation, TransformJob, run

__all__ = ["JobError", "Relation", "TransformJob", "run"]
