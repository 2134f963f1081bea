// IPNS records as the js package `ipns` makes them.
//
//   npm ci && node make.mjs > ipns.json       to be committed
//   node make.mjs check RECORD.json           whether that package takes a record of ours ({"key", "record"} in hex)
//
// A vector: {"case", "key", "public_key", "record", "value", "sequence", "ends", "ttl_ns"}; bytes are in hex.
import { readFileSync } from 'node:fs'
import { generateKeyPair, generateKeyPairFromSeed, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { createIPNSRecordWithExpiration, marshalIPNSRecord, multihashToIPNSRoutingKey } from 'ipns'
import { ipnsValidator } from 'ipns/validator'

const hex = bytes => Buffer.from(bytes).toString('hex')
const ENDS = '2099-12-31T23:59:59.123456789Z'
const VALUE = '/ipfs/bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'

async function vector (name, key, options, sequence = 7n, value = VALUE) {
  const record = await createIPNSRecordWithExpiration(key, value, sequence, ENDS, options)
  return {
    case: name,
    key: hex(multihashToIPNSRoutingKey(key.publicKey.toMultihash())),
    public_key: hex(publicKeyToProtobuf(key.publicKey)),
    record: hex(marshalIPNSRecord(record)),
    value: record.value,
    sequence: record.sequence.toString(),
    ends: record.validity,
    ttl_ns: record.ttl.toString()
  }
}

if (process.argv[2] === 'check') {
  const { key, record } = JSON.parse(readFileSync(process.argv[3], 'utf8'))
  await ipnsValidator(Buffer.from(key, 'hex'), Buffer.from(record, 'hex'))
  console.log('taken')
} else {
  const ed25519 = await generateKeyPairFromSeed('Ed25519', new Uint8Array(32).fill(7))
  const out = [
    await vector('both versions', ed25519, { v1Compatible: true }),
    await vector('version 2 alone', ed25519, { v1Compatible: false }),
    await vector('a sequence beyond 32 bits', ed25519, { ttlNs: 0 }, 2n ** 40n),
    await vector('a key that the name is a hash of', await generateKeyPair('RSA', 2048), { v1Compatible: true }),
    await vector('secp256k1', await generateKeyPair('secp256k1'), { v1Compatible: false })
  ]
  console.log('[\n' + out.map(one => ' ' + JSON.stringify(one)).join(',\n') + '\n]')
}
