//! A sidecar with a directory of certificates, and the CA that signed them.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use harness::tls::Roots;
use harness::{Place, Sidecar, SidecarOptions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PublicKeyData, SerialNumber};

/// A scene. The fields are in the order in which they are dropped.
pub struct Scene {
    sidecar: Option<Sidecar>,
    pub roots: Roots,
    issuer: CertifiedIssuer<'static, KeyPair>,
    last_serial: Cell<u64>,
    default_certificate: &'static str,
    pub place: Place,
}

impl Scene {
    pub fn start(name: &str, default_certificate: &'static str) -> Result<Self> {
        let mut scene = Self::without_sidecar(name, default_certificate)?;
        scene.start_sidecar()?;
        Ok(scene)
    }

    pub fn without_sidecar(name: &str, default_certificate: &'static str) -> Result<Self> {
        let place = Place::new(name)?;
        fs::create_dir(place.file("certificates"))?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let roots = Roots::from_pem(&issuer.pem())?;
        Ok(Self { sidecar: None, roots, issuer, last_serial: Cell::new(0), default_certificate, place })
    }

    pub fn start_sidecar(&mut self) -> Result<()> {
        let arguments = vec!["--default-certificate".to_owned(), self.default_certificate.to_owned()];
        let cert_dir = Some(self.place.file("certificates"));
        let options = SidecarOptions { cert_dir, arguments, ..SidecarOptions::default() };
        self.sidecar = Some(Sidecar::start(&self.place, options)?);
        Ok(())
    }

    pub fn sidecar(&mut self) -> Result<&mut Sidecar> {
        self.sidecar.as_mut().context("the sidecar has not been started")
    }

    /// The socket of SDS.
    pub fn socket(&self) -> PathBuf {
        self.place.file("run/sds.sock")
    }

    /// Puts a new certificate for these names into the directory; returns its serial number.
    pub fn provide(&self, file: &str, names: &[&str]) -> Result<String> {
        let key = KeyPair::generate()?;
        let (serial, chain) = self.sign(names, &key)?;
        self.write(file, &chain, &key)?;
        Ok(serial)
    }

    /// The same with the key of another certificate.
    pub fn provide_with_wrong_key(&self, file: &str, names: &[&str]) -> Result<()> {
        let (_, chain) = self.sign(names, &KeyPair::generate()?)?;
        self.write(file, &chain, &KeyPair::generate()?)
    }

    fn sign(&self, names: &[&str], key: &KeyPair) -> Result<(String, String)> {
        self.sign_with(names, key, |_| {})
    }

    /// A certificate for a key, altered by `change`: its serial number and the PEM.
    pub fn sign_with(
        &self,
        names: &[&str],
        key: &impl PublicKeyData,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<(String, String)> {
        self.last_serial.set(self.last_serial.get() + 1);
        let serial = self.last_serial.get();
        let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
        params.serial_number = Some(SerialNumber::from(serial));
        change(&mut params);
        Ok((format!("{serial:x}"), params.signed_by(key, &self.issuer)?.pem()))
    }

    fn write(&self, file: &str, chain: &str, key: &KeyPair) -> Result<()> {
        let directory = self.place.file("certificates");
        fs::write(directory.join(format!("{file}.crt")), chain)?;
        fs::write(directory.join(format!("{file}.key")), key.serialize_pem())?;
        Ok(())
    }
}
