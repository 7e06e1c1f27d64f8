// One end of the race by a library from npm: node peer.mjs wrtc|ndc|udx offer|answer ADDRESS BYTES SECONDS
import readline from 'node:readline'

const [library, role, address, bytes, seconds] = process.argv.slice(2)
const sends = role === 'offer'
const UNIT = 64 * 1024
const LOW = 1024 * 1024
const HIGH = 4 * 1024 * 1024

const say = (value) => process.stdout.write(JSON.stringify(value) + '\n')
const waiting = []
const heard = []
let over
const ended = new Promise((resolve) => { over = resolve })
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const value = JSON.parse(line)
  if (value.over) return over()
  const next = waiting.shift()
  if (next) next(value.s)
  else heard.push(value.s)
}).on('close', () => process.exit())
const hear = () => heard.length ? Promise.resolve(heard.shift()) : new Promise((resolve) => waiting.push(resolve))

let used
const begin = () => { used = process.cpuUsage() }
const cpu = () => { const now = process.cpuUsage(used); return (now.user + now.system) / 1e6 }

let first, count = 0, done = false
function take (length) {
  if (done) return
  const now = process.hrtime.bigint()
  first ??= now
  count += length
  const took = Number(now - first) / 1e9
  if (count >= Number(bytes) || took >= Number(seconds)) {
    done = true
    say({ bytes: count, seconds: took, cpu: cpu() })
  }
}

const unit = Buffer.alloc(UNIT, 7)

// Sends until the race is over: `put` takes a unit and says whether there is room for more, `room` waits for it.
async function pour (put, room) {
  begin()
  let going = true
  ended.then(() => { going = false; say({ cpu: cpu() }) })
  for (let sent = 1; going; sent++) {
    if (!put()) await Promise.race([room(), ended])
    // Some learn how much they hold only between turns.
    if (sent % 16 === 0) await new Promise(setImmediate)
  }
}

async function wrtc () {
  const { default: wrtc } = await import('@roamhq/wrtc')
  const pc = new wrtc.RTCPeerConnection({ iceServers: [] })
  // Its gathering takes long to end, so addresses follow one by one.
  pc.onicecandidate = ({ candidate }) => { if (candidate) say({ s: { candidate: candidate.toJSON() } }) }
  const follow = async () => { for (;;) await pc.addIceCandidate((await hear()).candidate) }
  const early = []
  const described = async () => {
    for (;;) {
      const said = await hear()
      if (said.sdp) {
        await pc.setRemoteDescription(said)
        for (const candidate of early) await pc.addIceCandidate(candidate)
        return
      }
      early.push(said.candidate)
    }
  }
  if (sends) {
    const dc = pc.createDataChannel('file')
    dc.bufferedAmountLowThreshold = LOW
    const open = new Promise((resolve) => { dc.onopen = resolve })
    const offer = await pc.createOffer()
    await pc.setLocalDescription(offer)
    say({ s: { type: 'offer', sdp: offer.sdp } })
    await described()
    follow()
    await open
    const view = new Uint8Array(unit)
    await pour(() => { dc.send(view); return dc.bufferedAmount < HIGH },
      () => new Promise((resolve) => { dc.onbufferedamountlow = resolve }))
  } else {
    pc.ondatachannel = ({ channel }) => {
      begin()
      globalThis.kept = channel
      channel.binaryType = 'arraybuffer'
      channel.onmessage = ({ data }) => take(data.byteLength)
    }
    await described()
    const answer = await pc.createAnswer()
    await pc.setLocalDescription(answer)
    say({ s: { type: 'answer', sdp: answer.sdp } })
    follow()
  }
}

async function ndc () {
  const { default: ndc } = await import('node-datachannel')
  const pc = new ndc.PeerConnection('peer', { iceServers: [], bindAddress: address, mtu: 1500 })
  const described = new Promise((resolve) => {
    pc.onGatheringStateChange((state) => { if (state === 'complete') resolve(pc.localDescription()) })
  })
  if (sends) {
    const dc = pc.createDataChannel('file')
    dc.setBufferedAmountLowThreshold(LOW)
    const open = new Promise((resolve) => dc.onOpen(resolve))
    say({ s: await described })
    const answer = await hear()
    pc.setRemoteDescription(answer.sdp, answer.type)
    await open
    let wake
    dc.onBufferedAmountLow(() => wake?.())
    await pour(() => { dc.sendMessageBinary(unit); return dc.bufferedAmount() < HIGH },
      () => new Promise((resolve) => { wake = resolve }))
  } else {
    pc.onDataChannel((dc) => { begin(); globalThis.kept = dc; dc.onMessage((data) => take(data.length)) })
    const offer = await hear()
    pc.setRemoteDescription(offer.sdp, offer.type)
    say({ s: await described })
  }
}

// What carries the bytes of hyperdht once it has found its peer: a stream of its transport under its Noise stream.
async function udx () {
  const { createRequire } = await import('node:module')
  const require = createRequire(import.meta.url)
  const UDX = require('udx-native')
  const Secret = require('@hyperswarm/secret-stream')
  const socket = new UDX().createSocket()
  socket.bind(0, address)
  const stream = socket.udx.createStream(sends ? 1 : 2)
  say({ s: { port: socket.address().port, host: address } })
  const peer = await hear()
  stream.connect(socket, sends ? 2 : 1, peer.port, peer.host)
  const secret = new Secret(sends, stream)
  secret.on('error', () => {})
  await new Promise((resolve) => secret.once('open', resolve))
  if (sends) {
    await pour(() => secret.write(unit), () => new Promise((resolve) => secret.once('drain', resolve)))
  } else {
    begin()
    secret.on('data', (data) => take(data.length))
  }
}

await { wrtc, ndc, udx }[library]()
if (!sends) await ended
