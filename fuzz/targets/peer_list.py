"""Lists of peers in either form: every entry is read or named by its line; what was read is written alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from warren.core.errors import InputError
from warren.services.peers import classic, entries, full_form
from warren.services.peers.model import Lead

if TYPE_CHECKING:
    from warren.services.peers.entries import Found

_NAMES = (classic.NAME, full_form.NAME)
_PEER = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"

DOCUMENTED = (InputError,)
SEEDS = (
    b'\xef\xbb\xbf{"ip_address":[\r\n{"ipv4":"192.0.2.1","latency":"1","upload":3,"port no":1},{}]}',
    b'{"warren_peers":1,"peers":[{"peer_id":"' + _PEER.encode() + b'","addresses":["/ip4/1.2.3.4/tcp/1"]}]}',
    b'{"peers":[{"addresses":[{"address":"/ip6/::1/tcp/1","proven_at":1}],"latency":{"value":1}}',
)


def parse(data: bytes) -> Found:
    return entries.read(data, _NAMES)


def verify(_data: bytes, found: Found) -> None:
    lines = [line for line, _ in found.entries]
    assert lines == sorted(lines)
    assert found.lost <= found.problem_count
    for _, value in found.entries:
        try:
            if found.name == classic.NAME:
                classic.read_entry(value)
            else:
                _verify_full(value)
        except InputError:
            continue


def _verify_full(value: object) -> None:
    one, _ = full_form.read_entry(value)
    text = full_form.write_lead(one) if isinstance(one, Lead) else full_form.write_entry(one)
    assert full_form.read_entry(json.loads(json.dumps(text)))[0] == one
