"""An archivist's hand over HTTP: retry, approve, reject, cancel, withdraw, hold."""

from fastapi import APIRouter

router = APIRouter()
