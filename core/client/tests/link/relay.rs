//! A relay, just enough of TURN (RFC 8656) for a link to travel through it; it checks no password.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sidetone::link::{IceServer, Transport};
use tokio::net::UdpSocket;

use super::LOOPBACK;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const LIFETIME: u16 = 0x000d;
const DATA: u16 = 0x0013;
const PEER: u16 = 0x0012;

/// What the relay does with those who ask for an allocation.
#[derive(Clone, Copy, PartialEq)]
pub enum Manner {
    Willing,
    Unwilling,
}

pub async fn relay(manner: Manner) -> IceServer {
    let address = relay_at(LOOPBACK, manner).await;
    turn(address)
}

/// Starts one at an address.
pub async fn relay_at(ip: IpAddr, manner: Manner) -> SocketAddr {
    let socket = Arc::new(UdpSocket::bind((ip, 0)).await.unwrap());
    let address = socket.local_addr().unwrap();
    tokio::spawn(serve(socket, manner));
    address
}

/// How it is reached.
pub fn turn(address: SocketAddr) -> IceServer {
    let (username, password) = ("user".into(), "password".into());
    IceServer::Turn {
        host: address.ip().to_string(),
        port: address.port(),
        transport: Transport::Udp,
        username,
        password,
    }
}

/// An address as STUN writes it: IPv4, port and address masked with the cookie.
fn masked(address: SocketAddr) -> Vec<u8> {
    let SocketAddr::V4(address) = address else { unreachable!("IPv4 only") };
    let port = address.port() ^ 0x2112;
    let ip = address.ip().octets();
    let mut value = vec![0, 1, (port >> 8) as u8, port as u8];
    value.extend((0..4).map(|place| ip[place] ^ COOKIE[place]));
    value
}

fn unmasked(value: &[u8]) -> SocketAddr {
    let port = u16::from_be_bytes([value[2], value[3]]) ^ 0x2112;
    let ip: [u8; 4] = std::array::from_fn(|place| value[4 + place] ^ COOKIE[place]);
    SocketAddr::from((ip, port))
}

fn attributes(message: &[u8]) -> HashMap<u16, Vec<u8>> {
    let (mut at, mut found) = (20, HashMap::new());
    while at + 4 <= message.len() {
        let length = usize::from(u16::from_be_bytes([message[at + 2], message[at + 3]]));
        found.insert(u16::from_be_bytes([message[at], message[at + 1]]), message[at + 4..at + 4 + length].to_vec());
        at += 4 + length.next_multiple_of(4);
    }
    found
}

fn message(kind: u16, transaction: &[u8], attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = vec![];
    for (name, value) in attributes {
        body.extend(name.to_be_bytes());
        body.extend((value.len() as u16).to_be_bytes());
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut message = kind.to_be_bytes().to_vec();
    message.extend((body.len() as u16).to_be_bytes());
    message.extend(COOKIE);
    message.extend(transaction);
    message.extend(body);
    message
}

async fn serve(socket: Arc<UdpSocket>, manner: Manner) {
    let mut clients: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut channels: HashMap<(SocketAddr, u16), SocketAddr> = HashMap::new();
    let mut buffer = [0; 4096];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let packet = &buffer[..length];
        let kind = u16::from_be_bytes([packet[0], packet[1]]);
        if kind & 0xc000 == 0x4000 {
            let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
            let to = channels[&(from, kind)];
            clients[&from].send_to(&packet[4..4 + length], to).await.unwrap();
            continue;
        }
        let transaction = packet[8..20].to_vec();
        let asked = attributes(packet);
        let reply = match kind {
            // Allocate: first without a name, then with one.
            0x0003 if !asked.contains_key(&0x0006) => {
                let refusal = [(0x0009, vec![0, 0, 4, 1]), (0x0014, b"here".to_vec()), (0x0015, b"once".to_vec())];
                message(0x0113, &transaction, &refusal)
            }
            0x0003 if manner == Manner::Unwilling => message(0x0113, &transaction, &[(0x0009, vec![0, 0, 4, 3])]),
            0x0003 => {
                let ip = socket.local_addr().unwrap().ip();
                let relayed = Arc::new(UdpSocket::bind((ip, 0)).await.unwrap());
                let address = relayed.local_addr().unwrap();
                clients.insert(from, Arc::clone(&relayed));
                tokio::spawn(deliver(relayed, Arc::clone(&socket), from));
                let granted = [(0x0016, masked(address)), (0x0020, masked(from)), (LIFETIME, vec![0, 0, 2, 88])];
                message(0x0103, &transaction, &granted)
            }
            0x0004 => message(0x0104, &transaction, &[(LIFETIME, vec![0, 0, 2, 88])]),
            0x0008 => message(0x0108, &transaction, &[]),
            0x0009 => {
                let number = u16::from_be_bytes([asked[&0x000c][0], asked[&0x000c][1]]);
                channels.insert((from, number), unmasked(&asked[&PEER]));
                message(0x0109, &transaction, &[])
            }
            0x0016 => {
                clients[&from].send_to(&asked[&DATA], unmasked(&asked[&PEER])).await.unwrap();
                continue;
            }
            _ => continue,
        };
        socket.send_to(&reply, from).await.unwrap();
    }
}

/// Brings what reaches a relayed address to its client, as data indications.
async fn deliver(relayed: Arc<UdpSocket>, socket: Arc<UdpSocket>, client: SocketAddr) {
    let mut buffer = [0; 4096];
    while let Ok((length, from)) = relayed.recv_from(&mut buffer).await {
        let data = [(PEER, masked(from)), (DATA, buffer[..length].to_vec())];
        socket.send_to(&message(0x0017, &[7; 12], &data), client).await.unwrap();
    }
}
