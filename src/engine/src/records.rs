//! Records of all certificates, found by their sets of names.

use std::collections::HashMap;
use std::rc::Rc;

use crate::cooldown::Cooldown;
use protocol::{Attempt, CertificateId, Order, Renewal, State, StoredCertificate, Unwanted};

/// All that is known of one certificate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) id: Rc<CertificateId>,
    pub(crate) stored: Option<StoredCertificate>,
    /// The last try, if it failed, and which ways did.
    pub(crate) attempt: Option<Attempt>,
    pub(crate) order: Option<Order>,
    renewal: Option<Renewal>,
    /// The resolvers whose CAs may not be asked for it yet, and until when. Not stored: who keeps the ledger says it
    /// again.
    pub(crate) held: Vec<(String, Cooldown)>,
    pub(crate) unwanted: Option<Unwanted>,
}

impl Record {
    /// The stored renewal record, if it is about the stored certificate.
    pub(crate) fn renewal(&self) -> Option<&Renewal> {
        let serial = &self.stored.as_ref()?.serial;
        self.renewal.as_ref().filter(|renewal| renewal.serial == *serial)
    }

    pub(crate) fn set_renewal(&mut self, renewal: Renewal) {
        self.renewal = Some(renewal);
    }

    /// The last try, if it failed.
    pub(crate) fn failed(&self) -> Option<&Attempt> {
        self.attempt.as_ref().filter(|attempt| attempt.has_failed())
    }

    /// The resolver whose CA issued what is stored.
    pub(crate) fn issued_by(&self) -> &str {
        self.renewal().and_then(|renewal| renewal.issued_by.as_deref()).unwrap_or(&self.id.resolver)
    }
}

/// Records of all certificates. A record keeps its index; none is ever removed.
#[derive(Default)]
pub(crate) struct Records {
    all: Vec<Record>,
    places: HashMap<Rc<CertificateId>, usize>,
    /// The names of certificates that the user provided.
    pub(crate) provided: Vec<Vec<String>>,
}

impl Records {
    /// The records of everything that is stored.
    pub(crate) fn of(state: State) -> Self {
        let State { certificates, provided, orders, attempts, renewals, unwanted, next: _ } = state;
        let provided = provided.into_iter().map(|provided| provided.names).collect();
        let mut records = Self { provided, ..Self::default() };
        for stored in certificates {
            records.update(&stored.id(), |record| record.stored = Some(stored));
        }
        for order in orders {
            records.update(&order.certificate.clone(), |record| record.order = Some(order));
        }
        for attempt in attempts {
            records.update(&attempt.certificate.clone(), |record| record.attempt = Some(attempt));
        }
        for renewal in renewals {
            records.update(&renewal.certificate.clone(), |record| record.renewal = Some(renewal));
        }
        for unwanted in unwanted {
            records.update(&unwanted.certificate.clone(), |record| record.unwanted = Some(unwanted));
        }
        records
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Record)> {
        self.all.iter().enumerate()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        self.all.iter_mut()
    }

    pub(crate) fn into_all(self) -> Vec<Record> {
        self.all
    }

    pub(crate) fn at(&self, place: usize) -> Option<&Record> {
        self.all.get(place)
    }

    pub(crate) fn at_mut(&mut self, place: usize) -> Option<&mut Record> {
        self.all.get_mut(place)
    }

    /// The index of a certificate's record.
    pub(crate) fn place(&self, id: &CertificateId) -> Option<usize> {
        self.places.get(id).copied()
    }

    pub(crate) fn find_record(&self, id: &CertificateId) -> Option<&Record> {
        self.at(self.place(id)?)
    }

    /// Changes the record of this certificate; a new one, where there is none. Gives its place.
    pub(crate) fn update(&mut self, id: &CertificateId, change: impl FnOnce(&mut Record)) -> usize {
        let place = self.place(id).unwrap_or_else(|| {
            let (place, id) = (self.all.len(), Rc::new(id.clone()));
            self.places.insert(Rc::clone(&id), place);
            self.all.push(Record { id, ..Record::default() });
            place
        });
        if let Some(record) = self.all.get_mut(place) {
            change(record);
        }
        place
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn id(resolver: &str, names: &[&str]) -> CertificateId {
        CertificateId { resolver: resolver.into(), names: names.iter().map(|name| (*name).to_owned()).collect() }
    }

    #[test]
    fn a_certificate_is_found_by_its_names_in_any_order() {
        let mut records = Records::default();
        records.update(&id("le", &["a.example", "b.example", "c.example"]), |_| {});
        records.update(&id("le", &["a.example"]), |_| {});
        assert_eq!(records.place(&id("le", &["c.example", "a.example", "b.example"])), Some(0));
        assert_eq!(records.place(&id("le", &["a.example"])), Some(1));
        for other in
            [id("le", &["a.example", "b.example"]), id("zero", &["a.example"]), id("le", &["b.example"]), id("le", &[])]
        {
            assert_eq!(records.place(&other), None, "{other:?}");
        }
    }

    #[test]
    fn what_was_said_of_another_serial_number_says_nothing() {
        let mut records = Records::default();
        let said_of =
            |serial: &str| Renewal { serial: serial.into(), issued_by: Some("other".into()), ..Renewal::default() };
        records.update(&id("le", &["a.example"]), |record| {
            record.stored = Some(StoredCertificate { serial: "2".into(), ..StoredCertificate::default() });
            record.set_renewal(said_of("1"));
        });
        let issued_by = |records: &Records| records.at(0).unwrap().issued_by().to_owned();
        assert!(records.at(0).unwrap().renewal().is_none());
        assert_eq!(issued_by(&records), "le");
        records.update(&id("le", &["a.example"]), |record| record.set_renewal(said_of("2")));
        assert_eq!(issued_by(&records), "other");
    }
}
