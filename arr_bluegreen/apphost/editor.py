"""Changes made to one configuration: lowered, performed, turned into text, and proven before anybody sees it."""

from __future__ import annotations

from collections.abc import Iterable

from arr_bluegreen.apphost.edit import Edit
from arr_bluegreen.apphost.inverse import inverse
from arr_bluegreen.apphost.ledger import Ledger, Settle
from arr_bluegreen.apphost.lower import lower
from arr_bluegreen.apphost.perform import Performer
from arr_bluegreen.apphost.reading import Reading
from arr_bluegreen.apphost.source import Source
from arr_bluegreen.apphost.splice import Splice, spliced
from arr_bluegreen.apphost.tree import tree_digest
from arr_bluegreen.apphost.undo import patches, undo_splices
from arr_bluegreen.errors import ArrBlueGreenError, ConfigurationError
from arr_bluegreen.webfarm.change import ConfigChange, Undo


class Editor:
    """Takes changes one by one; ``finish`` settles what is pending. The reading given is used up."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.edits: list[Edit] = []
        self._inverse: list[ConfigChange] = []
        self._words: list[ConfigChange] = []
        self._begin()

    def make(self, change: ConfigChange) -> None:
        """One change. Raises ``ConfigurationError`` or ``NoSuchObject``; the editor is then of no more use."""
        if isinstance(change, Undo):
            self._undo(change)
            return
        try:
            edits = lower(change, self.reading)
        except ConfigurationError as error:
            raise self._placed(error) from error
        if not edits:
            return
        back = inverse(change, self.reading)
        for edit in edits:
            self._perform(edit)
        self.edits += edits
        self._words = [*back, *self._words]

    def finish(self) -> tuple[ConfigChange, ...]:
        """What is pending becomes text and is proven. Returns the inverse changes, in the order to make them."""
        self._settle()
        return tuple(self._inverse)

    # -- private -----------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._ledger = Ledger(self.reading)
        self._performer = Performer(self.reading, self._ledger)

    def _placed(self, error: ConfigurationError) -> ConfigurationError:
        """The error with the file, and the place of the nearest element that is there, where it names none."""
        if error.file or error.line:
            return error
        path, found = error.element, None
        while path and found is None:
            found = self.reading.find.by_path(path)
            path = path.rpartition("/")[0]
        line, column = (None, None) if found is None else self.reading.position(found) or (None, None)
        return ConfigurationError(
            error.detail,
            file=self.reading.source.file,
            line=line,
            column=column,
            element=error.element,
            hint=error.hint,
        )

    def _perform(self, edit: Edit) -> None:
        if self._ledger.must_settle:
            self._settle()
        try:
            self._performer.perform(edit)
        except Settle:
            self._settle()
            self._performer.perform(edit)

    def _settle(self) -> None:
        if not self._ledger.touched:
            return
        splices = self._ledger.splices()
        source = self.reading.source
        body = spliced(source.body, splices, 0, len(source.body))
        back = patches(self.reading, splices, body)
        intended = tree_digest(self.reading.root)
        del splices
        self._renew(source.with_body(body))
        if tree_digest(self.reading.root) != intended:
            raise _not_as_intended(source.file)
        if back:
            self._inverse.insert(0, Undo(back, tuple(self._words)))
        self._words = []

    def _renew(self, source: Source) -> None:
        """One tree at a time: the old one is let go before the new one is made."""
        del self.reading, self._ledger, self._performer
        self.reading = Reading(source)
        self._begin()

    def _undo(self, change: Undo) -> None:
        self._settle()
        found = undo_splices(self.reading, change.patches)
        if found is None:
            for one in change.changes:
                self.make(one)
            return
        self._words = list(inverse(change, self.reading))
        self._patch(found)

    def _patch(self, splices: list[Splice]) -> None:
        source = self.reading.source
        body = spliced(source.body, splices, 0, len(source.body))
        back = patches(self.reading, splices, body)
        anchors = [one.anchor for one in back]
        outside = _outside(self.reading, anchors)
        self._renew(source.with_body(body))
        same = _outside(self.reading, anchors) == outside
        self._renew(source.with_body(body))
        if not same:
            raise _not_as_intended(source.file)
        if back:
            self._inverse.insert(0, Undo(back, tuple(self._words)))
        self._words = []


def make_changes(reading: Reading, changes: Iterable[ConfigChange]) -> Editor:
    """An editor that has made the changes; nothing is settled yet."""
    editor = Editor(reading)
    for one in changes:
        editor.make(one)
    return editor


# -- private ---------------------------------------------------------------------------------------------


def _outside(reading: Reading, anchors: list[str]) -> bytes:
    """A digest of everything but what lies in the anchors (the tree is spent for it)."""
    for anchor in dict.fromkeys(anchors):
        found = reading.find.by_path(anchor)
        if found is not None:
            found.attrib.clear()
            found.text = None
            del found[:]
    return tree_digest(reading.root)


def _not_as_intended(file: str) -> ArrBlueGreenError:
    return ArrBlueGreenError(
        f"{file or 'the configuration'}: the edited text does not read as intended",
        hint="Nothing was written. This is a bug: please report it with the file and the change.",
    )
