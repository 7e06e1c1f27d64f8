//! The network that the phone is in.

/// The network that the phone is in, as the system reports its default network.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NetworkSnapshot {
    /// What it is.
    pub kind: NetworkKind,
    /// Whether its bytes cost money.
    pub metered: bool,
    /// This phone's addresses in it, as text, where the system tells them: new links use these and no other. What is no
    /// address is skipped.
    pub addresses: Vec<String>,
}

/// What a network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum NetworkKind {
    /// There is none: airplane mode, or no reception.
    None,
    /// Wi-Fi.
    Wifi,
    /// A mobile network.
    Mobile,
    /// A cable.
    Wired,
    /// Some other, or not known.
    Other,
}

impl From<NetworkSnapshot> for sidetone::Network {
    fn from(network: NetworkSnapshot) -> Self {
        let kind = match network.kind {
            NetworkKind::None => sidetone::NetworkKind::None,
            NetworkKind::Wifi => sidetone::NetworkKind::Wifi,
            NetworkKind::Mobile => sidetone::NetworkKind::Mobile,
            NetworkKind::Wired => sidetone::NetworkKind::Wired,
            NetworkKind::Other => sidetone::NetworkKind::Other,
        };
        let addresses = network.addresses.iter().filter_map(|text| text.parse().ok()).collect();
        Self { kind, metered: network.metered, addresses }
    }
}
