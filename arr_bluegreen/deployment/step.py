"""A step: a frozen value that can say whether it holds, act, and explain itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.webfarm.change import ConfigChange


class Step(Protocol):
    """``perform`` may be called again after a crash or a lost reply; when it returns, ``holds`` is true.

    Both look through the hands; ``holds`` changes nothing.
    """

    @property
    def name(self) -> str:
        """Short and stable: it stands in journals and after ``--until``."""

    @property
    def phase(self) -> str:
        """deploy, gate, enable, switch, drain, bake or durable: for hooks, approvals, and copies of the journal."""

    def title(self) -> str:
        """A short phrase for people: what it does now."""

    def explain(self) -> Sequence[str]:
        """What it will do, for the plan: sentences, gaps included."""

    def commits(self) -> Sequence[ConfigChange]:
        """The configuration changes it will make, as far as they are known before."""

    def holds(self, hands: Hands) -> bool:
        """Whether it is done, as far as it can be seen and is remembered."""

    def perform(self, hands: Hands) -> None:
        """Do it. Raises errors of ``arr_bluegreen.errors``."""
