//! TLS: whom to trust, and that nobody else is.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use trialogue_socketio::client::{Client, ClientConfig, ConnectError, RootCertificates};

use crate::peer::{HANDSHAKE, Peer, Wire, soon};

/// An authority made for this test, and a certificate of it for `localhost`; its key is public.
const AUTHORITY: &[u8] = include_bytes!("../certs/authority.pem");
const CERTIFICATE: &[u8] = include_bytes!("../certs/localhost.pem");
const KEY: &[u8] = include_bytes!("../certs/localhost.key.pem");

fn acceptor() -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config).into()
}

fn config(peer: &Peer, scheme: &str, host: &str) -> ClientConfig {
    let url = format!("{scheme}://{host}:{}", peer.address().port());
    let mut config = ClientConfig::new(url.parse().unwrap());
    let authority = CertificateDer::from_pem_slice(AUTHORITY).unwrap();
    config.root_certificates = RootCertificates::only([authority]).unwrap();
    config
}

#[tokio::test]
async fn a_trusted_server_is_talked_to() {
    let peer = Peer::new().await;
    for scheme in ["wss", "https"] {
        let serve = async {
            let tls = acceptor().accept(peer.accept().await).await.unwrap();
            let mut wire = Wire::accept(tls).await;
            wire.text(HANDSHAKE).await;
            wire.text("2").await;
            wire.expect("3").await;
        };
        let config = config(&peer, scheme, "localhost");
        let (client, ()) = tokio::join!(soon(Client::connect(config)), serve);
        assert_eq!(client.unwrap().id(), "engine");
    }
}

#[tokio::test]
async fn strangers_and_impostors_are_refused() {
    let peer = Peer::new().await;
    let mut stranger = config(&peer, "wss", "localhost");
    stranger.root_certificates = RootCertificates::Platform;
    // The certificate is for `localhost`, not for its address.
    let impostor = config(&peer, "wss", "127.0.0.1");
    for config in [stranger, impostor] {
        let serve = async {
            assert!(acceptor().accept(peer.accept().await).await.is_err());
        };
        let (connected, ()) = tokio::join!(soon(Client::connect(config)), serve);
        assert!(matches!(connected, Err(ConnectError::Tls { .. })), "{connected:?}");
    }
}
