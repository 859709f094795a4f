"""Blue-green deployments behind IIS Application Request Routing. The few names a script imports.

Loaded on first use, so that ``arr-bluegreen --version`` costs what Python costs.
"""

from __future__ import annotations

__version__ = "0.1.0"

_HOMES = {
    "ApplicationHost": "arr_bluegreen.apphost",
    "ArrBlueGreenError": "arr_bluegreen.errors",
    "WebFarm": "arr_bluegreen.webfarm",
    "connect": "arr_bluegreen.control.connect",
}

__all__ = ["ApplicationHost", "ArrBlueGreenError", "WebFarm", "__version__", "connect"]


def __getattr__(name: str) -> object:
    """Import the room a name lives in when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'arr_bluegreen' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
