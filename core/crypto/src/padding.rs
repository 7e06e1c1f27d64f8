//! Lengths that tell little: Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication
//! with PURBs", PETS 2019).

/// The least length [`padded`] gives: a short answer looks like any other short answer.
pub const FLOOR: usize = 64;

/// The Padmé length for `len` bytes: at most 12 % more, and only O(log log len) bits of the length remain visible.
///
/// ```
/// use sidetone_crypto::padding::padme;
/// assert_eq!(padme(9), 10);
/// assert_eq!(padme(1_000), 1_024);
/// ```
pub const fn padme(len: usize) -> usize {
    if len < 2 {
        return len;
    }
    let exponent = len.ilog2();
    let mantissa = match exponent.checked_ilog2() {
        Some(bits) => bits.saturating_add(1),
        None => 1,
    };
    let free = exponent.saturating_sub(mantissa);
    let mask = (1_usize << free).saturating_sub(1);
    match len.checked_add(mask) {
        Some(sum) => sum & !mask,
        None => len,
    }
}

/// [`padme`] with a floor of [`FLOOR`] bytes.
pub const fn padded(len: usize) -> usize {
    if len <= FLOOR { FLOOR } else { padme(len) }
}
