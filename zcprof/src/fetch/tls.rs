//! TLS 1.3 for a listener and for the consumer: who the server is, and the keys' way into the
//! kernel.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use nix::libc;
use nix::sys::socket::SetSockOpt as _;
use nix::sys::socket::sockopt::{SndBuf, TcpTlsRx, TcpTlsTx, TcpUlp, TlsCryptoInfo};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, Connection, ConnectionTrafficSecrets, RootCertStore,
    ServerConfig, ServerConnection,
};

/// Names that a server's certificate is for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A server's self-signed certificate and what it does with it.
#[derive(Clone, Debug)]
pub struct Identity {
    config: Arc<ServerConfig>,
    /// The certificate, in PEM.
    pub certificate: String,
}

/// One cipher suite, and one that every kernel with TLS has.
fn provider() -> Arc<CryptoProvider> {
    let cipher_suites = vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256];
    Arc::new(CryptoProvider { cipher_suites, ..ring::default_provider() })
}

impl Identity {
    /// Makes a new key, which never leaves this process.
    ///
    /// # Errors
    /// The libraries' own.
    pub fn new() -> Result<Self> {
        let names = NAMES.map(str::to_owned).to_vec();
        let made = rcgen::generate_simple_self_signed(names).context("making a certificate")?;
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())?;
        config.enable_secret_extraction = true; // for the kernel
        config.send_tls13_tickets = 0; // nobody resumes, and the kernel would have to count them
        Ok(Self { config: Arc::new(config), certificate: made.cert.pem() })
    }

    /// The server's side of a new connection.
    ///
    /// # Errors
    /// The library's own.
    pub fn accept(&self) -> Result<Connection> {
        Ok(ServerConnection::new(Arc::clone(&self.config))?.into())
    }
}

/// The client's side of a new connection to a server with that certificate (PEM).
///
/// # Errors
/// The text is no certificate.
pub fn connect(certificate: &str) -> Result<Connection> {
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.context("reading the server's certificate")?)?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(NAMES[0])?;
    Ok(ClientConnection::new(Arc::new(config), name)?.into())
}

/// Bytes that a socket may keep until they are acknowledged; the kernel doubles the number, and takes no
/// more than `net.core.wmem_max`, 212992 by default.
///
/// Records that sendfile(2) queues with more to come are not sent before a packet is full (64 KiB with
/// segmentation offload), or an earlier packet is acknowledged: `tls_push_sg()` (net/tls/tls_main.c) hands
/// MSG_SENDPAGE_NOTLAST on to `do_tcp_sendpages()`, and `tls_sw_do_sendpage()` (net/tls/tls_sw.c), unlike
/// TCP, pushes nothing before it waits for room (5.10 to 6.4). A buffer of 46080 bytes, with which a
/// connection begins, is full after three records: on a connection with nothing in flight nobody would
/// send them, ever. From 6.5 on the timer of zero-window probes sends them, late.
const SEND_BUFFER: usize = 1 << 20;

/// Has the kernel encrypt and decrypt from here on (Documentation/networking/tls.rst). Nothing
/// of the peer's that came after the handshake may have been read.
///
/// # Errors
/// The kernel has no TLS, or not this cipher.
pub fn into_kernel(socket: &impl AsFd, connection: Connection) -> Result<()> {
    let secrets = connection.dangerous_extract_secrets().context("taking the keys")?;
    attach(socket)?;
    SndBuf.set(socket, &SEND_BUFFER).context("making room to send")?;
    TcpTlsTx.set(socket, &info(secrets.tx)?).context("giving the kernel the key to send with")?;
    TcpTlsRx.set(socket, &info(secrets.rx)?).context("giving the kernel the key to receive with")
}

/// Attaches TLS to a connected socket.
///
/// # Errors
/// ENOENT if the kernel has no TLS.
pub fn attach(socket: &impl AsFd) -> io::Result<()> {
    Ok(TcpUlp::default().set(socket, b"tls")?)
}

fn info((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> Result<TlsCryptoInfo> {
    let ConnectionTrafficSecrets::Aes128Gcm { key, iv } = secrets else {
        anyhow::bail!("the connection has another cipher than AES-128-GCM");
    };
    // include/uapi/linux/tls.h: the first four bytes of the IV are called salt.
    let (salt, iv) = iv.as_ref().split_at(4);
    Ok(TlsCryptoInfo::Aes128Gcm(libc::tls12_crypto_info_aes_gcm_128 {
        info: libc::tls_crypto_info {
            version: libc::TLS_1_3_VERSION,
            cipher_type: libc::TLS_CIPHER_AES_GCM_128,
        },
        iv: iv.try_into()?,
        key: key.as_ref().try_into()?,
        salt: salt.try_into()?,
        rec_seq: sequence.to_be_bytes(),
    }))
}
