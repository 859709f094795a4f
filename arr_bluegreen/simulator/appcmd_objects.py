"""add, set and delete of sites, applications, virtual directories and pools (arr.md 4.1, 4.3, 4.4)."""

from __future__ import annotations

from arr_bluegreen.simulator.appcmd_arguments import Indexer, parse_path
from arr_bluegreen.simulator.appcmd_config import Place
from arr_bluegreen.simulator.appcmd_errors import AppcmdError, malformed_indexer, no_object, syntax, unknown_attribute
from arr_bluegreen.simulator.appcmd_run import Run


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
    _assign(run, kind, place, run.command.without(f"{kind}.name", "commit"))
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
            items = [(place.made().get("name", ""), place) for place in _places(run.sites())]
        case "apppool":
            items = [(place.made().get("name", ""), place) for place in _places(run.pools())]
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
    return [
        (site.made().get("name", "") + app.made().get("path", ""), app, site)
        for site in _places(run.sites())
        for app in _places(site)
    ]


def virtual_directories(run: Run) -> list[tuple[str, Place, Place]]:
    """Every virtual directory: its identifier (``Site/``, ``Site/app/``, ``Site/images``), its application, itself."""
    return [
        (label.rstrip("/") + vdir.made().get("path", ""), app, vdir)
        for label, app, _ in applications(run)
        for vdir in _places(app)
    ]


# -- private: add -----------------------------------------------------------------------------------------


def _add_site(run: Run) -> None:
    name = _needed(run, "name", "site.name")
    sites = run.sites()
    if any(one.get("name", "").casefold() == name.casefold() for one in sites.items()):
        raise AppcmdError(f'Failed to add duplicate collection element "{name}".', 183)
    used = {int(one.get("id", "0")) for one in sites.items()}
    number = run.command.value("id") or str(next(at for at in range(1, len(used) + 2) if at not in used))
    if number.isdigit() and int(number) in used:
        raise AppcmdError(f'Failed to add duplicate collection element "{name}".', 183)
    site = sites.add(Indexer((("name", name), ("id", number))))
    run.say(f'SITE object "{name}" added')
    path = run.command.value("physicalPath")
    if path is not None:
        _add_root(run, site, "/", path, name)
    _assign(run, "site", site, run.command.without("name", "site.name", "id", "physicalPath", "commit"))


def _add_app(run: Run) -> None:
    site = _needed(run, "site.name")
    path = _needed(run, "path")
    place = find_object(run, "site", site)
    if any(one.get("path", "").casefold() == path.casefold() for one in place.items()):
        raise AppcmdError(f'Failed to add duplicate collection element "{path}".', 183)
    app = _add_root(run, place, path, run.command.value("physicalPath"), site)
    _assign(run, "app", app, run.command.without("site.name", "path", "physicalPath", "commit"))


def _add_root(run: Run, site: Place, path: str, folder: str | None, name: str) -> Place:
    app = site.add(Indexer((("path", path),)))
    run.say(f'APP object "{name}{path}" added')
    if folder is not None:
        app.add(Indexer((("path", "/"), ("physicalPath", folder))))
        run.say(f'VDIR object "{name}{path.rstrip("/")}/" added')
    return app


def _add_vdir(run: Run) -> None:
    app, path = _needed(run, "app.name"), _needed(run, "path")
    place = find_object(run, "app", app)
    if any(one.get("path", "").casefold() == path.casefold() for one in place.items()):
        raise AppcmdError(f'Failed to add duplicate collection element "{path}".', 183)
    vdir = place.add(Indexer((("path", path),)))
    _assign(run, "vdir", vdir, run.command.without("app.name", "path", "commit"))
    run.say(f'VDIR object "{app.rstrip("/")}{path}" added')


def _add_pool(run: Run) -> None:
    name = _needed(run, "name", "apppool.name")
    if any(one.get("name", "").casefold() == name.casefold() for one in run.pools().items()):
        raise AppcmdError(f'Failed to add duplicate collection element "{name}".', 183)
    pool = run.pools().add(Indexer((("name", name),)))
    _assign(run, "apppool", pool, run.command.without("name", "apppool.name", "commit"))
    run.say(f'APPPOOL object "{name}" added')


_ADD = {"site": _add_site, "app": _add_app, "vdir": _add_vdir, "apppool": _add_pool}

# -- private: properties ----------------------------------------------------------------------------------


def _assign(run: Run, kind: str, place: Place, parameters: list[tuple[str, str | None]]) -> None:
    for name, value in parameters:
        path = parse_path(name.lstrip("+-"))
        last = path[-1] if path else ""
        if name[0] in "+-":
            if not isinstance(last, Indexer):
                raise malformed_indexer()
            target = place.walk(path[:-1])
            if name[0] == "+":
                target.add(last)
            else:
                target.item(last).remove()
        elif isinstance(last, Indexer) or value is None:
            raise syntax(f"Failed to process input: The parameter '{name}' has no value (HRESULT=80070057).")
        elif kind == "site" and name.casefold() == "bindings":
            _set_bindings(place, value)
        elif kind == "app" and name.casefold() == "physicalpath":
            place.item(Indexer((("path", "/"),))).set("physicalPath", value)
        else:
            target = place.walk(path[:-1])
            target.set(_own_case(target, last), value)


def _own_case(place: Place, name: str) -> str:
    """Short properties of objects are taken in any case."""
    found = next((one for one in place.node.attributes if one.casefold() == name.casefold()), None)
    if found is None:
        raise unknown_attribute(name)
    return found


def _set_bindings(site: Place, text: str) -> None:
    """``http/*:80:,https/*:443:h`` in place of all bindings."""
    bindings = site.child("bindings")
    for one in bindings.items():
        Place(bindings.node, one).remove()
    for part in filter(None, text.split(",")):
        protocol, slash, information = part.partition("/")
        if not slash:
            raise AppcmdError(f"Malformed binding string: '{part}'", 87)
        bindings.add(Indexer((("protocol", protocol), ("bindingInformation", information))))


def _needed(run: Run, *names: str) -> str:
    for name in names:
        value = run.command.value(name)
        if value:
            return value
    raise AppcmdError(f'Must specify "{names[0]}" parameter.', 87)


def _places(collection: Place) -> list[Place]:
    node = collection.node.item
    assert node is not None, "only collections are asked"
    return [Place(node, one, collection) for one in collection.items()]


