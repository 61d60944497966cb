"""A worker: ``python -m flows.worker --home DIR`` walks what is due in the ledger, under Prefect's eyes.

It ends by SIGTERM or Ctrl-C: what is under way is left queued, for whoever goes on. Any number may run.
"""

import argparse
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from flows.first_walks import FirstWalks
from flows.server import WORKER_KEEPS, apply, client_environment
from flows.workshop import Workshop, set_up
from packages.errors import HoldfastError
from services.archive import Archive, open_archive
from services.prefect_home import own_secret
from services.work.launching import prefect_url
from tools.prefect_server import PrefectServer

log = logging.getLogger("holdfast.worker")

STOP_SECONDS = 12.0
"""Seconds after the signal to stop in which everything may end by itself; then the process goes anyway."""
ADDRESS_SECONDS = 20.0
"""Seconds in which the home's own server may still write its address, when both are started at once."""


def main() -> None:
    """Work until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m flows.worker", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    home = parser.parse_args().home.absolute()
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    halting = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: halting.set())
    try:
        archive = open_archive(home)
        shop = Workshop(archive)
        first = FirstWalks(shop)
        first.start()  # whoever deposits now does not wait until Prefect is imported, and its server there
        url = _address(archive, halting)
        apply(client_environment(home, url or ""), home, WORKER_KEEPS)
        if secret := own_secret(home, url or ""):
            os.environ["PREFECT_API_AUTH_STRING"] = secret
        work(shop, first, url, halting)
    except HoldfastError as error:
        log.error("%s", error.told)  # noqa: TRY400  # said to people
        sys.exit(3)


def work(shop: Workshop, first: FirstWalks, url: str | None, halting: threading.Event) -> None:
    """Work until `halting` is set, with Prefect's server at `url`, or without any; `first` has begun."""
    from flows.dispatcher import Dispatcher  # noqa: PLC0415  # Prefect reads its settings when it is imported
    from flows.overseer import Overseer  # noqa: PLC0415  # same reason
    from flows.schedule import Schedule  # noqa: PLC0415  # same reason

    set_up(shop)
    first.wait_for_crowd()
    overseer = Overseer(shop)
    schedule = None
    if url is not None:
        shop.server = PrefectServer(url)  # what it asks for is in the environment, as for Prefect itself
        schedule = Schedule(shop, overseer, shop.server)
        schedule.start()
    overseer.start()
    dispatcher = threading.Thread(
        target=Dispatcher(shop, overseer, schedule, first).work, name="dispatcher", daemon=True
    )
    dispatcher.start()
    halting.wait()
    # What does not end in time needs no farewell: a worker may be killed at any moment.
    threading.Timer(STOP_SECONDS, os._exit, (0,)).start()
    shop.halt()
    dispatcher.join()
    first.join()
    if schedule is not None:
        schedule.end()
    shop.close()
    logging.shutdown()
    os._exit(0)  # Prefect's own threads would talk to a server that is going, too


def _address(archive: Archive, halting: threading.Event) -> str | None:
    """Return the address of Prefect's server, waiting a little for one that is just being started."""
    deadline = time.monotonic() + ADDRESS_SECONDS
    while (url := prefect_url(archive.settings)) is None:
        if time.monotonic() > deadline or halting.wait(0.5):
            log.warning("no Prefect server is known for this archive; working without one")
            return None
    return url


if __name__ == "__main__":
    main()
