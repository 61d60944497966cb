"""What happens to a submission whose content its owner has deposited before."""


class SameContent(Exception):
    """The owner has the same content already; raised in the transaction that would have doubled it."""

    def __init__(self, existing: str) -> None:
        super().__init__(existing)
        self.existing = existing
