"""Technical metadata by format family: see `tools.characterise.families`, and docs/technical-metadata.md.

The readers run in child processes with a deadline: a file that crashes or hangs one costs its own technical
metadata and nothing else. Formats that no family reads cost nothing.
"""

from tools.characterise.crew import Characteriser
from tools.characterise.families import MISSING, family_of, missing

__all__ = ["MISSING", "Characteriser", "family_of", "missing"]
