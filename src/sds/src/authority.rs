//! Rewrites the `:authority` of requests over a unix socket into one that HTTP/2 accepts.
//!
//! gRPC's C-core (Envoy's `google_grpc`, Python, C++) sends the socket's path there, percent-encoded; other clients
//! send the path unencoded. Neither is an authority (RFC 3986 §3.2), and the HTTP/2 library below refuses the request
//! before any code of ours could say why. Nothing here reads the authority, so every byte of it that can't stand in a
//! host name is replaced by a hyphen as the bytes come in.
//!
//! Promises: no byte is added or removed, and no other byte is altered. So the dynamic tables of header compression
//! (HPACK, RFC 7541) stay equal on both sides, and a value that a client sends once and refers to later is right there
//! as well. Refuses: to decode. A Huffman-coded value passes unchanged; none of those clients sends one.

/// The length of a frame's head, in bytes (RFC 9113 §4.1).
const HEAD: usize = 9;
/// Kinds of frames with fields (RFC 9113 §6.2 and §6.10).
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
/// Flags of those frames.
const END_HEADERS: u8 = 0x04;
const PADDED: u8 = 0x08;
const PRIORITY: u8 = 0x20;
/// Length of the priority before the fields, in bytes.
const PRIORITY_BYTES: usize = 5;
/// The field, and its index in the table that both sides know from the start (RFC 7541, appendix A).
const AUTHORITY: &[u8] = b":authority";
const AUTHORITY_INDEX: usize = 1;

/// A client's bytes, followed frame by frame before the HTTP/2 library reads them.
pub(super) struct Authorities {
    place: Place,
    field: Field,
}

/// Position within the frames.
#[derive(Clone, Copy)]
enum Place {
    /// Between frames, with this many uninteresting bytes left to skip.
    Skip(usize),
    /// In a frame's head.
    Head { read: usize, length: usize, kind: u8, flags: u8 },
    /// At the length of a frame's padding.
    Padding { length: usize, flags: u8 },
    /// In the priority before the fields.
    Priority { left: usize, fields: Fields },
    /// In the fields.
    Fields(Fields),
}

/// The fields of one frame.
#[derive(Clone, Copy)]
struct Fields {
    /// Bytes left.
    left: usize,
    /// Bytes of padding after them.
    padding: usize,
    /// True if no further frame continues these fields.
    are_last: bool,
}

/// Position within a field (RFC 7541 §6), which may continue in the next frame.
#[derive(Clone, Copy)]
enum Field {
    Start,
    /// In a number of several bytes (§5.1).
    Number {
        value: usize,
        shift: u32,
        what: Number,
    },
    /// At the length of a string (§5.2).
    Length(Text),
    /// In a string with so many bytes left.
    Text {
        left: usize,
        text: Text,
    },
}

/// Meaning of a number.
#[derive(Clone, Copy)]
enum Number {
    /// The index of a whole field, or a table's size: nothing follows.
    Alone,
    /// The index of a name, whose value follows; zero stands for a name that follows.
    Name,
    /// The length of a string.
    Length { text: Text, is_coded: bool },
}

/// Meaning of a string.
#[derive(Clone, Copy)]
enum Text {
    /// A name: the number of its bytes that equal those of [`AUTHORITY`] so far; `None` once it differs.
    Name(Option<usize>),
    /// A value, of `:authority` or of another field.
    Value { is_authority: bool },
}

impl Default for Authorities {
    fn default() -> Self {
        Self { place: Place::Skip(PREFACE), field: Field::Start }
    }
}

impl Authorities {
    /// Reads the next bytes, and rewrites those of an authority in place.
    pub(super) fn read(&mut self, bytes: &mut [u8]) {
        let mut rest = bytes;
        while let Some((byte, others)) = rest.split_first_mut() {
            match self.place {
                // Skipped in one step: a request's body may be long.
                Place::Skip(left) if left > 0 => {
                    let step = left.min(others.len().saturating_add(1));
                    self.place = Place::Skip(left.saturating_sub(step));
                    rest = others.get_mut(step.saturating_sub(1)..).unwrap_or_default();
                }
                _ => {
                    self.place = self.after(byte);
                    rest = others;
                }
            }
        }
    }

    fn after(&mut self, byte: &mut u8) -> Place {
        match self.place {
            Place::Skip(_) => Place::Head { read: 1, length: usize::from(*byte), kind: 0, flags: 0 },
            Place::Head { read, length, kind, flags } => {
                let (length, kind, flags) = match read {
                    1 | 2 => (length << 8 | usize::from(*byte), kind, flags),
                    3 => (length, *byte, flags),
                    4 => (length, kind, *byte),
                    _ => (length, kind, flags),
                };
                match read.saturating_add(1) {
                    HEAD => self.frame(length, kind, flags),
                    read => Place::Head { read, length, kind, flags },
                }
            }
            Place::Padding { length, flags } => self.before(length.saturating_sub(1), usize::from(*byte), flags),
            Place::Priority { left: 1, fields } => self.within(fields),
            Place::Priority { left, fields } => Place::Priority { left: left.saturating_sub(1), fields },
            Place::Fields(fields) => {
                self.field = self.field.after(byte);
                self.within(Fields { left: fields.left.saturating_sub(1), ..fields })
            }
        }
    }

    fn frame(&mut self, length: usize, kind: u8, flags: u8) -> Place {
        match kind {
            HEADERS if flags & PADDED != 0 && length > 0 => Place::Padding { length, flags },
            HEADERS => self.before(length, 0, flags),
            CONTINUATION => self.before(length, 0, flags & END_HEADERS),
            _ => Place::Skip(length),
        }
    }

    /// Starts the fields, with this many bytes left of the frame. The HTTP/2 library refuses a frame that is shorter
    /// than it claims.
    fn before(&mut self, length: usize, padding: usize, flags: u8) -> Place {
        let priority = if flags & PRIORITY == 0 { 0 } else { PRIORITY_BYTES };
        let Some(left) = length.checked_sub(priority.saturating_add(padding)) else { return Place::Skip(length) };
        let fields = Fields { left, padding, are_last: flags & END_HEADERS != 0 };
        if priority == 0 { self.within(fields) } else { Place::Priority { left: priority, fields } }
    }

    fn within(&mut self, fields: Fields) -> Place {
        if fields.left > 0 {
            return Place::Fields(fields);
        }
        if fields.are_last {
            self.field = Field::Start;
        }
        Place::Skip(fields.padding)
    }
}

impl Field {
    fn after(self, byte: &mut u8) -> Self {
        match self {
            Self::Start => match *byte {
                0x80.. => Self::number(*byte, 7, Number::Alone),
                0x40..0x80 => Self::number(*byte, 6, Number::Name),
                0x20..0x40 => Self::number(*byte, 5, Number::Alone),
                0x00..0x20 => Self::number(*byte, 4, Number::Name),
            },
            Self::Number { value, shift, what } => {
                // No honest number is this long; the HTTP/2 library refuses an overlong one.
                let more = usize::from(*byte & 0x7f).checked_shl(shift).unwrap_or(0);
                let value = value.saturating_add(more);
                match *byte {
                    0x80.. => Self::Number { value, shift: shift.saturating_add(7), what },
                    _ => what.is(value),
                }
            }
            Self::Length(text) => Self::number(*byte, 7, Number::Length { text, is_coded: *byte & 0x80 != 0 }),
            Self::Text { left, text } => {
                let text = text.after(byte);
                if left > 1 { Self::Text { left: left.saturating_sub(1), text } } else { text.end() }
            }
        }
    }

    /// Starts a number at its first byte, of which the low `bits` belong to it.
    fn number(byte: u8, bits: u32, what: Number) -> Self {
        let most = !(u8::MAX << bits);
        let value = usize::from(byte & most);
        if byte & most == most { Self::Number { value, shift: 0, what } } else { what.is(value) }
    }
}

impl Number {
    /// Continues with the field that this number belongs to.
    fn is(self, value: usize) -> Field {
        match self {
            Self::Alone => Field::Start,
            Self::Name if value == 0 => Field::Length(Text::Name(Some(0))),
            Self::Name => Field::Length(Text::Value { is_authority: value == AUTHORITY_INDEX }),
            Self::Length { text, is_coded } => {
                let text = if is_coded { text.coded() } else { text };
                if value == 0 { text.end() } else { Field::Text { left: value, text } }
            }
        }
    }
}

impl Text {
    /// The same string when it is Huffman-coded: its bytes stay unread.
    fn coded(self) -> Self {
        match self {
            Self::Name(_) => Self::Name(None),
            Self::Value { .. } => Self::Value { is_authority: false },
        }
    }

    fn after(self, byte: &mut u8) -> Self {
        match self {
            Self::Name(alike) => {
                let same = alike.filter(|alike| AUTHORITY.get(*alike) == Some(byte));
                Self::Name(same.map(|alike| alike.saturating_add(1)))
            }
            Self::Value { is_authority } => {
                if is_authority && !matches!(*byte, b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z') {
                    *byte = b'-';
                }
                self
            }
        }
    }

    /// Continues with the field after this string.
    fn end(self) -> Field {
        match self {
            Self::Name(alike) => Field::Length(Text::Value { is_authority: alike == Some(AUTHORITY.len()) }),
            Self::Value { .. } => Field::Start,
        }
    }
}

/// Length of the client connection preface, in bytes (RFC 9113 §3.4).
pub(super) const PREFACE: usize = 24;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATH: &[u8] = b"run%2Fsds.sock";
    const MENDED: &[u8] = b"run-2Fsds.sock";

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// A string without Huffman coding (RFC 7541 §5.2).
    fn text(text: &[u8]) -> Vec<u8> {
        assert!(text.len() < 127);
        [&[u8::try_from(text.len()).unwrap()], text].concat()
    }

    /// Fields with this authority in every representation, among others that look alike.
    fn fields(authority: &[u8]) -> Vec<u8> {
        let long = [b"a%".repeat(100)].concat();
        [
            vec![0x83, 0x86],                                           // by their indices: POST, http
            [&[0x3f, 0xe1, 0x1f][..]].concat(),                         // the table's size
            [&[0x41][..], &text(authority)].concat(),                   // by the name's index
            [&[0x40][..], &text(AUTHORITY), &text(authority)].concat(), // by the name, as C-core does
            [&[0x10][..], &text(AUTHORITY), &text(authority)].concat(), // not to be kept
            [&[0x01][..], &text(authority)].concat(),                   // nor this one
            [&[0x44][..], &text(b"/a%2Fb")].concat(),                   // the path
            [&[0x40][..], &text(b":authorit"), &text(PATH)].concat(),   // another name
            [&[0x40][..], &text(b":authority2"), &text(PATH)].concat(), // and one more
            [&[0x0f, 0x00][..], &text(PATH)].concat(),                  // an index of two bytes
            [&[0x40, 0x00][..], &text(PATH)].concat(),                  // no name
            [&[0x40][..], &text(b"x"), &[0x7f, 73], &long].concat(),    // 200 bytes
            [&[0x41, 0x80 | 3][..], b"%%%"].concat(),                   // in Huffman's code, whatever it says
            [&[0x41][..], &text(b"")].concat(),
        ]
        .concat()
    }

    /// A client's bytes: the frames of a connection with two requests.
    fn sent(authority: &[u8]) -> Vec<u8> {
        let fields = fields(authority);
        let (one, two) = fields.split_at(fields.len() / 3);
        let padded = [&[7][..], &[0, 0, 0, 0, 9], &fields, &[b'%'; 7]].concat();
        [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            frame(4, 0, &[0, 3, 0, 0, 0, 100]),
            frame(HEADERS, 0, one),
            frame(CONTINUATION, 0, &[]),
            frame(CONTINUATION, END_HEADERS, two),
            frame(0, 1, PATH),
            frame(HEADERS, END_HEADERS | PADDED | PRIORITY, &padded),
            frame(0, 0, &[]),
            frame(0, 1, &fields),
        ]
        .concat()
    }

    fn read(mut bytes: Vec<u8>, step: usize) -> Vec<u8> {
        let mut authorities = Authorities::default();
        bytes.chunks_mut(step).for_each(|bytes| authorities.read(bytes));
        bytes
    }

    /// Bodies that contain the same bytes stay as they are.
    #[test]
    fn an_authority_is_mended_and_nothing_else_in_whatever_pieces_it_comes() {
        let sent_path = sent(PATH);
        let body = fields(PATH).len();
        let start = sent_path.len() - body;
        let expected = [&sent(MENDED)[..start], &sent_path[start..]].concat();
        for step in 1..sent_path.len() {
            assert!(read(sent_path.clone(), step) == expected, "in pieces of {step}");
        }
        let good = sent(b"localhost");
        assert_eq!(read(good.clone(), 16), good);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

        /// Hostile bytes can do no more than make hyphens.
        #[test]
        fn whatever_comes_is_read(bytes in prop::collection::vec(any::<u8>(), 0..300), step in 1..20_usize) {
            let sent = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(HEADERS, 0, &bytes), &bytes].concat();
            let read = read(sent.clone(), step);
            prop_assert!(sent.iter().zip(&read).all(|(sent, read)| sent == read || *read == b'-'));
        }
    }
}
