"""A simulated host behind real sockets, for one test at a time on one loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import aiohttp

from arr_bluegreen.pytest_plugin import BLUE_GREEN
from arr_bluegreen.simulator.serve import ServedHost, serve_host

T = TypeVar("T")
BLUE, GREEN = "127.0.0.2", "127.0.0.3"
HOST = {"Host": "shop.example"}


def lay_out(folder: Path, config: bytes | None = None, **slots: dict[str, object]) -> Path:
    """The configuration file, and both slots' applications (``blue`` and ``green`` say how they behave)."""
    path = folder / "applicationHost.config"
    path.write_bytes(config or BLUE_GREEN.read_bytes())
    for name, version in (("blue", "1"), ("green", "2")):
        home = folder / "root" / "C" / "inetpub" / f"shop-{name}"
        home.mkdir(parents=True, exist_ok=True)
        (home / "simulated-app.json").write_text(json.dumps({"version": version, **slots.get(name, {})}))
    return path


@asynccontextmanager
async def hosted(folder: Path, config: bytes | None = None, **slots: dict[str, object]) -> AsyncIterator[ServedHost]:
    """The host, listening."""
    served = await serve_host(lay_out(folder, config, **slots), folder / "root")
    try:
        yield served
    finally:
        await served.close()


@asynccontextmanager
async def client(served: ServedHost) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the front, sending the public host."""
    base = f"http://127.0.0.1:{served.front_port}"
    async with aiohttp.ClientSession(base, headers=HOST, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


def on_loop(run: Callable[[], Awaitable[T]]) -> T:
    """Run to the end, within 20 seconds."""

    async def limited() -> T:
        return await asyncio.wait_for(run(), 20)

    return asyncio.run(limited())
