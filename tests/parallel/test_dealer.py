"""Dealing: in order, to whoever asked first; each boundary frame goes to whoever needs it."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastvid.parallel.dealer import NOBODY, Deal, Dealer, HandOver


def test_an_example() -> None:
    """Four segments, the third of which begins a shot, on two ranks."""
    dealer = Dealer()
    for segment, begins_shot in enumerate([True, False, True, False]):
        dealer.add(segment, begins_shot)
    dealer.close()
    dealer.request(1)
    dealer.request(0)
    assert dealer.deal() == ([Deal(0, 1), Deal(1, 0)], [HandOver(0, 1, 0)])
    assert dealer.deal() == ([], [])
    dealer.request(0)
    assert dealer.deal() == ([Deal(2, 0)], [HandOver(1, 0, NOBODY)])
    dealer.request(0)
    assert dealer.deal() == ([Deal(3, 0)], [HandOver(2, 0, 0), HandOver(3, 0, NOBODY)])
    assert dealer.deal() == ([], [])


@settings(max_examples=200)
@given(
    shots=st.lists(st.integers(1, 6), max_size=8),
    done=st.sets(st.integers(0, 40)),
    ranks=st.integers(1, 5),
    seed=st.integers(0, 10**6),
)
def test_whatever_the_order_of_events(
    shots: list[int], done: set[int], ranks: int, seed: int
) -> None:
    """Segments are announced, ranks ask again, and deals happen, in random order; the segments in
    `done` were finished by an earlier run."""
    begins = [position == 0 for length in shots for position in range(length)]
    to_do = [segment for segment in range(len(begins)) if segment not in done]
    random_ = random.Random(seed)
    dealer = Dealer()
    waiting = list(to_do)
    asking = list(range(ranks))
    closed = False
    owners: dict[int, int] = {}
    order: list[int] = []
    hand_overs: list[HandOver] = []
    while len(hand_overs) < len(to_do):
        event = random_.choice(("add", "ask", "deal"))
        if event == "add" and waiting:
            segment = waiting.pop(0)
            dealer.add(segment, begins[segment])
        elif event == "add" and not closed:
            closed = True
            dealer.close()
        elif event == "ask" and asking:
            dealer.request(asking.pop(random_.randrange(len(asking))))
        elif event == "deal":
            deals, new = dealer.deal()
            for deal in deals:
                owners[deal.segment] = deal.rank
                order.append(deal.segment)
                asking.append(deal.rank)
            hand_overs += new
    assert order == to_do
    assert [h.segment for h in hand_overs] == to_do
    for hand_over in hand_overs:
        assert hand_over.owner == owners[hand_over.segment]
        successor = hand_over.segment + 1
        needed = successor in owners and not begins[successor]
        assert hand_over.successor == (owners[successor] if needed else NOBODY)


def test_misuse_is_refused() -> None:
    dealer = Dealer()
    dealer.add(3, True)
    with pytest.raises(ValueError, match="announced after"):
        dealer.add(3, False)
    dealer.request(0)
    with pytest.raises(ValueError, match="asked twice"):
        dealer.request(0)
