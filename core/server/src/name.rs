//! Names of people.

use precis_profiles::UsernameCaseMapped;
use precis_profiles::precis_core::profile::PrecisFastInvocation;
use sidetone_wire::limits::NAME_CHARS;
use unicode_security::confusable_detection::skeleton;

/// A name in its one normal form: PRECIS UsernameCaseMapped (RFC 8265 section 3.3), 3 to 32 characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Username {
    name: String,
    skeleton: String,
}

impl Username {
    /// Normalises a name as typed; `None` if it is not one.
    pub fn parse(typed: &str) -> Option<Self> {
        // What is longer cannot become shorter than the limit: the case map never shortens below a third.
        if typed.len() > 16 * NAME_CHARS.end() {
            return None;
        }
        let name = UsernameCaseMapped::enforce(typed).ok()?.into_owned();
        if !NAME_CHARS.contains(&name.chars().count()) {
            return None;
        }
        // Capitals look alike that small letters do not: the skeleton is taken after the case map.
        let skeleton = skeleton(&name).collect();
        Some(Self { name, skeleton })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// What all names that look like this one have in common (UTS 39 section 4).
    pub fn skeleton(&self) -> &str {
        &self.skeleton
    }
}
