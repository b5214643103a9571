"""Who takes which message: a table from the kinds of messages to methods."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from fastvid.parallel.mpi.message import Body, Message

B = TypeVar("B", bound=Body)


@dataclass(frozen=True)
class Receiver:
    """Somebody that takes messages with bodies of one type."""

    body: type[Body]
    take: Callable[[Message], None]


def receives(body: type[B], take: Callable[[B], None]) -> Receiver:
    """A line of the table. take: gets the body."""

    def unwrap(message: Message) -> None:
        assert isinstance(message.body, body)
        take(message.body)

    return Receiver(body, unwrap)


def receives_from(body: type[B], take: Callable[[int, B], None]) -> Receiver:
    """A line of the table. take: gets the rank that has sent it, and the body."""

    def unwrap(message: Message) -> None:
        assert isinstance(message.body, body)
        take(message.source, message.body)

    return Receiver(body, unwrap)


class Dispatcher:
    """The tables of all who live on a rank.

    tables: of each of them. Raises ValueError if two take the same kind.
    """

    def __init__(self, *tables: tuple[Receiver, ...]) -> None:
        self._receivers: dict[type[Body], Receiver] = {}
        for receiver in (one for table in tables for one in table):
            if receiver.body in self._receivers:
                raise ValueError(f"two receivers of {receiver.body.__name__}")
            self._receivers[receiver.body] = receiver

    def handle(self, message: Message) -> bool:
        """Gives a message to whoever takes it; whether there was somebody."""
        receiver = self._receivers.get(type(message.body))
        if receiver is None:
            return False
        receiver.take(message)
        return True
