"""The real OpenSearch server of the tests: an address of one's own on it, emptied for each test."""

import os

import pytest

FEW = 1_000  # documents that are deleted one by one


class OwnIndex:
    """The indices under a prefix that no other process uses."""

    def __init__(self) -> None:
        if not (server := os.environ.get("HOLDFAST_TEST_OPENSEARCH")):
            pytest.skip(
                "HOLDFAST_TEST_OPENSEARCH is not set: scripts/services start, then scripts/services env"
            )
        from opensearchpy import OpenSearch  # not by each worker that collects tests

        self.prefix = f"test{os.getpid()}"
        self.url = f"opensearch://{server.removeprefix('http://')}/{self.prefix}"
        self.client = OpenSearch([server], timeout=120)

    def empty(self) -> None:
        """Leave at most the index that is searched, with nothing in it: quicker than to make one."""
        for name, facts in self.client.indices.get(index=f"{self.prefix}.*", filter_path="*.aliases").items():
            is_searched = self.prefix in facts.get("aliases", {})
            if not is_searched or self.client.count(index=name)["count"] > FEW:
                self.drop(name)
                continue
            self.client.delete_by_query(
                index=name,
                body={"query": {"match_all": {}}},
                params={"refresh": "true", "conflicts": "proceed"},
            )

    def indices(self, pattern: str = "") -> list[str]:
        """Return the names of the indices under the prefix, or of those that another pattern fits."""
        return list(self.client.indices.get(index=pattern or f"{self.prefix}.*", filter_path="*.aliases"))

    def drop(self, name: str) -> None:
        """Delete an index that may be there."""
        self.client.indices.delete(index=name, ignore_unavailable=True)

    def close(self) -> None:
        """Delete everything under the prefix."""
        for name in self.indices():
            self.drop(name)
        self.client.close()
