"""No forked child hangs on a lock that another thread of its parent held."""

import threading
import time
from pathlib import Path

import pytest

from children import needs_fork, ran
from streamware.locks import condition, fork_safe


def test_it_is_a_re_entrant_lock() -> None:
    lock = fork_safe(threading.RLock())
    with lock, lock:
        assert lock.acquire(blocking=False)
        lock.release()
        other = threading.Thread(target=lambda: taken.append(lock.acquire(timeout=0.01)))
        taken = list[bool]()
        other.start()
        other.join()
    assert taken == [False]


def test_a_condition_waits_with_it() -> None:
    news, seen = condition(), list[int]()

    def wait() -> None:
        with news:
            news.wait_for(lambda: seen)
            seen.append(2)

    waiter = threading.Thread(target=wait)
    waiter.start()
    time.sleep(0.01)
    with news:
        seen.append(1)
        news.notify_all()
    waiter.join()
    assert seen == [1, 2]


@needs_fork
def test_a_child_finds_it_free_and_one_that_its_thread_held_is_still_held() -> None:
    done = ran("""
import os, threading, warnings
warnings.simplefilter("ignore")
from streamware.locks import fork_safe, condition

held, end, locks = threading.Event(), threading.Event(), [fork_safe(threading.RLock()), condition()]

def hold():
    with locks[0], locks[1]:
        held.set()
        end.wait()

thread = threading.Thread(target=hold)
thread.start()
held.wait()
own = fork_safe(threading.RLock())
with own:
    child = os.fork()
    if not child:
        with locks[0], locks[1], own:
            pass
if not child:
    other = threading.Thread(target=lambda: own.__enter__())
    other.start()
    other.join(5)
    os._exit(other.is_alive())
end.set()
thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""")
    assert done.stdout == "0\n"


WORK = """
import asyncio, io, os, sys, tempfile, threading, time, warnings
warnings.simplefilter("ignore")
import streamware as sw
from wsgiref.util import setup_testing_defaults

children, folder, how = int(sys.argv[1]), sys.argv[2], sys.argv[3]
os.environ["STREAMWARE_SCRATCH_DIR"] = folder
end = threading.Event()
ROWS = [(at, "x" * 50, at / 3) for at in range(400)]

def export(format_, delivery="stream"):
    return sw.Export(lambda: iter(ROWS), format=format_, delivery=delivery)

def wsgi(app):
    environ = {}
    setup_testing_defaults(environ)
    body = app(environ, lambda *_: None)
    data = b"".join(body)
    getattr(body, "close", lambda: None)()
    return data

async def asgi(app):
    sent = []
    async def send(message):
        sent.append(message.get("body", b""))
    async def receive():
        await asyncio.sleep(3600)
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    await app.asgi(scope, receive, send)
    return b"".join(sent)

async def chunks(format_, given=ROWS):
    async def rows():
        for row in given:
            yield row
    return b"".join([chunk async for chunk in sw.aencode(rows, format_)])

def save(format_):
    name = os.path.join(folder, f"{os.getpid()}-{threading.get_ident()}.{format_}")
    sw.save(ROWS, name)
    os.unlink(name)
    return b"saved"

def bundle():
    return sw.Bundle([("a.csv", export("csv")), ("b.xlsx", export("xlsx"))])

JOBS = [
    lambda: b"".join(sw.encode(ROWS, "csv")),
    lambda: b"".join(sw.encode(ROWS, "ods")),
    lambda: asyncio.run(chunks("xlsx")),
    lambda: asyncio.run(asgi(export("csv", "buffer"))),
    lambda: wsgi(export("xlsx", "buffer")),
    lambda: wsgi(export("csv", "spool")),
    lambda: asyncio.run(asgi(export("xlsx", "spool"))),
    lambda: wsgi(bundle()),
    lambda: save("xlsx"),
]

def work(first):
    at = first
    while not end.is_set() and first == 0:  # one that is nearly always encoding, behind the gate
        asyncio.run(chunks("ods", ROWS * 20))
    while not end.is_set():
        assert JOBS[at % len(JOBS)]()
        at += 1

def child(number):
    for at in range(3):
        assert JOBS[(number + 3 * at) % len(JOBS)]()

threads = [threading.Thread(target=work, args=(at * 2,)) for at in range(4)]
for thread in threads:
    thread.start()
time.sleep(0.2)

def fork_all():
    import multiprocessing
    for number in range(children):
        if how == "multiprocessing":
            made = multiprocessing.get_context("fork").Process(target=child, args=(number,))
            made.start()
            pid = made.pid
        else:
            pid = os.fork()
            if not pid:
                try:
                    child(number)
                    os._exit(0)
                except BaseException:
                    import traceback
                    traceback.print_exc()
                finally:
                    os._exit(1)
        until = time.monotonic() + 20
        while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
            if time.monotonic() > until:
                print("hangs", number, flush=True)
                os.kill(pid, 9)
            time.sleep(0.005)
        if ended[1]:
            print("failed", number, ended[1], flush=True)
        time.sleep(0.003 * (number % 7))

if how == "thread":
    forking = threading.Thread(target=fork_all)
    forking.start()
    forking.join()
else:
    fork_all()
end.set()
for thread in threads:
    thread.join()
print("done", [name for name in os.listdir(folder) if not name.startswith("streamware")])
"""


@pytest.mark.slow
@needs_fork
@pytest.mark.parametrize("how", ["main", "thread", "multiprocessing"])
def test_children_of_a_parent_that_encodes_encode(tmp_path: Path, how: str) -> None:
    assert ran(WORK, 4, tmp_path, how).stdout == "done []\n"


@needs_fork
@pytest.mark.slow
@pytest.mark.parametrize("how", ["main", "thread", "multiprocessing"])
def test_fifty_children_of_a_parent_that_encodes_encode(tmp_path: Path, how: str) -> None:
    assert ran(WORK, 50, tmp_path, how).stdout == "done []\n"


COLLECTED = """
import asyncio, contextlib, gc, os, sys, threading, time, warnings
warnings.simplefilter("ignore")
os.environ["STREAMWARE_SCRATCH_DIR"] = sys.argv[1]
import streamware as sw
from streamware.engine.worker import GATE
from wsgiref.util import setup_testing_defaults

closed = []

class Rows:
    def __iter__(self):
        return self
    def __next__(self):
        return (1, "x" * 200)
    def close(self):
        closed.append(os.getpid())

def environ():
    made = {}
    setup_testing_defaults(made)
    return made

def encode_beside_a_loop():
    async def encode():
        assert [chunk async for chunk in sw.aencode([(1,)])]

    thread = threading.Thread(target=asyncio.run, args=(encode(),))
    thread.start()
    thread.join()

async def main():
    until = time.monotonic() + 20
    kept = [sw.encode(Rows()), sw.encode(Rows(), "xlsx"), sw.aencode(Rows(), "ods")]
    next(kept[1])
    await anext(kept[2])
    for delivery in ("stream", "buffer"):
        kept.append(sw.Export(Rows(), format="csv", delivery=delivery)(environ(), lambda *_: 0))
        next(iter(kept[-1]))
    held, end = threading.Event(), threading.Event()

    def hold():
        drivers = [each._driver for each in kept[:2]] + [kept[2]._driver._driver]
        with contextlib.ExitStack() as stack:
            stack.enter_context(GATE)
            for driver in drivers:
                stack.enter_context(driver.lock)
                stack.enter_context(driver.lifecycle._lock)
            stack.enter_context(kept[4]._chunks._news)
            held.set()
            end.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    child = os.fork()
    if not child:
        kept.clear()
        gc.collect()
        assert b"".join(sw.encode([(1,)]))
        encode_beside_a_loop()
        os._exit(len(closed))
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        await asyncio.sleep(0.01)
        if time.monotonic() > until:
            os.kill(child, 9)
    assert ended[1] == 0, ended
    end.set()
    holder.join()
    for each in kept:
        more = next(iter(each)) if hasattr(each, "__iter__") else await anext(each)
        assert more
        await each.aclose() if hasattr(each, "aclose") else each.close()
    print(len(closed))

asyncio.run(main())
"""


@needs_fork
def test_what_a_child_inherits_and_collects_stays_open_in_its_parent_whoever_holds_a_lock(
    tmp_path: Path,
) -> None:
    assert ran(COLLECTED, tmp_path).stdout == "5\n"
