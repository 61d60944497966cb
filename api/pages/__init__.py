"""The web pages: server-rendered, without a build step; they work without JavaScript and better with it."""

from fastapi import APIRouter

ROUTERS: tuple[APIRouter, ...] = ()
