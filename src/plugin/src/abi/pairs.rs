//! Header maps as bytes: a count, all lengths, then all names and values, each closed by a zero byte.

/// More pairs than Envoy ever hands over; it limits a message to 100 headers unless configured otherwise, and reads
/// 1024 at most itself.
const MAX_PAIRS: usize = 1024;

/// Writes pairs as the host reads them.
pub(super) fn encode(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_length(&mut bytes, pairs.len());
    for (name, value) in pairs {
        push_length(&mut bytes, name.len());
        push_length(&mut bytes, value.len());
    }
    for (name, value) in pairs {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(0);
    }
    bytes
}

/// Reads pairs as the host writes them; names in lower case. Bytes that are not such a map give `None`.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let mut rest = bytes;
    let count = take_length(&mut rest)?;
    if count > MAX_PAIRS {
        return None;
    }
    let mut lengths = Vec::with_capacity(count);
    for _ in 0..count {
        lengths.push((take_length(&mut rest)?, take_length(&mut rest)?));
    }
    let mut pairs = Vec::with_capacity(count);
    for (name, value) in lengths {
        let name = take_text(&mut rest, name)?.to_ascii_lowercase();
        pairs.push((name, take_text(&mut rest, value)?));
    }
    Some(pairs)
}

fn push_length(bytes: &mut Vec<u8>, length: usize) {
    // No header of ours is near 4 GiB long; the memory could not hold it.
    bytes.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let (length, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    usize::try_from(u32::from_le_bytes(*length)).ok()
}

fn take_text(rest: &mut &[u8], length: usize) -> Option<String> {
    let (text, tail) = rest.split_at_checked(length)?;
    let (zero, tail) = tail.split_first()?;
    *rest = tail;
    (*zero == 0).then(|| String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let bytes = encode(&[(":status", "200"), ("replay-nonce", ""), ("a", "b\u{e4}")]);
        let pairs = decode(&bytes).unwrap();
        assert_eq!(pairs.len(), 3);
        assert_eq!(pairs[0], (":status".to_owned(), "200".to_owned()));
        assert_eq!(pairs[1], ("replay-nonce".to_owned(), String::new()));
        assert_eq!(pairs[2], ("a".to_owned(), "b\u{e4}".to_owned()));
    }

    #[test]
    fn names_become_lower_case() {
        assert_eq!(decode(&encode(&[("Link", "X")])).unwrap(), [("link".to_owned(), "X".to_owned())]);
    }

    #[test]
    fn no_bytes_are_an_empty_map() {
        assert_eq!(decode(&[]), Some(Vec::new()));
    }

    #[test]
    fn a_map_cut_anywhere_is_none() {
        let bytes = encode(&[("name", "value"), ("other", "")]);
        for end in 1..bytes.len() {
            assert_eq!(decode(&bytes[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn absurd_counts_and_lengths_are_none() {
        assert_eq!(decode(&u32::MAX.to_le_bytes()), None);
        let mut bytes = 1_u32.to_le_bytes().to_vec();
        bytes.extend_from_slice(&u32::MAX.to_le_bytes());
        bytes.extend_from_slice(&u32::MAX.to_le_bytes());
        bytes.extend_from_slice(b"x\0y\0");
        assert_eq!(decode(&bytes), None);
    }
}
