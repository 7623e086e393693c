//! The messages of an update: the request, and the meaning of the response.

use hickory_proto::op::update_message::{append, delete_by_rdata};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::rdata::tsig::{TSIG, TsigError, make_tsig_record, message_tbs, signed_bitmessage_to_buf};
use hickory_proto::rr::{Name, RData, RecordSet, RecordType};
use hickory_proto::serialize::binary::BinEncodable;

use super::super::record::Record;
use super::key::TsigKey;

/// Allowed difference of the clocks, in seconds; RFC 8945 §10 asks for 300.
const FUDGE: u16 = 300;

/// The change of a record.
pub(super) enum Change {
    /// Adds the record to those of its name.
    Add {
        /// The record's TTL, in seconds.
        ttl: u32,
    },
    /// Removes the record, and no other.
    Remove,
}

/// An update (RFC 2136 §2), and its time of signing.
pub(super) struct Update {
    message: Message,
    time: u64,
}

/// The reason why a response is no success.
pub(super) struct Verdict {
    pub(super) why: String,
    /// True if the failure stays until somebody changes something.
    pub(super) stays: bool,
}

impl Update {
    /// An update made at `time`, in seconds since 1970.
    pub(super) fn new(change: Change, record: &Record, zone: &str, time: u64) -> Result<Self, String> {
        let name = |text: &str| Name::from_ascii(text).map_err(|_| format!("{text:?} is no DNS name"));
        let (owner, zone) = (name(&record.fqdn)?, name(zone)?);
        if !zone.zone_of(&owner) {
            return Err(format!("{owner} is not in the zone {zone}"));
        }
        let ttl = if let Change::Add { ttl } = change { ttl } else { 0 };
        let mut set = RecordSet::with_ttl(owner, RecordType::TXT, ttl);
        set.add_rdata(RData::TXT(TXT::new(vec![record.value.clone()])));
        let message = match change {
            Change::Add { .. } => append(set, zone, false, false),
            Change::Remove => delete_by_rdata(set, zone, false),
        };
        Ok(Self { message, time })
    }

    /// The message in wire format.
    pub(super) fn to_bytes(&self, key: Option<&TsigKey>) -> Result<Vec<u8>, String> {
        let mut message = self.message.clone();
        if let Some(key) = key {
            let signature = self.signature(key)?;
            message.set_signature(Box::new(make_tsig_record(key.name.clone(), signature)));
        }
        message.to_bytes().map_err(|error| error.to_string())
    }

    fn signature(&self, key: &TsigKey) -> Result<TSIG, String> {
        let id = self.message.id;
        let unsigned = TSIG::new(key.algorithm.clone(), self.time, FUDGE, Vec::new(), id, None, Vec::new());
        let bytes = message_tbs(&self.message, &unsigned, &key.name).map_err(|error| error.to_string())?;
        Ok(unsigned.set_mac(key.sign(&bytes)))
    }

    /// Checks the response.
    pub(super) fn judge(&self, answer: &[u8], key: Option<&TsigKey>) -> Result<(), Verdict> {
        let garbled = |why: String| Verdict { why: format!("the answer is garbled: {why}"), stays: false };
        let message = Message::from_vec(answer).map_err(|error| garbled(error.to_string()))?;
        if message.id != self.message.id {
            return Err(garbled("it is to another message".to_owned()));
        }
        let signature = message.signature.as_ref().map(|record| &record.data);
        if let (Some(error), Some(key)) = (signature.and_then(|signature| signature.error), key) {
            return Err(complaint(error, key));
        }
        if let Some(key) = key {
            // A refusal needs no signature to be trusted: it changes nothing.
            if message.response_code == ResponseCode::NoError && !self.is_signed(answer, key) {
                let why = format!("the answer is not signed with the key {}", key.name);
                return Err(Verdict { why, stays: false });
            }
        }
        outcome(message.response_code, key)
    }

    /// Verifies the response's signature, which covers ours (RFC 8945 §5.3 and §5.2).
    fn is_signed(&self, answer: &[u8], key: &TsigKey) -> bool {
        let Ok(ours) = self.signature(key) else { return false };
        let Ok((bytes, record)) = signed_bitmessage_to_buf(answer, Some(&ours.mac), true) else { return false };
        let theirs = &record.data;
        let is_same_key = record.name == key.name && theirs.algorithm == key.algorithm;
        is_same_key && theirs.time.abs_diff(self.time) <= u64::from(FUDGE) && key.verifies(&bytes, &theirs.mac)
    }
}

/// The meaning of a TSIG error (RFC 8945 §5.2).
fn complaint(error: TsigError, key: &TsigKey) -> Verdict {
    let name = &key.name;
    let why = match error {
        // Knot DNS also returns this error if the key is valid for another zone.
        TsigError::BadKey => {
            format!("the server does not know the key {name} with this algorithm, or not for this zone (BADKEY)")
        }
        TsigError::BadSig => format!("the secret of the key {name} is not the server's (BADSIG)"),
        TsigError::BadTime => "the server's clock and ours differ by more than five minutes (BADTIME)".to_owned(),
        TsigError::BadTrunc => format!("the server takes no signature of the key {name} of this length (BADTRUNC)"),
        TsigError::Unknown(code) => format!("the server complains about the signature (error {code})"),
    };
    Verdict { why, stays: true }
}

/// The meaning of a response code (RFC 2136 §2.2).
fn outcome(code: ResponseCode, key: Option<&TsigKey>) -> Result<(), Verdict> {
    let (why, stays) = match code {
        ResponseCode::NoError => return Ok(()),
        ResponseCode::Refused => {
            let who = key
                .map_or("updates without a key (RFC2136_TSIG_KEY)".to_owned(), |key| format!("the key {}", key.name));
            (format!("the server refuses it (REFUSED): let {who} update TXT records of the zone"), true)
        }
        ResponseCode::NotAuth | ResponseCode::NotZone => {
            let why = format!(
                "the server does not have this zone, or not as its primary ({code}): name another server, or the zone \
                 in RFC2136_ZONES"
            );
            (why, true)
        }
        ResponseCode::NotImp => (format!("the server takes no dynamic updates ({code})"), true),
        other => (format!("the server answered: {other}"), false),
    };
    Err(Verdict { why, stays })
}
