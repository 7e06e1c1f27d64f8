//! The radar, published to a broker of the operator's: MQTT 5, counts only.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use rumqttc::{
    AsyncClient, Event, EventLoop, Incoming, MqttOptions, PublishOptions, PublishProperties, Transport, ValidatedTopic,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::ask;
use super::driver::Input;
use crate::config::{Publish, StartError};

/// Publications that wait for the broker; what does not fit is not worth keeping, for the next one is newer.
const WAITING: usize = 2;
/// First and longest pause between two tries to reach the broker.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Publishes until the tasks are ended.
pub(super) fn start(publish: &Publish, inputs: mpsc::Sender<Input>) -> Result<[JoinHandle<()>; 2], StartError> {
    let mut number = [0; 8];
    SystemRandom::new().fill(&mut number).map_err(|_| StartError::System)?;
    let name = format!("sidetone-{:016x}", u64::from_be_bytes(number));
    let mut options = MqttOptions::new(name, (publish.host.clone(), publish.port));
    options.set_keep_alive(30);
    if publish.tls {
        let tls = Transport::try_tls_with_default_config().map_err(|_| StartError::System)?;
        options.set_transport(tls);
    }
    if let Some(user) = &publish.user {
        let password = publish.password.as_ref().map_or(Vec::new(), |password| password.as_bytes().to_vec());
        options.set_credentials(user.clone(), password);
    }
    let topic = ValidatedTopic::new(publish.topic.clone()).map_err(|_| StartError::BrokerTopic)?;
    let (client, events) = AsyncClient::builder(options).capacity(WAITING).build();
    let (say, connected) = watch::channel(false);
    let every = publish.every.max(Duration::from_secs(1));
    Ok([tokio::spawn(keep_connected(events, say)), tokio::spawn(tell(client, topic, every, inputs, connected))])
}

async fn keep_connected(mut events: EventLoop, connected: watch::Sender<bool>) {
    let mut pause = PAUSE.0;
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                pause = PAUSE.0;
                connected.send_replace(true);
                tracing::info!("the radar's broker is there");
            }
            Ok(_) => {}
            Err(_) => {
                if connected.send_replace(false) || pause == PAUSE.0 {
                    tracing::warn!("the radar's broker cannot be reached");
                }
                tokio::time::sleep(pause).await;
                pause = PAUSE.1.min(pause * 2);
            }
        }
    }
}

async fn tell(
    client: AsyncClient,
    topic: ValidatedTopic,
    every: Duration,
    inputs: mpsc::Sender<Input>,
    mut connected: watch::Receiver<bool>,
) {
    // Counts outlive their server by three turns and no longer: what a broker holds is never taken for the present.
    let expiry = u32::try_from(every.as_secs().saturating_mul(3)).unwrap_or(u32::MAX).max(1);
    let properties = PublishProperties {
        payload_format_indicator: Some(1),
        message_expiry_interval: Some(expiry),
        content_type: Some("application/json".to_owned()),
        ..PublishProperties::default()
    };
    while connected.wait_for(|connected| *connected).await.is_ok() {
        let Some(radar) = ask(&inputs, Input::Radar).await else { return };
        let counts = serde_json::to_vec(&radar).expect("numbers are JSON");
        let options = PublishOptions::at_least_once().retained().properties(properties.clone());
        let _ = client.try_publish(topic.clone(), counts, options);
        tokio::time::sleep(every).await;
    }
}
