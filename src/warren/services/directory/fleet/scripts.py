"""What runs inside Redis: each touches keys of one part only, and all of it happens or nothing.

In:  keys and arguments as store.py gives them. Numbers of logs are texts of 19 digits, which compare as they
should; the numbers of Lua have 53 bits.
https://redis.io/docs/latest/develop/interact/programmability/eval-intro/
"""

from __future__ import annotations

from typing import Final

CHANGES_KEPT: Final = 10_000
"""Hints in the stream of a part. Who has missed more looks at all there is."""

_TELL: Final = f"""
local function tell(stream, kind, who, more)
    redis.call(
        'XADD', stream, 'MAXLEN', '~', {CHANGES_KEPT}, '*', 'kind', kind, 'who', who, 'more', more
    )
end
"""

# KEYS: born, owners, leased, changes. ARGV: a token.
# -> {born, {owner, record, ...}, {member, ...}, last id of the changes}
LISTING: Final = """
local born = redis.call('GET', KEYS[1])
if not born then
    born = ARGV[1]
    redis.call('SET', KEYS[1], born)
end
local last = redis.call('XREVRANGE', KEYS[4], '+', '-', 'COUNT', 1)
return {
    born, redis.call('HGETALL', KEYS[2]), redis.call('SMEMBERS', KEYS[3]), last[1] and last[1][1] or '0-0'
}
"""

# KEYS: owners, log. ARGV: owner, first id, count. -> {record, {{id, {field, value}}, ...}}
READ: Final = """
local record = redis.call('HGET', KEYS[1], ARGV[1])
if not record then return {'', {}} end
return {record, redis.call('XRANGE', KEYS[2], ARGV[2], '+', 'COUNT', ARGV[3])}
"""

# KEYS: owners, log, changes. ARGV: owner, epoch, from, to, id, piece, who puts it.
# -> {ok | have | gap, record}
PUSH: Final = (
    _TELL
    + """
local record = redis.call('HGET', KEYS[1], ARGV[1])
if not record then return {'gap', ''} end
local epoch, seq, base, base_bytes, log_bytes = record:match('^(%d+) (%d+) (%d+) (%d+) (%d+)$')
if epoch ~= ARGV[2] or ARGV[3] > seq then return {'gap', record} end
if ARGV[4] <= seq then return {'have', record} end
redis.call('XADD', KEYS[2], ARGV[5], 'piece', ARGV[6])
record = table.concat({epoch, ARGV[4], base, base_bytes, string.format('%d', log_bytes + #ARGV[6])}, ' ')
redis.call('HSET', KEYS[1], ARGV[1], record)
tell(KEYS[3], 'registered', ARGV[1], ARGV[7])
return {'ok', record}
"""
)

# KEYS: staging. ARGV: milliseconds to live, id, piece.
STAGE: Final = """
redis.call('XADD', KEYS[1], ARGV[2], 'piece', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""

# KEYS: owners, log, staging, changes. ARGV: owner, epoch, seq, bytes, '1' to put the same more shortly, who
# puts it. -> {ok | have | stale | lost, record}
COMMIT: Final = (
    _TELL
    + """
local record = redis.call('HGET', KEYS[1], ARGV[1])
local old = record and record:match('^%d+ %d+')
local new = ARGV[2] .. ' ' .. ARGV[3]
local verdict = 'ok'
if ARGV[5] == '1' then
    if old ~= new then verdict = 'have' end
elseif old == new then verdict = 'have'
elseif old and old > new then verdict = 'stale'
end
if verdict == 'ok' and redis.call('EXISTS', KEYS[3]) == 0 then verdict = 'lost' end
if verdict ~= 'ok' then
    redis.call('UNLINK', KEYS[3])
    return {verdict, record or ''}
end
redis.call('UNLINK', KEYS[2])
redis.call('RENAME', KEYS[3], KEYS[2])
redis.call('PERSIST', KEYS[2])
record = table.concat({new, ARGV[3], ARGV[4], '0'}, ' ')
redis.call('HSET', KEYS[1], ARGV[1], record)
if ARGV[5] ~= '1' then tell(KEYS[4], 'registered', ARGV[1], ARGV[6]) end
return {verdict, record}
"""
)

# KEYS: owners, log, changes. ARGV: owner, who forgets it.
DROP: Final = (
    _TELL
    + """
redis.call('UNLINK', KEYS[2])
if redis.call('HDEL', KEYS[1], ARGV[1]) == 1 then tell(KEYS[3], 'forgotten', ARGV[1], ARGV[2]) end
"""
)

# KEYS: changes, leased, lease, ... ARGV: member, milliseconds, ... for each lease.
LEASE: Final = (
    _TELL
    + """
for n = 3, #KEYS do
    local member, valid_ms = ARGV[2 * n - 5], ARGV[2 * n - 4]
    local is_new = redis.call('EXISTS', KEYS[n]) == 0
    redis.call('SET', KEYS[n], '', 'PX', valid_ms)
    redis.call('SADD', KEYS[2], member)
    if is_new then tell(KEYS[1], 'leased', member, valid_ms) end
end
"""
)

# KEYS: changes, leased, lease, ... ARGV: member, ... for each lease.
LEAVE: Final = (
    _TELL
    + """
for n = 3, #KEYS do
    redis.call('SREM', KEYS[2], ARGV[n - 2])
    if redis.call('DEL', KEYS[n]) == 1 then tell(KEYS[1], 'left', ARGV[n - 2], '') end
end
"""
)

# KEYS: leased, lease, ... ARGV: member, ... -> milliseconds for each, below 0 where it is over
REST: Final = """
local rest = {}
for n = 2, #KEYS do
    rest[n - 1] = redis.call('PTTL', KEYS[n])
    if rest[n - 1] < 0 then redis.call('SREM', KEYS[1], ARGV[n - 1]) end
end
return rest
"""
