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
        // No 32 characters are typed with more bytes than this: what is longer costs no work.
        if typed.len() > 16 * NAME_CHARS.end() {
            return None;
        }
        let name = UsernameCaseMapped::enforce(typed).ok()?.into_owned();
        // Some capitals are allowed whose small letters are newer than PRECIS and are not: a name is its own normal form.
        let stable = UsernameCaseMapped::enforce(name.as_str()).is_ok_and(|again| again == name);
        if !stable || !NAME_CHARS.contains(&name.chars().count()) {
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

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn whatever_is_typed_a_name_has_one_form() {
        let mut dice = ChaCha20Rng::seed_from_u64(5);
        let mut names = 0;
        for _ in 0..100_000 {
            let planes = [0x80, 0x300, 0x800, 0x3100, 0x1_0000, 0x11_0000];
            let plane = planes[dice.next_u32() as usize % planes.len()];
            let len = dice.next_u32() % 6;
            let typed: String = (0..len).filter_map(|_| char::from_u32(dice.next_u32() % plane)).collect();
            let Some(name) = Username::parse(&typed) else { continue };
            names += 1;
            let again = Username::parse(name.as_str()).map(|again| again.name);
            assert_eq!(again.as_deref(), Some(name.as_str()), "{typed:?}");
        }
        assert!(names > 1_000, "the test is about names: {names}");
    }
}
