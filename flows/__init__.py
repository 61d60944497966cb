"""Orchestration by Prefect: the only room that imports it; each flow is a straight list of short tasks."""
