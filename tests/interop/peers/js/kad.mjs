#!/usr/bin/env node
// A js-libp2p node with a Kademlia DHT, which serves and does as it is told line by line.
//
// Comes in:  kad.mjs PROTOCOL [ADDR]: the protocol id of the DHT, and whom to connect to at the start; then one JSON
//            object a line on stdin.
// Goes out:  one JSON line when it listens ({"ok":true,"addr":...}), then one for each line that came in:
//            {"ok":true,...} or {"ok":false,"error":...}. It ends with stdin.
//
//   {"op":"meet","addr":A}                     connect
//   {"op":"size"}                              {"size": peers in its routing table}
//   {"op":"put","key":HEX,"value":HEX}         a value under a key of the namespace /v, which takes everything
//   {"op":"get","key":HEX}                     {"value":HEX}
//   {"op":"provide","key":HEX}                 key: a multihash
//   {"op":"providers","key":HEX}               {"peers":[{"id":...,"addrs":[...]}]}
//   {"op":"find","peer":ID}                    {"addrs":[...]}

Promise.withResolvers ??= function () {
  let resolve, reject
  const promise = new this((a, b) => { resolve = a; reject = b })
  return { promise, resolve, reject }
}

const { createInterface } = await import('node:readline')
const { createLibp2p } = await import('libp2p')
const { generateKeyPair } = await import('@libp2p/crypto/keys')
const { identify, identifyPush } = await import('@libp2p/identify')
const { kadDHT, passthroughMapper } = await import('@libp2p/kad-dht')
const { noise } = await import('@libp2p/noise')
const { peerIdFromString } = await import('@libp2p/peer-id')
const { ping } = await import('@libp2p/ping')
const { tcp } = await import('@libp2p/tcp')
const { yamux } = await import('@libp2p/yamux')
const { multiaddr } = await import('@multiformats/multiaddr')
const { CID } = await import('multiformats/cid')
const Digest = await import('multiformats/hashes/digest')

const TIMEOUT_MS = 20000
const [protocol, ...addresses] = process.argv.slice(2)
const print = (result) => process.stdout.write(JSON.stringify(result) + '\n')
const bytes = (hex) => Uint8Array.from(Buffer.from(hex, 'hex'))
const cid = (hex) => CID.createV1(0x55, Digest.decode(bytes(hex)))
const texts = (addrs) => addrs.map((addr) => addr.toString())

const node = await createLibp2p({
  privateKey: await generateKeyPair('Ed25519'),
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: {
    identify: identify(),
    push: identifyPush(),
    ping: ping(),
    dht: kadDHT({
      protocol,
      clientMode: false,
      peerInfoMapper: passthroughMapper,
      allowQueryWithZeroPeers: true,
      validators: { v: async () => {} },
      selectors: { v: () => 0 }
    })
  },
  connectionMonitor: { enabled: false }
})
const dht = node.services.dht

const operations = {
  async meet ({ addr }) { await node.dial(multiaddr(addr)) },
  async size () { return { size: dht.routingTable.size } },
  async put ({ key, value }, options) {
    for await (const event of dht.put(bytes(key), bytes(value), options)) {
      if (event.name === 'QUERY_ERROR') throw event.error
    }
  },
  async get ({ key }, options) {
    for await (const event of dht.get(bytes(key), options)) {
      if (event.name === 'VALUE') return { value: Buffer.from(event.value).toString('hex') }
    }
    throw new Error('no value')
  },
  async provide ({ key }, options) {
    for await (const event of dht.provide(cid(key), options)) {
      if (event.name === 'QUERY_ERROR') throw event.error
    }
  },
  async providers ({ key }, options) {
    const peers = new Map()
    for await (const event of dht.findProviders(cid(key), options)) {
      if (event.name !== 'PROVIDER') continue
      for (const { id, multiaddrs } of event.providers) peers.set(id.toString(), texts(multiaddrs))
    }
    return { peers: [...peers].map(([id, addrs]) => ({ id, addrs })) }
  },
  async find ({ peer }, options) {
    for await (const event of dht.findPeer(peerIdFromString(peer), options)) {
      if (event.name === 'FINAL_PEER') return { addrs: texts(event.peer.multiaddrs) }
    }
    throw new Error('not found')
  }
}

for (const addr of addresses) await operations.meet({ addr })
print({ ok: true, addr: node.getMultiaddrs()[0].toString() })
for await (const line of createInterface({ input: process.stdin })) {
  try {
    const asked = JSON.parse(line)
    const result = await operations[asked.op](asked, { signal: AbortSignal.timeout(TIMEOUT_MS) })
    print({ ok: true, ...result })
  } catch (err) {
    print({ ok: false, error: `${err.name}: ${err.message}` })
  }
}
process.exit(0)
