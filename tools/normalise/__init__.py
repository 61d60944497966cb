"""Derivatives by the format policy: preservation copies, access copies, thumbnails."""

from tools.normalise.crew import Normaliser
from tools.normalise.made import Made

__all__ = ["Made", "Normaliser"]
