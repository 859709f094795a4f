"""``ApplicationHost``: one applicationHost.config as text, as words, and with changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from arr_bluegreen.apphost.reading import Reading
from arr_bluegreen.apphost.source import Source, read_source
from arr_bluegreen.errors import ConfigurationError

if TYPE_CHECKING:
    from arr_bluegreen.apphost.edit import Edit
    from arr_bluegreen.apphost.effective import Effective
    from arr_bluegreen.apphost.steps import Place
    from arr_bluegreen.webfarm.change import ConfigChange, Patch
    from arr_bluegreen.webfarm.farm import WebFarm
    from arr_bluegreen.webfarm.proxy import Proxy
    from arr_bluegreen.webfarm.rule import RewriteMap, Rule, RuleList
    from arr_bluegreen.webfarm.site import Application, ApplicationPool, Site
    from arr_bluegreen.webfarm.webfarms import WebFarms


@dataclass(frozen=True, slots=True)
class Applied:
    """What changes came to: the new configuration (the old one when nothing differed), the changes that undo them,
    and the primitive edits that were made."""

    host: ApplicationHost
    inverse: tuple[ConfigChange, ...]
    edits: tuple[Edit, ...]

    @property
    def differs(self) -> bool:
        """Whether anything was changed."""
        return bool(self.inverse)

    def to_bytes(self) -> bytes:
        """The bytes with the changes made."""
        return self.host.to_bytes()


class ApplicationHost:
    """One configuration: immutable to its users. Words are read when asked for; bytes outside an edit never change."""

    def __init__(self, source: Source, reading: Reading) -> None:
        self._source = source
        self._kept: Reading | None = reading

    @classmethod
    def parse(cls, data: bytes, *, file: str = "") -> ApplicationHost:
        """The configuration in ``data``; ``file`` is named in errors. Raises ``ConfigurationError`` for what is no
        well-formed configuration, or must not be read (DOCTYPE, depth, encodings that contradict themselves)."""
        try:
            source = read_source(data, file)
        except UnicodeDecodeError as error:
            raise ConfigurationError(str(error), file=file) from error
        return cls(source, Reading(source))

    def to_bytes(self) -> bytes:
        """The bytes: those parsed, but for what ``apply`` changed."""
        return self._source.to_bytes()

    @property
    def file(self) -> str:
        """What the file is called in errors."""
        return self._source.file

    @cached_property
    def digest(self) -> str:
        """sha256 of the bytes, hex."""
        from hashlib import sha256

        return sha256(self.to_bytes()).hexdigest()

    # -- changes -----------------------------------------------------------------------------------------

    def apply(self, changes: Sequence[ConfigChange]) -> Applied:
        """All changes, in order, as one new configuration; this one stays as it is.

        What holds already changes nothing. The new text is parsed again and its whole tree compared with the intended
        one. Raises ``NoSuchObject`` and ``ConfigurationError`` (a value or name not allowed, something there already
        and different, a section that is not declared); nothing is changed then.
        """
        from arr_bluegreen.apphost.editor import make_changes  # the writing half is not needed for reading

        reading, self._kept = self.reading, None
        editor = make_changes(reading, changes)
        del reading
        inverse = editor.finish()
        source = editor.reading.source
        if source is self._source:
            self._kept = editor.reading
            return Applied(self, (), ())
        return Applied(ApplicationHost(source, editor.reading), inverse, tuple(editor.edits))

    # -- words -------------------------------------------------------------------------------------------

    @cached_property
    def farms(self) -> tuple[WebFarm, ...]:
        """Every web farm, in file order."""
        return self.reading.farms

    @cached_property
    def rule_lists(self) -> tuple[RuleList, ...]:
        """The global rules first, then the rules of every location that has some."""
        return self.reading.rule_lists

    @cached_property
    def rewrite_maps(self) -> tuple[RewriteMap, ...]:
        """Every rewrite map."""
        return self.reading.rewrite_maps

    @cached_property
    def proxy(self) -> Proxy:
        """``system.webServer/proxy``."""
        return self.reading.proxy

    @cached_property
    def web_farms(self) -> WebFarms:
        """``webFarms``' own settings."""
        return self.reading.web_farms

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """Every site, with effective values (arr.md 3.3)."""
        return self.reading.sites

    @cached_property
    def pools(self) -> tuple[ApplicationPool, ...]:
        """Every application pool, with effective values (arr.md 3.3)."""
        return self.reading.pools

    def farm(self, name: str) -> WebFarm:
        """The farm of this name (without case); raises ``NoSuchObject`` naming the ones there."""
        return self.reading.farm(name)

    def rule(self, name: str, location: str = "") -> Rule:
        """The rule of this name (without case), global or of a location; raises ``NoSuchObject``."""
        return self.reading.rule(name, location)

    def rewrite_map(self, name: str, location: str = "") -> RewriteMap:
        """The rewrite map of this name (without case); raises ``NoSuchObject``."""
        return self.reading.rewrite_map(name, location)

    def site(self, name: str) -> Site:
        """The site of this name (without case); raises ``NoSuchObject``."""
        return self.reading.site(name)

    def pool(self, name: str) -> ApplicationPool:
        """The pool of this name (without case); raises ``NoSuchObject``."""
        return self.reading.pool(name)

    @property
    def default_pool(self) -> ApplicationPool:
        """What a pool with no setting of its own is like here (``applicationPoolDefaults``, else the schema)."""
        return self.reading.default_pool

    @property
    def default_site(self) -> Site:
        """What a site with one bare application and folder is like here (the defaults elements, else the schema)."""
        return self.reading.default_site

    def default_application(self, site: str) -> Application:
        """What an application of this site is like with nothing written on it (its own and its section's defaults)."""
        return self.reading.default_application(site)

    def setting(self, word: type[Any], names: tuple[str, ...], field: str) -> Effective:
        """One setting with its origin: ``setting(ApplicationPool, ("shop-blue",), "process_model.idle_timeout")``.

        ``names`` lead to the thing: farm; farm, address; site; site, application; site, application, folder; pool.
        Raises ``NoSuchObject`` and ``ConfigurationError``.
        """
        from arr_bluegreen.apphost.effective import effective

        return effective(self.reading, word, names, field)

    def position(self, place: Place, attribute: str = "") -> tuple[int, int] | None:
        """Line and column (from 1, in characters) of the element at a place, or of one of its attributes; None when
        it is not there. Found in the text itself, never by lxml's ``sourceline``."""
        found = self.reading.find.find(place)
        return None if found is None else self.reading.position(found, attribute)

    def position_of(self, path: str) -> tuple[int, int] | None:
        """Line and column of the element that a path names (as errors print it), None when there is none."""
        found = self.reading.find.by_path(path)
        return None if found is None else self.reading.position(found)

    def can_undo(self, patch: Patch) -> bool:
        """Whether the text still reads as it was left at this place."""
        from arr_bluegreen.apphost.undo import undo_splices

        return undo_splices(self.reading, (patch,)) is not None

    def site_with_id(self, number: int) -> str | None:
        """The name of the site that has this id, None when there is none."""
        return self.reading.site_with_id(number)

    @property
    def reading(self) -> Reading:
        """The tree with its finders, parsed again when ``apply`` has used it up."""
        if self._kept is None:
            self._kept = Reading(self._source)
        return self._kept
