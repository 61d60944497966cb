"""Ingest (OAIS): what takes submissions in, from the first byte to a published package, and new versions."""
