"""The limits of an archive that nobody has configured, on a disk of which nothing is kept free."""

from dataclasses import replace
from pathlib import Path

from services.archive import Archive
from services.settings import Settings

USUAL = replace(Archive(Settings(home=Path("nowhere"))).limits, reserve=0)
