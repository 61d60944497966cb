"""The web pages: server-rendered, without a build step; they work without JavaScript and better with it."""

from fastapi import APIRouter

from api.pages import landing, live, overview, search, sign_in

ROUTERS: tuple[APIRouter, ...] = (
    sign_in.router,
    overview.router,
    live.router,
    search.router,
    landing.router,
)
