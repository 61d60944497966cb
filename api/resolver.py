"""Identifiers resolve to landing pages."""

from fastapi import APIRouter

router = APIRouter()
