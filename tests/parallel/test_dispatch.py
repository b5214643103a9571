"""Messages find those who take them: every kind has a receiver, and no kind has two on a rank."""

import ast
from collections import Counter
from collections.abc import Iterator

import pytest

from fastvid.parallel import messages, segment_messages
from fastvid.parallel.dispatch import Dispatcher, Receiver, receives, receives_from
from fastvid.parallel.mpi.message import BODIES, Message
from support.places import REPOSITORY

NAMES = {body.__name__ for body in BODIES.values()}
assert {"Want", "Fetch"} <= NAMES
# Where bodies are declared.
DECLARED = ("messages.py", "segment_messages.py", "message.py")


def test_a_message_goes_to_its_receiver() -> None:
    taken: list[object] = []
    dispatcher = Dispatcher(
        (receives(segment_messages.Fetch, taken.append),),
        (receives_from(segment_messages.Finished, lambda rank, body: taken.append((rank, body))),),
    )
    assert dispatcher.handle(Message(0, 1, segment_messages.Fetch(4)))
    assert dispatcher.handle(Message(3, 1, segment_messages.Finished(5)))
    assert not dispatcher.handle(Message(3, 1, messages.End()))
    assert taken == [segment_messages.Fetch(4), (3, segment_messages.Finished(5))]


def test_two_receivers_of_one_kind_are_refused() -> None:
    fetch: tuple[Receiver, ...] = (receives(segment_messages.Fetch, lambda _: None),)
    with pytest.raises(ValueError, match="two receivers of Fetch"):
        Dispatcher(fetch, fetch)


def calls(*names: str) -> Iterator[ast.Call]:
    """Calls of these functions or methods anywhere in the package but where bodies are declared."""
    for path in (REPOSITORY / "fastvid").rglob("*.py"):
        if path.name not in DECLARED or "parallel" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and name_of(node.func) in names:
                    yield node


def name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def test_every_body_has_a_receiver_and_a_sender() -> None:
    """A line in a table, somebody who waits for it, or the mailbox itself."""
    in_tables = Counter(name_of(call.args[0]) for call in calls("receives", "receives_from"))
    assert set(in_tables.values()) == {1} and set(in_tables) <= NAMES
    waited_for = {name_of(argument) for call in calls("wait_for") for argument in call.args}
    looked_for = {name_of(call.args[1]) for call in calls("isinstance")}
    assert in_tables.keys() | (waited_for | looked_for) & NAMES == NAMES
    assert not in_tables.keys() & waited_for - {"End"}  # a rank that fails to start waits for that
    assert {name_of(call.func) for call in calls(*NAMES)} == NAMES
