"""Registries: activations, norms, rules and kernels by name, each of one behaviour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from netgraph.errors import OptionError, unknown_name

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """Entries by name, in the order of registration. The shipped ones stay; others can be replaced and removed.

    Args:
        kind: words for one entry, such as "activation".
        shipped: entries of the package itself.
        of: another registry, to whose entries those of this one belong. An entry is gone as soon as the one that it
            belongs to is replaced or removed.
    """

    def __init__(self, kind: str, shipped: Mapping[str, T] | None = None, *, of: Registry[Any] | None = None) -> None:
        self._kind, self._of = kind, of
        self._entries = dict(shipped or {})
        # One for each time that an entry is added: the same record, taken back and added again, is another entry.
        self._marks = {name: object() for name in self._entries}
        self._owners = {name: self._owner(name) for name in self._entries}
        self._shipped = frozenset(self._entries)

    def __getitem__(self, name: str) -> T:
        entry = self._entries[name]
        if self._owners[name] is not self._owner(name):
            raise KeyError(name)
        return entry

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._entries if self._owners[name] is self._owner(name))

    def __len__(self) -> int:
        return sum(1 for _name in self)

    def __repr__(self) -> str:
        return f"Registry({self._kind}: {', '.join(self)})"

    def check(self, name: str, *, replace: bool = False) -> None:
        """Check that an entry can be added under a name.

        Raises:
            OptionError: when the name is no text or empty, that of a shipped entry, or taken and `replace` is false.
        """
        if not isinstance(name, str) or not name:
            raise OptionError(f"The name of {self._one} is text, not {name!r}; give it one.")
        if name in self and (name in self._shipped or not replace):
            remedy = "." if name in self._shipped else ", or take the place of that one with replace=True."
            raise OptionError(f"There is {self._one} {name!r} already; give this one another name{remedy}")

    def add(self, name: str, entry: T, *, replace: bool = False) -> None:
        """Add an entry, in place of the one of its name if `replace`. Raises as `check` does."""
        self.check(name, replace=replace)
        self._entries[name], self._marks[name], self._owners[name] = entry, object(), self._owner(name)

    def remove(self, name: str) -> T:
        """Take a registration back, and return its entry.

        Raises:
            OptionError: for a shipped entry and for an unknown name.
        """
        if name not in self:
            raise OptionError(unknown_name(self._kind, name, self))
        if name in self._shipped:
            raise OptionError(f"The {self._kind} {name!r} is shipped; remove only what was registered.")
        del self._owners[name], self._marks[name]
        return self._entries.pop(name)

    @property
    def state(self) -> tuple[object, ...]:
        """Key for caches of what depends on the entries: another one once an entry was added, replaced or removed."""
        return tuple(self._marks.values())

    def ship(self) -> None:
        """Make all entries so far shipped ones."""
        self._shipped = frozenset(self._entries)

    def _owner(self, name: str) -> object:
        return None if self._of is None else self._of._marks.get(name)

    @property
    def _one(self) -> str:
        return f"{'an' if self._kind[0] in 'aeiou' else 'a'} {self._kind}"
