"""What happened, for followers: events, audits and stores."""

from fastapi import APIRouter

router = APIRouter()
