"""From resources and groups to the documents of the API: plain dicts in the shape of `schemas_resources`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.frontends.api.names import called

if TYPE_CHECKING:
    from warren.core.entry import Metadata
    from warren.frontends.api.views import Document
    from warren.node import Node
    from warren.services.groups.groups import Group
    from warren.services.resources.resources import Described


def resource(node: Node, one: Described) -> Document:
    """A `schemas_resources.Resource`."""
    return {
        "cid": str(one.cid),
        "paths": list(one.paths),
        "metadata": metadata(one.metadata),
        "by_hand": list(one.by_hand),
        "seq": one.seq,
        "others": [
            {
                "publisher": str(word.publisher),
                "called": called(node, word.publisher),
                "seq": word.seq,
                "metadata": metadata(word.metadata),
            }
            for word in one.others
        ],
    }


def metadata(one: Metadata) -> Document:
    """A `schemas_resources.Metadata`."""
    return {
        "title": one.title,
        "abstract": one.abstract,
        "authors": list(one.authors),
        "domains": list(one.domains),
        "tags": list(one.tags),
        "licence": one.licence,
    }


def group(node: Node, one: Group) -> Document:
    """A `schemas_resources.Group`."""
    contacts = [(peer, node.contacts.get(peer)) for peer in one.members]
    members = [
        {"peer_id": str(peer), "name": contact.petname if contact else None} for peer, contact in contacts
    ]
    members.sort(key=lambda member: (member["name"] or "", member["peer_id"]))
    return {"name": one.name, "members": members, "shares": shares_for(node, one.name)}


def shares_for(node: Node, name: str) -> list[str]:
    """The names of the shares that are for a group."""
    return [share.name for share in node.shares() if share.audience.group == name]
