"""deploy init --from-site: the description of a first deployment; and its first run: farm, slots, rules are made."""

from __future__ import annotations

import argparse
from typing import Any

from arr_bluegreen.cli.deploy_make import under_lock
from arr_bluegreen.cli.deploy_world import World
from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.target import need_run_time
from arr_bluegreen.control.interface import Configuration, Machine
from arr_bluegreen.deployment.aliases import free_loopback
from arr_bluegreen.deployment.content import join
from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.first import FirstDeployment, FirstWish, NewSlot, plan_first, rules_to_add
from arr_bluegreen.deployment.first_proof import Measure
from arr_bluegreen.deployment.first_run import FirstHands, clear_first, restore_rules, run_first
from arr_bluegreen.deployment.front_rule import front_rules, public_hosts
from arr_bluegreen.deployment.lookup import find_farm, find_pool, find_site
from arr_bluegreen.deployment.names import LONGEST_POOL, check_pool_name, check_site_name, instance_name
from arr_bluegreen.deployment.ownership import read_owned
from arr_bluegreen.deployment.ports import MACHINE, PortRange, PortWish, give_port, owner_of
from arr_bluegreen.deployment.toml_write import to_toml
from arr_bluegreen.errors import ExitCode, NoSuchObject, RefusedError
from arr_bluegreen.webfarm import ProcessModel, Site
from arr_bluegreen.webfarm.change import ConfigChange
from arr_bluegreen.webfarm.telling import tell

_HEAD = """# The first run makes farm, slots and rules beside the site named in from_site, which stays as it is.
# Every later run is an ordinary one. The manual is fixtures/deployment.toml of arr-bluegreen.
"""
_LONGEST_APP = LONGEST_POOL - len("-green-9")
"""So that the clones' pools, the further ones too, can bear the application's name."""


def described_from_site(arguments: argparse.Namespace, machine: Machine) -> tuple[str, str]:
    """The text of a deployment.toml for the site of ``--from-site``, and the farm's name. Two ports are claimed for it.

    Raises ``NoSuchObject`` or ``RefusedError``; nothing but the port record is changed.
    """
    configuration = machine.config.read()
    site = find_site(configuration, arguments.from_site)
    if site is None:
        raise NoSuchObject("site", arguments.from_site, tuple(one.name for one in configuration.sites))
    front_rules("x", site, configuration)  # raises when nothing of it is public
    app = arguments.farm or _plain(site.name)
    if find_farm(configuration, app) is not None:
        raise RefusedError(f"there is a farm '{app}' already", hint="Name another with --farm.")
    return _HEAD + to_toml(_data(arguments, machine, configuration, site, app)), app


def is_first(there: World) -> bool:
    """Whether the first run is still to come or has not come to its end: a site is named, and no record says that the
    first deployment is done, or its farm is gone. Rules may have been taken away since: ``put_back_rules``."""
    app, machine = there.deployment.app, there.controls.arr[0]
    if not app.from_site:
        return False
    return find_farm(machine.config.read(), app.farm) is None or not read_owned(machine.records(app.farm)).first_done


def missing_rules(there: World) -> tuple[ConfigChange, ...]:
    """The public rules of a first deployment that is done and that are gone: the site serves past the farm."""
    app = there.deployment.app
    if not app.from_site or is_first(there):
        return ()
    return rules_to_add(FirstWish(app.from_site, app.farm), there.controls.arr[0].config.read())


def put_back_rules(arguments: argparse.Namespace, out: Output, there: World) -> None:
    """Before an ordinary run: rules taken away by hand lead again to what is in service, once it proved itself."""
    missing = missing_rules(there)
    for one in missing:
        out.say(f"{'would put back' if arguments.dry_run else 'putting back'} {tell(one)}")
    if missing and not arguments.dry_run:
        with under_lock(there):
            app = there.deployment.app
            restore_rules(FirstWish(app.from_site, app.farm), _hands(there, _only(there), out, ""))


def run_first_deployment(arguments: argparse.Namespace, out: Output, there: World) -> ExitCode:
    """The first run; with --dry-run its plan."""
    machine = _only(there)
    need_run_time(machine, "a first deployment")
    wish = first_wish(there.deployment)
    if arguments.dry_run:
        return plan_first_deployment(out, there)
    with under_lock(there):
        plan = run_first(wish, _hands(there, machine, out, arguments.version))
    name = wish.slots[0].name
    value = {"outcome": "done", "live": name, "first": True, **_value(plan)}
    out.result(value, [*plan.explain, f"done: {name} is live; site '{wish.site}' is the front now"])
    return ExitCode.DONE


def plan_first_deployment(out: Output, there: World) -> ExitCode:
    """What the first run will do; nothing is done. Raises what it would refuse."""
    plan = _plan(there, _only(there), first_wish(there.deployment))
    lines = [*plan.explain, "", *(f"would {tell(one)}" for one in (*plan.make, *plan.enable, *plan.switch))]
    out.result({"dry_run": True, "first": True, **_value(plan)}, lines)
    return ExitCode.DONE


def tell_first(out: Output, there: World) -> ExitCode:
    """Where a first deployment stands that has not come to its rules: what of it is recorded and there."""
    deployment, machine = there.deployment, _only(there)
    owned, configuration = read_owned(machine.records(deployment.app.farm)), machine.config.read()
    farm = find_farm(configuration, deployment.app.farm)
    pieces = [f"farm '{farm.name}'"] if farm is not None else []
    pieces += [f"site '{one.site}'" for one in owned.instances if find_site(configuration, one.site) is not None]
    text = f"begun and not finished: {', '.join(pieces) or 'only recorded'}" if owned.instances else "not begun"
    commands = ["deploy run", *(["deploy abort"] if owned.instances else [])]
    lines = [f"{deployment.app.name}: site '{deployment.app.from_site}' serves; the first deployment is {text}"]
    value = {"app": deployment.app.name, "first": text, "made": pieces, "commands": commands}
    out.result(value, [*lines, *(f"  {one}" for one in there.typed(commands))])
    return ExitCode.DONE


def abort_first(arguments: argparse.Namespace, out: Output, there: World) -> ExitCode:
    """What a first deployment made before its rules is cleared away again."""
    machine = _only(there)
    if not arguments.dry_run:
        with under_lock(there):
            clear_first(first_wish(there.deployment), _hands(there, machine, out, ""))
    verb = "would be" if arguments.dry_run else "is"
    text = f"what the first deployment made {verb} cleared away; site '{there.deployment.app.from_site}' serves"
    out.result({"outcome": "aborted", "first": True, "dry_run": arguments.dry_run}, [text])
    return ExitCode.DONE


def first_wish(deployment: Deployment) -> FirstWish:
    """What the description asks of a first deployment: two slots of one member each."""
    slots = deployment.slots.slots
    if len(slots) != 2 or any(len(one.members) != 1 for one in slots):
        raise RefusedError(
            "a first deployment makes two slots of one member each", hint="See 'deploy init --from-site'."
        )
    made = [
        NewSlot(one.name, member.site, member.pool, member.address, member.http_port)
        for one in slots
        for member in one.members
    ]
    copied = deployment.slots.identity == "copy"
    return FirstWish(deployment.app.from_site, deployment.app.farm, (made[0], made[1]), copied)


# -- private -------------------------------------------------------------------------------------------


def _data(
    arguments: argparse.Namespace, machine: Machine, configuration: Configuration, site: Site, app: str
) -> dict[str, Any]:
    ports = PortRange.parse(arguments.ports)
    short = _plain(app)[:_LONGEST_APP]
    names = {name: instance_name("{app}-{slot}", app=short, slot=name) for name in ("blue", "green")}
    for one in names.values():  # a name that cannot be is refused before a port is claimed for it
        check_site_name(one, "--farm")
        check_pool_name(one, "--farm")
    slots: list[dict[str, Any]] = []
    taken: list[str] = []
    for name in ("blue", "green"):
        slot = names[name]
        port, _ = give_port(machine, PortWish(owner_of(app, name), ports, slot), configuration)
        address = free_loopback(taken)
        taken.append(address)
        member = {"address": address, "http_port": port, "site": slot, "pool": slot, "path": _path(site, name)}
        slots.append({"name": name, "member": [member]})
    hosts = [one for one in public_hosts(site) if one and not one.startswith("*")]
    return {
        "schema": 1,
        "app": {"name": app, "farm": app, "from_site": site.name, "front": [site.name], "hosts": hosts},
        "gate": {"version_url": "/", "passes": 3},
        "slots": {"naming": "pair", **_identity(site, configuration), "slot": slots},
    }


def _identity(site: Site, configuration: Configuration) -> dict[str, str]:
    """The clones' pools run as the site's where that is more than a pool's own account: written, so asked for."""
    pools = [find_pool(configuration, name) for name in {one.pool for one in site.applications}]
    own = ProcessModel().identity_type
    return {"identity": "copy"} if any(one and one.process_model.identity_type != own for one in pools) else {}


def _path(site: Site, slot: str) -> str:
    return join(site.physical_path.rstrip("\\/") + "-slots", slot)


def _plain(name: str) -> str:
    kept = "".join(one if one.isalnum() or one in "-_." else "-" for one in name.casefold()).strip("-.")
    return kept or "app"


def _only(there: World) -> Machine:
    if len(there.controls.arr) != 1:
        raise RefusedError("a first deployment is one machine's", hint="Name one machine in --on.")
    return there.controls.arr[0]


def _plan(there: World, machine: Machine, wish: FirstWish) -> FirstDeployment:
    owned = read_owned(machine.records(wish.farm))
    return plan_first(wish, machine.config.read(), owned, machine.facts(), there.controls.clock.now())


def _hands(there: World, machine: Machine, out: Output, version: str) -> FirstHands:
    app = there.deployment.app
    measure = Measure(there.deployment.gate, there.deployment.warm_up, version)
    stores = machine.records(app.farm), machine.records(MACHINE)
    return FirstHands(machine, *stores, there.controls.clock, measure, app.hosts, out.say)


def _value(plan: FirstDeployment) -> dict[str, Any]:
    return {
        "explain": list(plan.explain),
        "make": [tell(one) for one in plan.make],
        "enable": [tell(one) for one in plan.enable],
        "switch": [tell(one) for one in plan.switch],
        "back": [tell(one) for one in plan.back],
    }
