//! Apple's push service: HTTP/2, and a token that says which developer we are.

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use sidetone_wire::push::DeviceToken;
use url::Url;

use super::jwt::{self, Es256};
use super::{Call, Doorbell, KEEP_S, NoCall};
use crate::Now;
use crate::config::Developer;

/// Apple wants a token that is between twenty minutes and an hour old at most.
const TOKEN_MS: u64 = 40 * 60_000;

/// What Apple gave a developer, read.
pub(crate) struct Account {
    key: Es256,
    key_id: String,
    team: String,
    bundle: String,
    host: Url,
}

impl Account {
    pub(crate) fn read(given: &Developer) -> Option<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(given.key.as_bytes()).ok()?;
        let key = Es256::read(der.secret_pkcs8_der())?;
        let (key_id, team, bundle) = (given.key_id.clone(), given.team.clone(), given.bundle.clone());
        Some(Self { key, key_id, team, bundle, host: given.host.clone() })
    }
}

/// Rings iPhones.
pub(crate) struct Apple {
    account: Account,
    token: Option<(String, u64)>,
}

impl Apple {
    pub(crate) fn new(account: Account) -> Self {
        Self { account, token: None }
    }

    fn token(&mut self, now: Now) -> Result<String, NoCall> {
        let fresh = |(_, at_ms): &&(String, u64)| now.ticks_ms < at_ms + TOKEN_MS;
        if let Some((token, _)) = self.token.as_ref().filter(fresh) {
            return Ok(token.clone());
        }
        let claims = json!({ "iss": self.account.team, "iat": now.unix_ms / 1_000 });
        let token = jwt::es256(&self.account.key, &json!({ "kid": self.account.key_id }), &claims).ok_or(NoCall)?;
        self.token = Some((token.clone(), now.ticks_ms));
        Ok(token)
    }
}

impl Doorbell<DeviceToken> for Apple {
    fn call(&mut self, now: Now, to: &DeviceToken) -> Result<Call, NoCall> {
        let token = self.token(now)?;
        Ok(Call {
            url: self.account.host.join(&format!("/3/device/{}", to.token)).map_err(|_| NoCall)?,
            headers: vec![
                ("authorization", format!("bearer {token}")),
                ("apns-topic", format!("{}.voip", self.account.bundle)),
                ("apns-push-type", "voip".into()),
                ("apns-priority", "10".into()),
                ("apns-expiration", (now.unix_ms / 1_000 + u64::from(KEEP_S)).to_string()),
                ("content-type", "application/json".into()),
            ],
            body: br#"{"aps":{}}"#.to_vec(),
            http2: true,
        })
    }
}
