//! ISO-8601 timestamps of the JSON conventions, to and from milliseconds since 1970 UTC.

use super::scalar::two_digits;

/// The times a JavaScript date can hold, milliseconds either side of 1970.
const JAVASCRIPT_MS_MAX: i64 = 8_640_000_000_000_000;
const DAY_MS: i64 = 86_400_000;

/// Text that is entirely `YYYY-MM-DDTHH:MM:SS.fff` with optional `Z` or `±HH:MM`, as stored documents
/// have it. Anything else, and any day that is not in the calendar, is no timestamp (contract 16, defect 37).
pub fn parse_stored(text: &str) -> Option<i64> {
    let (ms, fraction, zone) = parse(text)?;
    if fraction.len() != 3 {
        return None;
    }
    let offset_ms = if zone.is_empty() {
        0
    } else {
        parse_zone(zone)?
    };
    Some(ms - offset_ms)
}

/// Text that is entirely `YYYY-MM-DDTHH:MM:SS.f…` with `Z` or `±HH:MM`, as queries have it; digits
/// beyond milliseconds are cut off (contract 16, defect 36).
pub fn parse_queried(text: &str) -> Option<i64> {
    let (ms, _, zone) = parse(text)?;
    Some(ms - parse_zone(zone)?)
}

/// `/Date(milliseconds)/`.
pub fn parse_slash_date(text: &str) -> Option<i64> {
    let digits = text.strip_prefix("/Date(")?.strip_suffix(")/")?;
    let ms: i64 = digits.parse().ok()?;
    let held = (-JAVASCRIPT_MS_MAX..=JAVASCRIPT_MS_MAX).contains(&ms);
    (held && !digits.starts_with('+')).then_some(ms)
}

/// Milliseconds as if UTC, the digits of the fraction, and the rest.
fn parse(text: &str) -> Option<(i64, &str, &str)> {
    let bytes = text.as_bytes();
    // Most strings end here.
    if bytes.len() < 21
        || bytes.len() > 40
        || bytes[10] != b'T'
        || bytes[4] != b'-'
        || bytes[19] != b'.'
    {
        return None;
    }
    if bytes[7] != b'-' || bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    let (year, month, day) = (
        digits(&bytes[..4])?,
        digits(&bytes[5..7])?,
        digits(&bytes[8..10])?,
    );
    let (hour, minute, second) = (
        digits(&bytes[11..13])?,
        digits(&bytes[14..16])?,
        digits(&bytes[17..19])?,
    );
    if !(1..=12).contains(&month) || day < 1 || day > month_days(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let end = bytes[20..]
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .map_or(bytes.len(), |at| at + 20);
    let (fraction, zone) = (text.get(20..end)?, text.get(end..)?);
    if fraction.is_empty() {
        return None;
    }
    let mut ms = 0;
    for at in 0..3 {
        ms = ms * 10 + i64::from(fraction.as_bytes().get(at).map_or(0, |byte| byte - b'0'));
    }
    ms += ((hour * 60 + minute) * 60 + second) * 1000;
    Some((
        days_of_civil(year, month, day) * DAY_MS + ms,
        fraction,
        zone,
    ))
}

/// Offset of `Z` or `±HH:MM` from UTC, milliseconds.
fn parse_zone(zone: &str) -> Option<i64> {
    let bytes = zone.as_bytes();
    if bytes == b"Z" {
        return Some(0);
    }
    if bytes.len() != 6 || bytes[3] != b':' {
        return None;
    }
    let sign = match bytes[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = (digits(&bytes[1..3])?, digits(&bytes[4..6])?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60_000)
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + i64::from(byte - b'0'))
    })
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a Gregorian date, counted in eras of 400 years that start in March.
fn days_of_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_of_civil`].
fn civil_of_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Writes `YYYY-MM-DDTHH:MM:SS.fffZ`, with six digits and a sign for years beyond four digits, as
/// JavaScript does. Answers false, having written nothing, for times no JavaScript date can hold.
pub fn write(out: &mut Vec<u8>, unix_ms: i64) -> bool {
    if !(-JAVASCRIPT_MS_MAX..=JAVASCRIPT_MS_MAX).contains(&unix_ms) {
        return false;
    }
    let (year, month, day) = civil_of_days(unix_ms.div_euclid(DAY_MS));
    let ms = unix_ms.rem_euclid(DAY_MS) as u32;
    if !(0..=9999).contains(&year) {
        out.push(if year < 0 { b'-' } else { b'+' });
        // The last four digits follow below.
        out.extend_from_slice(&two_digits((year.abs() / 10_000) as u8));
    }
    let year = year.abs() % 10_000;
    let mut text = *b"0000-00-00T00:00:00.000Z";
    for (at, value) in [
        (0, (year / 100) as u8),
        (2, (year % 100) as u8),
        (5, month as u8),
        (8, day as u8),
        (11, (ms / 3_600_000) as u8),
        (14, (ms / 60_000 % 60) as u8),
        (17, (ms / 1000 % 60) as u8),
        (20, (ms / 10 % 100) as u8),
    ] {
        text[at..at + 2].copy_from_slice(&two_digits(value));
    }
    text[22] = b'0' + (ms % 10) as u8;
    out.extend_from_slice(&text);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(ms: i64) -> Option<String> {
        let mut out = Vec::new();
        write(&mut out, ms).then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn known_times_read_and_write() {
        for (ms, iso) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(parse_stored(iso), Some(ms), "{iso}");
            assert_eq!(text(ms).as_deref(), Some(iso));
        }
        assert_eq!(
            text(JAVASCRIPT_MS_MAX).as_deref(),
            Some("+275760-09-13T00:00:00.000Z")
        );
        assert_eq!(
            text(-JAVASCRIPT_MS_MAX).as_deref(),
            Some("-271821-04-20T00:00:00.000Z")
        );
        assert_eq!(text(JAVASCRIPT_MS_MAX + 1), None);
        assert_eq!(text(i64::MIN), None);
    }

    #[test]
    fn zones_are_subtracted() {
        assert_eq!(parse_stored("1970-01-01T01:30:00.000+01:30"), Some(0));
        assert_eq!(parse_queried("1969-12-31T23:00:00.000-01:00"), Some(0));
        assert_eq!(parse_stored("1970-01-01T00:00:00.000"), Some(0));
    }

    #[test]
    fn what_is_no_timestamp_stays_text() {
        for text in [
            "1970-01-01T00:00:00Z",
            "1970-01-01T00:00:00.00Z",
            "1970-01-01T00:00:00.0000Z",
            "1970-02-30T00:00:00.000Z",
            "1900-02-29T00:00:00.000Z",
            "1970-13-01T00:00:00.000Z",
            "1970-00-01T00:00:00.000Z",
            "1970-01-00T00:00:00.000Z",
            "1970-01-01T24:00:00.000Z",
            "1970-01-01T00:60:00.000Z",
            "1970-01-01T00:00:60.000Z",
            "1970-01-01T00:00:00.000+24:00",
            "1970-01-01T00:00:00.000z",
            "1970-01-01T00:00:00.000Z ",
            " 970-01-01T00:00:00.000Z",
            "1970-01-01 00:00:00.000Z",
            "ABCDEFGHIJKLMNOPQRSTUVWZ",
            "1970-01-01T00:00:00.00é",
            "",
        ] {
            assert_eq!(parse_stored(text), None, "{text}");
        }
    }

    #[test]
    fn a_query_takes_any_fraction_but_wants_a_zone_and_the_whole_text() {
        assert_eq!(parse_queried("1970-01-01T00:00:01.5Z"), Some(1500));
        assert_eq!(parse_queried("1970-01-01T00:00:00.1239999Z"), Some(123));
        assert_eq!(parse_queried("1970-01-01T00:00:00.000"), None);
        assert_eq!(parse_queried("since 1970-01-01T00:00:00.000Z"), None);
        assert_eq!(parse_queried("1970-01-01T00:00:00.000Z!"), None);
    }

    #[test]
    fn slash_dates() {
        assert_eq!(parse_slash_date("/Date(1500)/"), Some(1500));
        assert_eq!(parse_slash_date("/Date(-1500)/"), Some(-1500));
        for text in [
            "/Date()/",
            "/Date(1",
            "/Date(+1)/",
            "/Date(1.5)/",
            "/Date(9999999999999999)/",
            "/Date(-9223372036854775808)/",
        ] {
            assert_eq!(parse_slash_date(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn written_times_read_back(ms in -62_167_219_200_000_i64..253_402_300_800_000) {
            let text = text(ms).unwrap();
            prop_assert_eq!(parse_stored(&text), Some(ms));
            prop_assert_eq!(parse_queried(&text), Some(ms));
        }
    }
}
