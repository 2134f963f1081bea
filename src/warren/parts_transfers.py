"""How the queue of transfers is tied to the network and to fetching. Only wiring.

In:  the parts that do not know each other. Out: `Transfers`, loaded, which hears who comes.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from warren.core.errors import WarrenError
from warren.network.events import PeerConnected
from warren.services.files.queue.limits import TransferLimits
from warren.services.files.queue.model import Limits
from warren.services.files.queue.transfers import Transfers
from warren.services.files.streaming.streams import Streams
from warren.services.files.uploads.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AsyncExitStack
    from pathlib import Path

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.runtime.seam import Clock, Database, Runtime
    from warren.services.contacts.contacts import Contacts
    from warren.services.files.config import FilesConfig
    from warren.services.files.fetcher import Fetcher
    from warren.services.files.library import Library
    from warren.services.files.uploads.scheduler import Standing
    from warren.services.groups.groups import Groups
    from warren.services.peers.table import PeerTable


def make_uploads(
    config: FilesConfig, clock: Clock, contacts: Contacts, groups: Groups, stack: AsyncExitStack
) -> Uploads:
    """What decides whom to send to next: the favoured group before other contacts, these before strangers."""

    def standing(peer: PeerId) -> Standing:
        if config.favoured_group in groups.of(peer):
            return "favoured"
        return "contact" if contacts.is_contact(peer) else "stranger"

    uploads = Uploads(clock, config.upload_limits(), standing)
    stack.callback(uploads.close)
    return uploads


async def open_streams(
    runtime: Runtime, fetcher: Fetcher, library: Library, folder: Path, stack: AsyncExitStack
) -> Streams:
    """What is read while it comes."""
    streams = Streams(runtime, fetcher, library, str(folder))
    await streams.start()
    stack.push_async_callback(streams.close)
    return streams


async def assemble_transfers(
    config: FilesConfig,
    state: Database,
    network: Network,
    contacts: Contacts,
    peers: PeerTable,
    fetcher: Fetcher,
    uploads: Uploads,
) -> Transfers:
    """The queue, over what fetches and what sends. Raises `StorageError`."""

    def apply(limits: Limits) -> None:
        fetcher.set_cap(limits.down_bytes_per_s)
        uploads.set_limits(replace(uploads.limits, bytes_per_s=limits.up_bytes_per_s))

    async def reach(wanted: Sequence[PeerId]) -> None:
        """Dial all at once, until one is there. Raises why the last one is not."""
        dials = [asyncio.create_task(dial(peer)) for peer in wanted]
        failure: WarrenError | None = None
        try:
            for done in asyncio.as_completed(dials):
                failure = await done
                if failure is None:
                    return
        finally:
            for one in dials:
                one.cancel()
        if failure is not None:
            raise failure

    async def dial(peer: PeerId) -> WarrenError | None:
        """Why it is not there. Its addresses are those of the peer table and of the contacts."""
        try:
            if not network.is_connected(peer):
                known, contact = await peers.get(peer), contacts.get(peer)
                network.add_addresses(peer, known.addresses if known is not None else ())
                network.add_addresses(peer, contact.addresses if contact is not None else ())
                await network.connect(peer, forced=True)
        except WarrenError as error:
            return error
        return None

    transfers = Transfers(
        state,
        network.runtime,
        fetcher,
        network.events.emit,
        reach,
        TransferLimits(state, Limits(config.down_bytes_per_s, config.up_bytes_per_s), apply),
        active_max=config.active_max,
        uploads=uploads,
    )
    await transfers.load()
    network.events.on(PeerConnected, lambda event: transfers.on_peer(event.peer))
    return transfers
