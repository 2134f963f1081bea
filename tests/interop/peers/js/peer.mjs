#!/usr/bin/env node
// A js-libp2p node (TCP, Noise, Yamux) driven from the command line: a libp2p that Warren's authors did not write.
//
// Comes in:  a subcommand and, for all but `listen`, the multiaddr of the other side.
// Goes out:  one JSON line a result on stdout; logs on stderr.
// Exit code: 0 = the line says ok:true, 1 = ok:false, 2 = usage.
//
//   listen                print the address, then serve until SIGTERM, SIGINT or the end of stdin (with --stdin):
//                         identify, ping, perf and the test protocols below
//   identify ADDR         what identify says about the other side
//   ping ADDR N           N round trips on one ping stream
//   perf ADDR UP DOWN     /perf/1.0.0; the clock stops when the last byte is acknowledged (up) or read (down)
//   beside ADDR UP        round trips of pings on the connection that carries an upload of UP bytes
//   echo ADDR BYTES       random bytes over /echo/1.0.0 in writes of --chunk, compared on return
//   streams ADDR N        N echo streams open at once on one connection
//   reset ADDR            reset an echo stream, ask /resets/1.0.0 whether it arrived, have one reset by the other side,
//                         then echo again on the same connection
//   conns ADDR N          N times in sequence: dial, secure, multiplex, one ping, close
//   idle ADDR N           N connections, each from its own peer id, held until stdin closes
//   linger ADDR           ask identify, never end the own half, and wait until the other side resets the stream
//
// Test protocols: /echo/1.0.0 sends back what comes, then ends; /reset/1.0.0 resets the stream at its first byte;
// /resets/1.0.0 answers one byte with the number of echo streams that were reset by the other side, in decimal;
// /early-muxers/1.0.0 with the number of connections whose muxer was agreed in the Noise handshake; /push/1.0.0 begins
// to serve /late/1.0.0, which identify/push then tells all who are connected; /knows/1.0.0 answers one byte with the
// protocols that the other side is known to speak, one a line; /open/1.0.0 echoes and never ends its half.
//
// Options: --port N  --host IP  --chunk BYTES  --timeout MS (whole command)  --stdin
//   --late-muxer   leave the muxer out of the Noise handshake and agree on it by multistream-select

const T0 = performance.now()

// js-libp2p 3 calls Promise.withResolvers, which Node 20 lacks.
Promise.withResolvers ??= function () {
  let resolve, reject
  const promise = new this((a, b) => { resolve = a; reject = b })
  return { promise, resolve, reject }
}

const { randomBytes } = await import('node:crypto')
const { setMaxListeners } = await import('node:events')
const { parseArgs } = await import('node:util')
const { createLibp2p } = await import('libp2p')
const { generateKeyPair } = await import('@libp2p/crypto/keys')
const { identify, identifyPush } = await import('@libp2p/identify')
const { noise } = await import('@libp2p/noise')
const { ping } = await import('@libp2p/ping')
const { tcp } = await import('@libp2p/tcp')
const { yamux } = await import('@libp2p/yamux')
const { multiaddr } = await import('@multiformats/multiaddr')

const PING = '/ipfs/ping/1.0.0'
const PERF = '/perf/1.0.0'
const ECHO = '/echo/1.0.0'
const RESET = '/reset/1.0.0'
const RESETS = '/resets/1.0.0'
const EARLY_MUXERS = '/early-muxers/1.0.0'
const IDENTIFY = '/ipfs/id/1.0.0'
const PUSH = '/push/1.0.0'
const LATE = '/late/1.0.0'
const KNOWS = '/knows/1.0.0'
const OPEN = '/open/1.0.0'
const BLOCK = new Uint8Array(65536)
const STREAM_LIMITS = { maxInboundStreams: 10000, maxOutboundStreams: 10000 }

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
    chunk: { type: 'string', default: '65536' },
    timeout: { type: 'string', default: '60000' },
    stdin: { type: 'boolean', default: false },
    'late-muxer': { type: 'boolean', default: false }
  }
})
const [command, address, ...args] = positionals
const lasting = command === 'listen' || command === 'idle'
const signal = lasting ? undefined : AbortSignal.timeout(Number(options.timeout))
if (signal != null) setMaxListeners(Infinity, signal)

const print = (result) => process.stdout.write(JSON.stringify(result) + '\n')
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const round = (x, digits = 4) => Number(x.toFixed(digits))
const asBytes = (chunk) => chunk instanceof Uint8Array ? chunk : chunk.subarray()
const cpuSeconds = () => { const used = process.cpuUsage(); return (used.user + used.system) / 1e6 }
const stdinEnd = () => new Promise((resolve) => process.stdin.on('end', resolve).on('error', resolve).resume())

function roundTrips (us) {
  const sorted = [...us].sort((a, b) => a - b)
  const at = (q) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))], 1)
  return { n: sorted.length, rtt_us_median: at(0.5), rtt_us_p99: at(0.99) }
}

// ---------------------------------------------------------------- node

let earlyMuxers = 0

// Noise that counts the muxers agreed in its handshake, and that can be told to leave them to multistream-select.
function observedNoise () {
  const make = noise()
  return (components) => {
    const inner = make(components)
    const secure = async (side, connection, opts) => {
      const result = await inner[side](connection, { ...opts, skipStreamMuxerNegotiation: options['late-muxer'] })
      if (result.streamMuxer != null) earlyMuxers++
      return result
    }
    return {
      protocol: inner.protocol,
      secureInbound: (connection, opts) => secure('secureInbound', connection, opts),
      secureOutbound: (connection, opts) => secure('secureOutbound', connection, opts)
    }
  }
}

async function makeNode (listen = []) {
  return createLibp2p({
    privateKey: await generateKeyPair('Ed25519'),
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [observedNoise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), push: identifyPush(), ping: ping() },
    // The defaults allow one host 5 connections a second, 10 pending and 300 in all.
    connectionManager: { inboundConnectionThreshold: Infinity, maxIncomingPendingConnections: 1000, maxConnections: 10000 },
    connectionMonitor: { enabled: false }
  })
}

const dial = (node) => node.dial(multiaddr(address), { signal })
const openStream = (conn, protocol) => conn.newStream(protocol, { signal, ...STREAM_LIMITS })
const describe = (conn) => ({ peer: conn.remotePeer.toString(), muxer: conn.multiplexer, early_muxer: earlyMuxers > 0 })

async function send (stream, data) {
  if (!stream.send(data) && stream.writableNeedsDrain) await stream.onDrain({ signal })
}

async function sendZeros (stream, bytes) {
  for (let left = bytes; left > 0; left -= BLOCK.byteLength) {
    await send(stream, left >= BLOCK.byteLength ? BLOCK : BLOCK.subarray(0, left))
  }
}

// ---------------------------------------------------------------- protocols

let resetsSeen = 0

async function servePerf (stream) {
  const head = new Uint8Array(8)
  let have = 0
  for await (const chunk of stream) {
    if (have === 8) continue
    const part = asBytes(chunk).subarray(0, 8 - have)
    head.set(part, have)
    have += part.byteLength
  }
  if (have < 8) throw new Error('the perf header is short')
  await sendZeros(stream, Number(new DataView(head.buffer).getBigUint64(0)))
  await stream.close()
}

async function serveEcho (stream) {
  stream.addEventListener('close', (event) => { if (event.error?.name === 'StreamResetError') resetsSeen++ })
  for await (const chunk of stream) await send(stream, chunk)
  await stream.close()
}

async function serveReset (stream) {
  for await (const _ of stream) throw new Error('reset, as asked')
}

async function serveNumber (stream, count) {
  await serveText(stream, async () => String(count()))
}

async function serveText (stream, text) {
  await reader(stream)(1)
  stream.send(new TextEncoder().encode(await text()))
  await stream.close()
}

async function servePush (stream, node) {
  await node.handle(LATE, () => {}, STREAM_LIMITS)
  await serveText(stream, async () => 'served')
}

async function serveOpen (stream) {
  for await (const chunk of stream) await send(stream, chunk)
}

async function protocolsOf (node, peer) {
  return (await node.peerStore.get(peer)).protocols.join('\n')
}

async function serve (node) {
  const handlers = {
    [PERF]: servePerf,
    [ECHO]: serveEcho,
    [RESET]: serveReset,
    [RESETS]: (stream) => serveNumber(stream, () => resetsSeen),
    [EARLY_MUXERS]: (stream) => serveNumber(stream, () => earlyMuxers),
    [PUSH]: (stream) => servePush(stream, node),
    [KNOWS]: (stream, conn) => serveText(stream, () => protocolsOf(node, conn.remotePeer)),
    [OPEN]: serveOpen
  }
  for (const [protocol, handler] of Object.entries(handlers)) {
    await node.handle(protocol, (stream, conn) => handler(stream, conn).catch((err) => stream.abort(err)), STREAM_LIMITS)
  }
}

// Reads exactly as many bytes as asked, as they come.
function reader (stream) {
  let parts = []
  let have = 0
  let ended = false
  let failure = null
  let wake = () => {}
  const end = (err) => { ended = true; failure ??= err; wake() }
  stream.addEventListener('message', (event) => {
    parts.push(asBytes(event.data))
    have += event.data.byteLength
    wake()
  })
  stream.addEventListener('remoteCloseWrite', () => end(null))
  stream.addEventListener('close', (event) => end(event.error ?? null))
  return async (n) => {
    while (have < n) {
      if (ended) throw failure ?? new Error(`the stream ended with ${have} of ${n} bytes`)
      await new Promise((resolve) => { wake = resolve })
    }
    const all = parts.length === 1 ? parts[0] : Buffer.concat(parts)
    have -= n
    parts = have > 0 ? [all.subarray(n)] : []
    return all.subarray(0, n)
  }
}

async function readAll (stream) {
  const parts = []
  for await (const chunk of stream) parts.push(asBytes(chunk))
  return Buffer.concat(parts)
}

async function openPing (conn) {
  const stream = await openStream(conn, PING)
  const read = reader(stream)
  const once = async () => {
    const sent = randomBytes(32)
    const start = performance.now()
    stream.send(sent)
    const got = await read(32)
    const us = (performance.now() - start) * 1000
    if (!sent.equals(got)) throw new Error('the ping came back changed')
    return us
  }
  return { once, stream, born: performance.now() }
}

// js-libp2p's own ping handler aborts a stream 10 s after it was opened, so take a new one before that.
async function pingWhile (conn, more) {
  let ping = await openPing(conn)
  const us = []
  while (more(us.length)) {
    if (performance.now() - ping.born > 7000) {
      await ping.stream.close()
      ping = await openPing(conn)
    }
    us.push(await ping.once())
  }
  await ping.stream.close()
  return us
}

async function runPerf (conn, up, down) {
  const stream = await openStream(conn, PERF)
  const want = Math.max(down, 1) // at least one byte back, so that an upload is acknowledged
  const cpu = cpuSeconds()
  const start = performance.now()
  let got = 0
  const reading = (async () => { for await (const chunk of stream) got += chunk.byteLength })()
  const head = new Uint8Array(8)
  new DataView(head.buffer).setBigUint64(0, BigInt(want))
  stream.send(head)
  await sendZeros(stream, up)
  await stream.close({ signal })
  await reading
  const s = (performance.now() - start) / 1000
  if (got !== want) throw new Error(`got ${got} bytes back of ${want}`)
  return { up, down, s: round(s), MBps: round((up + down) / s / 1e6, 1), cpu_s: round(cpuSeconds() - cpu) }
}

// The question is one byte because js-libp2p does not show the end of a stream that ended before it was read.
async function askResets (conn) {
  const stream = await openStream(conn, RESETS)
  const reading = readAll(stream)
  stream.send(new Uint8Array(1))
  return Number((await reading).toString())
}

async function runEcho (conn, total, chunk) {
  const stream = await openStream(conn, ECHO)
  const reading = readAll(stream)
  const sent = randomBytes(total)
  for (let at = 0; at < total; at += chunk) await send(stream, sent.subarray(at, at + chunk))
  await stream.close({ signal })
  if (!sent.equals(await reading)) throw new Error('the echo came back changed')
}

// ---------------------------------------------------------------- commands

const commands = {
  async listen () {
    const node = await makeNode([`/ip4/${options.host}/tcp/${options.port}`])
    await serve(node)
    print({ cmd: 'listen', ok: true, addr: node.getMultiaddrs()[0].toString(), pid: process.pid, start_s: round((performance.now() - T0) / 1000) })
    await new Promise((resolve) => {
      process.once('SIGTERM', resolve)
      process.once('SIGINT', resolve)
      if (options.stdin) stdinEnd().then(resolve)
    })
    await Promise.race([node.stop(), sleep(2000)])
    process.exit(0)
  },

  async identify () {
    const node = await makeNode()
    const identified = new Promise((resolve) => node.addEventListener('peer:identify', (event) => resolve(event.detail), { once: true }))
    const conn = await dial(node)
    const info = await identified
    return { ...describe(conn), agent: info.agentVersion, protocol_version: info.protocolVersion, protocols: info.protocols.sort(),
      listen_addrs: info.listenAddrs.map(String), observed_addr: info.observedAddr?.toString(), signed_record: info.signedPeerRecord != null }
  },

  async ping () {
    const conn = await dial(await makeNode())
    const cpu = cpuSeconds()
    const us = await pingWhile(conn, (n) => n < Number(args[0]))
    return { ...describe(conn), ...roundTrips(us), cpu_s: round(cpuSeconds() - cpu) }
  },

  async perf () {
    const conn = await dial(await makeNode())
    return { ...describe(conn), ...await runPerf(conn, Number(args[0]), Number(args[1])) }
  },

  async beside () {
    const conn = await dial(await makeNode())
    let busy = true
    const bulk = runPerf(conn, Number(args[0]), 0).finally(() => { busy = false })
    const us = await pingWhile(conn, () => busy)
    return { ...describe(conn), ...await bulk, ...roundTrips(us) }
  },

  async echo () {
    const conn = await dial(await makeNode())
    await runEcho(conn, Number(args[0]), Number(options.chunk))
    return { ...describe(conn), bytes: Number(args[0]) }
  },

  async streams () {
    const n = Number(args[0])
    const conn = await dial(await makeNode())
    const open = await Promise.all(Array.from({ length: n }, async () => {
      const stream = await openStream(conn, ECHO)
      const sent = randomBytes(1000)
      const read = reader(stream)
      stream.send(sent)
      return { stream, sent, read }
    }))
    for (const { sent, read } of open) {
      if (!sent.equals(await read(1000))) throw new Error('the echo came back changed')
    }
    await Promise.all(open.map(({ stream }) => stream.close({ signal })))
    return { ...describe(conn), n }
  },

  async reset () {
    const conn = await dial(await makeNode())
    const ours = await openStream(conn, ECHO)
    const read = reader(ours)
    ours.send(new Uint8Array(10))
    await read(10)
    ours.abort(new Error('reset, to see whether it arrives'))
    const seen = await askResets(conn)
    const theirs = await openStream(conn, RESET)
    theirs.send(new Uint8Array(1))
    const error = await readAll(theirs).then(() => null, (err) => err.name)
    await runEcho(conn, 1000, 1000)
    return { ...describe(conn), seen, error }
  },

  async linger () {
    const node = await makeNode()
    const identified = new Promise((resolve) => node.addEventListener('peer:identify', resolve, { once: true }))
    const conn = await dial(node)
    await identified // js-libp2p opens one such stream at a time
    const stream = await openStream(conn, IDENTIFY)
    let bytes = 0
    stream.addEventListener('message', (event) => { bytes += event.data.byteLength })
    const error = await new Promise((resolve) => stream.addEventListener('close', (event) => resolve(event.error?.name ?? null)))
    return { bytes, error }
  },

  async conns () {
    const n = Number(args[0])
    const node = await makeNode()
    const cpu = cpuSeconds()
    const start = performance.now()
    for (let i = 0; i < n; i++) {
      const conn = await dial(node)
      await (await openPing(conn)).once()
      await conn.close({ signal })
    }
    const s = (performance.now() - start) / 1000
    return { n, s: round(s), per_s: round(n / s, 2), cpu_s: round(cpuSeconds() - cpu) }
  },

  async idle () {
    const n = Number(args[0])
    const errors = []
    for (let i = 0; i < n; i++) {
      try {
        const ping = await openPing(await dial(await makeNode()))
        await ping.once()
        await ping.stream.close()
      } catch (err) { errors.push(String(err)) }
    }
    print({ cmd: 'idle', ok: errors.length === 0, held: n - errors.length, errors: errors.slice(0, 3) })
    await stdinEnd()
    process.exit(0)
  }
}

// ---------------------------------------------------------------- main

if (commands[command] == null || (command !== 'listen' && address == null)) {
  process.stderr.write(`usage: peer.mjs ${Object.keys(commands).join('|')} ...  (see the header of this file)\n`)
  process.exit(2)
}
// Errors of streams that die while a peer leaves must not end the process.
process.on('unhandledRejection', (err) => process.stderr.write(`unhandled rejection: ${err?.stack ?? err}\n`))
process.on('uncaughtException', (err) => process.stderr.write(`uncaught exception: ${err?.stack ?? err}\n`))

// The timeout of an AbortSignal does not keep the process alive once the other side has hung up; this does.
setInterval(() => {}, 1000)
const expired = new Promise((resolve, reject) => signal?.addEventListener('abort', () => reject(new Error(`timeout after ${options.timeout} ms`))))
try {
  print({ cmd: command, ok: true, ...await Promise.race([commands[command](), expired]) })
  process.exit(0)
} catch (err) {
  print({ cmd: command, ok: false, error: `${err?.name ?? 'Error'}: ${err?.message ?? err}` })
  process.exit(1)
}
