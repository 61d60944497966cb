"""Taking submissions in over HTTP: deposits and checks."""

from fastapi import APIRouter

router = APIRouter()
