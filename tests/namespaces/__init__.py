"""Whole machines on one wire: network namespaces of Linux, joined by a veth pair that `tc` shapes.

What is tested here needs a network card of its own, its own multicast, or a link of known speed. Root, `ip`
and `tc` (iproute2) are wanted; without them the tests are skipped with the reason; they fail where `CI` is
set.
"""
