"""Persistent identifiers as text: how they are made, written, compared and checked."""
