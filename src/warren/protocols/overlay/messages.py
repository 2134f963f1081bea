"""The messages of the overlay as plain values.

In:  bytes of one frame, as a neighbour or a stranger sent it; or what we want to say. Out: the other form.
Spec: docs/protocols/overlay.md; the wire form is proto/overlay.proto.

Refuses, with `ProtocolViolation`, bytes that are not the message, ids of another length, more hits than a
message may hold, rounds without end, entries that lead out or cannot be, and values that `core.query` and
`core.entry` refuse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from warren.core import protobuf
from warren.core.cid import Cid
from warren.core.entry import Entry, Metadata, check_told
from warren.core.errors import InputError, ProtocolViolation
from warren.core.found import Found
from warren.core.peer_id import PeerId
from warren.core.query import LIMIT_MAX, QUERY_WORDS_MAX, Query, Term
from warren.core.words import WORD_CHARS_MAX
from warren.protocols.overlay.proto import overlay_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ID_BYTES: Final = 16
GUEST_BYTES_MAX: Final = 16 * 1024
"""A question of who is no neighbour. Attack: memory for its holding."""
NEIGHBOUR_BYTES_MAX: Final = 1152 * 1024
"""A message of a neighbour: a summary with a filter of 1 MiB that cannot be compressed. Attack: the same."""
HITS_BYTES_MAX: Final = 64 * 1024
"""A message of hits. Attack: hits that everybody on the way must hold."""
HITS_MAX: Final = 50
"""Hits of one message. Attack: the same, by many small ones."""
SUFFIXES_MAX: Final = 16
"""Kinds of files that a query names. Attack: a query that takes long to answer."""
TTL_MAX: Final = 32
"""Attack: a query that goes on and on; and answers that are asked for from far away."""
ROUNDS_MAX: Final = TTL_MAX + 3
"""Rounds of a search: no honest one has more. Attack: a round beyond all others, after which none counts."""
DEADLINE_MS_MAX: Final = 60_000
"""Attack: a query that is remembered for ever."""
COUNT_MAX: Final = 1_000_000
"""Of super-peers, in what a neighbour claims to have asked. Attack: sums without sense."""
BITS_LOG2_MIN: Final = 10
BITS_LOG2_MAX: Final = 23
"""Filters have 2 to the power of this many bits at most: 1 MiB. Attack: memory."""


@dataclass(frozen=True, slots=True)
class Join:
    """Whoever opened this stream wants to be a neighbour."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A query on its way. See proto/overlay.proto for the fields."""

    id: bytes
    round: int
    ttl: int
    breadth: int
    wanted: int
    left_ms: int
    query: Query
    proof: bytes = b""


@dataclass(frozen=True, slots=True)
class Hits:
    """What `responder` found for the query `id`."""

    id: bytes
    responder: PeerId
    hits: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing more comes of a round. asked: super-peers that looked. skipped: neighbours of theirs that were
    not asked. ring: those that a round with one more hop of breadth would ask whatever summaries say.
    refused: whoever says so has no room for queries now.
    """

    id: bytes
    round: int
    asked: int = 0
    skipped: int = 0
    ring: int = 0
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """A filter, or how it has changed. level: 0 words of the sender, 1 words one hop behind it."""

    level: int
    epoch: int
    number: int
    full: bool
    bits_log2: int
    form: int
    flips: bytes


@dataclass(frozen=True, slots=True)
class Again:
    """A summary was missed: send all of them anew, whole."""


Message: TypeAlias = Join | Ask | Hits | Done | Summary | Again


def kind_of(message: Message) -> str:
    """What it is called in proto/overlay.proto."""
    return type(message).__name__.lower()


def encode(message: Message) -> bytes:
    """The bytes of one frame."""
    match message:
        case Join():
            out = pb.Message(join=pb.Join())
        case Ask(id_, round_, ttl, breadth, wanted, left_ms, query, proof):
            ask = pb.Ask(
                id=id_,
                round=round_,
                ttl=ttl,
                breadth=breadth,
                wanted=wanted,
                left_ms=left_ms,
                search=_search(query),
                proof=proof,
            )
            out = pb.Message(ask=ask)
        case Hits(id_, responder, hits):
            out = pb.Message(
                hits=pb.Hits(id=id_, responder=responder.to_bytes(), hits=[_hit(one) for one in hits])
            )
        case Done(id_, round_, asked, skipped, ring, refused):
            done = pb.Done(
                id=id_,
                round=round_,
                asked=min(asked, COUNT_MAX),
                skipped=min(skipped, COUNT_MAX),
                ring=min(ring, COUNT_MAX),
                refused=refused,
            )
            out = pb.Message(done=done)
        case Summary(level, epoch, number, full, bits_log2, form, flips):
            out = pb.Message(
                summary=pb.Summary(
                    level=level,
                    epoch=epoch,
                    number=number,
                    full=full,
                    bits_log2=bits_log2,
                    form=form,
                    flips=flips,
                )
            )
        case _:
            out = pb.Message(again=pb.Again())
    return out.SerializeToString()


def decode(data: bytes) -> Message:
    """What a peer says. Raises `ProtocolViolation`."""
    message = protobuf.parse(pb.Message, data, "overlay: the message")
    try:
        match message.WhichOneof("what"):
            case "join":
                return Join()
            case "ask":
                return _read_ask(message.ask)
            case "hits":
                return _read_hits(message.hits, len(data))
            case "done":
                return _read_done(message.done)
            case "summary":
                return _read_summary(message.summary)
            case "again":
                return Again()
    except InputError as error:
        raise ProtocolViolation(f"overlay: {error}") from error
    raise ProtocolViolation("overlay: an empty message")


def split(id_: bytes, responder: PeerId, hits: Iterable[Found]) -> Iterator[Hits]:
    """Hits as messages, none over the bounds. One that is too large for any message, or that nobody would
    take, is left out.
    """
    room = HITS_BYTES_MAX - 256
    batch: list[Found] = []
    left = room
    for hit in hits:
        size = _hit(hit).ByteSize() + 8
        if size > room or not _can_be_told(hit.entry):
            continue
        if batch and (size > left or len(batch) == HITS_MAX):
            yield Hits(id_, responder, tuple(batch))
            batch, left = [], room
        batch.append(hit)
        left -= size
    if batch:
        yield Hits(id_, responder, tuple(batch))


def _can_be_told(entry: Entry) -> bool:
    try:
        check_told(entry.path, entry.size, entry.cid.to_bytes())
    except InputError:
        return False
    return True


def _search(query: Query) -> pb.Search:
    return pb.Search(
        terms=[pb.Term(word=term.word, whole=term.whole) for term in query.terms],
        suffixes=query.suffixes,
        size_min=query.size_min,
        size_max=query.size_max,
        author=query.author,
        domain=query.domain,
        online=query.online,
    )


def _hit(hit: Found) -> pb.Hit:
    entry, about = hit.entry, hit.entry.metadata
    metadata = None
    if about:
        metadata = pb.Metadata(
            title=about.title,
            abstract=about.abstract,
            authors=about.authors,
            domains=about.domains,
            tags=about.tags,
            licence=about.licence,
        )
    return pb.Hit(
        owner=hit.owner.to_bytes(),
        path=entry.path,
        dir=entry.kind == "dir",
        size=entry.size,
        cid=entry.cid.to_bytes(),
        score=hit.score,
        online=hit.online,
        metadata=metadata,
    )


def _read_id(raw: bytes) -> bytes:
    if len(raw) != ID_BYTES:
        raise ProtocolViolation(f"overlay: an id of {len(raw)} bytes, not {ID_BYTES}")
    return raw


def _read_ask(ask: pb.Ask) -> Ask:
    search = ask.search
    if len(search.terms) > QUERY_WORDS_MAX or len(search.suffixes) > SUFFIXES_MAX:
        raise ProtocolViolation("overlay: a query with too many words")
    if any(not 0 < len(term.word) <= WORD_CHARS_MAX for term in search.terms):
        raise ProtocolViolation(f"overlay: words of a query have 1 to {WORD_CHARS_MAX} characters")
    if not 0 < ask.ttl <= TTL_MAX:
        raise ProtocolViolation(f"overlay: a query for {ask.ttl} hops (1 to {TTL_MAX} are allowed)")
    if not 0 < ask.round <= ROUNDS_MAX:
        raise ProtocolViolation(f"overlay: round {ask.round} of a search (1 to {ROUNDS_MAX} are allowed)")
    query = Query(
        terms=tuple(Term(term.word, term.whole) for term in search.terms),
        suffixes=tuple(search.suffixes),
        size_min=search.size_min if search.HasField("size_min") else None,
        size_max=search.size_max if search.HasField("size_max") else None,
        author=search.author,
        domain=search.domain,
        online=search.online,
        limit=min(max(ask.wanted, 1), LIMIT_MAX),
    )
    return Ask(
        _read_id(ask.id),
        ask.round,
        ask.ttl,
        min(ask.breadth, ask.ttl),
        query.limit,
        min(ask.left_ms, DEADLINE_MS_MAX),
        query,
        ask.proof[:ID_BYTES],
    )


def _read_hits(message: pb.Hits, size: int) -> Hits:
    if size > HITS_BYTES_MAX or len(message.hits) > HITS_MAX:
        raise ProtocolViolation(f"overlay: {len(message.hits)} hits in {size} bytes are too many")
    return Hits(
        _read_id(message.id), PeerId(message.responder), tuple(_read_hit(one) for one in message.hits)
    )


def _read_hit(hit: pb.Hit) -> Found:
    check_told(hit.path, hit.size, hit.cid)
    entry = Entry(
        hit.path, "dir" if hit.dir else "file", hit.size, Cid.from_bytes(hit.cid), Metadata.read(hit.metadata)
    )
    score = hit.score if abs(hit.score) < float("inf") else 0.0
    return Found(PeerId(hit.owner), entry, score, hit.online)


def _read_done(done: pb.Done) -> Done:
    return Done(
        _read_id(done.id),
        done.round,
        min(done.asked, COUNT_MAX),
        min(done.skipped, COUNT_MAX),
        min(done.ring, COUNT_MAX),
        done.refused,
    )


def _read_summary(summary: pb.Summary) -> Summary:
    if summary.level > 1 or summary.form > 1 or not BITS_LOG2_MIN <= summary.bits_log2 <= BITS_LOG2_MAX:
        raise ProtocolViolation("overlay: a summary of a kind that there is not")
    return Summary(
        summary.level,
        summary.epoch,
        summary.number,
        summary.full,
        summary.bits_log2,
        summary.form,
        summary.flips,
    )
