//! What the user of this device prefers, with an account or without.

use crate::cx::Cx;
use crate::effect::{Answer, Event};
use crate::input::{Addresses, Ask, Receipts};
use crate::row::{AccountRow, OURSELVES, PreferencesRow, Row};

/// Longest language tag that is kept, in bytes (RFC 5646 section 4.4.1 asks for 35).
const LANGUAGE_BYTES: usize = 64;
/// What is taken from a friend without asking, unless the user says otherwise.
const ACCEPT_BELOW: u64 = 16 << 20;

/// Everything the user of this device may choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferences {
    /// How the app looks.
    pub theme: Theme,
    /// Whether friends learn what was read.
    pub receipts: Receipts,
    /// Who may learn this phone's addresses.
    pub addresses: Addresses,
    /// Which routes links may take.
    pub routes: Routes,
    /// Files of friends up to this many bytes are taken without asking; 0 asks always.
    pub accept_below: u64,
    /// The language of the app as a BCP 47 tag; `None` for the system's.
    pub language: Option<String>,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            theme: Theme::default(),
            receipts: Receipts::default(),
            addresses: Addresses::default(),
            routes: Routes::default(),
            accept_below: ACCEPT_BELOW,
            language: None,
        }
    }
}

/// How the app looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system does.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// Which routes links may take, as far as the app's configuration leaves a choice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Routes {
    /// Direct where it works, relayed where it does not.
    #[default]
    Any,
    /// Only through our relay: no friend learns this phone's addresses.
    RelayOnly,
    /// Never through a relay.
    DirectOnly,
}

/// One choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preference {
    /// [`Preferences::theme`].
    Theme(Theme),
    /// [`Preferences::receipts`].
    Receipts(Receipts),
    /// [`Preferences::addresses`].
    Addresses(Addresses),
    /// [`Preferences::routes`].
    Routes(Routes),
    /// [`Preferences::accept_below`].
    AcceptBelow(u64),
    /// [`Preferences::language`]; a tag of more than 64 bytes counts as none.
    Language(Option<String>),
}

impl Preferences {
    fn set(&mut self, preference: Preference) {
        match preference {
            Preference::Theme(theme) => self.theme = theme,
            Preference::Receipts(receipts) => self.receipts = receipts,
            Preference::Addresses(addresses) => self.addresses = addresses,
            Preference::Routes(routes) => self.routes = routes,
            Preference::AcceptBelow(bytes) => self.accept_below = bytes,
            Preference::Language(tag) => self.language = tag.filter(|tag| tag.len() <= LANGUAGE_BYTES),
        }
    }

    /// What a row says; a choice that this version does not know is the usual one.
    pub(crate) fn of(row: PreferencesRow) -> Self {
        Self {
            theme: [Theme::System, Theme::Light, Theme::Dark].get(usize::from(row.theme)).copied().unwrap_or_default(),
            receipts: receipts(row.receipts),
            addresses: addresses(row.addresses),
            routes: match row.routes {
                1 => Routes::RelayOnly,
                2 => Routes::DirectOnly,
                _ => Routes::Any,
            },
            accept_below: row.accept_below,
            language: row.language.filter(|tag| tag.len() <= LANGUAGE_BYTES),
        }
    }

    fn row(&self) -> PreferencesRow {
        PreferencesRow {
            theme: self.theme as u8,
            receipts: self.receipts as u8,
            addresses: self.addresses as u8,
            routes: self.routes as u8,
            accept_below: self.accept_below,
            language: self.language.clone(),
        }
    }

    /// Takes over what versions before kept with the account; a row of preferences comes after it and counts more.
    pub(crate) fn restore_from_account(&mut self, row: &AccountRow) {
        self.receipts = receipts(row.receipts);
        self.addresses = addresses(row.addresses);
    }

    pub(crate) fn prefer(&mut self, ask: Ask, preference: Preference, cx: &mut Cx<'_>) {
        self.set(preference);
        cx.save(self.row().put(OURSELVES, 0));
        cx.answer(ask, Ok(Answer::Done));
        cx.tell(Event::Preferences);
    }
}

fn receipts(number: u8) -> Receipts {
    if number == 1 { Receipts::Keep } else { Receipts::Send }
}

/// A choice that this version does not know is the strictest.
pub(crate) fn addresses(number: u8) -> Addresses {
    Addresses::ALL.get(usize::from(number)).copied().unwrap_or(Addresses::Never)
}
