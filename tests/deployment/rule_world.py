"""A world whose slots lie in two farms, between which a rewrite rule chooses (``[switch] by = "rule"``)."""

from __future__ import annotations

from pathlib import Path

from arr_bluegreen.deployment.description_read import parse_description
from arr_bluegreen.deployment.now import Now
from arr_bluegreen.deployment.rule_target import target_farm
from tests.deployment.world import BLUE, CONFIG, GREEN, TEXT, World

SERVER = b"""            <server address="127.0.0.3" enabled="false">\r
                <applicationRequestRouting httpPort="8002" />\r
            </server>\r
"""
FARM = (
    b'        <webFarm name="shop-green" enabled="true">\r\n'
    + SERVER.replace(b'"false"', b'"true"')
    + b"        </webFarm>\r\n"
)


class RuleWorld(World):
    """Blue alone in the farm ``shop``, green alone in ``shop-green``; the rule names ``shop``."""

    def __init__(self, folder: Path) -> None:
        assert SERVER in CONFIG
        end = b"        </webFarm>\r\n"
        super().__init__(folder, config=CONFIG.replace(SERVER, b"").replace(end, end + FARM, 1))
        text = TEXT.replace("{by}", "rule").replace("{durable}", "auto").replace("{bake}", "0")
        text = text.replace('by = "rule"', 'by = "rule"\nrule = "shop to farm"')
        for name in ("blue", "green"):
            farm = "shop" if name == "blue" else "shop-green"
            text = text.replace(f'name = "{name}"', f'name = "{name}"\nfarm = "{farm}"')
        self.deployment = parse_description(text)

    @property
    def live(self) -> tuple[str, ...]:
        """What the rule's farm has in service."""
        (config,) = Now(self.controls, self.deployment).configs()
        return self.host.arr.in_service(target_farm(config, self.deployment.switch))

    def enabled(self, address: str) -> bool:
        """Whether it is, in its own farm."""
        farm = self.host.config.reading.farm({BLUE: "shop", GREEN: "shop-green"}[address])
        server = farm.server(address) if farm is not None else None
        assert server is not None
        return server.enabled
