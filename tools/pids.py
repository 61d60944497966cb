"""PID providers: who gives persistent identifiers and makes them resolve."""

from collections.abc import Mapping
from typing import Any

from packages.errors import Invalid
from packages.pids import ark


class ArkProvider:
    """Gives ARKs of our own NAAN; implements `tools.ports.PidProvider`.

    An ARK needs no registry: whoever holds the NAAN resolves it, and our catalogue is the resolver. So
    nothing leaves the machine, and `register` only refuses what could not resolve here.
    """

    def __init__(self, naan: str = ark.TEST_NAAN, shoulder: str = "hf1") -> None:
        self._naan = naan
        self._shoulder = shoulder
        ark.mint("00000000-0000-4000-8000-000000000000", naan, shoulder)  # refuses bad settings at the start

    @property
    def is_test(self) -> bool:
        """Tell whether the identifiers are for tests only: 99999 is the ARK Alliance's NAAN for that."""
        return self._naan == ark.TEST_NAAN

    def reserve(self, package_id: str) -> str:
        """Return the package's ARK, the same one for ever; raises Invalid for what is no UUID."""
        return ark.mint(package_id, self._naan, self._shoulder)

    def register(self, pid: str, target: str, metadata: Mapping[str, Any]) -> None:
        """Check that `pid` is an intact ARK of our NAAN with a target (else Invalid); may be called again."""
        del metadata  # an ARK carries none
        if not ark.is_intact(pid) or ark.parse(pid).naan != self._naan:
            raise Invalid(f"{pid} is not an ARK of {self._naan} with a right check character")
        if not target:
            raise Invalid(f"{pid} has no target")
