//! A data channel of the library under our link as it comes, but for a limit to what it buffers and mDNS, without which it
//! takes all memory or does not start.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidateInit, RTCIceGatheringState,
    RTCSessionDescription, SettingEngineBuilder,
};
use webrtc::runtime::TokioRuntime;

use crate::line::{Lines, say};
use crate::{Failed, work};

/// Bytes the library may hold.
const BUFFER: usize = 4 << 20;

enum Fact {
    Gathered,
    Channel(Arc<dyn DataChannel>),
}

struct Handler(mpsc::UnboundedSender<Fact>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.0.send(Fact::Gathered);
        }
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        let _ = self.0.send(Fact::Channel(channel));
    }
}

/// How connections are made.
pub struct Plain {
    pub offers: bool,
    pub address: IpAddr,
}

/// A connection, and what the other end told: its description, or its candidates if the description is known.
pub struct End {
    connection: Box<dyn PeerConnection>,
    facts: mpsc::UnboundedReceiver<Fact>,
    channel: Option<Arc<dyn DataChannel>>,
    theirs: Theirs,
}

enum Theirs {
    Answer(String),
    Candidates(Vec<String>),
}

impl Plain {
    async fn connection(&self) -> Result<(Box<dyn PeerConnection>, mpsc::UnboundedReceiver<Fact>), Failed> {
        let (tell, facts) = mpsc::unbounded_channel();
        let engine =
            SettingEngineBuilder::new().with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled).build();
        let connection = PeerConnectionBuilder::new()
            .with_runtime(Arc::new(TokioRuntime))
            .with_configuration(RTCConfigurationBuilder::new().build())
            .with_setting_engine(engine)
            .with_handler(Arc::new(Handler(tell)))
            .with_udp_addrs(vec![format!("{}:0", self.address)])
            .with_data_channel_send_buffer_limit(BUFFER)
            .build()
            .await?;
        Ok((Box::new(connection), facts))
    }
}

async fn gathered(
    connection: &dyn PeerConnection,
    facts: &mut mpsc::UnboundedReceiver<Fact>,
) -> Result<String, Failed> {
    while !matches!(facts.recv().await, Some(Fact::Gathered) | None) {}
    Ok(connection.local_description().await.ok_or("no description")?.sdp)
}

impl work::Peer for Plain {
    type Link = End;

    async fn prepare(&mut self, lines: &mut Lines) -> Result<End, Failed> {
        let (connection, mut facts) = self.connection().await?;
        let said = |value: Value| value.as_str().map(str::to_owned).ok_or("no description");
        if self.offers {
            let channel = connection.create_data_channel("file", None).await?;
            let offer = connection.create_offer(None).await?;
            connection.set_local_description(offer).await?;
            say(&json!({"s": gathered(&*connection, &mut facts).await?}))?;
            let theirs = Theirs::Answer(said(lines.hear().await?)?);
            return Ok(End { connection, facts, channel: Some(channel), theirs });
        }
        // Without the candidates of the offer, which begin the search, an answer can be made before both are to begin.
        let offer = said(lines.hear().await?)?;
        let (candidates, rest): (Vec<_>, Vec<_>) = offer.lines().partition(|line| line.starts_with("a=candidate:"));
        let rest: String = rest.iter().map(|line| format!("{line}\r\n")).collect();
        connection.set_remote_description(RTCSessionDescription::offer(rest)?).await?;
        let answer = connection.create_answer(None).await?;
        connection.set_local_description(answer).await?;
        say(&json!({"s": gathered(&*connection, &mut facts).await?}))?;
        let theirs = Theirs::Candidates(candidates.iter().map(|line| line["a=".len()..].to_owned()).collect());
        Ok(End { connection, facts, channel: None, theirs })
    }
}

impl End {
    fn channel(&self) -> Result<&dyn DataChannel, Failed> {
        Ok(self.channel.as_deref().ok_or("no channel")?)
    }
}

impl work::Link for End {
    async fn join(&mut self) -> Result<(), Failed> {
        match std::mem::replace(&mut self.theirs, Theirs::Candidates(vec![])) {
            Theirs::Answer(sdp) => {
                self.connection.set_remote_description(RTCSessionDescription::answer(sdp)?).await?;
                while !matches!(self.channel()?.poll().await.ok_or("closed")?, DataChannelEvent::OnOpen) {}
            }
            Theirs::Candidates(candidates) => {
                for candidate in candidates {
                    let init = RTCIceCandidateInit { candidate, sdp_mid: Some("0".into()), ..Default::default() };
                    self.connection.add_ice_candidate(init).await?;
                }
                while self.channel.is_none() {
                    if let Fact::Channel(channel) = self.facts.recv().await.ok_or("closed")? {
                        self.channel = Some(channel);
                    }
                }
            }
        }
        work::Link::send(self, Bytes::from_static(&[1])).await?;
        work::Link::receive(self).await.map(drop)
    }

    async fn send(&mut self, bytes: Bytes) -> Result<(), Failed> {
        Ok(self.channel()?.send(BytesMut::from(&bytes[..])).await?)
    }

    async fn receive(&mut self) -> Result<usize, Failed> {
        loop {
            if let DataChannelEvent::OnMessage(message) = self.channel()?.poll().await.ok_or("closed")? {
                return Ok(message.data.len());
            }
        }
    }

    async fn close(self) {
        // One that does not close in order is dropped.
        let _ = self.connection.close().await;
    }
}
