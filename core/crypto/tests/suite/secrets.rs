//! Secrets cannot be copied or printed: checked when compiling.

use std::fmt::Debug;

use sidetone_crypto::{
    handshake::{Channels, Confirming, Initiator, Responder, Session},
    identity::Identity,
    login::{Login, Registration},
    record::Channel,
    sframe::{BaseKey, Opener, Sealer, codec::MediaKey},
    vault::Vault,
};

/// Fails to compile, as ambiguous, if the type has the trait.
macro_rules! never {
    ($trait:path: $($type:ty),*) => {
        $(const _: fn() = || {
            trait Ambiguous<Which> {
                fn is() {}
            }
            struct Has;
            impl<T: ?Sized> Ambiguous<()> for T {}
            impl<T: ?Sized + $trait> Ambiguous<Has> for T {}
            <$type as Ambiguous<_>>::is();
        };)*
    };
}

never!(Clone: Identity, Session, Channels, Channel, Initiator, Responder, Confirming);
never!(Clone: BaseKey, Sealer, Opener, MediaKey, Vault, Login, Registration);
never!(Debug: Identity, Session, Channels, Channel, Initiator, Responder, Confirming);
never!(Debug: BaseKey, Sealer, Opener, MediaKey, Vault, Login, Registration);

#[test]
fn secrets_can_be_moved_to_another_thread() {
    fn sends<T: Send>() {}
    sends::<(Identity, Session, Channel, Initiator, Responder, Confirming)>();
    sends::<(BaseKey, Sealer, Opener, Vault, Login, Registration)>();
}
