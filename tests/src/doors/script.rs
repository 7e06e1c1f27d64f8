//! Bytes read as a list of deeds: whatever they are, they say something.

/// The rest of a script.
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// A script from its beginning.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next deed; `None` at the end.
    pub fn deed(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A byte; 0 past the end.
    pub fn byte(&mut self) -> u8 {
        self.deed().unwrap_or(0)
    }

    /// Two bytes as a number.
    pub fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// As many bytes as the next two say, or as there are.
    pub fn block(&mut self) -> &'a [u8] {
        let len = usize::from(self.number()).min(self.0.len());
        let (block, rest) = self.0.split_at(len);
        self.0 = rest;
        block
    }
}
