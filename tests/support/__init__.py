"""Builders of small real things that several tests need."""
