"""Who reads `receive`, and which unread messages are kept."""

import asyncio
import sys
from typing import Any

import pytest

from fakes import PATIENCE, Broken, Message, until
from streamware.http import disconnect as watchers
from streamware.http.disconnect import BACKLOG, DisconnectWatcher, answer_absent_client

LEFT = {"type": "http.disconnect"}


def part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


class Server:
    """A server that keeps its messages in a queue, as several do.

    Attributes:
        asked: How often `receive` was called.
        most: How many calls there were at once, at the most.
    """

    def __init__(self) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self.asked = self.most = self.now = 0

    async def receive(self) -> Message:
        self.asked += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            return await self.messages.get()
        finally:
            self.now -= 1

    def say(self, *messages: Message) -> None:
        for message in messages:
            self.messages.put_nowait(message)


class Work:
    """Work that goes on until it is cancelled or ended."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.cancelled = 0
        self._end = asyncio.Event()

    async def __call__(self) -> None:
        self.begun.set()
        try:
            await self._end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def end(self) -> None:
        self._end.set()


async def soon(task: "asyncio.Task[Any]") -> Any:
    return await asyncio.wait_for(asyncio.shield(task), PATIENCE)


async def begun(watcher: DisconnectWatcher, work: Work) -> "asyncio.Task[None]":
    task = asyncio.create_task(watcher.unless_left(work()))
    await work.begun.wait()
    await asyncio.sleep(0)
    return task


# Before anything is to be watched


async def test_messages_pass_straight_through() -> None:
    server = Server()
    watcher = DisconnectWatcher(server.receive)
    message = part(b"1")
    server.say(message)
    assert server.asked == 0
    assert await watcher.receive() is message
    assert server.asked == 1


async def test_the_client_has_left_for_good() -> None:
    server = Server()
    watcher = DisconnectWatcher(server.receive)
    server.say(LEFT)
    assert [await watcher.receive() for _ in range(3)] == [LEFT, LEFT, LEFT]
    assert (server.asked, watcher.left) == (1, True)


async def test_a_receive_may_be_cancelled_and_nothing_is_lost() -> None:
    server = Server()
    watcher = DisconnectWatcher(server.receive)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(watcher.receive(), 0.001)
    server.say(part(b"1"))
    assert await watcher.receive() == part(b"1")


async def test_a_receive_that_fails_raises_in_the_application() -> None:
    async def deaf() -> Message:
        raise Broken

    with pytest.raises(Broken):
        await DisconnectWatcher(deaf).receive()


# Work that ends when the client leaves


async def test_work_is_done() -> None:
    server, work = Server(), Work()
    watcher = DisconnectWatcher(server.receive)
    task = await begun(watcher, work)
    work.end()
    await soon(task)
    assert work.cancelled == 0
    watcher.close()


async def test_work_is_cancelled_without_an_error_when_the_client_leaves() -> None:
    server, work = Server(), Work()
    watcher = DisconnectWatcher(server.receive)
    task = await begun(watcher, work)
    server.say(LEFT)
    await soon(task)
    assert work.cancelled == 1
    assert not task.cancelling()


async def test_work_has_started_before_it_is_cancelled() -> None:
    server, work = Server(), Work()
    watcher = DisconnectWatcher(server.receive)
    server.say(LEFT)
    await watcher.receive()
    for times in (1, 2):
        await asyncio.wait_for(watcher.unless_left(work()), PATIENCE)
        assert work.cancelled == times


async def test_what_work_raises_is_raised() -> None:
    async def failing() -> None:
        raise Broken

    watcher = DisconnectWatcher(Server().receive)
    with pytest.raises(Broken):
        await watcher.unless_left(failing())
    watcher.close()


async def test_what_work_raises_when_it_is_cancelled_is_raised() -> None:
    async def failing() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise Broken

    server = Server()
    server.say(LEFT)
    with pytest.raises(Broken):
        await DisconnectWatcher(server.receive).unless_left(failing())


async def test_a_receive_that_fails_ends_the_work_each_time() -> None:
    async def deaf() -> Message:
        raise Broken

    watcher, work = DisconnectWatcher(deaf), Work()
    for times in (1, 2):
        with pytest.raises(Broken):
            await watcher.unless_left(work())
        assert work.cancelled == times
    with pytest.raises(Broken):
        await watcher.receive()


async def test_the_task_that_waits_for_the_work_may_be_cancelled() -> None:
    work = Work()
    watcher = DisconnectWatcher(Server().receive)
    task = await begun(watcher, work)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.cancelled == 1
    watcher.close()


async def test_work_that_another_party_cancels_was_cancelled() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    watcher = DisconnectWatcher(Server().receive)
    with pytest.raises(asyncio.CancelledError):
        await watcher.unless_left(cancelled())
    watcher.close()


async def test_nothing_is_cancelled_after_the_work() -> None:
    server, work = Server(), Work()
    watcher = DisconnectWatcher(server.receive)
    task = await begun(watcher, work)
    work.end()
    await soon(task)
    server.say(LEFT)
    assert await watcher.receive() == LEFT
    assert work.cancelled == 0


async def test_works_may_follow_each_other_and_overlap() -> None:
    server, works = Server(), [Work() for _ in range(3)]
    watcher = DisconnectWatcher(server.receive)
    first = await begun(watcher, works[0])
    works[0].end()
    await soon(first)
    tasks = [await begun(watcher, work) for work in works[1:]]
    server.say(part(b"1"), LEFT)
    for task in tasks:
        await soon(task)
    assert [work.cancelled for work in works] == [0, 1, 1]
    assert [await watcher.receive(), await watcher.receive()] == [part(b"1"), LEFT]
    assert server.most == 1


# The application receives, too


async def test_what_was_read_beside_the_application_is_kept_for_it() -> None:
    server, work = Server(), Work()
    watcher = DisconnectWatcher(server.receive)
    task = await begun(watcher, work)
    server.say(part(b"1"), part(b"2", more=False), LEFT)
    await soon(task)
    got = [await watcher.receive() for _ in range(4)]
    assert got == [part(b"1"), part(b"2", more=False), LEFT, LEFT]


async def test_a_receive_that_was_waiting_goes_on_alone() -> None:
    server, work = Server(), Work()
    watcher = DisconnectWatcher(server.receive)
    waiting = asyncio.create_task(watcher.receive())
    await until(lambda: server.asked)
    task = await begun(watcher, work)
    await asyncio.sleep(0.01)
    server.say(part(b"1"))
    assert await soon(waiting) == part(b"1")
    server.say(LEFT)
    await soon(task)
    assert (server.most, work.cancelled) == (1, 1)


async def test_a_receive_that_was_waiting_returns_the_disconnect() -> None:
    server, work = Server(), Work()
    watcher = DisconnectWatcher(server.receive)
    waiting = asyncio.create_task(watcher.receive())
    await until(lambda: server.asked)
    task = await begun(watcher, work)
    server.say(LEFT)
    await soon(task)
    assert await soon(waiting) == LEFT
    assert (server.asked, work.cancelled) == (1, 1)


async def test_a_receive_that_was_waiting_may_be_cancelled() -> None:
    server, work = Server(), Work()
    watcher = DisconnectWatcher(server.receive)
    waiting = asyncio.create_task(watcher.receive())
    await until(lambda: server.asked)
    task = await begun(watcher, work)
    waiting.cancel()
    await until(lambda: server.asked == 2)
    server.say(LEFT)
    await soon(task)
    assert (server.most, work.cancelled) == (1, 1)


async def test_a_receive_beside_the_work_waits_for_the_task_that_reads() -> None:
    server, work = Server(), Work()
    watcher = DisconnectWatcher(server.receive)
    task = await begun(watcher, work)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(watcher.receive(), 0.001)
    waiting = [asyncio.create_task(watcher.receive()) for _ in range(3)]
    await asyncio.sleep(0.01)
    server.say(part(b"1"), part(b"2"), part(b"3"))
    got = [await soon(each) for each in waiting]
    assert sorted(message["body"] for message in got) == [b"1", b"2", b"3"]
    more = [asyncio.create_task(watcher.receive()) for _ in range(3)]
    await asyncio.sleep(0.01)
    server.say(LEFT)
    assert [await soon(each) for each in more] == [LEFT] * 3
    await soon(task)
    assert server.most == 1


async def test_the_application_goes_on_receiving_after_the_work() -> None:
    server, work = Server(), Work()
    watcher = DisconnectWatcher(server.receive)
    task = await begun(watcher, work)
    work.end()
    await soon(task)
    waiting = asyncio.create_task(watcher.receive())
    await asyncio.sleep(0.01)
    server.say(part(b"1"), part(b"2"))
    assert [await soon(waiting), await watcher.receive()] == [part(b"1"), part(b"2")]
    assert server.most == 1
    watcher.close()


async def test_what_is_kept_is_bounded_and_the_reading_goes_on_with_the_application() -> None:
    server, work = Server(), Work()
    watcher = DisconnectWatcher(server.receive)
    task = await begun(watcher, work)
    size = BACKLOG // 4
    server.say(*(part(b"%d" % at * size) for at in range(10)), LEFT)
    await asyncio.sleep(0.01)
    assert server.messages.qsize() >= 6
    assert not watcher.left
    got = [await watcher.receive() for _ in range(10)]
    assert [message["body"][:1] for message in got] == [b"%d" % at for at in range(10)]
    await soon(task)
    assert work.cancelled == 1


async def test_messages_without_a_body_are_bounded_too() -> None:
    server, work = Server(), Work()
    watcher = DisconnectWatcher(server.receive)
    task = await begun(watcher, work)
    server.say(*[{"type": "http.request"}] * 10_000)
    await until(lambda: server.messages.qsize() < 9000)
    await asyncio.sleep(0.01)
    assert server.messages.qsize() > 5000
    work.end()
    await soon(task)
    watcher.close()


async def test_messages_that_the_application_cannot_ask_for_are_not_kept() -> None:
    server, work = Server(), Work()
    watcher = DisconnectWatcher(server.receive, keep=False)
    task = await begun(watcher, work)
    server.say(*[part(b"x" * BACKLOG)] * 5, LEFT)
    await soon(task)
    assert work.cancelled == 1
    assert await watcher.receive() == LEFT


# The end of the request


async def test_nothing_is_read_after_the_end() -> None:
    server, work = Server(), Work()
    watcher = DisconnectWatcher(server.receive)
    task = await begun(watcher, work)
    work.end()
    await soon(task)
    watcher.close()
    watcher.close()
    await until(lambda: server.now == 0)


async def test_a_receive_still_waiting_at_the_end_goes_on_to_the_server() -> None:
    server, work = Server(), Work()
    watcher = DisconnectWatcher(server.receive)
    task = await begun(watcher, work)
    waiting = asyncio.create_task(watcher.receive())
    work.end()
    await soon(task)
    watcher.close()
    await until(lambda: server.asked == 2)
    server.say(LEFT)
    assert await soon(waiting) == LEFT


async def test_a_pump_that_never_began_has_no_end() -> None:
    DisconnectWatcher(Server().receive).close()


# A loop that begins tasks at once


def at_once(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> "asyncio.Task[Any]":
    """Begin it here, as `asyncio.eager_task_factory` does; it has no need to wait."""
    with pytest.raises(StopIteration):
        work.send(None)
    return asyncio.Task(asyncio.sleep(0), loop=loop)


async def test_no_callback_is_called_within_watch() -> None:
    asyncio.get_running_loop().set_task_factory(at_once)
    server, left = Server(), list[str]()
    server.say(LEFT)
    watcher = DisconnectWatcher(server.receive)
    watcher.watch(lambda: left.append("left"))
    assert left == []
    await until(lambda: left)
    watcher.close()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="no loop begins tasks at once")
async def test_work_that_starts_eagerly_is_cancelled_too() -> None:
    factory: Any = asyncio.eager_task_factory  # type: ignore[attr-defined]  # from 3.12
    asyncio.get_running_loop().set_task_factory(factory)
    server, work = Server(), Work()
    server.say(LEFT)
    await asyncio.wait_for(DisconnectWatcher(server.receive).unless_left(work()), PATIENCE)
    assert work.cancelled == 1


# The response to an absent client


async def test_an_absent_client_is_sent_a_status_and_no_body() -> None:
    sent = list[Message]()

    async def send(message: Any) -> None:
        sent.append(message)

    await answer_absent_client(send)
    assert sent == [
        {"type": "http.response.start", "status": 499, "headers": [(b"content-length", b"0")]},
        {"type": "http.response.body", "body": b""},
    ]


async def test_a_send_to_an_absent_client_may_fail() -> None:
    async def send(message: Any) -> None:
        raise ConnectionResetError

    await answer_absent_client(send)


async def test_a_send_to_an_absent_client_is_not_awaited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watchers, "_GRACE", 0.01)

    async def send(message: Any) -> None:
        await asyncio.Event().wait()

    await asyncio.wait_for(answer_absent_client(send), PATIENCE)


async def test_answering_an_absent_client_may_be_cancelled() -> None:
    begun = asyncio.Event()

    async def send(message: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(answer_absent_client(send))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
