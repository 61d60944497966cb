"""What was walked while Prefect's server was away: told in one run, once it is back."""

import logging
import uuid
from datetime import UTC, datetime

from flows.runs import begin
from flows.words import bulk_summary
from flows.workshop import Workshop
from packages.errors import HoldfastError, Unavailable
from packages.wording import counted

log = logging.getLogger("holdfast.flows")


def tell_missed(shop: Workshop) -> None:
    """Enter a run that is over and says what became of the packages that were walked without Prefect.

    Where the server does not answer, the next time tells it; what it refuses is not told again.
    """
    missed, server = shop.unshown_jobs(), shop.server
    if not missed or server is None:
        return
    told = f"{counted(len(missed), 'package')} walked while Prefect's server was away"
    name = f"Deposits without Prefect until {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    try:
        with shop.archive.catalogue.read() as view:
            jobs = [view.job(each) for each in missed]
        tags, key = ["ingest", "without Prefect"], str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(missed)))
        run = str(begin(server, "bulk_ingest", name, {}, tags, shop.owner, key).id)
        summary = {"key": "bulk-ingest", "type": "markdown", "description": told, "flow_run_id": run}
        server.post("/artifacts/", summary | {"data": bulk_summary(shop.archive, jobs)})
        server.set_state(run, "COMPLETED", message=told, force=True)
    except Unavailable as error:
        log.warning("Prefect's pages do not show %s yet: %s", told, error.message)
        return
    except HoldfastError as error:
        log.warning("Prefect's pages will not show %s: %s", told, error.message)
    shop.are_shown(missed)
