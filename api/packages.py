"""Packages over HTTP: lists, status, events, versions, files."""

from fastapi import APIRouter

router = APIRouter()
