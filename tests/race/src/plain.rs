//! A data channel of the library under our link as it comes, but for a limit to what it buffers and mDNS, without which it
//! takes all memory or does not start.

use std::sync::Arc;

use bytes::BytesMut;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use serde_json::json;
use tokio::sync::mpsc;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState, RTCSessionDescription,
    SettingEngineBuilder,
};
use webrtc::runtime::TokioRuntime;

use crate::Failed;
use crate::line::{Count, Task, UNIT, listen, processor_s, say};
use crate::ours::over;

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

async fn gathered(facts: &mut mpsc::UnboundedReceiver<Fact>) {
    while !matches!(facts.recv().await, Some(Fact::Gathered) | None) {}
}

/// One end of the race.
pub async fn end(task: &Task) -> Result<(), Failed> {
    let (tell, mut facts) = mpsc::unbounded_channel();
    let engine =
        SettingEngineBuilder::new().with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled).build();
    let connection = PeerConnectionBuilder::new()
        .with_runtime(Arc::new(TokioRuntime))
        .with_configuration(RTCConfigurationBuilder::new().build())
        .with_setting_engine(engine)
        .with_handler(Arc::new(Handler(tell)))
        .with_udp_addrs(vec![format!("{}:0", task.address)])
        .with_data_channel_send_buffer_limit(BUFFER)
        .build()
        .await?;
    let mut lines = listen();
    let mut heard =
        async || lines.recv().await.and_then(|line| Some(line["s"].as_str()?.to_owned())).ok_or("no answer");
    if task.sends {
        let channel = connection.create_data_channel("file", None).await?;
        let offer = connection.create_offer(None).await?;
        connection.set_local_description(offer).await?;
        gathered(&mut facts).await;
        let local = connection.local_description().await.ok_or("no description")?;
        say(&json!({"s": local.sdp}))?;
        connection.set_remote_description(RTCSessionDescription::answer(heard().await?)?).await?;
        while !matches!(channel.poll().await.ok_or("closed")?, DataChannelEvent::OnOpen) {}
        let used = processor_s();
        let unit = vec![7; UNIT];
        let sending = async {
            loop {
                channel.send(BytesMut::from(&unit[..])).await?;
            }
        };
        tokio::select! {
            sent = sending => sent,
            () = over(&mut lines) => say(&json!({"cpu": processor_s() - used})),
        }
    } else {
        connection.set_remote_description(RTCSessionDescription::offer(heard().await?)?).await?;
        let answer = connection.create_answer(None).await?;
        connection.set_local_description(answer).await?;
        gathered(&mut facts).await;
        let local = connection.local_description().await.ok_or("no description")?;
        say(&json!({"s": local.sdp}))?;
        let Some(Fact::Channel(channel)) = facts.recv().await else { return Err("no channel".into()) };
        let mut count = Count::new(task);
        loop {
            if let DataChannelEvent::OnMessage(message) = channel.poll().await.ok_or("closed")?
                && count.take(message.data.len())
            {
                count.say()?;
                over(&mut lines).await;
                return Ok(());
            }
        }
    }
}
