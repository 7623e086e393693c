//! Texts as other systems' editors and shells write them.

/// The byte order mark that some editors put before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Converts a text to UTF-8 without a byte order mark: some editors write one, and Windows PowerShell writes UTF-16.
/// Other texts are unchanged.
pub(super) fn plain(bytes: Vec<u8>) -> Vec<u8> {
    let unit: fn([u8; 2]) -> u16 = match bytes.get(..2) {
        Some([0xff, 0xfe]) => u16::from_le_bytes,
        Some([0xfe, 0xff]) => u16::from_be_bytes,
        _ => return without_mark(bytes),
    };
    let units = bytes.chunks_exact(2).skip(1).map(|pair| match pair {
        [one, two] => unit([*one, *two]),
        _ => 0,
    });
    match char::decode_utf16(units).collect::<Result<String, _>>() {
        Ok(text) => text.into_bytes(),
        Err(_) => bytes,
    }
}

fn without_mark(bytes: Vec<u8>) -> Vec<u8> {
    match bytes.strip_prefix(BYTE_ORDER_MARK) {
        Some(text) => text.to_vec(),
        None => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_and_utf_16_are_read_and_anything_else_stays() {
        let utf16 = |mark: u16, swap: fn(u16) -> [u8; 2]| -> Vec<u8> {
            [mark].into_iter().chain("{ä}".encode_utf16()).flat_map(swap).collect()
        };
        for text in [utf16(0xfeff, u16::to_le_bytes), utf16(0xfeff, u16::to_be_bytes), "\u{feff}{ä}".into()] {
            assert_eq!(plain(text), "{ä}".as_bytes());
        }
        for text in [&b""[..], b"\xff", b"\xff\xfe\x00\xd8", b"0\x82", b"{}"] {
            assert_eq!(plain(text.to_vec()), text);
        }
    }
}
