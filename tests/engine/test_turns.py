"""Two at a time, in order, and nobody waits for who waits."""

import asyncio
from collections.abc import Iterator
from threading import Event
from time import monotonic

import pytest

import streamware as sw
from streamware.engine import turns
from streamware.engine.turns import AT_ONCE, LONGEST, Turn, Turns, take


async def later() -> Turn:
    """A turn of an export that had one before."""
    first = await take(None)
    first.end()
    return await take(first)


async def taken(count: int = AT_ONCE) -> list[Turn]:
    return [await later() for _ in range(count)]


async def waiting() -> asyncio.Task[Turn]:
    task = asyncio.create_task(later())
    await asyncio.sleep(0)
    return task


async def test_the_first_turn_of_an_export_is_at_once() -> None:
    held = await taken()
    first = await asyncio.wait_for(take(None), LONGEST / 2)
    for turn in (first, *held):
        turn.end()


async def test_a_third_waits_until_one_has_ended() -> None:
    first, second = await taken()
    third = await waiting()
    assert not third.done()
    second.end()
    (await asyncio.wait_for(third, LONGEST / 2)).end()
    first.end()


async def test_turns_come_in_the_order_in_which_they_were_asked_for() -> None:
    first, second = await taken()
    third, fourth = await waiting(), await waiting()
    first.end()
    await asyncio.wait_for(third, LONGEST / 2)
    assert not fourth.done()
    second.end()
    for turn in (await third, await fourth):
        turn.end()


async def test_nobody_waits_for_a_turn_that_lasts_too_long() -> None:
    held = await taken()
    begun = monotonic()
    third = await later()
    assert monotonic() - begun >= LONGEST * 0.9
    assert [turn.long for turn in (*held, third)] == [True, True, False]
    third.end()


async def test_who_had_a_long_turn_does_not_wait() -> None:
    slow, *_ = await taken()
    await asyncio.sleep(LONGEST * 1.5)
    held = await taken()
    again = await asyncio.wait_for(take(slow), LONGEST / 2)
    again.end()
    assert not again.long
    for turn in held:
        turn.end()


async def test_a_turn_ends_once() -> None:
    first, second = await taken()
    first.end()
    first.end()
    third = await later()
    fourth = await waiting()
    assert not fourth.done()
    fourth.cancel()
    for turn in (second, third):
        turn.end()


@pytest.mark.parametrize("called", [False, True])
async def test_a_turn_is_not_lost_with_who_waited_for_it(called: bool) -> None:
    ours = Turns()
    first, second = await ours.take(), await ours.take()
    third = asyncio.create_task(ours.take())
    await asyncio.sleep(0)
    if called:
        first.end()
    third.cancel()
    await asyncio.wait({third})
    assert third.cancelled()
    first.end()
    second.end()
    for turn in [await asyncio.wait_for(ours.take(), LONGEST / 2) for _ in range(AT_ONCE)]:
        turn.end()


def test_an_event_loop_has_its_own_and_keeps_nothing_when_it_has_ended() -> None:
    async def one() -> None:
        held = await taken()
        third = await waiting()
        third.cancel()
        for turn in held:
            turn.end()

    before = len(turns._turns)
    for _ in range(3):
        asyncio.run(one())
    assert len(turns._turns) <= before + 1


async def test_an_export_is_made_while_others_are_blocked() -> None:
    release = Event()

    def blocked() -> Iterator[tuple[int]]:
        release.wait(10)
        yield (1,)

    async def read(rows: object) -> bytes:
        async with sw.aencode(rows) as chunks:  # type: ignore[arg-type]  # an iterator
            return b"".join([chunk async for chunk in chunks])

    others = [asyncio.create_task(read(blocked())) for _ in range(4)]
    await asyncio.sleep(0)
    assert await asyncio.wait_for(read([(2,)]), 2) == b"2\r\n"
    release.set()
    assert await asyncio.gather(*others) == [b"1\r\n"] * 4


async def test_an_export_that_waits_for_its_turn_can_be_given_up() -> None:
    held = await taken()
    chunks = sw.aencode([(1,)])
    first = asyncio.ensure_future(anext(chunks, b"none"))
    await asyncio.sleep(0)
    await chunks.aclose()
    for turn in held:
        turn.end()
    assert await first == b"none"
    assert chunks.receipt.outcome == "closed"
