//! What one open client costs a phone that does nothing: anonymous memory and threads.

use sidetone::{Client, Config, FixedKey};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::open(Config::new("ws://127.0.0.1:9", None, FixedKey::new([0; 32])))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let friends = runtime.block_on(client.friends())?.len();
    let status = std::fs::read_to_string("/proc/self/status")?;
    for line in status.lines().filter(|line| line.starts_with("RssAnon") || line.starts_with("Threads")) {
        println!("one open client, {friends} friends: {line}");
    }
    runtime.block_on(client.close());
    Ok(())
}
