// One end of the race by a library from npm: node peer.mjs wrtc|ndc|dht ROLE ADDRESS TASK; what the tasks are, and what counts
// as a link that is up, say src/line.rs and src/work.rs.
import readline from 'node:readline'

const [library, role, address, task, ...numbers] = process.argv.slice(2)
const offers = role === 'offer'
const UNIT = 64 * 1024
const MESSAGE = 100
const LOW = 1024 * 1024
const HIGH = 4 * 1024 * 1024

const say = (value) => process.stdout.write(JSON.stringify(value) + '\n')
const now = () => Number(process.hrtime.bigint()) / 1e6

const waiting = []
const heard = []
let over
const ended = new Promise((resolve) => { over = resolve })
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const value = JSON.parse(line)
  if (value.over) return over()
  const next = waiting.shift()
  if (next) next(value)
  else heard.push(value)
}).on('close', () => process.exit())
const line = () => heard.length ? Promise.resolve(heard.shift()) : new Promise((resolve) => waiting.push(resolve))
const hear = async () => (await line()).s
const meet = async (found) => { say({ at: found }); return (await line()).go }

// A link: `join` brings it up, `put` sends and says whether there is room for more, `room` waits for it, `close` closes it.
// What comes is kept until somebody listens.
class Link {
  #early = []
  #listener
  heard (length) { this.#listener ? this.#listener(length) : this.#early.push(length) }
  listen (listener) { this.#listener = listener; this.#early.splice(0).forEach(listener) }
  first () { return new Promise((resolve) => this.listen((length) => { this.#listener = undefined; resolve(length) })) }
}

async function up () {
  const link = new Link()
  await prepare(link)
  await meet(null)
  const from = now()
  await link.join()
  link.put(Buffer.alloc(1, 1))
  await link.first()
  await meet({ from, until: now() })
  return link
}

const cpu = (used) => { const now = process.cpuUsage(used); return (now.user + now.system) / 1e6 }

// Sends until the race is over.
async function pour (link) {
  const used = process.cpuUsage()
  const unit = Buffer.alloc(UNIT, 7)
  let going = true
  ended.then(() => { going = false; say({ cpu: cpu(used) }) })
  for (let sent = 1; going; sent++) {
    if (!link.put(unit)) await Promise.race([link.room(), ended])
    // Some learn how much they hold only between turns.
    if (sent % 16 === 0) await new Promise(setImmediate)
  }
}

async function take (link, bytes, seconds) {
  const used = process.cpuUsage()
  let first, count = 0, done = false
  link.listen((length) => {
    if (done) return
    first ??= now()
    count += length
    const took = (now() - first) / 1e3
    if (count >= bytes || took >= seconds) {
      done = true
      say({ bytes: count, seconds: took, cpu: cpu(used) })
    }
  })
  await ended
}

async function ask (link, count, seconds) {
  const message = Buffer.alloc(MESSAGE, 1)
  const began = now()
  const trips = []
  while (trips.length < count && now() - began < seconds * 1e3) {
    const sent = now()
    await new Promise((resolve) => {
      let back = 0
      link.listen((length) => { back += length; if (back >= MESSAGE) resolve() })
      link.put(message)
    })
    trips.push(now() - sent)
  }
  say({ trips_ms: trips })
  await ended
}

async function echo (link) {
  link.listen((length) => { link.put(Buffer.alloc(length, 2)) })
  await ended
  say({})
}

async function hold () {
  const links = [await up()]
  const more = await meet({ held: 1 })
  while (links.length <= more) links.push(await up())
  await meet({ held: links.length })
  await ended
}

// What a data channel of either library needs of the other end: the offering end its answer, the answering one the candidates
// of the offer. Without them, which begin the search, an answer is made before both are to begin.
const CANDIDATE = /^a=(candidate:.*)\r?\n/gm
const parts = (sdp) => ({ rest: sdp.replace(CANDIDATE, ''), candidates: [...sdp.matchAll(CANDIDATE)].map((found) => found[1].trim()) })

async function wrtc (link) {
  const { default: { RTCPeerConnection } } = await import('@roamhq/wrtc')
  const pc = new RTCPeerConnection({ iceServers: [] })
  const gathered = new Promise((resolve) => {
    pc.onicegatheringstatechange = () => { if (pc.iceGatheringState === 'complete') resolve() }
  })
  Object.assign(link, { kept: pc, close: () => pc.close() })
  const carry = (channel) => {
    link.channel = channel
    channel.binaryType = 'arraybuffer'
    channel.onmessage = ({ data }) => link.heard(data.byteLength)
    link.put = (bytes) => { channel.send(bytes); return channel.bufferedAmount < HIGH }
    // It does not always say that it holds less.
    link.room = async () => { while (channel.bufferedAmount > LOW) await new Promise((resolve) => setTimeout(resolve, 1)) }
    return channel.readyState === 'open' || new Promise((resolve) => { channel.onopen = resolve })
  }
  if (offers) {
    const open = carry(pc.createDataChannel('race'))
    await pc.setLocalDescription(await pc.createOffer())
    await gathered
    say({ s: pc.localDescription.sdp })
    const answer = await hear()
    link.join = async () => { await pc.setRemoteDescription({ type: 'answer', sdp: answer }); await open }
  } else {
    const open = new Promise((resolve) => { pc.ondatachannel = ({ channel }) => resolve(carry(channel)) })
    const { rest, candidates } = parts(await hear())
    await pc.setRemoteDescription({ type: 'offer', sdp: rest })
    await pc.setLocalDescription(await pc.createAnswer())
    await gathered
    say({ s: pc.localDescription.sdp })
    link.join = async () => {
      for (const candidate of candidates) await pc.addIceCandidate({ candidate, sdpMid: '0', sdpMLineIndex: 0 })
      await open
    }
  }
}

async function ndc (link) {
  const { default: { PeerConnection } } = await import('node-datachannel')
  const pc = new PeerConnection('peer', { iceServers: [], bindAddress: address, mtu: 1500 })
  const described = new Promise((resolve) => {
    pc.onGatheringStateChange((state) => { if (state === 'complete') resolve(pc.localDescription().sdp) })
  })
  Object.assign(link, { kept: pc, close: () => pc.close() })
  const carry = (channel) => {
    link.channel = channel
    channel.setBufferedAmountLowThreshold(LOW)
    channel.onMessage((data) => link.heard(data.length))
    let wake
    channel.onBufferedAmountLow(() => wake?.())
    link.put = (bytes) => { channel.sendMessageBinary(bytes); return channel.bufferedAmount() < HIGH }
    link.room = () => new Promise((resolve) => { wake = resolve })
    return channel.isOpen() || new Promise((resolve) => channel.onOpen(resolve))
  }
  if (offers) {
    const open = carry(pc.createDataChannel('race'))
    say({ s: await described })
    const answer = await hear()
    link.join = () => { pc.setRemoteDescription(answer, 'answer'); return open }
  } else {
    const open = new Promise((resolve) => pc.onDataChannel((channel) => resolve(carry(channel))))
    const { rest, candidates } = parts(await hear())
    pc.setRemoteDescription(rest, 'offer')
    say({ s: await described })
    link.join = () => { for (const candidate of candidates) pc.addRemoteCandidate(candidate, '0'); return open }
  }
}

// The answering end is its network's first node; the offering end knows where it is, so that nobody is looked for.
let node
async function dht (link) {
  const { default: DHT } = await import('hyperdht')
  const open = async (bootstrap) => {
    const opened = new DHT({ host: address, port: 0, bootstrap, firewalled: false, ephemeral: false })
    await opened.fullyBootstrapped()
    return opened
  }
  const carry = (stream) => new Promise((resolve) => {
    stream.on('error', () => {})
    stream.on('data', (data) => link.heard(data.length))
    link.put = (bytes) => stream.write(bytes)
    link.room = () => new Promise((resolve) => stream.once('drain', resolve))
    if (stream.opened) stream.opened.then(resolve)
    else stream.once('open', resolve)
  })
  if (offers) {
    const { key, port, host } = await hear()
    const own = node && task === 'hold' ? node : await open([{ host, port }])
    node = own
    link.join = () => carry(own.connect(Buffer.from(key, 'hex'), { relayAddresses: [{ host, port }] }))
    link.close = () => own.destroy({ force: true })
  } else {
    const own = node && task === 'hold' ? node : await open([])
    node = own
    const up = new Promise((resolve) => {
      const server = own.createServer((stream) => resolve(carry(stream)))
      link.server = server
    })
    const keys = DHT.keyPair()
    await link.server.listen(keys)
    say({ s: { key: keys.publicKey.toString('hex'), host: address, port: own.address().port } })
    link.join = () => up
    link.close = () => own.destroy({ force: true })
  }
}

const prepare = { wrtc, ndc, dht }[library]
const [count, seconds] = numbers.map(Number)
if (task === 'up') {
  for (let times = 0; times < count; times++) await (await up()).close()
  await ended
} else if (task === 'hold') {
  await hold()
} else {
  const link = await up()
  if (task === 'file') await (offers ? pour(link) : take(link, count, seconds))
  else await (offers ? ask(link, count, seconds) : echo(link))
}
