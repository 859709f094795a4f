"""What a pool is recycled for when it changes: the list from the IIS team (arr.md 5.8)."""

from __future__ import annotations

from functools import lru_cache

from arr_bluegreen.simulator.reading import Reading
from arr_bluegreen.simulator.schema import Node, span_seconds
from arr_bluegreen.simulator.schema_sections import SECTIONS

_LIST = {
    "": ("managedRuntimeVersion", "managedPipelineMode", "enable32BitAppOnWin64"),
    "processModel": (
        "identityType",
        "userName",
        "password",
        "idleTimeout",
        "pingInterval",
        "startupTimeLimit",
        "shutdownTimeLimit",
    ),
    "recycling/periodicRestart": ("memory", "privateMemory", "requests", "time"),
    "failure": ("orphanWorkerProcess", "orphanActionExe", "orphanActionParams"),
    "cpu": ("limit", "action", "resetInterval", "smpAffinitized", "smpProcessorAffinityMask"),
}


@lru_cache(maxsize=1024)
def recycled_for(reading: Reading, pool: str) -> tuple[str, ...] | None:
    """The values whose change recycles the pool, by attribute, defaults filled in; None when there is no such pool.

    Read from the file itself: a password is no word, and must not become one.
    """
    pools = reading.root.find("system.applicationHost/applicationPools")
    if pools is None:
        return None
    own = next((one for one in pools.iterchildren("add") if one.get("name", "").casefold() == pool.casefold()), None)
    if own is None:
        return None
    found: list[str] = []
    sources = [one for one in (own, pools.find("applicationPoolDefaults")) if one is not None]
    node = SECTIONS["system.applicationHost/applicationPools"].item
    assert node is not None, "pools are a collection"
    for path, names in _LIST.items():
        places = [one if not path else one.find(path) for one in sources]
        schema = _at(node, path)
        for name in names:
            written = (one.get(name) for one in places if one is not None)
            attribute = schema.attributes[name]
            text = next((text for text in written if text is not None), attribute.default or "")
            found.append(str(span_seconds(text)) if attribute.kind == "timeSpan" else text)
    found += [one.get("value", "") for one in own.iterfind("recycling/periodicRestart/schedule/add")]
    return tuple(found)


# -- private ---------------------------------------------------------------------------------------------


def _at(node: Node, path: str) -> Node:
    for tag in filter(None, path.split("/")):
        node = node.children[tag]
    return node
