#!/usr/bin/env python3
"""Speech quality and delay of the jitter buffer beside libwebrtc's NetEq and a fixed 60 ms buffer, in one run.

    quality/run.py [--seeds 101,102] [--traces clean,jitter,...] [--seconds 120] [--neteq PATH] [--json FILE]

See README.md beside this file for what it needs; without those tools it says so and ends without an error.
"""
import argparse, json, os, shutil, subprocess, sys, tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

try:
    import numpy as np
    from pesq import pesq
    from scipy.signal import resample_poly
except ImportError as missing:
    sys.exit(print(f"skipped: {missing}; pip install numpy scipy pesq"))

HERE = Path(__file__).resolve().parent
CRATE = HERE.parent
TRACES = ["clean", "jitter", "drift", "loss5", "loss15", "reorder", "outage", "stalls", "wide", "queue", "batches"]
# Every stream is encoded as the sender would after that much loss was reported, so that all buffers get the same FEC.
REPORTED_LOSS = {"loss15": 15}
FS = 16_000
# What no buffer can avoid: 20 ms of packet, 6.5 ms of Opus look-ahead, 30 ms of network in every trace.
BASE_MS = 20 + 6.5 + 30
SENTENCES = """The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background.
It is easy to tell the depth of a well. These days a chicken leg is a rare dish. Rice is often served in round bowls.
The juice of lemons makes fine punch. The box was thrown beside the parked truck. Four hours of steady work faced us.
The boy was there when the sun rose. A rod is used to catch pink salmon. The source of the huge river is the clear spring.
Kick the ball straight and follow through. Help the woman get back to her feet. A pot of tea helps to pass the evening.
Smoky fires lack flame and heat. The soft cushion broke the fall of the man. The salt breeze came across from the sea.
The girl at the booth sold fifty bonds. The small pup gnawed a hole in the sock. The fish twisted and turned on the bent hook.
Press the pants and sew a button on the vest. The swan dive was far short of perfect. The beauty of the view stunned the young boy.
Two blue fish swam in the tank. Her purse was full of useless trash. The colt reared and threw the tall rider.
It snowed, rained, and hailed the same morning. Read verse out loud for pleasure.""".replace("\n", " ").split(". ")
VOICES = ["en-gb", "en-us", "en-gb-scotland", "en-us+f3", "en-gb+f2", "en-us+m4"]


def speech(seed, seconds):
    """48 kHz mono int16 of several synthetic voices taking turns."""
    rng = np.random.default_rng(seed)
    parts, length = [], 0
    while length < seconds * 48_000:
        voice = VOICES[rng.integers(len(VOICES))]
        text = ". ".join(rng.permutation(SENTENCES)[:3])
        wav = subprocess.run(["espeak-ng", "-v", voice, "-s", str(rng.integers(140, 180)), "--stdout", text],
                             check=True, capture_output=True).stdout
        pcm = np.frombuffer(wav[44:len(wav) // 2 * 2], dtype="<i2").astype(np.float64)
        pcm = resample_poly(pcm, 320, 147) * 0.6
        parts += [pcm, np.zeros(int(rng.uniform(0.2, 0.5) * 48_000))]
        length += len(parts[-1]) + len(parts[-2])
    # A quiet room, so that silence is not digital zero and Opus does not stop sending.
    out = np.concatenate(parts)[:seconds * 48_000] + rng.normal(0, 6, seconds * 48_000)
    return np.clip(out, -32768, 32767).astype("<i2")


def delays(reference, heard):
    """(second, delay in ms) of each 400 ms window of active speech, by normalised cross-correlation up to 3.2 s."""
    window, furthest, loud = int(.4 * FS), int(3.2 * FS), np.sqrt(np.mean(reference ** 2))
    found, before = [], None
    for s in range(0, len(reference) - window, window // 2):
        x, y = reference[s:s + window], heard[s:s + window + furthest]
        if np.sqrt(np.mean(x ** 2)) < .5 * loud or len(y) < window + 100:
            continue
        n = 1 << int(np.ceil(np.log2(len(y) + window)))
        c = np.fft.irfft(np.fft.rfft(y, n) * np.conj(np.fft.rfft(x, n)), n)[:len(y) - window]
        e = np.cumsum(np.concatenate([[0], y ** 2]))
        g = c / np.sqrt((e[window:window + len(c)] - e[:len(c)]) * np.sum(x ** 2) + 1e-12)
        k = int(np.argmax(g))
        if before is not None:
            # Voices are periodic: a peak near the last one wins over one that is hardly better.
            low, high = max(0, before - 400), min(len(g), before + 400)
            near = low + int(np.argmax(g[low:high])) if high > low else k
            k = near if g[near] > .92 * g[k] else k
        if g[k] < .55:
            continue
        before = k
        found.append((s / FS, k / FS * 1000))
    return np.array(found)


def score(speech_pcm, out_path):
    """PESQ-WB over 8 s segments, each at its own median delay, and the delay a buffer added."""
    r = resample_poly(speech_pcm.astype(np.float64) / 32768, 1, 3)
    o = resample_poly(np.fromfile(out_path, dtype="<i2").astype(np.float64) / 32768, 1, 3)
    found, segment, scores = delays(r, o), 8 * FS, []
    for s in range(0, len(r) - segment + 1, segment):
        inside = (found[:, 0] >= s / FS) & (found[:, 0] < (s + segment) / FS)
        shift = int(np.median(found[inside, 1] if inside.any() else found[:, 1]) / 1000 * FS)
        a, b = r[s:s + segment], o[s + shift:s + shift + segment]
        try:
            scores.append(pesq(FS, a, np.pad(b, (0, segment - len(b))), "wb"))
        except Exception:  # no utterance found in what was heard
            scores.append(1.0)
    return dict(pesq=float(np.mean(scores)), median=float(np.median(found[:, 1]) - BASE_MS),
                p95=float(np.percentile(found[:, 1], 95) - BASE_MS))


def build(neteq):
    subprocess.run(["cargo", "build", "--release", "-q", "-p", "sidetone-media", "--example", "quality"], check=True, cwd=CRATE)
    meta = subprocess.run(["cargo", "metadata", "--no-deps", "--format-version", "1"], check=True, cwd=CRATE, capture_output=True)
    program = Path(json.loads(meta.stdout)["target_directory"]) / "release/examples/quality"
    if neteq is None:
        neteq = Path(tempfile.gettempdir()) / "sidetone-neteq"
        if not neteq.exists() and subprocess.run([HERE / "neteq.sh", neteq]).returncode != 0:
            print("NetEq left out: it could not be built (apt-get install libtgowt-dev libopus-dev libssl-dev pkg-config g++)")
            neteq = None
    return program, neteq


def one(program, neteq, folder, trace, seed, packets, pcm):
    """All buffers on one trace with one seed."""
    path = folder / f"{trace}-{seed}.txt"
    count = len(pcm) // 960
    with open(path, "w") as file:
        subprocess.run([program, "trace", trace, str(seed), str(count)], check=True, stdout=file)
    runs = {"ours": [program, "ours"], "fixed": [program, "fixed"]}
    if neteq:
        runs["neteq"] = [neteq]
    result = {}
    for name, command in runs.items():
        out = folder / f"{trace}-{seed}-{name}.pcm"
        log = subprocess.run([*command, packets, path, out, *(["60"] if name == "fixed" else [])], check=True,
                             capture_output=True, text=True)
        result[name] = dict(score(pcm, out), log=log.stdout.strip())
        out.unlink()
    return trace, seed, result


def verdict(trace, ours, neteq, fixed):
    """Whether the bar of this trace is met, and what is missing."""
    bars = {
        "clean": [("pesq", neteq["pesq"] - .05), ("median", .75 * neteq["median"])],
        "loss5": [("pesq", neteq["pesq"] + .10), ("p95", neteq["p95"])],
        "reorder": [("pesq", neteq["pesq"] + .10), ("median", .75 * neteq["median"])],
        "outage": [("pesq", neteq["pesq"]), ("p95", 100)],
        "stalls": [("pesq", neteq["pesq"] + .25), ("median", .6 * neteq["median"]), ("p95", .4 * neteq["p95"])],
    }
    bars["jitter"] = bars["drift"] = bars["clean"]
    bars["loss15"] = bars["loss5"]
    missed = [f"{key} {ours[key]:.2f} for {bar:.2f}" for key, bar in bars.get(trace, [])
              if (ours[key] < bar if key == "pesq" else ours[key] > bar)]
    if ours["pesq"] < fixed["pesq"] and ours["median"] > fixed["median"]:
        missed.append("worse than fixed in both")
    if not missed and trace not in bars:
        return "no bar"
    return "met" if not missed else "MISSED: " + ", ".join(missed)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", default="101,102,103")
    parser.add_argument("--traces", default=",".join(TRACES))
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--neteq")
    parser.add_argument("--json")
    parser.add_argument("--logs", action="store_true")
    args = parser.parse_args()
    if not shutil.which("espeak-ng"):
        return print("skipped: no espeak-ng; apt-get install espeak-ng")
    program, neteq = build(args.neteq)
    seeds, traces, results = [int(s) for s in args.seeds.split(",")], args.traces.split(","), {}
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(os.cpu_count()) as pool:
        folder, jobs = Path(folder), []
        for seed in seeds:
            pcm = speech(seed, args.seconds)
            pcm.tofile(folder / f"{seed}.pcm")
            for loss in {REPORTED_LOSS.get(trace, 5) for trace in traces}:
                subprocess.run([program, "encode", folder / f"{seed}.pcm", folder / f"{seed}-{loss}.opk", str(loss)], check=True)
            for trace in traces:
                packets = folder / f"{seed}-{REPORTED_LOSS.get(trace, 5)}.opk"
                jobs.append(pool.submit(one, program, neteq, folder, trace, seed, packets, pcm))
        for job in jobs:
            trace, seed, result = job.result()
            results.setdefault(trace, []).append(result)
            if args.logs:
                for name, row in result.items():
                    print(trace, seed, name, {k: v if k == "log" else round(v, 2) for k, v in row.items()})
    print(f"PESQ-WB, added delay in ms median/p95; mean of seeds {args.seeds}, {args.seconds} s each")
    mean = lambda rows, name: {k: float(np.mean([row[name][k] for row in rows])) for k in ("pesq", "median", "p95")}
    for trace, rows in results.items():
        columns = {name: mean(rows, name) for name in rows[0]}
        text = "  ".join(f"{name} {c['pesq']:.2f} {c['median']:6.1f}/{c['p95']:6.1f}" for name, c in columns.items())
        print(f"{trace:8} {text}  {verdict(trace, columns['ours'], columns['neteq'], columns['fixed']) if neteq else ''}")
    if args.json:
        Path(args.json).write_text(json.dumps(results))


if __name__ == "__main__":
    main()
