"""The web pages: server-rendered, without a build step; they work without JavaScript and better with it."""

from fastapi import APIRouter

from api.pages import (
    deletions,
    deposit,
    fixity,
    formats,
    landing,
    live,
    overview,
    package,
    policy,
    record,
    search,
    sign_in,
    stores,
    tokens,
)

ROUTERS: tuple[APIRouter, ...] = (
    sign_in.router,
    overview.router,
    deposit.router,
    package.router,
    deletions.router,
    record.router,
    fixity.router,
    stores.router,
    policy.router,
    formats.router,
    live.router,
    search.router,
    landing.router,
    tokens.router,
)
