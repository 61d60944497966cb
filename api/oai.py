"""OAI-PMH 2.0."""

from fastapi import APIRouter

router = APIRouter()
