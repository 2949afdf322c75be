"""The one exception that ends a job on purpose."""


class JobError(Exception):
    """A job cannot go on. The message names what was expected, what was found, and what to do: it ends up in front of a person."""
