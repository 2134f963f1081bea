#!/usr/bin/env node
// A js-libp2p node that finds and is found by multicast DNS, on the machine's own network.
//
// Comes in:  nothing.
// Goes out:  one JSON line each on stdout: {"listen": PEER ID}, then {"found": PEER ID, "addrs": [...]} for each peer
//            that discovery names, once it could be dialled at what was found.

// js-libp2p 3 calls Promise.withResolvers, which Node 20 lacks.
Promise.withResolvers ??= function () {
  let resolve, reject
  const promise = new this((a, b) => { resolve = a; reject = b })
  return { promise, resolve, reject }
}

const { createLibp2p } = await import('libp2p')
const { identify } = await import('@libp2p/identify')
const { mdns } = await import('@libp2p/mdns')
const { noise } = await import('@libp2p/noise')
const { ping } = await import('@libp2p/ping')
const { tcp } = await import('@libp2p/tcp')
const { yamux } = await import('@libp2p/yamux')

const print = (result) => process.stdout.write(JSON.stringify(result) + '\n')

// Its own events, as the node itself also "discovers" who dials it.
function observed (components) {
  const discovery = mdns({ interval: 1000 })(components)
  discovery.addEventListener('peer', async ({ detail }) => {
    try {
      await node.dial(detail.multiaddrs.map((address) => address.encapsulate(`/p2p/${detail.id}`)))
      print({ found: detail.id.toString(), addrs: detail.multiaddrs.map(String) })
    } catch (err) { process.stderr.write(`${detail.id}: ${err}\n`) }
  })
  return discovery
}

const node = await createLibp2p({
  addresses: { listen: ['/ip4/0.0.0.0/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  peerDiscovery: [observed],
  services: { identify: identify(), ping: ping() },
  connectionMonitor: { enabled: false },
  start: false
})
await node.start()
print({ listen: node.peerId.toString() })
