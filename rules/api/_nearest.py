"""The name that was perhaps meant by one that does not exist."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], alike: float) -> str | None:
    """The one of some names that is most like a word, by a likeness from 0 to 1 that it must have."""
    from difflib import get_close_matches  # of the few files with such a name alone

    return next(iter(get_close_matches(word, list(known), 1, alike)), None)
