"""Recognises lazy translations, which become text where they are written.

By the name of their class, so that none of the libraries has to be installed.
"""

from __future__ import annotations

_CLASSES = frozenset(
    {
        ("django", "Promise"),
        ("babel", "LazyProxy"),
        ("flask_babel", "LazyString"),
        ("speaklater", "_LazyString"),
    }
)


def is_lazy_text(value: object) -> bool:
    """Return whether a value is a lazy translation of Django, Babel or speaklater."""
    return any(
        (class_.__module__.partition(".")[0], class_.__name__) in _CLASSES
        for class_ in type(value).__mro__
    )
