"""Print what became of requests whose calls to the system failed.

python tests/sweep.py [CALL...]   in process, every call with every error
python tests/sweep.py --strace    by strace, and with a kill at every call
"""

import logging
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults import CALLS, ERRORS, sweep
from oracle import disk
from struck import LATE, struck


def in_process(root: Path, calls: list[str]) -> None:
    print("| call | errno | runs | passed | named error | names kept to the end | leaks |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for call in calls:
        for error in ERRORS:
            tally = sweep(root, call, error)
            counts = tally.runs, tally.passed, tally.named, tally.kept, len(tally.leaks)
            print(f"| {call} | {error} | " + " | ".join(map(str, counts)) + " |")
            for leak in tally.leaks:
                print(leak, file=sys.stderr)


def by_strace(root: Path) -> None:
    print("| call | fault | runs | passed | named error | killed | for the reaper | leaks |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for what in ("error=ENOSPC", "error=EIO", "error=EDQUOT", "error=EROFS", "error=EMFILE",
                 "error=EACCES", "signal=KILL"):  # fmt: skip
        for call, runs in struck(root, what).items():
            hit = [run for run in runs if run[0] != LATE]
            outcomes = Counter(outcome for outcome, _, _ in hit)
            passed, killed = outcomes["passed"], outcomes["killed"]
            named = outcomes[what.partition("=")[2]]
            strange = len(hit) - passed - killed - named
            before, left = (sum(bool(run[at]) for run in hit) for at in (1, 2))
            counts = len(hit), passed, named, killed, before, left + strange
            print(f"| {call} | {what} | " + " | ".join(map(str, counts)) + " |", flush=True)


def main() -> None:
    logging.getLogger("streamware").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder, disk(Path(folder)) as root:
        if sys.argv[1:] == ["--strace"]:
            by_strace(root)
        else:
            in_process(root, sys.argv[1:] or CALLS)


if __name__ == "__main__":
    main()
