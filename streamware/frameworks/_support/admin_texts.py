"""The texts of exports in Django's admin, in the language of the request.

The package need not be an installed application, so Django does not look for translations in it.
A translation that the project or an application of it has goes first.
"""

from __future__ import annotations

from django.utils.translation import get_language, gettext

TOO_LARGE = "There is more to export than is allowed. Narrow the list by a search or a filter."
BUSY = "There is no room for another export now. Try again in a moment."


def translated(text: str, **values: object) -> str:
    """Return one of the texts below in the current language, with the values in it."""
    found: str = gettext(text)
    if found == text:
        language = (get_language() or "").partition("-")[0]
        found = _TEXTS[text].get(language, text)
    return found % values if values else found


_TEXTS: dict[str, dict[str, str]] = {
    "Export": {
        "de": "Exportieren",
        "es": "Exportar",
        "fr": "Exporter",
    },
    "Export %(name)s": {
        "de": "%(name)s exportieren",
        "es": "Exportar %(name)s",
        "fr": "Exporter %(name)s",
    },
    "Export as %(format)s": {
        "de": "Als %(format)s exportieren",
        "es": "Exportar como %(format)s",
        "fr": "Exporter en %(format)s",
    },
    "Export selected as %(format)s": {
        "de": "Ausgewählte als %(format)s exportieren",
        "es": "Exportar la selección como %(format)s",
        "fr": "Exporter la sélection en %(format)s",
    },
    "Columns": {
        "de": "Spalten",
        "es": "Columnas",
        "fr": "Colonnes",
    },
    "Rows: %(count)s": {
        "de": "Zeilen: %(count)s",
        "es": "Filas: %(count)s",
        "fr": "Lignes\u202f: %(count)s",
    },
    "Choose at least one column.": {
        "de": "Wählen Sie mindestens eine Spalte aus.",
        "es": "Elija al menos una columna.",
        "fr": "Choisissez au moins une colonne.",
    },
    TOO_LARGE: {
        "de": "Es ist mehr zu exportieren, als erlaubt ist. Grenzen Sie die Liste durch eine Suche"
        " oder einen Filter ein.",
        "es": "Hay más que exportar de lo permitido. Limite la lista con una búsqueda o un filtro.",
        "fr": "Il y a plus à exporter que ce qui est autorisé. Limitez la liste par une recherche"
        " ou un filtre.",
    },
    BUSY: {
        "de": "Für einen weiteren Export ist gerade kein Platz. Versuchen Sie es gleich noch"
        " einmal.",
        "es": "Ahora no hay sitio para otra exportación. Inténtelo de nuevo en un momento.",
        "fr": "Il n'y a pas de place pour un autre export. Réessayez dans un instant.",
    },
}
