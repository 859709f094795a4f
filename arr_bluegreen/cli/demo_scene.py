"""The demo's machine before it is switched on: its configuration, the releases on its disk, and deployment.toml."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FARM, HOST = "shop", "shop.example"
OLD_VERSION, NEW_VERSION = "1", "2"
RELEASE = r"C:\releases\shop-2"

_DEPLOYMENT = rf"""# What a user writes once. Who is live is learned from the machine, never from here.
schema = 1

[app]
name = "{FARM}"
farm = "{FARM}"
hosts = ["{HOST}"]
front = ["Front"]

[[slots.slot]]
name = "blue"
[[slots.slot.member]]
address = "127.0.0.2"
http_port = 8001
site = "shop-blue"
pool = "shop-blue"
path = 'C:\inetpub\shop-blue'

[[slots.slot]]
name = "green"
[[slots.slot.member]]
address = "127.0.0.3"
http_port = 8002
site = "shop-green"
pool = "shop-green"
path = 'C:\inetpub\shop-green'

[content]
source = '{RELEASE}'
version = "{NEW_VERSION}"

[warm_up]
paths = ["/", "/items/1"]
every = "200ms"
within = "10s"

[gate]
version_header = "X-App-Version"
passes = 5
every = "200ms"
within = "10s"

[drain]
within = "30s"
quiet = "1s"
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where everything lies: the configuration file, the folder that plays the drives, the description, our records."""

    config: Path
    drives: Path
    description: Path
    state: Path


def build(folder: Path, *, broken: bool) -> Scene:
    """A machine where blue serves version 1, green is offline, and version 2 has arrived in a folder of its own.

    ``broken``: version 2 answers 500 and never gets healthy.
    """
    scene = Scene(folder / "applicationHost.config", folder / "drives", folder / "deployment.toml", folder / "state")
    template = Path(__file__).parent.parent / "simulator" / "blue-green.config"
    scene.config.write_bytes(template.read_bytes())
    _application(scene, r"C:\inetpub\shop-blue", {"version": OLD_VERSION})
    _application(scene, r"C:\inetpub\shop-green", {"version": "0"})
    _application(scene, RELEASE, {"version": NEW_VERSION, "start_seconds": 2.0, "broken": broken})
    scene.description.write_text(_DEPLOYMENT, encoding="utf-8")
    scene.state.mkdir()
    return scene


# -- private ------------------------------------------------------------------------------------------------


def _application(scene: Scene, path: str, behaviour: dict[str, object]) -> None:
    drive, _, rest = path.partition(":\\")
    folder = scene.drives.joinpath(drive, *rest.split("\\"))
    folder.mkdir(parents=True)
    (folder / "simulated-app.json").write_text(json.dumps(behaviour), encoding="utf-8")
