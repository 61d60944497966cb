"""Walks what is due before it is known whether Prefect is there: the first deposit waits for nobody."""

import logging
import threading

from flows.workshop import Workshop
from packages.errors import HoldfastError
from packages.ledger import Job
from services.work.launching import prefect_url
from services.work.outbox import drain
from tools.prefect_server import PrefectServer

log = logging.getLogger("holdfast.worker")

LOOK_EVERY = 0.3
"""Seconds between two looks into the ledger."""
ANSWER_SECONDS = 2.0
"""Seconds in which a server that is up says so."""


class FirstWalks:
    """Walks a few packages without Prefect, from a worker's start until `end`.

    Prefect needs seconds to be imported, and its server half a minute for its first start. While nobody
    answers there, packages that are due are walked, as many as there is room for; when somebody does, they
    are left to the dispatcher, who has them shown. Needs nothing of Prefect's own code. The workshop's crowd
    is started first of all, and by nobody else.
    """

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._over = threading.Event()
        self._crowd_is_there = threading.Event()
        self._trouble: HoldfastError | None = None
        self._walking: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._look_again_and_again, name="first walks", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wait_for_crowd(self) -> None:
        """Return when the workshop's processes have been started. Raises Unavailable when they cannot be."""
        self._crowd_is_there.wait()
        if self._trouble is not None:
            raise self._trouble

    def end(self) -> None:
        """Take nothing up any more; what is under way goes on. May be called again."""
        self._over.set()

    def join(self) -> None:
        """Wait for what is under way, after `end`."""
        self._thread.join()

    def _look_again_and_again(self) -> None:
        try:
            self._shop.crowd.start()
        except HoldfastError as error:
            self._trouble = error
            return
        finally:
            self._crowd_is_there.set()
        while not (self._over.is_set() or self._shop.halting.is_set()):
            try:
                self._look()
            except HoldfastError as error:
                log.warning("the ledger cannot be asked: %s", error.message)
            self._over.wait(LOOK_EVERY)
        for each in self._walking:
            each.join()

    def _look(self) -> None:
        self._walking = [each for each in self._walking if each.is_alive()]
        room = self._shop.size - len(self._walking)
        taken = self._shop.take(room) if room > 0 else []
        if taken and self._prefect_is_there():
            for job in taken:
                self._shop.put_back(job.id)
            return
        for job in taken:
            thread = threading.Thread(target=walk_alone, args=(self._shop, job), name="ingest", daemon=True)
            self._walking.append(thread)
            thread.start()

    def _prefect_is_there(self) -> bool:
        url = prefect_url(self._shop.archive.settings)
        return url is not None and PrefectServer(url, ANSWER_SECONDS).is_there()


def walk_alone(shop: Workshop, job: Job) -> None:
    """Walk a job that was taken in hand, without Prefect, and give it back."""
    shop.hold(job.id)
    try:
        with shop.walk(job.id) as walk:
            walk.finish()
        drain(shop.archive)
    except HoldfastError as error:
        log.warning("package %s waits: %s", job.package_id, error.message)
    finally:
        shop.put_back(job.id)
