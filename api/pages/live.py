"""Live pages: server-sent events that say *something changed*; the page then asks for itself again.

However many look on, the ledger is asked once a second at most, and not at all while nobody does. What has
changed is not told: a page shows only what its own request may see.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from api.identity import Served, SignedIn
from packages.errors import HoldfastError
from services.archival_storage.presence import Presence
from services.archive import Archive
from services.data_management.overview import pulse, watched

router = APIRouter(include_in_schema=False)

EVERY = 1.0
"""Seconds between two looks into the ledger."""
HEARTBEAT = 15.0
"""Seconds after which a comment shows that the line is not dead; a listener who has left is noticed by it."""
LONGEST = 600.0
"""Seconds after which a listener has to come again: they are then asked anew who they are."""
MOST_WATCHED = 100
"""Packages that one listener may watch."""
MOST_LISTENERS = 500
MOST_OF_ONE = 20
"""Streams that one person may have open: nobody keeps all others from theirs."""


class Watch:
    """Asks for all listeners together, and wakes them when what they watch has changed.

    It belongs to one event loop. `end` may be called from any thread, and ends every listener's stream, so
    that a server that stops does not wait for them.
    """

    def __init__(self, archive: Archive, presence: Presence | None = None) -> None:
        self._archive = archive
        self._presence = presence or Presence(archive)
        self._wanted: Counter[str] = Counter()
        self._people: Counter[str] = Counter()
        self._beats: Mapping[str, str] = {}
        self._changed = asyncio.Condition()
        self._asker: asyncio.Task[None] | None = None
        self._ended = threading.Event()

    @property
    def listeners(self) -> int:
        """Return how many streams are open."""
        return self._people.total()

    def is_full_for(self, person: str) -> bool:
        """Tell whether there are as many streams as there may be, of all or of one person."""
        return self.listeners >= MOST_LISTENERS or self._people[person] >= MOST_OF_ONE

    def end(self) -> None:
        """End every stream within a second."""
        self._ended.set()

    async def changes(self, wanted: Iterable[str], person: str = "") -> AsyncIterator[bool]:
        """Yield True when one of `wanted` has changed, False when nothing has for a while, until it ends."""
        keys = frozenset(wanted)
        self._wanted.update(keys)
        self._people[person] += 1
        try:
            self._start()
            loop = asyncio.get_running_loop()
            until = loop.time() + LONGEST
            seen = await self._look(keys, None, HEARTBEAT)
            while loop.time() < until and not self._ended.is_set():
                beats = await self._look(keys, seen, HEARTBEAT)
                if self._ended.is_set():
                    return
                yield beats != seen
                seen = beats
        finally:
            self._wanted.subtract(keys)
            self._wanted += Counter()  # forget what nobody watches any more
            self._people[person] -= 1
            self._people += Counter()

    async def _look(
        self, keys: frozenset[str], seen: Mapping[str, str] | None, patience: float
    ) -> Mapping[str, str] | None:
        """Return the beats of `keys` as soon as they are others than `seen`, or as they are after a while."""

        def own() -> dict[str, str] | None:
            return {key: self._beats[key] for key in keys} if keys <= self._beats.keys() else None

        def is_over() -> bool:
            return self._ended.is_set() or own() not in (None, seen)

        try:
            async with asyncio.timeout(patience), self._changed:
                await self._changed.wait_for(is_over)
        except TimeoutError:
            pass
        return own() or seen

    def _pulse(self, wanted: list[str]) -> Mapping[str, str]:
        """Return the beats; that of the whole archive changes when a store goes away or comes back, too."""
        beats = pulse(self._archive, wanted)
        if "" not in self._wanted:
            return beats
        return {**beats, "": f"{beats['']} {' '.join(self._presence.away())}"}

    def _start(self) -> None:
        if self._asker is None or self._asker.done():
            self._asker = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        """Ask for everything that is watched, again and again, as long as anybody listens."""
        while self._wanted and not self._ended.is_set():
            wanted = [each for each in self._wanted if each]
            try:
                beats = await run_in_threadpool(self._pulse, wanted)
            except HoldfastError:
                beats = None  # the ledger is away: the next look tells more
            if beats is not None:
                gone = {each: "gone" for each in wanted if each not in beats}
                async with self._changed:
                    self._beats = {**beats, **gone}
                    self._changed.notify_all()
            await asyncio.sleep(EVERY)
        self._beats = {}
        async with self._changed:
            self._changed.notify_all()


def watch_of(request: Request) -> Watch:
    """Return the one watch of the application, made when the first listener comes."""
    state, loop = request.app.state, asyncio.get_running_loop()
    known: tuple[asyncio.AbstractEventLoop, Watch] | None = getattr(state, "watch", None)
    if known is None or known[0] is not loop:
        known = state.watch = (loop, Watch(state.archive, state.presence))
    return known[1]


def end_streams(app: FastAPI) -> None:
    """End all streams of the application: its server is about to stop. May be called from any thread."""
    known = getattr(app.state, "watch", None)
    if known is not None:
        known[1].end()


@router.get("/live")
async def live(
    request: Request,
    archive: Served,
    actor: SignedIn,
    package: Annotated[list[str] | None, Query(max_length=MOST_WATCHED)] = None,
) -> Response:
    """Stream an event whenever one of the packages changes, or, to an archivist, anything does."""
    wanted = await run_in_threadpool(watched, archive, actor, package or [])
    watch = watch_of(request)
    if watch.is_full_for(actor.id):
        return Response(status_code=503, headers={"Retry-After": "60"})
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_told(watch, wanted, actor.id), media_type="text/event-stream", headers=headers)


async def _told(watch: Watch, wanted: frozenset[str], person: str) -> AsyncIterator[str]:
    yield "retry: 3000\n\n"
    async for has_changed in watch.changes(wanted, person):
        yield "event: change\ndata: {}\n\n" if has_changed else ": still here\n\n"
