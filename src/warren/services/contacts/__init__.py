"""Contacts: the people this node knows, their invitations, and the connections kept to them."""
