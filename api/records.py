"""Search, and a record in the form that was asked for."""

from fastapi import APIRouter

router = APIRouter()
