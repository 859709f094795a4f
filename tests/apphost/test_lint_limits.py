"""Where each hazard ends: what nearly is one and is not, and the odd ways of being one."""

from __future__ import annotations

import pytest

from tests.apphost.test_lint import (
    API_RULE,
    CAREFUL,
    CASES,
    CATCH_ALL,
    POOL,
    PORT,
    SHOP_RULE,
    SITE,
    findings,
)

HOST = '<add input="{HTTP_HOST}" pattern="^shop\\.example$" />'
BACKUP = (
    '<webFarm name="other"><server address="10.9.9.9" /><applicationRequestRouting><healthCheck url="http://o/"'
    ' statusCodeMatch="200" responseMatch="x" /><protocol timeout="00:02:00"><cache enabled="false" /></protocol>'
    "</applicationRequestRouting></webFarm></webFarms>"
)
ANY = '<conditions logicalGrouping="MatchAny">'
SAME = SHOP_RULE.replace('name="shop"', 'name="late"').replace("//shop", "//api")
TO_BY_HOST = ("http://api/{R:0}", "http://{M:{HTTP_HOST}}/")
SETS = '<serverVariables><set name="ORIGINAL_HOST" value="1" /></serverVariables><action'
IN_FRONT = f"<system.webServer><rewrite><rules>{SHOP_RULE}</rules></rewrite></system.webServer>"
OF_EVERY_HOST = '<conditions><add input="{HTTP_HOST}" pattern="*" /></conditions><action'
REDIRECT_ALL = CATCH_ALL.replace(' stopProcessing="true"', "").replace("Rewrite", "Redirect")
Edits = list[tuple[str, str]]


def mapped(farm: str) -> tuple[str, str]:
    one = f'<rewriteMap name="M"><add key="a" value="{farm}" /></rewriteMap>'
    return "</globalRules>", f"</globalRules><rewriteMaps>{one}</rewriteMaps>"


def one_more(binding: str, name: str) -> tuple[str, str]:
    """Another site in the front's pool."""
    return "</sites>", SITE.format("front", 9, binding).replace('name="front"', name) + "</sites>"


def pool(name: str, old: str, new: str) -> tuple[str, str]:
    return POOL.format(name), POOL.format(name).replace(old, new)


def edited(edits: Edits) -> str:
    text = CAREFUL
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def codes(edits: Edits) -> set[str]:
    return {one.code for one in findings(edited(edits))}


def secure(port: str = "httpsPort") -> Edits:
    """The shop's farm spoken to over https: the rule says so, the servers' https ports and the slots' bindings."""
    return [
        ("http://shop/{R:0}", "https://shop/{R:0}"),
        ('httpPort="8001"', f'{port}="8001"'),
        ('httpPort="8002"', f'{port}="8002"'),
        ('protocol="http" bindingInformation="*:8001:"', 'protocol="https" bindingInformation="*:8001:"'),
        ('protocol="http" bindingInformation="*:8002:"', 'protocol="https" bindingInformation="*:8002:"'),
    ]


NEARLY: dict[str, list[Edits]] = {
    "ARR000": [[('enabled="false"><applicationRequestRouting', 'enabled="FALSE"><applicationRequestRouting')]],
    "ARR001": [[('<server address="127.0.0.2"', '<server address="127.0.0.3" /><server address="127.0.0.2"')]],
    "ARR002": [
        [('address="127.0.0.1"', 'address="web01"'), ('address="127.0.0.2"', 'address="web02"'), ("8002", "8001")],
        secure(),
    ],
    "ARR003": [[('<server address="127.0.0.2"', '<server address="::1"')]],
    "ARR004": [[('<server address="127.0.0.2"', '<server address="127.0.0.2" unknown="1"')]],
    "ARR005": [[("<protocol", '<loadBalancing algorithm="requesthash" /><protocol')]],
    "ARR006": [[("http://shop.example/health", "http://x/")]],
    "ARR007": [[('url="http://shop.example/health" ', 'url="http://x/" liveTrafficFailurePeriod="00:01:00" ')]],
    "ARR008": [[('responseMatch="healthy"', 'responseMatch=" "')]],
    "ARR009": [[('statusCodeMatch="200"', 'statusCodeMatch="200,404"')]],
    "ARR010": [[('url="http://shop.example/health" ', 'minServers="1" ')]],
    "ARR011": [[('interval="00:00:05"', 'interval="00:00:06"')]],
    "ARR012": [[("<protocol", '<affinity useCookie="false" /><protocol')]],
    "ARR013": [[("<protocol", '<affinity useHostName="false" /><protocol')]],
    "ARR014": [[('timeout="00:02:00"', 'timeout="00:00:31"')]],
    "ARR015": [[('<cache enabled="false" />', '<cache enabled="False" />')]],
    "ARR016": [[('<webFarm name="shop"', '<webFarm enabled="false" name="shop"')]],
    "ARR017": [[('httpPort="8001"', 'httpPort="8001" weight="1"')]],
    "ARR018": [[('<webFarm name="api"', '<webFarm name="shop2"')]],
    "ARR020": [
        [(API_RULE, API_RULE + CATCH_ALL)],
        [(SHOP_RULE, CATCH_ALL.replace(' stopProcessing="true"', "") + SHOP_RULE)],
        [(SHOP_RULE, CATCH_ALL.replace("<rule ", '<rule enabled="false" ') + SHOP_RULE)],
    ],
    "ARR021": [[(API_RULE, SAME.replace("<conditions>", ANY))]],
    "ARR022": [
        [(PORT, ""), *((f'httpPort="{one}"', f'httpPort="{one}" hostName="a"') for one in (8001, 8002))],
        [(PORT, ""), ('<protocol timeout', '<protocol preserveHostHeader="false" timeout')],
        [(PORT, '<add input="{SERVER_PORT}" pattern="^8..." negate="true" />')],
        [(PORT, '<add input="{LOCAL_ADDR}" pattern="^10\\.0\\.0\\.5$" />')],
        [*secure(), (PORT, '<add input="{HTTPS}" pattern="^off$" />')],
    ],
    "ARR023": [
        [("http://api/{R:0}", "http://gone.example/{R:0}")],
        [("http://api/{R:0}", "http://gone:8080/{R:0}")],
        [("http://api/{R:0}", "http://localhost/{R:0}")],
        [("http://api/{R:0}", "http://{R:1}/x")],
    ],
    "ARR024": [[('<webFarm name="shop"', '<webFarm enabled="false" name="shop"'), (SHOP_RULE, "")]],
    "ARR025": [
        [TO_BY_HOST, mapped("api")],
        [("http://api/{R:0}", "http://{HTTP_HOST}/")],
    ],
    "ARR026": [[('<rule name="shop"', '<rule name="ARR_shop_loadbalance2"')]],
    "ARR027": [
        [(PORT, PORT + '<add input="{HTTP_X_ANYTHING}" pattern="a" />')],
        [(PORT, PORT + '<add input="{ORIGINAL_HOST}" pattern="a" />'), ("<action", SETS)],
    ],
    "ARR028": [
        [(SHOP_RULE, CATCH_ALL.replace('url="*"', 'url="*.*"'))],
        [(SHOP_RULE, CATCH_ALL.replace('url="*"', 'url="index.*"'))],
    ],
    "ARR029": [
        [('<match url=".*"', f'<match url="{one}"')]
        for one in ("[(]", "a(?:b|c)*?", "(?&lt;n&gt;.*)", "[[]", "\\/.*", "(?!x).*")
    ],
    "ARR030": [[(PORT, PORT + PORT.replace("80", "443"))]],
    "ARR031": [[('<match url=".*"', '<match url="a.+"')]],
    "ARR032": [
        [("</globalRules>", f'</globalRules><rules>{SHOP_RULE}</rules>')],
        [('<location path="front"><system.webServer />', '<location path="front">' + IN_FRONT)],
    ],
    "ARR040": [
        [("*:8001:", "*:8001:shop.example")],
        [("*:8001:", "*:8001:*.example")],
        [("*:8001:", "*:8001:shop.example"), (HOST, ""), ("*:80:", "*:80:shop.example")],
        secure(),
    ],
    "ARR041": [[(POOL.format("front"), POOL.format("front") + '<add name="unused" managedRuntimeVersion="" />')]],
    "ARR042": [[(POOL.format("front"), POOL.format("front") + '<add name="unused" managedRuntimeVersion="" />')]],
    "ARR043": [[('managedRuntimeVersion=""', 'managedRuntimeVersion="v4.0"')]],
    "ARR044": [[one_more("*:81:", 'name="second"')]],
    "ARR045": [[one_more("*:81:", 'serverAutoStart="false" name="x"')]],
    "ARR046": [[*secure(), (' startMode="AlwaysRunning"', "")]],
    "ARR047": [[one_more("*:80:api.example", 'name="x"')]],
    "ARR048": [[pool("blue", "idleTimeout", 'maxProcesses="2" idleTimeout')]],
    "ARR049": [[pool("blue", 'time="00:00:00"', 'time="1.05:00:00"')]],
    "ARR050": [[pool("blue", 'idleTimeout="00:00:00"', 'idleTimeout="00:20:00"')]],
    "ARR051": [[('applicationPool="green"', 'applicationPool="blue"')]],
    "ARR052": [
        [("*:80:", "*:80:*.example")],
        [("*:80:", '*:80:shop.example" /><binding protocol="http" bindingInformation="*:80:api.example')],
    ],
    "ARR053": [[("*:8002:", "*:8001:green")]],
    "ARR054": [[('applicationPool="front"', 'applicationPool="FRONT"')]],
    "ARR055": [[('<location path="front">', f'<location path="{one}">')] for one in ("FRONT/app", ".", "")],
    "ARR056": [[('id="2"', 'id="22"')]],
    "ARR057": [[('<add name="green"', '<add name="green2"')]],
}  # fmt: skip


def test_every_hazard_has_a_limit_here() -> None:
    assert sorted(NEARLY) == sorted(CASES)


@pytest.mark.parametrize(("code", "edits"), [(code, one) for code, several in NEARLY.items() for one in several])
def test_what_is_only_nearly_a_hazard_is_none(code: str, edits: Edits) -> None:
    assert code not in codes(edits), edits


ODDLY: list[tuple[str, Edits]] = [
    ("ARR002", [*secure(), ('httpsPort="8002"', 'httpsPort="8001"')]),
    ("ARR017", [('timeout="00:02:00"', 'timeout="00:00:00"')]),
    ("ARR017", [('httpPort="8001"', 'httpPort="0"')]),
    ("ARR020", [(SHOP_RULE, REDIRECT_ALL + SHOP_RULE)]),
    (
        "ARR020",
        [
            (SHOP_RULE, CATCH_ALL.replace("<action", OF_EVERY_HOST).replace("//shop", "//other") + SHOP_RULE),
            ("</webFarms>", BACKUP),
        ],
    ),
    ("ARR022", [(PORT, '<add input="{HTTPS}" pattern="^OFF$" />')]),
    ("ARR022", [(PORT, '<add input="{SERVER_PORT}" pattern=".*" />')]),
    ("ARR022", [(PORT, '<add input="{SERVER_PORT}" pattern="^(80|8001|8002)$" />')]),
    ("ARR022", [("<conditions>", '<conditions logicalGrouping="MatchAny">')]),
    ("ARR023", [("http://api/{R:0}", "http://gone:80/{R:0}")]),
    ("ARR023", [('<rule name="api"', '<rule name="arr-bluegreen old.shop a 80"'), ("http://api/", "http://old.shop/")]),
    ("ARR023", [('<rule name="api"', '<rule name="ARR_old.shop_loadbalance"'), ("http://api/", "http://old.shop/")]),
    ("ARR023", [TO_BY_HOST, mapped("gone")]),
    ("ARR029", [('<match url=".*"', '<match url="*"')]),
    ("ARR029", [(PORT, PORT + '<add input="{URL}" pattern="*/images/*" negate="true" />')]),
    ("ARR029", [('<match url=".*"', '<match url="[a-"')]),
    ("ARR040", [("*:8001:", "*:8001:blue.local"), (HOST, "")]),
    ("ARR040", [*secure(), ("*:8001:", "*:8001:other.example")]),
    ("ARR046", [*secure(), pool("blue", ' startMode="AlwaysRunning"', "")]),
    ("ARR056", [('<site name="green"', '<site name="Blue"')]),
]  # fmt: skip


@pytest.mark.parametrize(("code", "edits"), ODDLY)
def test_a_hazard_in_another_shape_is_found(code: str, edits: Edits) -> None:
    assert code in codes(edits), edits
