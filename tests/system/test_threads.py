"""What threads are given on its way to them, and what goes wrong in them."""

import queue
import threading

import pytest

from fastvid.system.threads import BackgroundThread, Channel, Ended

PATIENCE_S = 60.0


def taking(channel: Channel[int], into: list[int]) -> threading.Thread:
    """A thread that takes all items."""
    thread = threading.Thread(target=lambda: into.extend(channel), daemon=True)
    thread.start()
    return thread


def test_items_come_in_order_and_then_the_end() -> None:
    channel: Channel[int] = Channel()
    taken: list[int] = []
    thread = taking(channel, taken)
    for item in range(100):
        assert channel.put(item)
    channel.finish()
    thread.join(PATIENCE_S)
    assert taken == list(range(100))
    with pytest.raises(Ended):
        channel.get()


def test_what_is_there_is_taken_before_the_error() -> None:
    channel: Channel[int] = Channel()
    channel.put(1)
    channel.finish(ValueError("no second"))
    assert channel.get() == 1
    with pytest.raises(ValueError, match="no second"):
        channel.get()
    with pytest.raises(Ended):
        channel.get()


def test_a_full_channel_holds_the_giver_up_until_an_item_is_taken() -> None:
    channel: Channel[int] = Channel(2)
    channel.put(0)
    assert channel.room()
    channel.put(1)
    assert not channel.room()
    giver = threading.Thread(target=channel.put, args=(2,), daemon=True)
    giver.start()
    giver.join(0.05)
    assert giver.is_alive()
    assert channel.get() == 0
    giver.join(PATIENCE_S)
    assert not giver.is_alive() and not channel.room()


def test_a_stopped_channel_holds_nobody_up() -> None:
    channel: Channel[int] = Channel(1)
    channel.put(0)
    refused: list[bool] = []
    giver = threading.Thread(target=lambda: refused.append(not channel.put(1)), daemon=True)
    giver.start()
    channel.stop()
    giver.join(PATIENCE_S)
    assert refused == [True] and channel.stopped and not channel.room() and list(channel) == []


def test_waiting_has_an_end() -> None:
    channel: Channel[int] = Channel()
    assert not channel.ready()
    with pytest.raises(queue.Empty):
        channel.get(0.001)
    channel.put(5)
    assert channel.ready() and channel.get(0.0) == 5


def test_a_limit_must_be_positive() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Channel(0)


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)])
def test_what_a_thread_raises_is_heard_of(error: BaseException) -> None:
    heard: list[BaseException] = []

    def body() -> None:
        raise error

    thread = BackgroundThread("fastvid-test", body, heard.append)
    thread.join()  # not started yet
    thread.start()
    thread.join()
    assert heard == [error]


def test_a_thread_may_join_itself() -> None:
    heard: list[BaseException] = []
    thread = BackgroundThread("fastvid-test", lambda: thread.join(), heard.append)
    thread.start()
    thread.join()
    assert heard == []
