//! A day of the Gregorian calendar in UTC: what waivers run out by. No clock: today comes from outside.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A day from 1970-01-01 to 9999-12-31, written `2027-01-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// Seconds of a day.
const DAY: i64 = 86_400;
/// The last day there is, from 1970-01-01.
const LAST: i64 = 2_932_896;

/// The text is no day: not `YYYY-MM-DD`, or not in the calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no day, such as 2027-01-31")]
pub struct NoDate(pub String);

impl Date {
    /// The day of a moment, given in UTC seconds since 1970 (the first and the last day beyond the calendar's ends).
    #[must_use]
    pub fn of_unix_seconds(seconds: i64) -> Self {
        Self::of_days(seconds.div_euclid(DAY))
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub fn days(self) -> i64 {
        // Years from March, so that the leap day is the last of one.
        let before_march = i64::from(self.month <= 2);
        let year = i64::from(self.year) - before_march;
        let month = i64::from(self.month) + 12 * before_march - 3;
        let of_year = (153 * month + 2) / 5 + i64::from(self.day) - 1;
        year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468
    }

    /// That many days later, or the calendar's last.
    #[must_use]
    pub fn plus_days(self, days: u32) -> Self {
        Self::of_days(self.days() + i64::from(days))
    }

    fn of_days(days: i64) -> Self {
        let shifted = days.clamp(0, LAST) + 719_468;
        let (era, of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        // In range by the clamp.
        Self {
            year: u16::try_from(year).unwrap_or(9999),
            month: u8::try_from(month).unwrap_or(12),
            day: u8::try_from(day).unwrap_or(31),
        }
    }
}

impl FromStr for Date {
    type Err = NoDate;

    fn from_str(text: &str) -> Result<Self, NoDate> {
        let wrong = || NoDate(text.to_owned());
        let shaped = text.len() == 10
            && text
                .bytes()
                .enumerate()
                .all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
        if !shaped {
            return Err(wrong());
        }
        let mut parts = text.split('-').filter_map(|part| part.parse::<u16>().ok());
        let (Some(year), Some(month), Some(day)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong());
        };
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return Err(wrong()),
        };
        if !(1970..=9999).contains(&year) || !(1..=days).contains(&day) {
            return Err(wrong());
        }
        let small = |number: u16| u8::try_from(number).map_err(|_| wrong());
        Ok(Self { year, month: small(month)?, day: small(day)? })
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_real_days_are_dates() {
        for day in ["2027-01-31", "2028-02-29", "2000-02-29", "1970-01-01", "9999-12-31"] {
            assert_eq!(day.parse::<Date>().map(|d| d.to_string()).as_deref(), Ok(day));
        }
        for day in [
            "2027-02-29",
            "2100-02-29",
            "2027-13-01",
            "2027-00-10",
            "2027-1-1",
            "27-01-01",
            "2027-01-32",
            "",
            "20270101",
            "2027-01-0é",
            "1969-12-31",
        ] {
            assert!(day.parse::<Date>().is_err(), "{day}");
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        // Four centuries, in which every kind of year comes, and the last days.
        for days in (0..=146_097).chain(LAST - 1_000..=LAST) {
            let date = Date::of_days(days);
            assert_eq!(date.days(), days, "{date}");
            assert_eq!(date.to_string().parse(), Ok(date));
            assert!(date.plus_days(1) > date || days == LAST, "{date}");
        }
        assert_eq!(Date::of_days(0).to_string(), "1970-01-01");
        assert_eq!(Date::of_days(LAST + 1).to_string(), "9999-12-31");
    }

    #[test]
    fn a_moment_is_of_its_day_in_utc() {
        let at = |seconds| Date::of_unix_seconds(seconds).to_string();
        assert_eq!(at(951_868_799), "2000-02-29");
        assert_eq!(at(951_868_800), "2000-03-01");
        assert_eq!(at(-1), "1970-01-01");
        assert_eq!("2027-01-31".parse::<Date>().unwrap().plus_days(30).to_string(), "2027-03-02");
    }
}
