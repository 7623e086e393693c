# A backend of serles' that signs with one key, for as many seconds as its configuration says.
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key


class Backend:
    def __init__(self, config):
        settings = config["test"]
        with open(settings["certificate"], "rb") as file:
            self.certificate = x509.load_pem_x509_certificate(file.read())
        with open(settings["key"], "rb") as file:
            self.key = load_pem_private_key(file.read(), None)
        self.life = datetime.timedelta(seconds=int(settings["seconds"]))

    def sign(self, csr, subjectDN, subjectAltNames, email):
        request = x509.load_pem_x509_csr(csr)
        now = datetime.datetime.now(datetime.timezone.utc)
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        leaf = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(self.certificate.subject)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + self.life)
            .add_extension(names.value, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        chain = leaf.public_bytes(Encoding.PEM) + self.certificate.public_bytes(Encoding.PEM)
        return chain.decode(), None
