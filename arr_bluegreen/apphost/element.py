"""Words as new elements: what a word says and the schema (or the file's defaults element) does not say already."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from arr_bluegreen.apphost.edit import NewElement
from arr_bluegreen.apphost.schema import Attribute, attributes
from arr_bluegreen.apphost.schema_site import SCHEDULE
from arr_bluegreen.apphost.values import write_value
from arr_bluegreen.errors import ConfigurationError
from arr_bluegreen.webfarm.change import Value
from arr_bluegreen.webfarm.farm import Server, WebFarm
from arr_bluegreen.webfarm.rule import Condition, RewriteMap, Rule, ServerVariable
from arr_bluegreen.webfarm.site import Application, ApplicationPool, Binding, Site, VirtualDirectory


def farm_element(farm: WebFarm) -> NewElement:
    """``webFarm``: servers, then ``applicationRequestRouting``; ``enabled`` always, as in IIS Manager (arr.md 1.0)."""
    check_name("web farm", farm.name, _SITE_NAME)
    _once("server", (one.address.casefold() for one in farm.servers), f"farm '{farm.name}'")
    draft = _draft("webFarm", farm, always=("enabled",))
    for host in farm.affinity.hosts:
        one = draft.at(("applicationRequestRouting", "affinity")).add(_draft("host", host))
        for name in host.equivalent_hosts:
            one.add(_Draft("equivalentHost", [("name", clean(name))]))
    routing = draft.done()
    with within(f"webFarm[@name='{farm.name}']"):
        servers = tuple(map(server_element, farm.servers))
    return NewElement("webFarm", routing.attributes, (*servers, *routing.children))


def server_element(server: Server) -> NewElement:
    """``server`` with its ``applicationRequestRouting``."""
    check_name("server", server.address, _ADDRESS)
    if re.search(r"^[^:\[\]]+:\d+$|\]:\d+$", server.address):
        hint = f"Write {server.address.rpartition(':')[0]} and give the port as the server's http port."
        raise ConfigurationError(f"'{server.address}' is more than an address (arr.md 1.0)", hint=hint)
    return _draft("server", server, always=("enabled",)).done()


def rule_element(rule: Rule) -> NewElement:
    """``rule``: match, conditions, serverVariables, action."""
    check_name("rule", rule.name, _NO_NAME)
    check_items(rule.name, rule.conditions, rule.server_variables)
    draft = _draft("rule", rule, always=("action.type",))
    for condition in rule.conditions:
        draft.at(("conditions",)).children.append(_done(condition_element(condition)))
    for variable in rule.server_variables:
        draft.at(("serverVariables",)).children.append(_done(variable_element(variable)))
    draft.sort(("match", "conditions", "serverVariables", "action"))
    return draft.done()


def condition_element(condition: Condition) -> NewElement:
    """``conditions/add``."""
    return _draft("add", condition).done()


def variable_element(variable: ServerVariable) -> NewElement:
    """``serverVariables/set``; its value always."""
    return _draft("set", variable, always=("value",)).done()


def check_items(rule: str, conditions: Iterable[Condition], variables: Iterable[ServerVariable]) -> None:
    """Raises ``ConfigurationError`` for a condition or a server variable that is there twice: in globalRules the five
    attributes of a condition are its key, and IIS refuses the whole file (arr.md 2.1)."""
    known: set[tuple[str, ...]] = set()
    for one in conditions:
        if condition_key(one) in known:
            hint = "Its five attributes are its key, and IIS refuses the whole file otherwise (arr.md 2.1)."
            raise ConfigurationError(f"rule '{rule}' has the condition {one.input} = '{one.pattern}' twice", hint=hint)
        known.add(condition_key(one))
    _once("server variable", (one.name.casefold() for one in variables), f"rule '{rule}'")


def condition_key(condition: Condition) -> tuple[str, str, str, str, str]:
    """What tells a condition from the others, without case, as a key of strings (arr.md 2.1)."""
    flags = str(condition.ignore_case).casefold(), str(condition.negate).casefold()
    return condition.input.casefold(), condition.match_type.casefold(), condition.pattern.casefold(), *flags


def map_element(new: RewriteMap) -> NewElement:
    """``rewriteMap`` with its entries."""
    check_name("rewrite map", new.name, _NO_NAME)
    _once("key", (key for key, _ in new.entries), f"rewrite map '{new.name}'")
    draft = _draft("rewriteMap", new)
    for key, value in new.entries:
        draft.add(_Draft("add", [("key", clean(key)), ("value", clean(value))]))
    return draft.done()


def site_element(site: Site, defaults: Site) -> NewElement:
    """``site``: applications, then bindings."""
    check_name("site", site.name, _SITE_NAME)
    if site.id < 1:
        raise ConfigurationError(f"site '{site.name}' needs an id above 0", hint="Choose the next free one.")
    _once("binding", (" ".join(one.key) for one in site.bindings), f"site '{site.name}'")
    _once("application", (one.path.casefold() for one in site.applications), f"site '{site.name}'")
    draft = _draft("site", site, defaults)
    bare = defaults.applications[0]
    for application in site.applications:
        draft.children.append(_application(application, bare))
    for binding in site.bindings:
        draft.at(("bindings",)).children.append(_done(binding_element(binding)))
    draft.sort(("application", "bindings"))
    return draft.done()


def binding_element(binding: Binding) -> NewElement:
    """``binding``; ``sslFlags`` only when not 0."""
    return _draft("binding", binding).done()


def application_element(application: Application, defaults: Application) -> NewElement:
    """``application`` with its virtual directories."""
    return _application(application, defaults).done()


def pool_element(pool: ApplicationPool, defaults: ApplicationPool) -> NewElement:
    """``applicationPools/add``; ``managedRuntimeVersion`` always: the shipped file's default is v4.0 (arr.md 3.2)."""
    check_name("application pool", pool.name, _POOL_NAME)
    _once("variable", (name for name, _ in pool.environment_variables), f"pool '{pool.name}'")
    draft = _draft("add", pool, defaults, always=("managed_runtime_version",))
    if pool.recycling.schedule != defaults.recycling.schedule:
        for time in pool.recycling.schedule:
            draft.at(("recycling", "periodicRestart", "schedule")).add(_Draft("add", [("value", _schedule(time))]))
    if pool.environment_variables != defaults.environment_variables:
        for name, value in pool.environment_variables:
            draft.at(("environmentVariables",)).add(_Draft("add", [("name", clean(name)), ("value", clean(value))]))
    return draft.done()


def text_of(attribute: Attribute, value: Value) -> str:
    """The value as IIS writes it; raises ``ConfigurationError`` naming the attribute and what is allowed."""
    try:
        return clean(write_value(value, attribute.type))
    except ValueError as error:
        raise ConfigurationError(f"{attribute.field.replace('_', ' ')}: {error}", element=attribute.xml_path) from error


@contextmanager
def within(path: str) -> Iterator[None]:
    """Errors from inside name their element from ``path`` on, unless they name it from the root on already."""
    try:
        yield
    except ConfigurationError as error:
        if not error.element.startswith("configuration/"):
            error.element = "/".join(one for one in (path, error.element) if one)
        raise


def value_at(word: object, dotted: str) -> Any:
    """The value of a dotted field of a word."""
    for name in dotted.split("."):
        word = getattr(word, name)
    return word


def clean(text: str) -> str:
    """The text, when XML can hold it; raises ``ConfigurationError`` for control characters."""
    if _NOT_XML.search(text):
        raise ConfigurationError(f"{text!r} has a character that XML cannot hold")
    return text


def check_name(kind: str, name: str, forbidden: str) -> None:
    """Raises ``ConfigurationError`` for an empty name or one with characters IIS refuses there (arr.md 3.1)."""
    if any(ord(one) < 32 for one in name.replace("\t", "")):
        raise ConfigurationError(f"the name of the {kind} {name!r} has a control character", hint="Take another name.")
    found = sorted({one for one in name if one in forbidden})
    if not name.strip() or found:
        what = "is empty" if not name.strip() else f"'{name}' has {_shown(found)}"
        hint = f"Not allowed in it: {_shown(forbidden)}" if forbidden else "It needs a name."
        raise ConfigurationError(f"the name of the {kind} {what}", hint=hint)


# -- private ---------------------------------------------------------------------------------------------

_NO_NAME = ""
_SITE_NAME = "/?"
_ADDRESS = ' \t"<>/\\?#@|{}*'  # no host name and no IP address (not even IPv6) has these
_POOL_NAME = '|<>&"/[]+=;:,?*@\\'
_BLANKS = {" ": "(blank)", "\t": "(tab)"}
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def _once(kind: str, names: Iterable[str], where: str) -> None:
    """Raises ``ConfigurationError`` for the first of the keys that is there twice."""
    name, times = next(iter(Counter(names).most_common(1)), ("", 0))
    if times > 1:
        hint = "Keys are unique in their collection, and IIS refuses the whole file otherwise (arr.md 1.0)."
        raise ConfigurationError(f"{where} has the {kind} '{name}' twice", hint=hint)


def _shown(characters: Iterable[str]) -> str:
    return " ".join(_BLANKS.get(one, one) for one in characters)


@dataclass(slots=True)
class _Draft:
    """An element being put together."""

    tag: str
    attributes: list[tuple[str, str]] = field(default_factory=list)
    children: list[_Draft] = field(default_factory=list)

    def at(self, path: tuple[str, ...]) -> _Draft:
        here = self
        for tag in path:
            here = next((one for one in here.children if one.tag == tag), None) or here.add(_Draft(tag))
        return here

    def add(self, child: _Draft) -> _Draft:
        self.children.append(child)
        return child

    def sort(self, order: tuple[str, ...]) -> None:
        self.children.sort(key=lambda one: order.index(one.tag) if one.tag in order else len(order))

    def done(self) -> NewElement:
        return NewElement(self.tag, tuple(self.attributes), tuple(one.done() for one in self.children))


def _draft(tag: str, word: object, defaults: object = None, always: tuple[str, ...] = ()) -> _Draft:
    key = next((one for one in attributes(type(word)) if one.required), None)
    with within(tag if key is None else f"{tag}[@{key.name}='{value_at(word, key.field)}']"):
        return _drafted(_Draft(tag), word, defaults, always)


def _drafted(draft: _Draft, word: object, defaults: object, always: tuple[str, ...]) -> _Draft:
    for attribute in attributes(type(word)):
        value = value_at(word, attribute.field)
        unsaid = attribute.default if defaults is None else value_at(defaults, attribute.field)
        if attribute.required or attribute.field in always or attribute.name in _KEYS or value != unsaid:
            if value == "" and attribute.type.non_empty and not attribute.required:
                continue
            draft.at(attribute.path).attributes.append((attribute.name, text_of(attribute, value)))
    return draft


_KEYS = ("id", "path", "physicalPath")


def _application(application: Application, defaults: Application) -> _Draft:
    draft = _draft("application", application, defaults)
    for folder in application.virtual_directories:
        draft.add(_draft("virtualDirectory", folder, _folder_defaults(defaults)))
    return draft


def _folder_defaults(application: Application) -> VirtualDirectory:
    return next(iter(application.virtual_directories), VirtualDirectory())


def _done(element: NewElement) -> _Draft:
    return _Draft(element.tag, list(element.attributes), [_done(one) for one in element.children])


def _schedule(time: timedelta) -> str:
    try:
        return write_value(time, SCHEDULE)
    except ValueError as error:
        raise ConfigurationError(f"recycling schedule: {error}") from error
