"""Meters what the API answers: how often, how soon, by route; and writes numbers as Prometheus reads them."""

import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds that bound the classes of the histogram."""

TEXT = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[Mapping[str, str], float]


class Meter:
    """Counts answers; may be told from several threads. Lives as long as the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, str, int], int] = {}
        self._classes: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer whose head was sent after `seconds`; `route` is the template, never the address."""
        with self._lock:
            key = method, route, status
            self._answers[key] = self._answers.get(key, 0) + 1
            classes = self._classes.setdefault(route, [0] * (len(BOUNDS) + 1))
            classes[bisect_left(BOUNDS, seconds)] += 1
            self._seconds[route] = self._seconds.get(route, 0.0) + seconds

    def lines(self) -> list[str]:
        """Return what was counted."""
        with self._lock:
            answers, seconds = dict(self._answers), dict(self._seconds)
            classes = {route: list(each) for route, each in self._classes.items()}
        told = metric(
            "holdfast_http_requests_total",
            "counter",
            "Requests answered by this process",
            [
                ({"method": method, "route": route, "status": str(status)}, number)
                for (method, route, status), number in sorted(answers.items())
            ],
        )
        name = "holdfast_http_request_seconds"
        told += [f"# HELP {name} Seconds until the head of an answer was sent", f"# TYPE {name} histogram"]
        for route, numbers in sorted(classes.items()):
            sofar = 0
            for bound, number in zip((*map(str, BOUNDS), "+Inf"), numbers, strict=True):
                sofar += number
                told.append(_line(f"{name}_bucket", {"route": route, "le": bound}, sofar))
            told.append(_line(f"{name}_sum", {"route": route}, round(seconds[route], 6)))
            told.append(_line(f"{name}_count", {"route": route}, sofar))
        return told


def metric(name: str, kind: str, text: str, samples: Iterable[Sample]) -> list[str]:
    """Return one metric as lines: help, type, and a line for each sample."""
    return [
        f"# HELP {name} {text}",
        f"# TYPE {name} {kind}",
        *(_line(name, labels, value) for labels, value in samples),
    ]


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    said = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{said}}} {value}" if said else f"{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
