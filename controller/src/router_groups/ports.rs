//! The ports of a router group.

use std::{ops::RangeInclusive, str::FromStr};

/// Ports as an operator writes them: numbers and ranges between 1024 and 65535, none twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ports(Vec<RangeInclusive<u16>>);

/// The first port that needs no privilege.
const FIRST: u16 = 1024;

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut ranges: Vec<RangeInclusive<u16>> = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let port = |text: &str| {
                let number: u16 = text.trim().parse().map_err(|_| format!("Port must be between {FIRST} - 65535"))?;
                if number < FIRST { Err(format!("Port must be between {FIRST} - 65535")) } else { Ok(number) }
            };
            let (first, last) = (port(first)?, port(last)?);
            if first > last {
                return Err(format!("Range must be from the lower port to the higher: {part}"));
            }
            if let Some(other) = ranges.iter().find(|other| first <= *other.end() && last >= *other.start()) {
                return Err(format!("Overlapping values: [{}-{}] and [{first}-{last}]", other.start(), other.end()));
            }
            ranges.push(first..=last);
        }
        ranges.sort_by_key(|range| *range.start());
        Ok(Self(ranges))
    }
}

impl Ports {
    /// Whether the port is one of them.
    pub(crate) fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|range| range.contains(&port))
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().cloned().flatten()
    }

    /// Whether any port is in both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.0.iter().any(|one| other.0.iter().any(|two| one.start() <= two.end() && two.start() <= one.end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        text.parse::<Ports>().unwrap_err()
    }

    #[test]
    fn ranges_and_numbers_are_ports_and_none_comes_twice() {
        let ports: Ports = "2000, 1024-1026".parse().unwrap();
        assert_eq!(ports.iter().collect::<Vec<_>>(), [1024, 1025, 1026, 2000]);
        assert!(ports.contains(1025) && !ports.contains(1027));
        assert!(ports.overlaps(&"1026-1999".parse().unwrap()) && !ports.overlaps(&"1027-1999".parse().unwrap()));
        assert_eq!(wrong("1024-1030,1030-1040"), "Overlapping values: [1024-1030] and [1030-1040]");
        for text in ["", "80", "1024-70000", "a", "1024-", "-1024"] {
            assert_eq!(wrong(text), "Port must be between 1024 - 65535", "{text}");
        }
        assert!(wrong("2000-1999").contains("lower port"));
    }
}
