"""What is said of a package that is asked for something only kept ones can do."""

from packages.ledger import Package, PackageState
from storage.catalogue.port import ReadSession


def why_not_kept(view: ReadSession, package: Package) -> str:
    """Return the sentence: never archived, deleted, or being deleted, with the stores that may have bytes."""
    left = [each.store for each in view.copies_of([package.id]).get(package.id, [])]
    if package.state is not PackageState.PARTLY_DELETED:
        if left:  # its job has failed when they were written
            return f"{package.id} is not archived yet: `holdfast retry {package.id}` goes on with its copies"
        return f"{package.id} is {package.state}: no store holds it"
    if not left:
        return f"{package.id} is being deleted: no store holds it any more"
    return f"{package.id} is being deleted: bytes of it may still be in {', '.join(left)}"
