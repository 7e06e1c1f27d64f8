//! What the user of this device prefers.

use sidetone::Preference;

use crate::account::{AddressRule, ReceiptRule};
use crate::client::{RawClient, RouteRule};
use crate::error::SidetoneError;

/// What the user of this device prefers, with an account or without.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Preferences {
    /// How the app looks.
    pub theme: Theme,
    /// Whether friends learn what was read.
    pub receipts: ReceiptRule,
    /// Who may learn this phone's addresses.
    pub addresses: AddressRule,
    /// Which routes calls may take, as far as the app's options leave a choice.
    pub routes: RouteRule,
    /// Files of friends up to this many bytes are taken without asking; 0 asks always.
    pub accept_below: u64,
    /// The language of the app as a BCP 47 tag; none for the system's.
    pub language: Option<String>,
}

/// How the app looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Theme {
    /// As the system does.
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl From<sidetone::Preferences> for Preferences {
    fn from(told: sidetone::Preferences) -> Self {
        Self {
            theme: match told.theme {
                sidetone::Theme::System => Theme::System,
                sidetone::Theme::Light => Theme::Light,
                sidetone::Theme::Dark => Theme::Dark,
            },
            receipts: match told.receipts {
                sidetone::Receipts::Send => ReceiptRule::Send,
                sidetone::Receipts::Keep => ReceiptRule::Keep,
            },
            addresses: told.addresses.into(),
            routes: match told.routes {
                sidetone::Routes::Any => RouteRule::Any,
                sidetone::Routes::RelayOnly => RouteRule::RelayOnly,
                sidetone::Routes::DirectOnly => RouteRule::DirectOnly,
            },
            accept_below: told.accept_below,
            language: told.language,
        }
    }
}

#[uniffi::export]
impl RawClient {
    /// What the user prefers.
    pub async fn preferences(&self) -> Result<Preferences, SidetoneError> {
        Ok(self.inner().preferences().await?.into())
    }

    /// Chooses how the app looks.
    pub async fn prefer_theme(&self, theme: Theme) -> Result<(), SidetoneError> {
        let theme = match theme {
            Theme::System => sidetone::Theme::System,
            Theme::Light => sidetone::Theme::Light,
            Theme::Dark => sidetone::Theme::Dark,
        };
        Ok(self.inner().prefer(Preference::Theme(theme)).await?)
    }

    /// Chooses which routes the links made from now on may take.
    pub async fn prefer_routes(&self, rule: RouteRule) -> Result<(), SidetoneError> {
        let routes = match rule {
            RouteRule::Any => sidetone::Routes::Any,
            RouteRule::RelayOnly => sidetone::Routes::RelayOnly,
            RouteRule::DirectOnly => sidetone::Routes::DirectOnly,
        };
        Ok(self.inner().prefer(Preference::Routes(routes)).await?)
    }

    /// Chooses up to how many bytes files of friends are taken without asking.
    pub async fn prefer_accept_below(&self, bytes: u64) -> Result<(), SidetoneError> {
        Ok(self.inner().prefer(Preference::AcceptBelow(bytes)).await?)
    }

    /// Chooses the language of the app; none for the system's.
    pub async fn prefer_language(&self, tag: Option<String>) -> Result<(), SidetoneError> {
        Ok(self.inner().prefer(Preference::Language(tag)).await?)
    }
}
