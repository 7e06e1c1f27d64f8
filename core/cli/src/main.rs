//! `sidetone`: see [`sidetone_cli`].

use std::process::ExitCode;

/// Freed memory is overwritten: what a phone forgets is gone from the process too.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> = zeroizing_alloc::ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    sidetone_cli::run()
}
