//! The certificate of one end of one link, by which both DTLS and QUIC prove who they are.
//!
//! Its SHA-256 is in this end's description, which travels inside encrypted records, so there is nothing more to agree on
//! before files go over QUIC. The two handshakes sign different things (TLS 1.3 signatures carry a context, RFC 8446
//! section 4.4.3), so that one key serves both.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rtc::crypto::SignatureScheme;
use rtc::peer_connection::certificate::RTCCertificate;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, ServerConfig,
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::LinkError;

/// A self-signed certificate and its key, made for one link.
pub(super) struct Certificate {
    der: CertificateDer<'static>,
    pkcs8: Zeroizing<Vec<u8>>,
    expires: std::time::SystemTime,
}

impl Certificate {
    pub(super) fn generate() -> Result<Self, LinkError> {
        let failed = |error: rcgen::Error| LinkError::Setup(error.to_string());
        let key = KeyPair::generate().map_err(failed)?;
        let params = CertificateParams::default();
        let expires = params.not_after.into();
        let der = params.self_signed(&key).map_err(failed)?.der().clone();
        Ok(Self { der, pkcs8: Zeroizing::new(key.serialize_der()), expires })
    }

    /// The same for DTLS.
    pub(super) fn dtls(&self) -> Result<RTCCertificate, LinkError> {
        let failed = |error: String| LinkError::Setup(error);
        let provider = rtc::crypto::default_provider().map_err(|error| failed(error.to_string()))?;
        let (scheme, chain) = (SignatureScheme::EcdsaP256Sha256, vec![self.der.clone()]);
        RTCCertificate::from_pkcs8(provider.crypto(), scheme, chain, &self.pkcs8, self.expires)
            .map_err(|error| failed(error.to_string()))
    }

    /// How this end speaks TLS as the client of a peer whose certificate has the hash `peer`, and what it says it speaks (RFC 7301).
    pub(super) fn client(&self, peer: [u8; 32], alpn: &[u8]) -> Result<ClientConfig, Error> {
        let provider = Arc::new(ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Exactly::new(peer, &provider)))
            .with_client_auth_cert(vec![self.der.clone()], self.key())?;
        config.alpn_protocols = vec![alpn.to_vec()];
        config.resumption = rustls::client::Resumption::disabled();
        Ok(config)
    }

    /// How this end speaks TLS as the server of such a peer.
    pub(super) fn server(&self, peer: [u8; 32], alpn: &[u8]) -> Result<ServerConfig, Error> {
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(Arc::new(Exactly::new(peer, &provider)))
            .with_single_cert(vec![self.der.clone()], self.key())?;
        config.alpn_protocols = vec![alpn.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.pkcs8.to_vec()).into()
    }
}

/// Accepts one certificate, by its SHA-256, and no other; names and dates in it mean nothing.
#[derive(Debug)]
struct Exactly {
    hash: [u8; 32],
    algorithms: WebPkiSupportedAlgorithms,
}

impl Exactly {
    fn new(hash: [u8; 32], provider: &CryptoProvider) -> Self {
        Self { hash, algorithms: provider.signature_verification_algorithms }
    }

    fn judge(&self, shown: &CertificateDer<'_>, more: &[CertificateDer<'_>]) -> Result<(), Error> {
        if more.is_empty() && self.hash == <[u8; 32]>::from(Sha256::digest(shown)) {
            return Ok(());
        }
        Err(CertificateError::ApplicationVerificationFailure.into())
    }
}

impl ServerCertVerifier for Exactly {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.judge(shown, more).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, shown, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Exactly {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.judge(shown, more).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, shown, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
