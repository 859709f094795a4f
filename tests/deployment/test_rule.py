"""``[switch] by = "rule"``: the rewrite rule names the other slot's farm, in one write."""

from __future__ import annotations

from pathlib import Path

from arr_bluegreen.deployment.description_read import parse_description
from tests.deployment.world import CONFIG, TEXT, World

SERVER = b"""            <server address="127.0.0.3" enabled="false">\r
                <applicationRequestRouting httpPort="8002" />\r
            </server>\r
"""
FARM = (
    b'        <webFarm name="shop-green" enabled="true">\r\n'
    + SERVER.replace(b'"false"', b'"true"')
    + b"        </webFarm>\r\n"
)


def world_by_rule(folder: Path) -> World:
    assert SERVER in CONFIG
    end = b"        </webFarm>\r\n"
    config = CONFIG.replace(SERVER, b"").replace(end, end + FARM, 1)
    world = World(folder, config=config)
    text = TEXT.replace("{by}", "rule").replace("{durable}", "auto").replace("{bake}", "0")
    text = text.replace('by = "rule"', 'by = "rule"\nrule = "shop to farm"')
    for name in ("blue", "green"):
        farm = "shop" if name == "blue" else "shop-green"
        text = text.replace(f'name = "{name}"', f'name = "{name}"\nfarm = "{farm}"')
    world.deployment = parse_description(text)
    return world


def test_the_rule_names_the_new_farm_and_back(tmp_path: Path) -> None:
    world = world_by_rule(tmp_path)
    ended = world.run()
    assert (ended.outcome, ended.live) == ("done", "green"), ended
    assert b'url="http://shop-green/{R:0}"' in world.host.config.data()
    assert world.go_back().outcome == "done"
    assert b'url="http://shop/{R:0}"' in world.host.config.data()
    world.finish()
    assert not world.traffic.lost
    assert set(world.traffic.by_version) == {"1", "2"}
