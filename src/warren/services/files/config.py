"""What the files service can be told: limits and sizes, each with what it costs or stops."""

from __future__ import annotations

from dataclasses import dataclass

from warren.core.bounds import check_settings
from warren.core.errors import ConfigError
from warren.services.files.uploads.scheduler import UploadLimits

# Each is a thread; far more than any machine has cores.
HASH_JOBS_MAX = 256
# Each look at who has what goes over all of them.
SOURCES_MAX = 64
MOST = {"hash_jobs": HASH_JOBS_MAX, "sources_max": SOURCES_MAX}
ZERO_IS_NO_CAP = ("hash_bytes_per_s", "down_bytes_per_s", "up_bytes_per_s", "up_peer_bytes_per_s")


@dataclass(frozen=True, slots=True)
class FilesConfig:
    """Sharing and fetching.

    hash_jobs: files hashed at once while sharing; each uses one core and holds 1 MiB. More than there are
        cores gains nothing and delays what else the threads have to do.
    hash_bytes_per_s: what is read at most to be hashed in the background, of all shares together; 0: no cap.
        What is shared by hand is hashed as fast as it can be.
    poll_s: how often a share is looked at where the system tells of no changes. A look at a million files
        takes seconds; no share is looked at for more than a twentieth of the time.
    rescan_s: how often a watched share is looked at all the same: other machines' changes to a network file
        system are told to nobody.
    outstanding_bytes: chunks asked of a peer and not arrived, at most; how much is asked of it up to there
        follows from how fast it is. It must cover bandwidth times round trip, or the link idles: 16 MiB fills
        1 Gbit/s at 130 ms. The receiver holds little of it in memory.
    in_flight_bytes: arrived chunks of a source that wait to be verified and written, at most; less where
        there are more sources. This is memory.
    sources_max: holders that one fetch asks at the same time. Each costs a connection and two streams.
    no_source_s: a fetch that nobody can serve fails when nobody was found for so long.
    down_bytes_per_s: fetched at most, of all fetches together; 0: no cap. `warren transfer limit` says
        otherwise, over restarts.
    up_bytes_per_s: what is sent to peers at most, of all files together; 0: no cap. As above.
    serve_streams_max: transfer streams served at once; one over the limit is answered BUSY. (Attack: streams
        that each hold a chunk in memory.)
    serve_streams_per_peer: the same for one peer, so that no peer can take all places.
    serve_ahead_bytes: chunks read before the stream can take them, at most, over all streams; each stream has
        room for one chunk beyond that. This is memory.
    serve_strangers_max: transfer streams of strangers served at once; these places are their own. A stranger
        is whom nothing but public shares can concern. (Attack: identities that cost nothing, each with
        streams that keep contacts out.)
    serve_strangers_per_peer: the same for one of them.
    serve_strangers_ahead_bytes: as `serve_ahead_bytes`, for strangers.
    strangers_idle_s: as `idle_s`, for strangers.
    up_peer_bytes_per_s: the same for each peer.
    serve_slots: answers of up to 1 MiB that are on their way at once, at most; on a line that two keep busy,
        two. More wait, and who got least lately is next. One that takes longer than the line explains counts
        half, and all such leave one place; over 5 s it counts no more. The fewer, the sooner a chunk is whole
        and can be passed on. (Attack: slow readers that hold up all others.)
    serve_peer_slots: the same for one peer, over all its streams.
    favoured_group: members of this group are served before other contacts: 8 times as much where the line is
        scarce. Contacts get 4 times as much as strangers.
    stall_s: a peer that takes no data for so long loses its stream. (Attack: readers that never read.)
    idle_s: a served stream without a request for so long is closed. The fetching side opens another when it
        needs one.
    answer_s: a fetch fails when nothing arrives for so long while something was asked.
    active_max: transfers of the queue that run at once; the others wait for their turn.
    sync: whether a fetch is finished only when it survives a loss of power. It then waits for the disk: for
        1 GiB 0.3 s on a fast one, several on a slow one. Without it a finished fetch survives kill -9 alone.
    keep_sharing: whether what was fetched whole can be had from here by others: by everybody where it is
        public, else by those whom its origin admits.
    ask_dht: whether strangers are asked who has a content of which nobody knows whether it is public, once
        nobody else has it. They learn that this node wants it.
    """

    hash_jobs: int = 3
    hash_bytes_per_s: int = 0
    poll_s: float = 10.0
    rescan_s: float = 3600.0
    outstanding_bytes: int = 16 * 1024 * 1024
    in_flight_bytes: int = 8 * 1024 * 1024
    sources_max: int = 24
    no_source_s: float = 60.0
    down_bytes_per_s: int = 0
    up_bytes_per_s: int = 0
    serve_streams_max: int = 64
    serve_streams_per_peer: int = 8
    serve_ahead_bytes: int = 16 * 1024 * 1024
    serve_strangers_max: int = 16
    serve_strangers_per_peer: int = 4
    serve_strangers_ahead_bytes: int = 4 * 1024 * 1024
    strangers_idle_s: float = 20.0
    up_peer_bytes_per_s: int = 0
    serve_slots: int = 3
    serve_peer_slots: int = 4
    favoured_group: str = ""
    stall_s: float = 60.0
    idle_s: float = 300.0
    answer_s: float = 60.0
    active_max: int = 3
    sync: bool = False
    keep_sharing: bool = True
    ask_dht: bool = True

    def __post_init__(self) -> None:
        check_settings(self, "files.", zero=ZERO_IS_NO_CAP, most=MOST)
        if self.outstanding_bytes < 1024 * 1024 or self.in_flight_bytes < 2 * 1024 * 1024:
            raise ConfigError(
                "files.outstanding_bytes must be 1 MiB at least, files.in_flight_bytes 2 MiB",
                hint="a chunk has 1 MiB; less cannot move one",
            )

    def upload_limits(self) -> UploadLimits:
        """What uploads are held to."""
        return UploadLimits(
            self.up_bytes_per_s, self.up_peer_bytes_per_s, self.serve_slots, self.serve_peer_slots
        )
