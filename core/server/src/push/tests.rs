//! What is asked of push services, read as they read it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;
use sidetone_wire::push::{DeviceToken, WebPush};

use super::*;
use crate::config::{Developer, Google};

const NOW: Now = Now { ticks_ms: 1_000_000, unix_ms: 1_790_000_000_000 };

/// The header and claims of a token whose signature holds.
fn opened(token: &str, verify: impl Fn(&[u8], &[u8]) -> bool) -> (Value, Value) {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let part = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    assert!(verify(signed.as_bytes(), &part(signature)), "the signature does not hold");
    let (header, claims) = signed.split_once('.').unwrap();
    let json = |text: &str| serde_json::from_slice(&part(text)).unwrap();
    (json(header), json(claims))
}

fn header<'a>(call: &'a Call, name: &str) -> &'a str {
    &call.headers.iter().find(|(one, _)| *one == name).unwrap_or_else(|| panic!("no {name}")).1
}

fn es256(public: &[u8]) -> impl Fn(&[u8], &[u8]) -> bool {
    let public = public.to_vec();
    move |signed, signature| UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public).verify(signed, signature).is_ok()
}

fn pem(kind: &str, der: &[u8]) -> String {
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n")
}

/// The keys of RFC 8291 appendix A.
fn subscription() -> WebPush {
    let key = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    let part = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap().into();
    let endpoint = "https://push.example.net:8443/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV?x=1".into();
    WebPush { endpoint, key: part(key), auth: part("BTBZMqHH6r4Tts7J_aSIgg") }
}

#[test]
fn a_web_push_says_who_we_are_for_how_long_it_counts_and_nothing_else() {
    let key = Es256::read(&Es256::fresh().unwrap()).unwrap();
    let public = key.public().to_vec();
    let mut web = Web::new(key, "mailto:operator@example.org".into());
    let call = web.call(NOW, &subscription()).unwrap();
    assert_eq!((call.url.as_str(), call.http2), (subscription().endpoint.as_str(), false));
    assert_eq!((header(&call, "ttl"), header(&call, "urgency"), header(&call, "topic")), ("45", "high", "call"));
    assert_eq!(header(&call, "content-encoding"), "aes128gcm");
    let (token, known) = header(&call, "authorization").strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
    assert_eq!(URL_SAFE_NO_PAD.decode(known).unwrap(), public);
    let (head, claims) = opened(token, es256(&public));
    assert_eq!((&head["alg"], &head["typ"]), (&"ES256".into(), &"JWT".into()));
    assert_eq!(
        (&claims["aud"], &claims["sub"]),
        (&"https://push.example.net:8443".into(), &"mailto:operator@example.org".into())
    );
    let ahead_s = claims["exp"].as_u64().unwrap() - NOW.unix_ms / 1_000;
    assert!(ahead_s <= 86_400, "RFC 8292 allows a day");
    // Salt, record size, key length, key, then one byte, its delimiter and a tag.
    assert_eq!(call.body.len(), 16 + 4 + 1 + 65 + 2 + 16);
    assert_eq!((&call.body[16..21], call.body[21]), (&[0, 0, 16, 0, 65][..], 4));
    let again = web.call(NOW, &subscription()).unwrap();
    assert!(again.body[..16] != call.body[..16] && again.body[21..86] != call.body[21..86], "fresh each time");
}

#[test]
fn an_endpoint_that_would_say_more_than_it_shows_is_none() {
    assert!(endpoint("https://push.example.net:8443/a?b").is_some());
    for other in [
        "http://push.example",
        "https://user@push.example",
        "https://u:p@push.example/",
        "https://push.example/#x",
        "ftp://push.example",
        "https://",
        "push.example",
    ] {
        assert_eq!(endpoint(other), None, "{other}");
    }
}

#[test]
fn apple_is_asked_as_it_wants_to_be() {
    let der = Es256::fresh().unwrap();
    let public = Es256::read(&der).unwrap().public().to_vec();
    let developer = Developer {
        key: pem("PRIVATE KEY", &der).into(),
        key_id: "ABC123DEFG".into(),
        team: "DEF123GHIJ".into(),
        bundle: "org.example.phone".into(),
        host: Url::parse("https://api.push.apple.com").unwrap(),
    };
    let mut apple = Apple::new(apple::Account::read(&developer).unwrap());
    let device = DeviceToken { token: "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0".into() };
    let call = apple.call(NOW, &device).unwrap();
    assert_eq!(call.url.as_str(), format!("https://api.push.apple.com/3/device/{}", device.token));
    assert!(call.http2);
    assert_eq!((header(&call, "apns-topic"), header(&call, "apns-push-type")), ("org.example.phone.voip", "voip"));
    assert_eq!((header(&call, "apns-priority"), header(&call, "apns-expiration")), ("10", "1790000045"));
    assert_eq!(call.body, br#"{"aps":{}}"#);
    let token = header(&call, "authorization").strip_prefix("bearer ").unwrap().to_owned();
    let (head, claims) = opened(&token, es256(&public));
    assert_eq!((&head["alg"], &head["kid"]), (&"ES256".into(), &"ABC123DEFG".into()));
    assert_eq!((&claims["iss"], &claims["iat"]), (&"DEF123GHIJ".into(), &(NOW.unix_ms / 1_000).into()));
    let later = |ms: u64| Now { ticks_ms: NOW.ticks_ms + ms, unix_ms: NOW.unix_ms + ms };
    let shown = |apple: &mut Apple, ms| header(&apple.call(later(ms), &device).unwrap(), "authorization").to_owned();
    assert_eq!(shown(&mut apple, 20 * 60_000), format!("bearer {token}"), "Apple refuses who signs too often");
    assert_ne!(shown(&mut apple, 41 * 60_000), format!("bearer {token}"), "and who does not sign anew in an hour");
}

/// An RSA key that is nobody's, and its public half.
const RSA: (&[u8], &[u8]) =
    (include_bytes!("../../tests/kept/rsa.der"), include_bytes!("../../tests/kept/rsa-public.der"));

#[test]
fn google_is_asked_for_a_token_first_and_no_more_often_than_it_lasts() {
    let account = serde_json::json!({
        "type": "service_account", "project_id": "phone-1", "client_email": "push@phone-1.example",
        "private_key": pem("PRIVATE KEY", RSA.0), "token_uri": "https://oauth2.googleapis.com/token",
    });
    let host = Url::parse("https://fcm.googleapis.com").unwrap();
    let google = Google { account: account.to_string().into(), host };
    let mut firebase = Firebase::new(firebase::Account::read(&google).unwrap());
    let device = DeviceToken { token: "cXyz:APA91b".into() };
    assert_eq!(firebase.call(NOW, &device), Err(NoCall), "nobody rings without a token");
    let asked = firebase.prepare(NOW).unwrap().unwrap();
    assert_eq!(asked.url.as_str(), "https://oauth2.googleapis.com/token");
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&asked.body).into_owned().collect();
    assert_eq!(form[0], ("grant_type".into(), "urn:ietf:params:oauth:grant-type:jwt-bearer".into()));
    let verify = |signed: &[u8], signature: &[u8]| {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, RSA.1).verify(signed, signature).is_ok()
    };
    let (head, claims) = opened(&form[1].1, verify);
    assert_eq!((&form[1].0[..], &head["alg"]), ("assertion", &"RS256".into()));
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&"push@phone-1.example".into(), &"https://oauth2.googleapis.com/token".into())
    );
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/firebase.messaging");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3_600);
    assert_eq!(firebase.prepared(NOW, b"no"), Err(NoCall));
    firebase.unprepared(NOW);
    assert_eq!(firebase.prepare(NOW), Err(NoCall), "whoever gives no token is left alone for a while");
    let soon = Now { ticks_ms: NOW.ticks_ms + 30_000, ..NOW };
    assert!(firebase.prepare(soon).unwrap().is_some());
    firebase.prepared(NOW, br#"{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}"#).unwrap();
    assert_eq!(firebase.prepare(NOW), Ok(None));
    let call = firebase.call(NOW, &device).unwrap();
    assert_eq!(call.url.as_str(), "https://fcm.googleapis.com/v1/projects/phone-1/messages:send");
    assert_eq!(header(&call, "authorization"), "Bearer ya29.x");
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    let told = serde_json::json!({
        "message": { "token": device.token, "android": { "priority": "HIGH", "ttl": "45s" }, "data": {} }
    });
    assert_eq!(body, told);
    let later = Now { ticks_ms: NOW.ticks_ms + 3_550_000, unix_ms: NOW.unix_ms + 3_550_000 };
    assert!(firebase.prepare(later).unwrap().is_some(), "not in its last minute");
}
