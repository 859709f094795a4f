"""One site again as another: its applications in pools of the clone's own, folders below its root moved along. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from arr_bluegreen.webfarm import Application, Site
from arr_bluegreen.webfarm.change import AddSite, ConfigChange, SetVirtualDirectory, settings

NOT_REPEATED = (
    "not repeated on a clone, where they are set: the pool's CPU limits, the site's own log settings, "
    "passwords of folders"
)
"""What of a site and its pool is no word here; everything else of them, and their location blocks, is repeated."""


def pools_of_clone(like: Site, pool: str) -> dict[str, str]:
    """Each pool of ``like`` and the clone's own in its place: the root's becomes ``pool``, further ones get a number.

    A pool shared with the site it was cloned from would be stopped or recycled with it (arr.md 3.2: one pool per slot).
    """
    old = dict.fromkeys(one.casefold() for one in [like.pool, *(one.pool for one in like.applications)])
    return {name: pool if at == 0 else f"{pool}-{at + 1}" for at, name in enumerate(old)}


def repeated(like: Site, pools: Mapping[str, str], path: str) -> tuple[Application, ...]:
    """The applications of ``like`` again, each in its pool of ``pools``; folders below its root below ``path``."""
    old = like.physical_path
    return tuple(
        replace(
            one,
            pool=pools[one.pool.casefold()],
            virtual_directories=tuple(
                replace(v, physical_path=reroot(v.physical_path, old, path)) for v in one.virtual_directories
            ),
        )
        for one in like.applications
    )


def moved(site: Site, path: str) -> tuple[SetVirtualDirectory, ...]:
    """The site's root folder becomes ``path``, and every folder below the old root goes along, for one commit.

    An application left behind would serve the release before, whatever its own folder's age.
    """
    found: list[SetVirtualDirectory] = []
    for application in site.applications:
        for one in application.virtual_directories:
            root = (application.path, one.path) == ("/", "/")
            new = path if root else reroot(one.physical_path, site.physical_path, path)
            if new != one.physical_path:
                change = settings({"physical_path": new})
                found.append(SetVirtualDirectory(site.name, application.path, one.path, change))
    return tuple(found)


def folders_of(changes: Iterable[ConfigChange]) -> frozenset[str]:
    """The folders that these changes make a site serve from."""
    found: set[str] = set()
    for one in changes:
        if isinstance(one, SetVirtualDirectory):
            found |= {str(value) for name, value in one.settings if name == "physical_path"}
        elif isinstance(one, AddSite):
            found |= {v.physical_path for a in one.site.applications for v in a.virtual_directories}
    return frozenset(found)


def stays_behind(site: Site, root: str = "") -> tuple[str, ...]:
    """The folders (as ``URL at FOLDER``) that lie outside the site's root and so are the same in every release."""
    root = root or site.physical_path
    return tuple(
        f"{(application.path.rstrip('/') + one.path).rstrip('/') or '/'} at {one.physical_path}"
        for application in site.applications
        for one in application.virtual_directories
        if one.physical_path and not is_below(one.physical_path, root)
    )


def is_below(path: str, root: str) -> bool:
    """Whether a path is the folder ``root`` or lies in it, without case; only whole names count."""
    old = root.rstrip("\\/").casefold()
    return bool(old) and (path.rstrip("\\/").casefold() == old or path.casefold().startswith(old + "\\"))


def reroot(path: str, old_root: str, new_root: str) -> str:
    """``path`` below ``old_root`` as it is below ``new_root``; a path that lies elsewhere stays as it is."""
    inside = is_below(path, old_root)
    return new_root.rstrip("\\/") + path[len(old_root.rstrip("\\/")) :].rstrip("\\/") if inside else path
