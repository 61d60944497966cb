"""Sources: folders and archives as they come, received under limits and in one pass."""

from storage.sources.archive import has_members, is_archive
from storage.sources.intake import Received
from storage.sources.limits import Limits
from storage.sources.reception import RECEPTION, measure, receive

__all__ = ["RECEPTION", "Limits", "Received", "has_members", "is_archive", "measure", "receive"]
