"""Show the workbooks to every reader: `python -m tests.conformance [--write] [FEATURE...]`.

--write     docs/readers.md, of all that was seen
--examples  random mixtures; a handful by default
FEATURE     only these
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]


def main() -> int:
    from conformance import matrix, report

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--examples", type=int, default=matrix.EXAMPLES)
    parser.add_argument("features", nargs="*", metavar="FEATURE")
    asked = parser.parse_args()
    books = matrix.all_books(asked.examples)
    if asked.features:
        books = {name: book for name, book in books.items() if name in asked.features}
    results = matrix.run(books, tell=lambda name: print(name, file=sys.stderr))
    for name, needs in results.missing.items():
        print(f"{name}: skipped: needs {needs}", file=sys.stderr)
    page = report.page(results)
    if asked.write:
        (ROOT / "docs" / "readers.md").write_text(page, encoding="utf-8")
    else:
        print(page)
    return 1 if any(verdict.unknown for verdict in results.verdicts.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
