//! The time stamp of a member: MS-DOS date and time, two-second steps, 1980 to 2107, no zone.

/// When a member was last changed, as a zip file writes it (APPNOTE 4.4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Year since 1980, month, day: 7, 4 and 5 bits.
    pub date: u16,
    /// Hour, minute, two-second step: 5, 6 and 5 bits.
    pub time: u16,
}

const DAY: u64 = 86_400;
/// 1980-01-01T00:00:00 in seconds since 1970.
const FIRST: u64 = 315_532_800;
/// 2107-12-31T23:59:58 in seconds since 1970.
const LAST: u64 = 4_354_819_198;

impl Timestamp {
    /// 1980-01-01T00:00:00, for members that have no time of their own.
    pub const EARLIEST: Timestamp = Timestamp { date: 0x21, time: 0 };

    /// From seconds since 1970 in UTC (`SOURCE_DATE_EPOCH`), clamped to what the format can say.
    pub fn from_epoch(seconds: u64) -> Self {
        let seconds = seconds.clamp(FIRST, LAST);
        let (days, rest) = (seconds / DAY, seconds % DAY);
        let (year, month, day) = civil(days);
        Timestamp {
            date: ((year.saturating_sub(1980) << 9) | (month << 5) | day) as u16,
            time: (((rest / 3600) << 11) | ((rest / 60 % 60) << 5) | (rest % 60 / 2)) as u16,
        }
    }
}

/// Year, month and day of a count of days since 1970 in the Gregorian calendar (Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`, for days after 1970 only).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(t: Timestamp) -> String {
        format!(
            "{}-{:02}-{:02} {:02}:{:02}:{:02}",
            1980 + (t.date >> 9),
            t.date >> 5 & 15,
            t.date & 31,
            t.time >> 11,
            t.time >> 5 & 63,
            (t.time & 31) * 2
        )
    }

    #[test]
    fn known_times_and_the_ends_of_the_range() {
        for (seconds, expected) in [
            (0, "1980-01-01 00:00:00"),
            (FIRST, "1980-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:58"),
            (951_825_600, "2000-02-29 12:00:00"),
            (1_700_000_000, "2023-11-14 22:13:20"),
            (LAST, "2107-12-31 23:59:58"),
            (u64::MAX, "2107-12-31 23:59:58"),
        ] {
            assert_eq!(text(Timestamp::from_epoch(seconds)), expected);
        }
        assert_eq!(Timestamp::from_epoch(0), Timestamp::EARLIEST);
    }
}
