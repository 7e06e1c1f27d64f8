//! How `sidetone serve` wakes phones that sleep.

use std::path::PathBuf;

use sidetone_server::{Developer, Google, PushConfig};
use zeroize::Zeroizing;

use crate::trouble::Trouble;

/// What was typed about push services.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Wake phones that sleep when somebody calls, and tell push services whom to ask about this server: `mailto:` or `https:`.
    /// With nothing else by Web Push and UnifiedPush.
    #[arg(long = "push", value_name = "CONTACT")]
    contact: Option<String>,
    /// The signing key that Apple gave (PEM), to wake iPhones.
    #[arg(long = "push-apple-key", value_name = "FILE", requires_all = ["contact", "apple_key_id", "apple_team", "apple_app"])]
    apple_key: Option<PathBuf>,
    /// The name of that key.
    #[arg(long = "push-apple-key-id", value_name = "ID", requires = "apple_key")]
    apple_key_id: Option<String>,
    /// The developer's team.
    #[arg(long = "push-apple-team", value_name = "ID", requires = "apple_key")]
    apple_team: Option<String>,
    /// The app's bundle.
    #[arg(long = "push-apple-app", value_name = "BUNDLE", requires = "apple_key")]
    apple_app: Option<String>,
    /// Ask Apple's sandbox, for apps that are not from its store.
    #[arg(long = "push-apple-sandbox", requires = "apple_key")]
    apple_sandbox: bool,
    /// The service account's file that Google gave (JSON), to wake Android phones with Google's services.
    #[arg(long = "push-google", value_name = "FILE", requires = "contact")]
    google: Option<PathBuf>,
}

impl Args {
    /// What the server is told.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if a file cannot be read.
    pub fn config(&self) -> Result<Option<PushConfig>, Trouble> {
        let Some(contact) = &self.contact else { return Ok(None) };
        let mut push = PushConfig::new(contact.clone());
        let secret = |file: &PathBuf| std::fs::read_to_string(file).map(Zeroizing::new).map_err(Trouble::system);
        if let (Some(file), Some(key_id), Some(team), Some(bundle)) =
            (&self.apple_key, &self.apple_key_id, &self.apple_team, &self.apple_app)
        {
            let [key_id, team, bundle] = [key_id, team, bundle].map(String::clone);
            let developer = Developer::new(secret(file)?, key_id, team, bundle);
            push.apple = Some(if self.apple_sandbox { developer.in_sandbox() } else { developer });
        }
        if let Some(file) = &self.google {
            push.firebase = Some(Google::new(secret(file)?));
        }
        Ok(Some(push))
    }
}
