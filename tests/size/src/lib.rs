//! What an app links, so that it can be weighed: a library with one door through which every call of a client is reached.

use sidetone::{CallId, Client, Config, FixedKey, UserId, Verified};

/// Reaches everything a client does. Never called.
#[unsafe(no_mangle)]
pub extern "C" fn sidetone_everything() {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { return };
    let _ = runtime.block_on(everything());
}

async fn everything() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::open(Config::new("wss://meet.example", Some("me.db".into()), FixedKey::new([0; 32])))?;
    let (user, call) = (UserId([0; 16]), CallId([0; 16]));
    client.register("a", "b", "c").await?;
    client.sign_in("a", "b").await?;
    client.befriend("a", None).await?;
    client.accept(user).await?;
    client.decline(user).await?;
    client.unfriend(user).await?;
    client.block(user).await?;
    client.unblock(user).await?;
    client.set_verified(user, Verified::Yes).await?;
    client.scan(user, "").await?;
    let _ = (client.account().await?, client.friends().await?, client.safety_number(user).await?);
    client.send_text(user, "a").await?;
    client.history(user, None, 1).await?;
    client.mark_read(user).await?;
    client.typing(user).await?;
    client.call(user).await?;
    client.answer(call).await?;
    client.decline_call(call).await?;
    client.hang_up(call).await?;
    let _ = (client.calls().await?, client.diagnostics().await?, client.next_events().await, client.take_sound());
    client.network_changed(sidetone::Network::of(sidetone::NetworkKind::Wifi));
    client.on_foreground();
    client.on_background().await?;
    let _ = client.export_account().await?;
    client.delete_account().await?;
    client.sign_out().await?;
    client.close().await;
    Ok(())
}
