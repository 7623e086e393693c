//! Formats times for people.

use time::OffsetDateTime;

/// Formats seconds since 1970 as a UTC time, as in 2027-02-28T12:00:00Z; times out of range stay bare numbers.
pub fn date(seconds: i64) -> String {
    let Ok(date) = OffsetDateTime::from_unix_timestamp(seconds) else { return seconds.to_string() };
    let (day, hour, minute, second) = (date.date(), date.hour(), date.minute(), date.second());
    format!("{day}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Formats the day alone, as in 2027-02-28.
pub fn day(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds).map_or_else(|_| seconds.to_string(), |date| date.date().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_formatted_as_a_date_and_nonsense_stays_a_number() {
        assert_eq!((date(1_800_000_000).as_str(), day(1_800_000_000).as_str()), ("2027-01-15T08:00:00Z", "2027-01-15"));
        assert_eq!(date(i64::MAX), i64::MAX.to_string());
    }
}
