"""Print what became of requests whose calls failed: `python tests/sweep.py [CALL...]`."""

import logging
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults import CALLS, ERRORS, sweep
from oracle import disk


def main() -> None:
    logging.getLogger("streamware").setLevel(logging.CRITICAL)
    print("| call | errno | runs | passed | named error | names kept | leaks |")
    print("|---|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder, disk(Path(folder)) as root:
        for call in sys.argv[1:] or CALLS:
            for error in ERRORS:
                tally = sweep(root, call, error)
                print(
                    f"| {call} | {error} | {tally.runs} | {tally.passed} | {tally.named}"
                    f" | {tally.kept} | {len(tally.leaks)} |"
                )
                for leak in tally.leaks:
                    print(leak, file=sys.stderr)


if __name__ == "__main__":
    main()
