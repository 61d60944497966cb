"""Guards before every route: host names, request ids, sizes, rates and security headers."""

from fastapi import FastAPI

from services.settings import Settings


def install(app: FastAPI, settings: Settings) -> None:
    """Put the guards before the routes of `app`."""
