"""The price of editing applicationHost.config as text: against lxml reading and writing the same file.

The file: 10,000 sites, 10,000 pools, 1,000 farms of 2 servers, about 8 MB. Every sample is a whole process, start
of Python and imports included. All ways run from bytecode, as an installed package does: it is kept in a folder of
this run, whatever the checkout has (or PYTHONDONTWRITEBYTECODE forbids).
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import alternating, python

SITES, POOLS, FARMS = 10_000, 10_000, 1_000


def run() -> dict[str, object]:
    """The ratios of issue 3, and what they were made of (seconds, bytes)."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "applicationHost.config"
        file.write_bytes(large_file())
        small = Path(folder) / "small.config"
        small.write_bytes(large_file(sites=2, pools=2, farms=2))
        ways = {
            "lxml_write": python(_LXML_WRITE, str(file)),
            "edit": python(_EDIT, str(file), "1"),
            "batch": python(_EDIT, str(file), "1000"),
            "lxml_parse": python(_LXML_PARSE, str(file)),
            "open": python(_OPEN, str(file)),
        }
        starts = {
            "python": python("pass"),
            "version": [str(_program()), "--version"],
            "farm_list": [str(_program()), "farm", "list", "--on", f"file:{small}"],
        }
        env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        env["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "bytecode")
        large, quick = alternating(ways, rounds=9, env=env), alternating(starts, rounds=15, env=env)
    return {
        "edit_ratio": large["edit"].seconds / large["lxml_write"].seconds,
        "memory_ratio": (large["edit"].peak or 0) / (large["lxml_write"].peak or 1),
        "open_ratio": large["open"].seconds / large["lxml_parse"].seconds,
        "batch_ratio": large["batch"].seconds / large["edit"].seconds,
        "startup_ratio": quick["version"].seconds / quick["python"].seconds,
        "farm_list_ratio": quick["farm_list"].seconds / quick["python"].seconds,
        **{f"{name}_seconds": one.seconds for name, one in {**large, **quick}.items()},
        "edit_peak_bytes": large["edit"].peak,
        "lxml_write_peak_bytes": large["lxml_write"].peak,
    }


def large_file(*, sites: int = SITES, pools: int = POOLS, farms: int = FARMS) -> bytes:
    """A configuration of that many sites, pools and farms (two servers each), as IIS would write it."""
    return "\r\n".join(_lines(sites, pools, farms)).encode()


# -- private ---------------------------------------------------------------------------------------------

_READ = "import sys; data = open(sys.argv[1], 'rb').read()\n"
_LXML_PARSE = f"{_READ}from lxml import etree; etree.fromstring(data)"
_LXML_WRITE = f"""{_READ}from lxml import etree
text = etree.tostring(etree.fromstring(data).getroottree())
open(sys.argv[1] + '.a', 'wb').write(text)
"""
_OURS = f"{_READ}from arr_bluegreen.apphost import ApplicationHost\nhost = ApplicationHost.parse(data)\n"
_OPEN = f"{_OURS}assert len(host.farm('farm700').servers) == 2"
_EDIT = f"""{_OURS}from arr_bluegreen.webfarm.change import SetServer, settings
count = int(sys.argv[2])
wanted = [SetServer(f"farm{{700 - n if count == 1 else n}}", "green", settings(enabled=True)) for n in range(count)]
done = host.apply(wanted)
assert done.differs and len(done.edits) == count
open(sys.argv[1] + '.b', 'wb').write(done.host.to_bytes())
"""


def _program() -> Path:
    return Path(sysconfig.get_path("scripts")) / ("arr-bluegreen.exe" if sys.platform == "win32" else "arr-bluegreen")


def _lines(sites: int, pools: int, farms: int) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield "<configuration>"
    yield "    <configSections>"
    yield '        <sectionGroup name="system.applicationHost">'
    yield '            <section name="applicationPools" allowDefinition="AppHostOnly" overrideModeDefault="Deny" />'
    yield '            <section name="sites" allowDefinition="AppHostOnly" overrideModeDefault="Deny" />'
    yield "        </sectionGroup>"
    yield '        <section name="webFarms" overrideModeDefault="Deny" allowDefinition="AppHostOnly" />'
    yield "    </configSections>"
    yield "    <system.applicationHost>"
    yield "        <applicationPools>"
    for n in range(pools):
        yield f'            <add name="pool{n}" autoStart="true" managedRuntimeVersion="" startMode="AlwaysRunning">'
        yield '                <processModel identityType="ApplicationPoolIdentity" idleTimeout="00:00:00" />'
        yield "            </add>"
    yield "        </applicationPools>"
    yield "        <sites>"
    for n in range(sites):
        yield f'            <site name="site{n}" id="{n + 1}" serverAutoStart="true">'
        yield f'                <application path="/" applicationPool="pool{n}">'
        yield f'                    <virtualDirectory path="/" physicalPath="C:\\inetpub\\site{n}" />'
        yield "                </application>"
        yield "                <bindings>"
        yield f'                    <binding protocol="http" bindingInformation="*:80:site{n}.example.com" />'
        yield "                </bindings>"
        yield "            </site>"
    yield "        </sites>"
    yield "    </system.applicationHost>"
    yield "    <webFarms>"
    for n in range(farms):
        yield f'        <webFarm name="farm{n}" enabled="true">'
        for number, name in enumerate(("blue", "green")):
            yield f'            <server address="{name}" enabled="{"false" if number else "true"}">'
            yield f'                <applicationRequestRouting httpPort="{8001 + number}" />'
            yield "            </server>"
        yield "            <applicationRequestRouting>"
        yield f'                <healthCheck url="http://farm{n}/health" interval="00:00:05" timeout="00:00:05" />'
        yield "            </applicationRequestRouting>"
        yield "        </webFarm>"
    yield "    </webFarms>"
    yield "</configuration>"
    yield ""
