//! The host that a request is for.

/// The host of an `:authority`, as challenges name it: lower case, without a port, a trailing dot or brackets.
pub(crate) fn host(authority: &str) -> Option<String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => match authority.split_once(':') {
            Some((host, _)) => (host, authority.get(host.len()..)?),
            None => (authority, ""),
        },
    };
    let port_fits = match port.strip_prefix(':') {
        Some(digits) => digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    (port_fits && !host.is_empty()).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_read_as_challenges_name_it() {
        for (authority, expected) in [
            ("a.example", Some("a.example")),
            ("A.Example:80", Some("a.example")),
            ("a.example.", Some("a.example")),
            ("a.example.:8080", Some("a.example")),
            ("[2001:DB8::1]:80", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("192.0.2.1:80", Some("192.0.2.1")),
            ("a.example:", Some("a.example")),
            ("2001:db8::1", None),
            ("a.example:http", None),
            ("[::1", None),
            ("[::1]x", None),
            (":80", None),
            (".", None),
            ("", None),
        ] {
            assert_eq!(host(authority).as_deref(), expected, "{authority}");
        }
    }
}
