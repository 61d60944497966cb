"""Derivatives by the format policy: preservation copies, access copies, thumbnails."""

from tools.normalise.crew import Made, Normaliser

__all__ = ["Made", "Normaliser"]
