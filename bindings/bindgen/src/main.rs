//! Writes the Kotlin and the Swift of a library that was built: `uniffi-bindgen generate --library ...`.

fn main() {
    uniffi::uniffi_bindgen_main();
}
