//! Google's push service (FCM, HTTP v1): a token for our service account first (RFC 7523), then the call.

use ring::rsa;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::json;
use sidetone_wire::push::DeviceToken;
use url::Url;

use super::jwt;
use super::{Call, Doorbell, KEEP_S, NoCall};
use crate::Now;
use crate::config::Google;

const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// For how long we ask; Google gives no more.
const TOKEN_S: u64 = 3_600;
/// Who gives no token is not asked again for so long: others wait behind the asking.
const PAUSE_MS: u64 = 30_000;
/// A token is not used in its last minute.
const MARGIN_MS: u64 = 60_000;

/// A service account, as Google's console gives it in a file.
pub(crate) struct Account {
    email: String,
    project: String,
    token_url: Url,
    key: rsa::KeyPair,
    /// Where messages are posted.
    host: Url,
}

#[derive(Deserialize)]
struct Written {
    project_id: String,
    client_email: String,
    private_key: String,
    token_uri: String,
}

impl Account {
    pub(crate) fn read(google: &Google) -> Option<Self> {
        let written: Written = serde_json::from_str(&google.account).ok()?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(written.private_key.as_bytes()).ok()?;
        let key = rsa::KeyPair::from_pkcs8(der.secret_pkcs8_der()).ok()?;
        let token_url = Url::parse(&written.token_uri).ok()?;
        let host = google.host.clone();
        Some(Self { email: written.client_email, project: written.project_id, token_url, key, host })
    }
}

/// Rings Android phones that have Google's services.
pub(crate) struct Firebase {
    account: Account,
    token: Option<(String, u64)>,
    not_before_ms: u64,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

impl Firebase {
    pub(crate) fn new(account: Account) -> Self {
        Self { account, token: None, not_before_ms: 0 }
    }
}

impl Doorbell<DeviceToken> for Firebase {
    fn prepare(&mut self, now: Now) -> Result<Option<Call>, NoCall> {
        if self.token.as_ref().is_some_and(|(_, until_ms)| now.ticks_ms < *until_ms) {
            return Ok(None);
        }
        if now.ticks_ms < self.not_before_ms {
            return Err(NoCall);
        }
        let issued_s = now.unix_ms / 1_000;
        let Account { email, token_url, key, .. } = &self.account;
        let claims = json!({
            "iss": email, "scope": SCOPE, "aud": token_url.as_str(), "iat": issued_s, "exp": issued_s + TOKEN_S,
        });
        let assertion = jwt::rs256(key, &claims).ok_or(NoCall)?;
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", GRANT)
            .append_pair("assertion", &assertion)
            .finish();
        let headers = vec![("content-type", "application/x-www-form-urlencoded".into())];
        Ok(Some(Call { url: token_url.clone(), headers, body: body.into_bytes(), http2: false }))
    }

    fn prepared(&mut self, now: Now, answer: &[u8]) -> Result<(), NoCall> {
        let granted: Granted = serde_json::from_slice(answer).map_err(|_| NoCall)?;
        let lasts_ms = granted.expires_in.min(TOKEN_S) * 1_000;
        self.token = Some((granted.access_token, now.ticks_ms + lasts_ms.saturating_sub(MARGIN_MS)));
        Ok(())
    }

    fn unprepared(&mut self, now: Now) {
        self.not_before_ms = now.ticks_ms + PAUSE_MS;
    }

    fn call(&mut self, _: Now, to: &DeviceToken) -> Result<Call, NoCall> {
        let (token, _) = self.token.as_ref().ok_or(NoCall)?;
        let android = json!({ "priority": "HIGH", "ttl": format!("{KEEP_S}s") });
        let message = json!({ "message": { "token": to.token, "android": android, "data": {} } });
        Ok(Call {
            url: self
                .account
                .host
                .join(&format!("/v1/projects/{}/messages:send", self.account.project))
                .map_err(|_| NoCall)?,
            headers: vec![("authorization", format!("Bearer {token}")), ("content-type", "application/json".into())],
            body: message.to_string().into_bytes(),
            http2: false,
        })
    }
}
