"""What a session can be asked beside packages, jobs and people: each part in a module of its own."""

from storage.catalogue.auditing import AuditReading
from storage.catalogue.backing_up import BackupReading
from storage.catalogue.deleting import Deleting
from storage.catalogue.entries import LogReading
from storage.catalogue.filing import FileReading
from storage.catalogue.following import Following
from storage.catalogue.harvesting import Harvesting
from storage.catalogue.overseeing import Overseeing
from storage.catalogue.signing import Signing
from storage.catalogue.storing import StoreReading


class Parts(
    FileReading,
    Signing,
    Overseeing,
    Following,
    Harvesting,
    AuditReading,
    LogReading,
    Deleting,
    StoreReading,
    BackupReading,
):
    """The parts of a session that reads; see `port.ReadSession` for what each method owes."""
