"""What the validation of a bag came to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from packages.findings import Finding, has_errors


class Declared(Mapping[str, Mapping[str, str]]):
    """The digests that a bag's manifests declare: path in the submission → algorithm → lower-case hex.

    Kept as bytes by algorithm, because a package may list a million files; the inner mappings are made when
    asked for.
    """

    def __init__(self) -> None:
        self._by_algorithm: dict[str, dict[str, bytes]] = {}
        self._paths: dict[str, None] = {}

    def add(self, algorithm: str, entries: Mapping[str, bytes], prefix: str) -> None:
        """Take in the entries of one manifest, whose paths begin at `prefix` in the submission."""
        table = self._by_algorithm.setdefault(algorithm, {})
        for path, digest in entries.items():
            whole = prefix + path if prefix else path
            table[whole] = digest
            self._paths[whole] = None

    def __getitem__(self, path: str) -> dict[str, str]:
        found = {name: table[path].hex() for name, table in self._by_algorithm.items() if path in table}
        if not found:
            raise KeyError(path)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


@dataclass(frozen=True, slots=True)
class BagReport:
    """Everything that validation found out about one bag.

    `version` and `encoding` are as declared (None where bagit.txt does not say); `info` is ``bag-info.txt``
    in order; `algorithms` those of payload manifests that were read, strongest last; `payload_files` and
    `payload_bytes` what is really there; `declared` the digests by path in the submission, tag files
    included; `is_checked` whether digests were compared (they are not when Payload-Oxum already disagrees
    or no manifest could be read).
    """

    version: str | None
    encoding: str | None
    info: tuple[tuple[str, str], ...]
    algorithms: tuple[str, ...]
    findings: tuple[Finding, ...]
    payload_files: int
    payload_bytes: int
    declared: Mapping[str, Mapping[str, str]]
    is_checked: bool

    @property
    def is_valid(self) -> bool:
        """Tell whether the bag is complete and valid: checked, and without errors."""
        return self.is_checked and not has_errors(self.findings)
