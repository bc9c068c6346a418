"""Measure the servers: `python -m tests.servers [--all] [--write] [NAME...]`, for minutes.

--all    those that CI leaves out, too, and nginx in front of two of them
--write  docs/servers.md, of all that were measured
NAME     only these servers and layers
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]


def main() -> None:
    from servers import layers, matrix, report
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
    between = [layer for layer in layers.LAYERS if not asked.names or layer.name in asked.names]
    missing = {setup.name: setup.missing for setup in wanted}
    missing |= {layer.name: layer.missing for layer in between}
    for name, needed in missing.items():
        if needed:
            print(f"{name}: skipped: needs {needed}", file=sys.stderr)
    results = matrix.run_all(wanted, lambda said: print(said, file=sys.stderr))
    layered = layers.measure_all(between, lambda said: print(said, file=sys.stderr))
    page = report.page(results, layered)
    if asked.write:
        (ROOT / "docs" / "servers.md").write_text(page, encoding="utf-8")
    else:
        print(page)


if __name__ == "__main__":
    main()
