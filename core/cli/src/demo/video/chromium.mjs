// Two Chromiums in networks of their own: one shows the other its fake camera, both talk. Every fifth of a second the
// statistics of both are written as a line of JSON. Options come as one JSON argument: chromium, folder, networks (two files
// that nsenter enters), width, height, rate, seconds.
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const options = JSON.parse(process.argv[2]);
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  "--autoplay-policy=no-user-gesture-required",
  "--disable-features=WebRtcHideLocalIpsWithMdns",
];

// What runs in each page.
const script = `
const devices = (video) => navigator.mediaDevices.getUserMedia({ video, audio: true });
async function prepare(camera) {
  window.connection = new RTCPeerConnection();
  connection.ontrack = ({ track }) => {
    const element = document.createElement(track.kind);
    element.autoplay = true;
    element.srcObject = new MediaStream([track]);
    document.body.append(element);
  };
  const stream = await devices(camera);
  for (const track of stream.getTracks()) connection.addTrack(track, stream);
}
async function gathered(description) {
  await connection.setLocalDescription(description);
  // Host candidates come at once; without a way to the world, gathering may never be complete.
  const found = () => connection.localDescription.sdp.includes("typ host");
  while (!found()) await new Promise((done) => setTimeout(done, 20));
  return connection.localDescription.toJSON();
}
const offer = async () => gathered(await connection.createOffer());
const answer = async (remote) => {
  await connection.setRemoteDescription(remote);
  return gathered(await connection.createAnswer());
};
const accept = (remote) => connection.setRemoteDescription(remote);
const widen = async (bps) => {
  const sender = connection.getSenders().find((sender) => sender.track?.kind === "video");
  const parameters = sender.getParameters();
  parameters.encodings[0].maxBitrate = bps;
  await sender.setParameters(parameters);
};
const figures = async () => [...(await connection.getStats()).values()].filter((one) =>
  (one.kind === "video" && ["inbound-rtp", "outbound-rtp"].includes(one.type)) ||
  (one.type === "candidate-pair" && one.nominated));
`;

async function start(network, name) {
  const program = join(options.folder, `chromium-${name}`);
  writeFileSync(program, `#!/bin/sh\nexec nsenter --net=${network} -- ${options.chromium} "$@"\n`);
  chmodSync(program, 0o755);
  const browser = await chromium.launch({ executablePath: program, headless: true, args: flags });
  const page = await (await browser.newContext({ permissions: ["camera", "microphone"] })).newPage();
  // Devices are given to pages of a secure origin only; this one comes from nowhere.
  await page.route("**/*", (route) => route.fulfill({ contentType: "text/html", body: "<body></body>" }));
  await page.goto("https://peer.example/");
  await page.addScriptTag({ content: script });
  return { browser, page };
}

const peers = [await start(options.networks[0], "left"), await start(options.networks[1], "right")];
const [left, right] = peers.map(({ page }) => page);
try {
  const { width, height, rate } = options;
  await left.evaluate((camera) => prepare(camera), { width, height, frameRate: rate });
  await right.evaluate(() => prepare(false));
  const offered = await left.evaluate(() => offer());
  const answered = await right.evaluate((remote) => answer(remote), offered);
  await left.evaluate((remote) => accept(remote), answered);
  await left.evaluate((bps) => widen(bps), 2_500_000);
  const began = Date.now();
  console.log(JSON.stringify({ began: true }));
  for (let tick = 1; Date.now() - began < options.seconds * 1000; tick += 1) {
    await new Promise((done) => setTimeout(done, Math.max(0, began + tick * 200 - Date.now())));
    const [sent, received] = await Promise.all([left.evaluate(() => figures()), right.evaluate(() => figures())]);
    const out = sent.find((one) => one.type === "outbound-rtp") ?? {};
    const into = received.find((one) => one.type === "inbound-rtp") ?? {};
    const pair = sent.find((one) => one.type === "candidate-pair") ?? {};
    console.log(JSON.stringify({
      ms: Date.now() - began,
      target_bps: Math.round(pair.availableOutgoingBitrate ?? 0),
      frames_sent: out.framesSent ?? 0,
      frames: into.framesDecoded ?? 0,
      bytes: into.bytesReceived ?? 0,
      freezes: into.freezeCount ?? 0,
      frozen_s: into.totalFreezesDuration ?? 0,
      waited_s: into.totalProcessingDelay ?? 0,
    }));
  }
} finally {
  await Promise.all(peers.map(({ browser }) => browser.close()));
}
