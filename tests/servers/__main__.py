"""Measure the servers: `python -m tests.servers [--all] [--write] [NAME...]`, for minutes.

--all    those that CI leaves out, too, and nginx in front of two of them
--write  docs/servers.md, of all that were measured
NAME     only these
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]


def main() -> None:
    from servers import matrix, report
    from servers.setups import SETUPS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("names", nargs="*", metavar="NAME")
    asked = parser.parse_args()
    wanted = [
        setup
        for setup in SETUPS
        if (setup.name in asked.names if asked.names else asked.all or setup.everywhere)
    ]
    for setup in wanted:
        if setup.missing:
            print(f"{setup.name}: skipped: needs {setup.missing}", file=sys.stderr)
    results = matrix.run_all(wanted, lambda said: print(said, file=sys.stderr))
    page = report.page(results)
    if asked.write:
        (ROOT / "docs" / "servers.md").write_text(page, encoding="utf-8")
    else:
        print(page)


if __name__ == "__main__":
    main()
