"""Technical metadata by format family: images, PDF, audio and video, office documents, text.

The readers run in child processes with a deadline: a file that crashes or hangs one costs its own technical
metadata and nothing else. Formats that have nothing to say (unknown ones, archives) cost nothing.
"""

from tools.characterise.crew import Characteriser, family_of

__all__ = ["Characteriser", "family_of"]
