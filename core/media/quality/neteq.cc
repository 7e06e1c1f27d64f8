// libwebrtc's NetEq on recorded packets: neteq packets.opk trace.txt out.pcm
// Packets: u32 timestamp, u16 length, payload (little endian). Trace: "index arrival_us" per line, -1 for lost.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "api/audio/audio_frame.h"
#include "api/audio_codecs/opus_audio_decoder_factory.h"
#include "api/neteq/neteq.h"
#include "api/rtp_headers.h"
#include "modules/audio_coding/neteq/default_neteq_factory.h"
#include "system_wrappers/include/clock.h"

struct Packet {
  uint32_t timestamp;
  std::vector<uint8_t> payload;
};

static std::vector<Packet> read_packets(const char* path) {
  std::vector<Packet> packets;
  FILE* file = fopen(path, "rb");
  uint32_t timestamp;
  uint16_t length;
  while (file && fread(&timestamp, 4, 1, file) == 1 && fread(&length, 2, 1, file) == 1) {
    Packet packet{timestamp, std::vector<uint8_t>(length)};
    if (fread(packet.payload.data(), 1, length, file) != length) break;
    packets.push_back(packet);
  }
  if (file) fclose(file);
  return packets;
}

static std::vector<std::pair<int64_t, size_t>> read_trace(const char* path, size_t packets) {
  std::vector<std::pair<int64_t, size_t>> arrivals;
  FILE* file = fopen(path, "r");
  long long us;
  size_t index;
  while (file && fscanf(file, "%zu %lld", &index, &us) == 2)
    if (us >= 0 && index < packets) arrivals.push_back({us, index});
  if (file) fclose(file);
  std::stable_sort(arrivals.begin(), arrivals.end(), [](auto& a, auto& b) { return a.first < b.first; });
  return arrivals;
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  auto packets = read_packets(argv[1]);
  auto arrivals = read_trace(argv[2], packets.size());
  webrtc::SimulatedClock clock(1'000'000'000);
  const int64_t start = clock.TimeInMicroseconds();
  auto advance = [&](int64_t to) {
    int64_t now = clock.TimeInMicroseconds() - start;
    if (to > now) clock.AdvanceTimeMicroseconds(to - now);
  };
  webrtc::NetEq::Config config;
  config.sample_rate_hz = 48000;
  config.enable_muted_state = false;
  config.max_packets_in_buffer = 200;
  webrtc::DefaultNetEqFactory factory;
  auto neteq = factory.CreateNetEq(config, webrtc::CreateOpusAudioDecoderFactory(), &clock);
  if (!neteq->RegisterPayloadType(111, {"opus", 48000, 2, {{"useinbandfec", "1"}}})) return 1;
  FILE* out = fopen(argv[3], "wb");
  size_t next = 0;
  webrtc::AudioFrame frame;
  for (int64_t now = 0; now < (int64_t)packets.size() * 20000 + 100000; now += 10000) {
    for (; next < arrivals.size() && arrivals[next].first <= now; next++) {
      advance(arrivals[next].first);
      const Packet& packet = packets[arrivals[next].second];
      webrtc::RTPHeader header;
      header.payloadType = 111;
      header.sequenceNumber = (uint16_t)(arrivals[next].second + 1000);
      header.timestamp = packet.timestamp;
      header.ssrc = 1234;
      neteq->InsertPacket(header, packet.payload);
    }
    advance(now);
    bool muted;
    neteq->GetAudio(&frame, &muted, nullptr, absl::nullopt);
    std::vector<int16_t> mono(480, 0);
    if (!muted)
      for (size_t i = 0; i < frame.samples_per_channel_ && i < 480; i++) mono[i] = frame.data()[i * frame.num_channels_];
    fwrite(mono.data(), 2, 480, out);
  }
  fclose(out);
  auto stats = neteq->GetLifetimeStatistics();
  printf("concealed %llu fec %llu target %d\n", (unsigned long long)stats.concealed_samples,
         (unsigned long long)stats.fec_packets_received, neteq->TargetDelayMs());
}
