# Everything there is to do. Continuous integration calls these and nothing else.
# `make demo` and `make test` install what is missing on Debian; Rust itself comes from https://rustup.rs.

CARGO ?= cargo

.PHONY: demo demo-keep demo-room demo-strangers demo-video test check bench bench-link bench-store size hunt gone lives fuzz clean tools kotlin swift sample-ios sample-android screens desktop desktop-check bench-ffi check-android android ios bench-relay bench-video demo-handover lab lean

# A server and two phones on this machine: make demo DEMO="--json FILE --voice FILE --out DIR"
demo: tools
	$(CARGO) build --release --locked --package sidetone-cli
	./target/release/sidetone demo --out target/demo $(DEMO)

# Two phones: a large file killed and resumed, a voice note, an image, export and delete: make demo-keep DEMO="--json FILE"
demo-keep: tools
	$(CARGO) build --release --locked --package sidetone-cli
	./target/release/sidetone demo keep $(DEMO)

# A server and eight phones in one push-to-talk room, also over an emulated path where there is root for network namespaces:
# make demo-room DEMO="--json FILE --idle S --wire SHAPE"
demo-room: tools
	$(CARGO) build --release --locked --package sidetone-cli
	./target/release/sidetone demo room $(DEMO)

# Fifty people and ten bots among strangers, two of them watched in full: make demo-strangers DEMO="--json FILE --seconds S"
demo-strangers: tools
	$(CARGO) build --release --locked --package sidetone-cli
	./target/release/sidetone demo strangers $(DEMO)

# A film from phone to phone over an emulated path; needs root for network namespaces: make demo-video DEMO="--coding vp8"
demo-video: tools
	.ci/install video
	$(CARGO) build --release --locked --package sidetone-cli
	./target/release/sidetone demo video --out target/demo-video $(DEMO)

# A phone in a call walks from its Wi-Fi into the mobile network and back; needs root for network namespaces.
demo-handover: tools
	$(CARGO) build --release --locked --package sidetone-cli
	./target/release/sidetone demo handover $(DEMO)

# Two phones in every pair of situations: a table, and target/lab/report.html; needs root: make lab LAB="--json FILE --only symmetric"
lab: tools
	$(CARGO) run --locked --package proving --example lab -- $(LAB)

# SIDETONE_VECTORS may name a folder with more published vectors than the repository holds.
test: tools
	.ci/install test
	$(CARGO) test --workspace --locked --no-fail-fast
	$(MAKE) lean kotlin swift sample-android sample-ios

# The Kotlin package on this machine's JVM, and the Swift package on Linux, each against the library built here. Swift for
# Debian is fetched once, into a folder outside the checkout: see bindings/scripts/swift-root.
kotlin: tools
	.ci/install kotlin
	bindings/scripts/host-kotlin
	bindings/scripts/api

swift: tools
	.ci/install swift
	bindings/scripts/host-swift

# The sample app for iOS, as far as it can be known without Xcode: see ios-sample/check.
sample-ios: tools
	.ci/install swift
	ios-sample/check

# The sample app for Android on this machine's JVM: its logic at a real server, every screen drawn, its platform compiled.
sample-android: tools
	.ci/install kotlin sample
	android-sample/host
	android-sample/count

# What docs/screens.md shows, as drawn last.
screens: sample-android
	android-sample/screens

# The same screens in a window of this machine, with a friend who echoes: make desktop DESKTOP="--voice WAV"
desktop: tools
	.ci/install kotlin sample
	android-sample/desktop/run $(DESKTOP)

# The window under Xvfb: a call is made by hand and looked at.
desktop-check: tools
	.ci/install kotlin sample desktop
	android-sample/desktop/check

# What the way between the two languages and the library costs.
bench-ffi: tools
	.ci/install kotlin swift
	bindings/scripts/bench-ffi

# Ten thousand clients with all they give out, opened and closed in each language; the tests do the same some hundred times.
lives: tools
	.ci/install kotlin swift
	bindings/scripts/host-kotlin -Dtest=LeakTest -Dsidetone.lives=10000 test
	SIDETONE_LIVES=10000 bindings/scripts/host-swift --filter LeakTests

# Whether the library compiles for Android, without the NDK; wants root and Debian's unstable compiler in a folder.
check-android:
	bindings/scripts/check-android

# What apps link: the first needs the Android NDK, the second a Mac.
android:
	bindings/scripts/build-android

ios:
	bindings/scripts/build-apple

check: tools
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked
	.ci/deny

bench: tools
	$(CARGO) bench --workspace --locked
	tests/size/run

# What links cost to come up, to use and to keep, and a file over links good and bad, beside other libraries (from crates.io,
# npm and Debian), and what it does to voice; needs root for network namespaces: make bench-link RACE="links --idle 60"
bench-link: tools
	.ci/install race
	tests/race/run $(RACE)

# The server's own relay beside coturn: CPU per packet, memory per allocation.
bench-relay: tools
	.ci/install test
	$(CARGO) bench --locked --package sidetone-server --bench relay
# A film over a path that loses and one whose rate steps down and up, beside Chromium's camera (driven by playwright-core from
# npm) on the same; needs root for network namespaces.
bench-video: tools
	.ci/install video chromium
	npm install --silent --no-audit --no-fund --prefix target/video-peers playwright-core@1.64.1
	$(CARGO) build --release --locked --package sidetone-cli
	./target/release/sidetone demo video --chromium target/video-peers --json target/bench-video.json

# A full phone opened, listed and wiped, beside Delta Chat's core (from PyPI) in the same run.
bench-store: tools
	DELTACHAT_HOME=$(CURDIR)/target/bench-deltachat $(CARGO) bench --locked --package sidetone --bench store

# A library without calls and images does what is left, and says what it cannot.
lean: tools
	.ci/install test
	$(CARGO) build --locked --package sidetone-cli
	SIDETONE_OTHER="$${CARGO_TARGET_DIR:-$(CURDIR)/target}/debug/sidetone" \
	$(CARGO) test --locked --package sidetone --no-default-features --test pair -- a_library_without

# What an app links, as small as it gets: fat LTO takes its time.
size: tools
	tests/size/run
	bindings/scripts/size

# Many more simulated worlds than the tests run.
hunt: tools
	WORLD_SEEDS=$${WORLD_SEEDS:-100000} $(CARGO) test --release --locked --package proving --test world -- --nocapture

# A thousand strangers, one after the other, over real links in one process: what they leave in memory.
gone: tools
	GONE_STRANGERS=$${GONE_STRANGERS:-1000} $(CARGO) test --release --locked --package proving --test gone -- --nocapture

# Every decoder for a minute each, or FUZZ_SECONDS.
fuzz: tools
	FUZZ_SECONDS=$${FUZZ_SECONDS:-60} tests/fuzz/run

clean:
	$(CARGO) clean

tools:
	@.ci/install
