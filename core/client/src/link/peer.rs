//! The library's peer connection, set up as a link needs it, and what it reports.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::setting_engine::SctpMaxMessageSize;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, mpsc, watch};
use webrtc::data_channel::{DataChannel, RTCDataChannelInit};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    CipherSuiteId, MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfiguration,
    RTCConfigurationBuilder, RTCIceCandidate, RTCIceCandidateType, RTCIceConnectionState, RTCIceGatheringState,
    RTCIceProtocol, RTCIceServer, RTCIceTransportPolicy, RTCPeerConnectionIceEvent, Registry, SettingEngine,
    SettingEngineBuilder, SrtpProtectionProfile, StatsSelector,
};

use super::certificate::Certificate;
use super::description::{Candidate, Description, Kind, Protocol};
use super::footing::Footing;
use super::pace::{Pace, Paced};
use super::pieces::{MESSAGE_BYTES, RECEIVE_BYTES};
use super::pulse::Pulse;
use super::records::WINDOW_BYTES;
use super::socket::Way;
use super::tunnel::Tunnels;
use super::{
    IDLE_INTERRUPTED_AFTER, IDLE_LOST_AFTER, INTERRUPTED_AFTER_LOOSE, IceServer, LOST_AFTER, LinkError, Reach,
    RelayedBy, Role, Route, RoutePolicy, Settings, Transport, Watch, template, window,
};

/// The stream number of the records' channel, agreed in advance: no round trip is spent on opening it. Further
/// channels take the next numbers.
const RECORDS: u16 = 0;
/// The stream number of the files' channel.
const FILES: u16 = 1;
/// Facts that may wait for the link's task; candidates beyond are not offered.
const FACTS: usize = 256;
/// How often an unproven path is tried, and how often at most: for as long as a link may take to come up.
const CHECK_EVERY: Duration = Duration::from_millis(100);
const CHECKS: u16 = 300;
/// How often a proven path is checked (RFC 7675 lets consent last for 30 s): rarely enough for a radio to sleep, and often
/// enough for a router to keep its door open. What is under way is watched by [`super::vigil`].
pub(super) const KEEPALIVE: Duration = Duration::from_secs(20);
const KEEPALIVE_LOOSE: Duration = Duration::from_secs(3);
/// Packets that may arrive out of order before they count as replayed; the library's own default is no protection.
const REPLAY_WINDOW: usize = 512;
/// How long worse paths wait for better ones, after which they are taken.
const SRFLX_WAIT: Duration = Duration::from_millis(100);
/// Short: checks overtake candidates, and the best of paths then looks like this one (see [`super::early`]).
pub(super) const PRFLX_WAIT: Duration = Duration::from_millis(50);
const RELAY_WAIT: Duration = Duration::from_secs(1);

/// What the library reports, except the state of ICE, of which only the latest counts.
pub(super) enum Fact {
    Candidate(Candidate),
    Gathered,
    /// The peer's sound or pictures have begun.
    Track(RtpCodecKind, Arc<dyn TrackRemote>),
    /// The peer opened a channel or a track nobody agreed on.
    Stray,
}

/// A peer connection and its ends.
pub(super) struct Peer {
    pub(super) connection: Box<dyn PeerConnection>,
    pub(super) channel: Arc<dyn DataChannel>,
    pub(super) bulk: Arc<dyn DataChannel>,
    pub(super) sound: Arc<TrackLocalStaticRTP>,
    pub(super) pictures: Arc<TrackLocalStaticRTP>,
    pub(super) ice: watch::Receiver<RTCIceConnectionState>,
    pub(super) ended: Arc<Notify>,
    pub(super) certificate: Certificate,
    /// Which way the link's packets take.
    pub(super) way: watch::Receiver<Option<Way>>,
    /// Relays that are reached otherwise than by UDP.
    pub(super) tunnels: Arc<Tunnels>,
}

impl Peer {
    /// Binds the sockets; gathers nothing yet. With what the library finds out from then on.
    pub(super) async fn build(
        settings: &Settings,
        footing: Footing,
        pace: Arc<Pace>,
        pulse: Arc<Pulse>,
    ) -> Result<(Self, mpsc::Receiver<Fact>), LinkError> {
        let (facts_in, facts) = mpsc::channel(FACTS);
        let (ice_in, ice) = watch::channel(RTCIceConnectionState::New);
        let ended = Arc::new(Notify::new());
        let (way_in, way) = watch::channel(None);
        let certificate = Certificate::generate()?;
        let tunnels = Tunnels::new(&settings.servers, &settings.trust).ok_or(LinkError::Server)?;
        let tunnels = Arc::new(tunnels);
        let reporter =
            Reporter { facts: facts_in, ice: ice_in, policy: settings.policy, tunnels: Arc::clone(&tunnels) };
        let mut codecs = MediaEngine::default();
        let opus = RTCRtpCodecParameters { rtp_codec: opus(), payload_type: template::OPUS };
        codecs.register_codec(opus, RtpCodecKind::Audio).map_err(setup)?;
        let pictures = RTCRtpCodecParameters { rtp_codec: pictures(), payload_type: template::PICTURES };
        codecs.register_codec(pictures, RtpCodecKind::Video).map_err(setup)?;
        let connection = PeerConnectionBuilder::new()
            .with_runtime(Arc::new(Paced {
                pace,
                pulse,
                way: way_in,
                tunnels: Arc::clone(&tunnels),
                ended: Arc::clone(&ended),
            }))
            .with_configuration(configuration(settings, &certificate)?)
            .with_setting_engine(engine(settings.policy, settings.watch))
            .with_media_engine(codecs)
            // No NACK, no reports: sound repairs itself, and its loss is measured where it is played; pictures report of
            // themselves.
            .with_interceptor_registry(Registry::new())
            .with_handler(Arc::new(reporter))
            .with_udp_addrs(vec![footing])
            // Twice the largest window, so that what steers never waits behind records or files.
            .with_data_channel_send_buffer_limit(2 * window::MOST)
            .build()
            .await
            .map_err(setup)?;
        let connection: Box<dyn PeerConnection> = Box::new(connection);
        match furnish(&*connection, settings.role).await {
            Ok(Channels { records, files, sound, pictures }) => {
                let (channel, bulk) = (records, files);
                let peer = Self { connection, channel, bulk, sound, pictures, ice, ended, certificate, way, tunnels };
                Ok((peer, facts))
            }
            Err(error) => {
                // The library's task outlives a connection that is only dropped.
                let _ = connection.close().await;
                Err(setup(error))
            }
        }
    }

    /// SHA-256 of the certificate the peer showed, once the handshake is over.
    pub(super) async fn fingerprint(&self) -> Option<[u8; 32]> {
        let certificates = self.connection.sctp().await?.transport().get_remote_certificates().await.ok()?;
        certificates.first().map(|certificate| Sha256::digest(certificate).into())
    }

    /// How the link travels now, given the addresses that the peer borrows from a relay: checks from such an address may
    /// come before its candidate does, and the library then calls it peer-reflexive for good.
    pub(super) async fn route(&self, borrowed: &[SocketAddr]) -> Option<Route> {
        let route = self.course(borrowed).await?;
        let stats = self.connection.get_stats(Instant::now(), StatsSelector::None).await;
        let seconds = stats
            .candidate_pairs()
            .filter(|pair| pair.nominated)
            .map(|pair| pair.current_round_trip_time)
            .fold(0.0, f64::max);
        Some(route.taking(Duration::try_from_secs_f64(seconds).unwrap_or_default()))
    }

    /// The same without its round-trip time, which takes longer to find out.
    pub(super) async fn course(&self, borrowed: &[SocketAddr]) -> Option<Route> {
        let ice = self.connection.sctp().await?.transport().ice_transport();
        let pair = ice.get_selected_candidate_pair().await.ok()??;
        let ours = pair.local().typ == RTCIceCandidateType::Relay;
        let theirs = pair.remote().typ == RTCIceCandidateType::Relay || is_among(borrowed, pair.remote());
        let rtt = Duration::ZERO;
        let by = match (ours, theirs) {
            (true, true) => RelayedBy::Both,
            (true, false) => RelayedBy::Us,
            (false, true) => RelayedBy::Them,
            (false, false) => return Some(Route::Direct { kind: reach(&pair.remote().address), rtt }),
        };
        let lent = address(pair.local()).filter(|_| ours);
        let protocol = lent.map_or(Transport::Udp, |lent| self.tunnels.carries(lent));
        Some(Route::Relayed { by, protocol, rtt })
    }

    /// The library's own description of this end.
    pub(super) fn own(text: &str, generation: u32) -> Result<Description, LinkError> {
        template::own(text, generation).ok_or_else(|| LinkError::Setup("unreadable local description".into()))
    }
}

fn is_among(borrowed: &[SocketAddr], candidate: &RTCIceCandidate) -> bool {
    address(candidate).is_some_and(|address| borrowed.contains(&address))
}

fn address(candidate: &RTCIceCandidate) -> Option<SocketAddr> {
    Some(SocketAddr::new(candidate.address.parse().ok()?, candidate.port))
}

pub(super) fn setup(error: webrtc::error::Error) -> LinkError {
    LinkError::Setup(error.to_string())
}

fn opus() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: "audio/opus".into(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: template::OPUS_FORMAT.into(),
        rtcp_feedback: vec![],
    }
}

fn pictures() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: format!("video/{}", template::PICTURES_NAME),
        clock_rate: 90_000,
        channels: 0,
        sdp_fmtp_line: String::new(),
        rtcp_feedback: vec![],
    }
}

/// What passes a connection.
struct Channels {
    records: Arc<dyn DataChannel>,
    files: Arc<dyn DataChannel>,
    sound: Arc<TrackLocalStaticRTP>,
    pictures: Arc<TrackLocalStaticRTP>,
}

async fn furnish(connection: &dyn PeerConnection, role: Role) -> webrtc::error::Result<Channels> {
    let sound = track("sound", RtpCodecKind::Audio, template::sound_ssrc(role), opus());
    let pictures = track("pictures", RtpCodecKind::Video, template::pictures_ssrc(role), pictures());
    for track in [&sound, &pictures] {
        connection.add_track(Arc::clone(track) as Arc<dyn TrackLocal>).await?;
    }
    let records = channel(connection, "records", RECORDS).await?;
    let files = channel(connection, "files", FILES).await?;
    Ok(Channels { records, files, sound, pictures })
}

fn track(name: &str, kind: RtpCodecKind, ssrc: u32, codec: RTCRtpCodec) -> Arc<TrackLocalStaticRTP> {
    let rtp_coding_parameters = RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() };
    let encoding = RTCRtpEncodingParameters { rtp_coding_parameters, codec, ..Default::default() };
    let (stream, track, label) = (name.into(), name.into(), name.into());
    Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(stream, track, label, kind, vec![encoding])))
}

async fn channel(
    connection: &dyn PeerConnection,
    label: &str,
    stream: u16,
) -> webrtc::error::Result<Arc<dyn DataChannel>> {
    let init = RTCDataChannelInit { ordered: true, negotiated: Some(stream), ..Default::default() };
    let channel = connection.create_data_channel(label, Some(init)).await?;
    channel.set_buffered_amount_low_threshold(WINDOW_BYTES as u32 / 2).await?;
    Ok(channel)
}

fn engine(policy: RoutePolicy, watch: Watch) -> SettingEngine {
    let (interrupted, lost, keepalive) = match watch {
        Watch::Close => (IDLE_INTERRUPTED_AFTER, IDLE_LOST_AFTER, KEEPALIVE),
        Watch::Loose => (INTERRUPTED_AFTER_LOOSE, LOST_AFTER, KEEPALIVE_LOOSE),
    };
    SettingEngineBuilder::new()
        // Without a multicast route mDNS makes building fail, and it tells the neighbours who is here.
        .with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled)
        .with_ice_timeouts(Some(interrupted), Some(lost - interrupted), Some(keepalive))
        .with_ice_connection_attempts(Some(CHECK_EVERY), Some(CHECKS))
        .with_host_acceptance_min_wait(Some(Duration::ZERO))
        .with_srflx_acceptance_min_wait(Some(SRFLX_WAIT))
        .with_prflx_acceptance_min_wait(Some(PRFLX_WAIT))
        .with_relay_acceptance_min_wait(Some(relay_wait(policy)))
        // Sockets belong to one interface each, so only new ones reach a network the device has just joined.
        .with_discard_local_candidates_during_ice_restart(true)
        .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm])
        .with_dtls_cipher_suites(vec![
            CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256,
            CipherSuiteId::Tls_Ecdhe_Ecdsa_With_ChaCha20_Poly1305_Sha256,
        ])
        .with_dtls_replay_protection_window(REPLAY_WINDOW)
        .with_srtp_replay_protection_window(REPLAY_WINDOW)
        .with_srtcp_replay_protection_window(REPLAY_WINDOW)
        .with_sctp_max_receive_buffer_size(RECEIVE_BYTES)
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(MESSAGE_BYTES as u32))
        .build()
}

/// Where there is nothing better to wait for, a relay is taken at once.
pub(super) fn relay_wait(policy: RoutePolicy) -> Duration {
    if policy == RoutePolicy::RelayOnly { Duration::ZERO } else { RELAY_WAIT }
}

fn configuration(settings: &Settings, certificate: &Certificate) -> Result<RTCConfiguration, LinkError> {
    let (mut servers, mut tunnels) = (Vec::new(), 0);
    for server in &settings.servers {
        let (scheme, host, port, username, credential) = match server {
            IceServer::Stun { host, port } => ("stun", host, *port, "", ""),
            IceServer::Turn { host, port, username, password, .. } => ("turn", host, *port, &**username, &**password),
        };
        let alias = match server {
            IceServer::Turn { transport: Transport::Tcp | Transport::Tls, .. } => {
                tunnels += 1;
                Some(Tunnels::alias(tunnels - 1))
            }
            _ => None,
        };
        let useless = match settings.policy {
            RoutePolicy::DirectOnly => scheme == "turn",
            RoutePolicy::RelayOnly => scheme == "stun",
            RoutePolicy::Any => false,
        };
        if useless {
            continue;
        }
        let host = url_host(host).ok_or(LinkError::Server)?;
        if port == 0 || (scheme == "turn" && (username.is_empty() || credential.is_empty())) {
            return Err(LinkError::Server);
        }
        servers.push(RTCIceServer {
            urls: vec![match alias {
                Some((name, number)) => format!("{scheme}:{name}:{number}"),
                None => format!("{scheme}:{host}:{port}"),
            }],
            username: username.into(),
            credential: credential.into(),
        });
    }
    if settings.policy == RoutePolicy::RelayOnly && servers.is_empty() {
        return Err(LinkError::NoRelay);
    }
    let policy = match settings.policy {
        RoutePolicy::RelayOnly => RTCIceTransportPolicy::Relay,
        RoutePolicy::DirectOnly | RoutePolicy::Any => RTCIceTransportPolicy::All,
    };
    let certificates = vec![certificate.dtls()?];
    Ok(RTCConfigurationBuilder::new()
        .with_ice_servers(servers)
        .with_ice_transport_policy(policy)
        .with_certificates(certificates)
        .build())
}

/// A host as a URL wants it; nothing else can slip into the URL with it.
fn url_host(host: &str) -> Option<String> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Some(if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() });
    }
    let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
    (!host.is_empty() && host.len() <= 253 && host.bytes().all(letters)).then(|| host.into())
}

/// An address no router of the internet knows is near.
fn reach(address: &str) -> Reach {
    let near = match address.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        Err(_) => false,
    };
    if near { Reach::Lan } else { Reach::Internet }
}

/// Takes what the library reports, on the library's own task, and so never waits.
struct Reporter {
    facts: mpsc::Sender<Fact>,
    ice: watch::Sender<RTCIceConnectionState>,
    policy: RoutePolicy,
    tunnels: Arc<Tunnels>,
}

impl Reporter {
    fn tell(&self, fact: Fact) {
        if self.facts.try_send(fact).is_err() {
            tracing::debug!("a fact about a link was dropped: its task is behind or gone");
        }
    }

    fn offer(&self, found: &RTCIceCandidate) -> Option<Candidate> {
        let kind = match found.typ {
            RTCIceCandidateType::Host => Kind::Host,
            RTCIceCandidateType::Srflx => Kind::Srflx,
            RTCIceCandidateType::Prflx => Kind::Prflx,
            RTCIceCandidateType::Relay => Kind::Relay,
            _ => return None,
        };
        let allowed = match self.policy {
            RoutePolicy::DirectOnly => kind != Kind::Relay,
            RoutePolicy::Any => true,
            RoutePolicy::RelayOnly => kind == Kind::Relay,
        };
        if !allowed || found.protocol != RTCIceProtocol::Udp {
            return None;
        }
        Candidate::parse(kind, Protocol::Udp, &found.address, found.port, found.priority, &*found.foundation).ok()
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Reporter {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        // The library forgets the URL once it has told of it.
        let lent = address(&event.candidate).filter(|_| event.candidate.typ == RTCIceCandidateType::Relay);
        if let Some(lent) = lent {
            self.tunnels.lends(lent, &event.url);
        }
        if let Some(candidate) = self.offer(&event.candidate) {
            self.tell(Fact::Candidate(candidate));
        }
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.tell(Fact::Gathered);
        }
    }

    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        self.ice.send_replace(state);
    }

    async fn on_data_channel(&self, _: Arc<dyn DataChannel>) {
        self.tell(Fact::Stray);
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        self.tell(Fact::Track(track.kind().await, track));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_waits_for_better_ways_only_where_there_may_be_some() {
        assert_eq!(relay_wait(RoutePolicy::RelayOnly), Duration::ZERO);
        for policy in [RoutePolicy::Any, RoutePolicy::DirectOnly] {
            assert!(relay_wait(policy) > PRFLX_WAIT && relay_wait(policy) < Duration::from_secs(2), "{policy:?}");
        }
    }
}
