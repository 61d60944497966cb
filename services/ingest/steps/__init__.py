"""The steps of an ingest, one module each; every step is idempotent."""
