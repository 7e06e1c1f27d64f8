//! HTTP: the websocket, health, figures.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::{Html, Response};
use axum::routing::get;
use axum::serve::{IncomingStream, Listener};
use axum::{Json, Router};
use sidetone_wire::limits::FRAME_BYTES;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::driver::Input;
use super::patience::From;
use super::{AllFigures, ask};
use crate::desk::{Leaving, Outgoing, SocketId};
use crate::radar::Radar;
use crate::relay::Counters;

/// How long a phone may take to read one batch of at most 64 KiB.
const WRITE: Duration = Duration::from_secs(20);

type Inputs = mpsc::Sender<Input>;

/// Serves phones: `/v1/socket`, and for whoever watches the process `/healthz` (it runs) and `/readyz` (it serves).
pub(super) fn phones<L>(listener: L, inputs: Inputs) -> JoinHandle<()>
where
    L: Listener<Addr = SocketAddr>,
    From: for<'a> Connected<IncomingStream<'a, L>>,
{
    let app = Router::new()
        .route("/v1/socket", get(upgrade))
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready))
        .with_state(inputs)
        .into_make_service_with_connect_info::<From>();
    tokio::spawn(async move {
        let _ = axum::serve(listener, app).await;
    })
}

/// Serves the operator, on loopback.
pub(super) fn admin(listener: TcpListener, inputs: Inputs, relay: Arc<Counters>) -> JoinHandle<()> {
    let app = Router::new()
        .route("/figures", get(figures))
        .route("/radar", get(radar))
        .route("/status", get(status))
        .with_state((inputs, relay));
    tokio::spawn(async move {
        let _ = axum::serve(listener, app).await;
    })
}

async fn ready(State(inputs): State<Inputs>) -> StatusCode {
    match ask(&inputs, Input::Check).await {
        Some(true) => StatusCode::OK,
        Some(false) | None => StatusCode::SERVICE_UNAVAILABLE,
    }
}

type Watched = State<(Inputs, Arc<Counters>)>;

async fn figures(State((inputs, relay)): Watched) -> Json<AllFigures> {
    let desk = ask(&inputs, Input::Figures).await.unwrap_or_default();
    Json(AllFigures { desk, relay: relay.read() })
}

async fn radar(State((inputs, _)): Watched) -> Json<Radar> {
    Json(ask(&inputs, Input::Radar).await.unwrap_or_default())
}

async fn status(watched: Watched) -> Html<String> {
    let Json(counts) = radar(State(watched.0.clone())).await;
    let Json(figures) = figures(watched).await;
    Html(super::status::page(&figures, &counts))
}

async fn upgrade(
    upgrade: WebSocketUpgrade,
    ConnectInfo(From(from)): ConnectInfo<From>,
    State(inputs): State<Inputs>,
) -> Response {
    // The default read buffer costs 137 KB a socket. A frame that is a little too large still gets its typed answer.
    upgrade
        .read_buffer_size(4_096)
        .write_buffer_size(0)
        .max_message_size(2 * FRAME_BYTES)
        .max_frame_size(2 * FRAME_BYTES)
        .on_upgrade(move |socket| Box::pin(serve(socket, from.ip(), inputs)))
}

async fn serve(mut socket: WebSocket, from: IpAddr, inputs: Inputs) {
    let (out, mut batches) = mpsc::channel(1);
    let (id, given) = oneshot::channel();
    if inputs.send(Input::Connected { from, out, id }).await.is_err() {
        return;
    }
    let Ok(id) = given.await else { return };
    let how = carry(&mut socket, id, &inputs, &mut batches).await;
    let _ = inputs.send(Input::Closed(id, how)).await;
}

async fn carry(
    socket: &mut WebSocket,
    id: SocketId,
    inputs: &Inputs,
    batches: &mut mpsc::Receiver<Outgoing>,
) -> Leaving {
    loop {
        tokio::select! {
            message = socket.recv() => {
                let bytes = match message {
                    Some(Ok(Message::Binary(bytes))) => bytes,
                    // Text is no frame; the desk says so.
                    Some(Ok(Message::Text(_))) => axum::body::Bytes::new(),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(Some(CloseFrame { code: close_code::NORMAL, .. })))) => return Leaving::Goodbye,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Leaving::Dropped,
                };
                if inputs.send(Input::Received(id, bytes)).await.is_err() {
                    return Leaving::Dropped;
                }
            }
            batch = batches.recv() => {
                let Some(Outgoing { frames, close }) = batch else { return Leaving::Dropped };
                if !matches!(timeout(WRITE, write(socket, frames)).await, Ok(Ok(()))) {
                    return Leaving::Dropped;
                }
                if close {
                    let frame = CloseFrame { code: close_code::AWAY, reason: "".into() };
                    let _ = timeout(WRITE, socket.send(Message::Close(Some(frame)))).await;
                    return Leaving::Dropped;
                }
                if inputs.send(Input::Written(id)).await.is_err() {
                    return Leaving::Dropped;
                }
            }
        }
    }
}

async fn write(socket: &mut WebSocket, frames: Vec<Vec<u8>>) -> Result<(), axum::Error> {
    for frame in frames {
        socket.send(Message::Binary(frame.into())).await?;
    }
    Ok(())
}
