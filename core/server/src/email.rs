//! E-mail addresses.

use sidetone_wire::limits::EMAIL_BYTES;

/// An address with the shape of one (RFC 5321 section 4.1.2, without quoted local parts and address literals).
pub(crate) struct Email(String);

impl Email {
    /// Parses an address as typed; `None` if it is not one.
    pub(crate) fn parse(typed: &str) -> Option<Self> {
        let (local, domain) = typed.rsplit_once('@')?;
        let plain =
            |text: &str| !text.chars().any(|c| c.is_control() || c.is_whitespace() || "@<>(),;:\"[]\\".contains(c));
        let dotted = |text: &str| text.split('.').all(|part| !part.is_empty());
        let label = |part: &str| part.len() <= 63 && !part.starts_with('-') && !part.ends_with('-');
        let good = typed.len() <= EMAIL_BYTES
            && local.len() <= 64
            && [local, domain].into_iter().all(|text| plain(text) && dotted(text))
            && domain.split('.').all(label);
        good.then(|| Self(typed.to_owned()))
    }

    /// The address as typed.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which two addresses are one: no mail host in use tells capitals apart.
    pub(crate) fn unique(&self) -> String {
        self.0.to_lowercase()
    }
}
