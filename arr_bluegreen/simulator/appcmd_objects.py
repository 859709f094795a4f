"""add, set and delete of sites, applications, virtual directories and pools (arr.md 4.1, 4.3, 4.4)."""

from __future__ import annotations

from arr_bluegreen.simulator.appcmd_arguments import parse_path
from arr_bluegreen.simulator.appcmd_errors import AppcmdError, malformed_indexer, no_object, syntax
from arr_bluegreen.simulator.appcmd_run import Run
from arr_bluegreen.simulator.config_tree import Indexer, Place, Position


def add_object(run: Run) -> int:
    """``add site|app|vdir|apppool``; success lines before the commit, as ever."""
    _ADD[run.command.object](run)
    run.commit()
    return 0


def set_object(run: Run) -> int:
    """``set site|app|vdir|apppool`` with any number of properties and paths, one commit."""
    kind = run.command.object
    name = run.identifier(f"{kind}.name")
    if name is None:
        raise AppcmdError(f"Must use exact identifer for {kind.upper()} object with verb SET.", 50)
    place = find_object(run, kind, name, "SET")
    _assign(kind, place, run.command.without(f"{kind}.name", "commit"))
    run.say(f'{kind.upper()} object "{name}" changed')
    run.commit()
    return 0


def delete_object(run: Run) -> int:
    """``delete site|app|vdir|apppool``. Location blocks of a site stay behind (arr.md 3.3)."""
    kind = run.command.object
    name = run.identifier(f"{kind}.name")
    if name is None:
        raise AppcmdError(f"Must use exact identifer for {kind.upper()} object with verb DELETE.", 50)
    find_object(run, kind, name, "DELETE").remove()
    run.say(f'{kind.upper()} object "{name}" deleted')
    run.commit()
    return 0


def find_object(run: Run, kind: str, name: str, verb: str = "") -> Place:
    """The object of this identifier; for SET of an app or vdir a miss is the "exact identifer" error (arr.md 4.4)."""
    items: list[tuple[str, Place]]
    match kind:
        case "site":
            items = [(place.get("name"), place) for place in run.sites().items()]
        case "apppool":
            items = [(place.get("name"), place) for place in run.pools().items()]
        case "app":
            items = [(label, app) for label, app, _ in applications(run)]
        case _:
            items = [(label, vdir) for label, _, vdir in virtual_directories(run)]
    found = next((place for label, place in items if label.casefold() == name.casefold()), None)
    if found is None:
        if verb == "SET" and kind in ("app", "vdir"):
            raise AppcmdError(f"Must use exact identifer for {kind.upper()} object with verb SET.", 50)
        raise no_object(kind.upper(), name)
    return found


def applications(run: Run) -> list[tuple[str, Place, Place]]:
    """Every application: its identifier (``Site/``, ``Site/app``), itself, its site."""
    return [(site.get("name") + app.get("path"), app, site) for site in run.sites().items() for app in site.items()]


def virtual_directories(run: Run) -> list[tuple[str, Place, Place]]:
    """Every virtual directory: its identifier (``Site/``, ``Site/app/``, ``Site/images``), its application, itself."""
    return [
        (label.rstrip("/") + vdir.get("path"), app, vdir) for label, app, _ in applications(run) for vdir in app.items()
    ]


# -- private: add -----------------------------------------------------------------------------------------


def _add_site(run: Run) -> None:
    name = _needed(run, "name", "site.name")
    sites = run.sites()
    used = {one.get("id") for one in sites.items()}
    number = run.command.value("id") or next(str(at) for at in range(1, len(used) + 2) if str(at) not in used)
    _refuse_second(sites, "name", name)
    if number in used:
        raise AppcmdError(f'Failed to add duplicate collection element "{name}".', 183)
    site = sites.add((("name", name), ("id", number)))
    run.say(f'SITE object "{name}" added')
    path = run.command.value("physicalPath")
    if path is not None:
        _add_root(run, site, "/", path, name)
    _assign("site", site, run.command.without("name", "site.name", "id", "physicalPath", "commit"))


def _add_app(run: Run) -> None:
    site = _needed(run, "site.name")
    path = _needed(run, "path")
    place = find_object(run, "site", site)
    _refuse_second(place, "path", path)
    app = _add_root(run, place, path, run.command.value("physicalPath"), site)
    _assign("app", app, run.command.without("site.name", "path", "physicalPath", "commit"))


def _add_root(run: Run, site: Place, path: str, folder: str | None, name: str) -> Place:
    app = site.add((("path", path),))
    run.say(f'APP object "{name}{path}" added')
    if folder is not None:
        app.add((("path", "/"), ("physicalPath", folder)))
        run.say(f'VDIR object "{name}{path.rstrip("/")}/" added')
    return app


def _add_vdir(run: Run) -> None:
    app, path = _needed(run, "app.name"), _needed(run, "path")
    place = find_object(run, "app", app)
    _refuse_second(place, "path", path)
    vdir = place.add((("path", path),))
    _assign("vdir", vdir, run.command.without("app.name", "path", "commit"))
    run.say(f'VDIR object "{app.rstrip("/")}{path}" added')


def _add_pool(run: Run) -> None:
    name = _needed(run, "name", "apppool.name")
    _refuse_second(run.pools(), "name", name)
    pool = run.pools().add((("name", name),))
    _assign("apppool", pool, run.command.without("name", "apppool.name", "commit"))
    run.say(f'APPPOOL object "{name}" added')


_ADD = {"site": _add_site, "app": _add_app, "vdir": _add_vdir, "apppool": _add_pool}

# -- properties -------------------------------------------------------------------------------------------


def change(place: Place, name: str, value: str | None) -> None:
    """One parameter of ``set``: ``path:value``, ``+path`` for a new item, ``-path`` for one that goes (arr.md 4.1)."""
    path = parse_path(name.lstrip("+-"))
    last = path[-1] if path else ""
    if name[0] in "+-":
        if not isinstance(last, Indexer) or value is not None:
            raise malformed_indexer()
        collection = place.walk(path[:-1])
        if name[0] == "+":
            collection.add(last.pairs, Position(last.position or "end"))
        else:
            collection.item(last).remove()
    elif isinstance(last, Indexer) or value is None:
        raise syntax(f"Failed to process input: The parameter '{name}' has no value (HRESULT=80070057).")
    else:
        place.walk(path[:-1]).set(last, value)


# -- private: properties ------------------------------------------------------------------------------------


def _assign(kind: str, place: Place, parameters: list[tuple[str, str | None]]) -> None:
    for name, value in parameters:
        if kind == "site" and name.casefold() == "bindings" and value is not None:
            _set_bindings(place, value)
        elif kind == "app" and name.casefold() == "physicalpath" and value is not None:
            place.item(Indexer((("path", "/"),))).set("physicalPath", value)
        else:
            change(place, _own_case(place, name), value)


def _own_case(place: Place, name: str) -> str:
    """Short properties of objects are taken in any case."""
    return next((one for one in place.node.attributes if one.casefold() == name.casefold()), name)


def _set_bindings(site: Place, text: str) -> None:
    """``http/*:80:,https/*:443:h`` in place of all bindings."""
    bindings = site.child("bindings")
    for one in bindings.items():
        one.remove()
    for part in filter(None, text.split(",")):
        protocol, slash, information = part.partition("/")
        if not slash:
            raise AppcmdError(f"Malformed binding string: '{part}'", 87)
        bindings.add((("protocol", protocol), ("bindingInformation", information)))


def _needed(run: Run, *names: str) -> str:
    for name in names:
        value = run.command.value(name)
        if value:
            return value
    raise AppcmdError(f'Must specify "{names[0]}" parameter.', 87)


def _refuse_second(collection: Place, name: str, value: str) -> None:
    """Objects have a sentence of their own for what is there already (arr.md 4.4)."""
    if any(one.get(name).casefold() == value.casefold() for one in collection.items()):
        raise AppcmdError(f'Failed to add duplicate collection element "{value}".', 183)
