"""Values and byte formats: keys, peer ids, addresses, content ids, envelopes, framing, errors.

Nothing here reads a clock, draws a random number or touches a socket or file. Every parser of
foreign bytes raises subclasses of `WarrenError` and nothing else.
"""
