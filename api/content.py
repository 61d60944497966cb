"""The bytes of packages: single files, DIP, AIP and receipt."""

from fastapi import APIRouter

router = APIRouter()
