"""Local AWS: ministack in one process with doubles of EMR Serverless and Glue Data Quality. See ``__main__.py``."""
